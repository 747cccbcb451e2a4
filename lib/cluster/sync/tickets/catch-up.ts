/**
 * What a node has to fetch without being asked: tables in use that it should hold and does not, because it was away while they were
 * switched, is new, or has lost them. Its mover makes tickets that join (tickets.ts) for them. Pure, like core.ts.
 *
 * How a mover drives it, with every look at the registry and after it has done what `nextForMover` lists:
 *
 *   1. At its start it opens the file of pointers-file.ts, knows what that knows, and announces its node (`registry.announceNode`), which
 *      it repeats well before the time is over. Pointers are read after the tickets, put back where they are lacking, and kept in the file.
 *   2. `findUnlisted`, and for each `retainTable` (land.ts).
 *   3. `noteNodes` over `registry.nodes()`, then `nextForJoins`: a ticket is made as `tickets.create(plan, placeTicket(plan))`, an event told
 *      as every other one. Downloaders, commit and finish take such a ticket like any other.
 *   4. Steps that drop something are given `named` (landing.ts), which reads the registry's pointers again: pointers that cannot be read
 *      end the step, which is done another time.
 *
 * A node should hold every table whose pointer has a source: all of them, or with `replicas: n` those for which it is among the n that
 * the rendezvous of the live nodes chooses. Only what is lacking is ever acted on: a node that is not chosen any more keeps what it
 * has, so that the last copy of a table is never deleted because nodes came or went.
 */
import { createHash } from "node:crypto";
import { canonicalJson } from "../../../base/json.js";
import type { Pointers, TableSource } from "../../../registry/pointers.js";
import { isJoin, type SlotPlace, type TicketHead, type TicketPlan } from "../../../registry/tickets.js";
import { manifestKey } from "../../../transfer/manifest.js";
import { chooseNodes } from "./placement.js";
import { slotOf, type Ticket } from "./ticket.js";

/** What a mover knows of its node and the others. */
export interface NodeView {
  readonly node: string;
  /** The live ones, as the registry lists them. */
  readonly nodes: LiveNodes;
  /** As the registry has them, and put back where it had lost them; read after the tickets. */
  readonly pointers: Pointers;
  /** By directory name of every table here: the generations that CURRENT lists and those prepared; of a table of bcolz its one. */
  readonly held: ReadonlyMap<string, readonly string[]>;
  /** Every ticket there is, with the slots of this node of those under way. */
  readonly tickets: readonly Ticket[];
  /** The registry's clock. */
  readonly nowMs: number;
}

/** The live nodes, and for how long they have been these. */
export interface LiveNodes {
  readonly names: readonly string[];
  /** Since when, by the registry's clock. */
  readonly sinceMs: number;
}

/** One thing to do for a mover. */
export type JoinStep =
  /** Make the ticket, with the slots of `placeTicket`. EXISTS: it was made already; BUSY: later. */
  | { readonly kind: "create"; readonly plan: TicketPlan }
  /** Tell this event. */
  | SlotPlace & { readonly kind: "superseded"; readonly ticket: string };

/** A generation of a table. */
export interface TableGeneration {
  readonly table: string;
  readonly generation: string;
}

/** Tables of one ticket that joins. */
export const joinTablesMax = 200;
/** Such tickets under way for one node. */
export const joinsMax = 4;
/** How long a table waits that did not come. */
export const joinPauseMs = 60_000;
/** What that grows to when it does not come again and again. */
export const joinPauseMaxMs = 3_600_000;
/** Nodes that restart are not taken for gone, nor their tables given to others. */
export const steadyMs = 60_000;

interface Lacking extends TableGeneration {
  readonly epoch: number;
  readonly source: TableSource;
}

/** The live nodes as they were read now, given what was known of them. Where the clock was set back they count as new. */
export function noteNodes(before: LiveNodes | undefined, names: readonly string[], nowMs: number): LiveNodes {
  const isSame = before !== undefined && before.sinceMs <= nowMs && before.names.length === names.length && names.every((name, index) => before.names[index] === name);
  return isSame ? before : { names: [...names], sinceMs: nowMs };
}

/**
 * The tables here of which a pointer names a generation that nothing lists any more. For two minutes at least its files are still there:
 * `retainTable` lists it again. To be asked before `nextForJoins`, whose `held` then has them.
 */
export function findUnlisted({ tables }: Pointers, held: NodeView["held"]): TableGeneration[] {
  return [...held].flatMap(([table, generations]) => {
    const generation = tables.get(table)?.generation ?? null;
    return generation === null || generations.includes(generation) ? [] : [{ table, generation }];
  });
}

/** All there is to do for tickets that join, of this node alone. */
export function nextForJoins(view: NodeView): JoinStep[] {
  const joins = view.tickets.filter(({ plan }) => isJoin(plan) && plan.nodes.includes(view.node));
  const underWay = joins.filter(isUnderWay);
  const room = Math.max(0, joinsMax - underWay.length);
  const tries = triesOf(joins);
  const due = findLacking(view).filter((table) => isDue(tries.get(keyOf(table)), view.nowMs));
  const plans = batchesOf(due).slice(0, room).map((tables) => planJoin(view.node, tables, tries));
  return [...underWay.flatMap((ticket) => supersededIn(view, ticket)), ...plans.map((plan): JoinStep => ({ kind: "create", plan }))];
}

/** Tables that the node should hold, does not, and that no ticket under way brings. */
function findLacking(view: NodeView): Lacking[] {
  const coming = new Set(view.tickets.filter(isUnderWay).flatMap((ticket) => comingBy(view.node, ticket)));
  return [...view.pointers.tables].flatMap(([table, { generation, epoch, source }]) => {
    if (generation === null || source === null || view.held.get(table)?.includes(generation) === true) return [];
    if (coming.has(keyOf({ table, generation })) || coming.has(keyOf({ table, generation: null })) || !isChosen(view, table, source)) return [];
    return [{ table, generation, epoch, source }];
  }).sort((a, b) => (a.table < b.table ? -1 : 1));
}

function isChosen({ node, nodes, nowMs }: NodeView, table: string, { replicas }: TableSource): boolean {
  if (replicas === null) return true;
  // A node whose own listing is late is alive all the same.
  return nowMs - nodes.sinceMs >= steadyMs && chooseNodes(table, [...new Set([...nodes.names, node])], replicas).includes(node);
}

/** What a ticket brings to a node: its tables with their generations, empty where nobody knows yet. */
function comingBy(node: string, ticket: Ticket): string[] {
  return ticket.plan.tables.flatMap(({ table, generation }) => {
    const slot = slotOf(ticket, { node, table });
    return slot === undefined || slot.state === "failed" || slot.state === "switched" ? [] : [keyOf({ table, generation })];
  });
}

/** Tells whether a table may be tried: never before, or long enough ago. What has ended later than now did so by a clock that was set back since. */
function isDue(tries: readonly TicketHead[] | undefined, nowMs: number): boolean {
  if (tries === undefined) return true;
  const endedMs = tries.reduce((latest, head) => Math.max(latest, (head.endedMs ?? 0) > nowMs ? 0 : head.endedMs ?? 0), 0);
  return nowMs - endedMs >= Math.min(joinPauseMaxMs, joinPauseMs * 2 ** (tries.length - 1));
}

/** The tickets that have ended, by what they were to bring. They are forgotten after a while, and with them how often it was tried. */
function triesOf(joins: readonly Ticket[]): Map<string, TicketHead[]> {
  const tries = new Map<string, TicketHead[]>();
  for (const ticket of joins.filter((one) => !isUnderWay(one))) {
    for (const table of ticket.plan.tables) {
      const before = tries.get(keyOf(table));
      if (before === undefined) tries.set(keyOf(table), [ticket.head]);
      else before.push(ticket.head);
    }
  }
  return tries;
}

/** The tables of each ticket: those of one bucket, and not too many. */
function batchesOf(lacking: readonly Lacking[]): Lacking[][] {
  const batches: Lacking[][] = [];
  const open = new Map<string, Lacking[]>();
  for (const table of lacking) {
    const { bucket } = table.source;
    const batch = open.get(bucket);
    if (batch !== undefined && batch.length < joinTablesMax) {
      batch.push(table);
      continue;
    }
    const begun = [table];
    open.set(bucket, begun);
    batches.push(begun);
  }
  return batches;
}

function planJoin(node: string, lacking: readonly Lacking[], tries: ReadonlyMap<string, readonly TicketHead[]>): TicketPlan {
  const { bucket } = lacking[0]!.source;
  const tables = lacking.map(({ table, generation, source }) => ({ table, manifest: source.hasManifest ? manifestKey(table, generation) : null, generation }));
  const before = new Set(lacking.flatMap((table) => (tries.get(keyOf(table)) ?? []).map(({ id }) => id)));
  return { id: idOf([node, bucket, lacking.map(({ table, generation, epoch }) => [table, generation, epoch]), [...before].sort()]), bucket, tables, nodes: [node], replicas: null, purpose: "join" };
}

/** The same for the same: whoever makes the ticket a second time, before or after a restart, finds that it is there. */
function idOf(facts: readonly unknown[]): string {
  return createHash("sha256").update(canonicalJson(facts)).digest("hex").slice(0, 16);
}

/** The tables of a ticket whose pointers name something else by now. Pointers that are not back yet tell nothing. */
function supersededIn({ node, pointers }: NodeView, ticket: Ticket): JoinStep[] {
  if (ticket.head.state !== "active") return [];
  return ticket.plan.tables.flatMap(({ table, generation }): JoinStep[] => {
    const pointer = pointers.tables.get(table);
    const slot = slotOf(ticket, { node, table });
    if (pointer === undefined || pointer.generation === generation || slot === undefined || slot.state === "failed") return [];
    return [{ kind: "superseded", ticket: ticket.head.id, node, table }];
  });
}

function keyOf({ table, generation }: { readonly table: string; readonly generation: string | null }): string {
  return `${table} ${generation ?? ""}`;
}

function isUnderWay({ head }: Ticket): boolean {
  return head.state === "active" || head.state === "committed";
}
