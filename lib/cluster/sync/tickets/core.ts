/**
 * Decides what comes of an event of a ticket. Pure: no clock, no registry. How it is driven, by every process alike:
 *
 *   1. Read `list()`: the heads, and the registry's time, which is the only `nowMs` here (what has passed since then by
 *      the own clock may be added). Read a ticket's plan once, and the slots as far as they matter: a downloader and a
 *      mover those of their node; all of them for commit, giveUp and the people who ask.
 *   2. Ask next.ts what is to be done, do it on the disk, and only then tell: `decide` gives the change, or says why not.
 *   3. Make the change with `tickets.change` or `.commit`. STALE: somebody was quicker, read and decide anew. NOT_FOUND: the
 *      ticket is gone, stop. REGISTRY_UNAVAILABLE: it may have been made; read again, and tell again: what is so already is
 *      answered `already`. A change goes through only while version and slots are as they were read, so nothing decided on
 *      what is old is ever done.
 *
 * Nobody leads. Whoever sees that every slot is prepared commits, in one transaction of the registry: the ticket and all its
 * pointers. A prepared slot never goes back while its ticket is active, so what was read of the slots still holds when the
 * version does.
 *
 * A downloader claims a slot with a lease and gets a fence. It works in a stage of that fence, renews in a third of the
 * lease, and once it is refused it stops, and leaves its stage to the mover. One whose lease was taken over can harm
 * nothing, however late: its stage is no longer looked at, and its changes are refused.
 *
 * A mover, one a node, does what `nextForMover` lists, one by one. A mark is written before `prepared` is told, and taken
 * back only when its ticket has ended without a commit, or is not known any more for a while, and no pointer names it.
 * When the registry was emptied pointers come back from those who know them, so a mover reads them as controllers do: it
 * keeps what it has seen, on disk as well (pointers-file.ts), and puts back what is lacking before it goes on.
 *
 * A ticket that joins brings one node what pointers name already, and is made by that node's mover (catch-up.ts). Its commit
 * moves no pointer: what came is made CURRENT where the pointer names it still, and else taken back, table by table.
 */
import { limits } from "../../../base/limits.js";
import { formatNames } from "../../../base/quantities.js";
import { findTableName } from "../../../columns/names.js";
import type { PointerChange, Pointers } from "../../../registry/pointers.js";
import { isJoin, keyOfSlot, type Slot, type TicketPlan } from "../../../registry/tickets.js";
import { decideSlot } from "./slot-events.js";
import { already, countSlots, endTicket, refuse, supersededText, type Outcome, type Ticket, type TicketEvent } from "./ticket.js";

/** Nodes that a reason names. */
const nodesNamedMax = 10;

/** The outcome of an event at a time of the registry's clock. The ticket holds the slots that the event needs. */
export function decide(ticket: Ticket, event: TicketEvent, nowMs: number): Outcome {
  switch (event.kind) {
    case "commit": return onCommit(ticket, event.pointers);
    case "finish": return onFinish(ticket);
    case "giveUp": return onGiveUp(ticket, event.stallMs, nowMs);
    case "cancel": return onCancel(ticket);
    default: return decideSlot(ticket, event, nowMs);
  }
}

function onCommit(ticket: Ticket, before: Pointers): Outcome {
  const { head, slots } = ticket;
  if (head.state === "committed" || head.state === "done") return already;
  if (head.state !== "active") return refuse(`the ticket is ${head.state}`);
  if (slots.size !== countSlots(head)) return refuse(`only ${slots.size} of its ${countSlots(head)} slots were read`);
  const isJoining = isJoin(ticket.plan);
  const behind = [...slots].find(([, { state }]) => state !== "prepared" && !(isJoining && state === "failed"));
  if (behind !== undefined) return refuse(`the slot '${behind[0]}' is ${behind[1].state}`);
  if (isJoining && head.counts.prepared === 0) return endJoin(ticket);
  const expected = { expectedVersion: head.version, expectedEpoch: before.epoch };
  if (isJoining) return { kind: "commit", commit: { ...expected, pointers: [] } };
  const pointers = pointersOf(ticket);
  if (typeof pointers === "string") return endTicket(ticket, { state: "failed", reason: pointers });
  const moved = [...pointers, ...shrunkPointers(ticket.plan, before)];
  // Else nobody could ever commit it, and whoever tries to would come to no other ticket.
  if (moved.length > limits.shardsMax) return endTicket(ticket, { state: "failed", reason: `it would change ${moved.length} pointers at once, more than ${limits.shardsMax}; make several tickets of fewer tables` });
  return { kind: "commit", commit: { ...expected, pointers: moved } };
}

/** The pointers that the slots agree on, or how they do not. */
function pointersOf({ plan, slots }: Ticket): PointerChange[] | string {
  const pointers: PointerChange[] = [];
  for (const { table, manifest } of plan.tables) {
    const prepared = plan.nodes.flatMap((node) => preparedAt(slots.get(keyOfSlot({ node, table })), node));
    const [first] = prepared;
    const other = prepared.find(({ generation }) => generation !== first?.generation);
    if (first === undefined) return `no node was given ${table}`;
    if (other !== undefined) return `${first.node} has generation ${first.generation} of ${table} and ${other.node} ${other.generation}; its source changed meanwhile, download it again`;
    pointers.push({ table, generation: first.generation, source: { bucket: plan.bucket, replicas: plan.replicas, hasManifest: manifest !== null } });
  }
  return pointers;
}

/** No generation for the shards that sets of the ticket had and have no more: a set is the shards that pointers name. */
function shrunkPointers({ tables, sets = [] }: TicketPlan, before: Pointers): PointerChange[] {
  const [brought, whole] = [new Set(tables.map(({ table }) => table)), new Set(sets)];
  return [...before.tables].flatMap(([table, { generation }]) => {
    const name = findTableName(table);
    const isGone = generation !== null && !brought.has(table) && name !== undefined && name.shard !== null && whole.has(name.base);
    return isGone ? [{ table, generation: null }] : [];
  });
}

function preparedAt(slot: Slot | undefined, node: string): { node: string; generation: string }[] {
  return slot?.state === "prepared" ? [{ node, generation: slot.generation }] : [];
}

function onFinish(ticket: Ticket): Outcome {
  const { head } = ticket;
  if (head.state === "done") return already;
  if (head.state !== "committed") return refuse(`the ticket is ${head.state}`);
  const { switched, failed } = head.counts;
  const left = countSlots(head) - switched - failed;
  if (left > 0) return refuse(`${left} slots are not switched yet`);
  return failed > 0 ? endJoin(ticket) : endTicket(ticket, { state: "done", reason: null });
}

/** The end of a ticket that joins, of which some or all tables did not come: failed when all of them did not, cancelled when nobody wants any. */
function endJoin(ticket: Ticket): Outcome {
  const { head, slots } = ticket;
  const reasons = [...slots].flatMap(([place, slot]) => (slot.state === "failed" ? [{ place, reason: slot.reason }] : []));
  const broken = reasons.filter(({ reason }) => !reason.startsWith(supersededText));
  const [first] = broken.length > 0 ? broken : reasons;
  const state = head.counts.switched > 0 ? "done" : broken.length > 0 ? "failed" : "cancelled";
  return endTicket(ticket, { state, reason: `${head.counts.failed} of ${countSlots(head)} tables did not come: ${first?.place ?? "see its slots"}: ${first?.reason ?? "failed"}` });
}

/** A node that does not come back must not hold up the rest for ever. */
function onGiveUp(ticket: Ticket, stallMs: number, nowMs: number): Outcome {
  const { head } = ticket;
  if (head.state !== "active" && head.state !== "committed") return already;
  // What has changed later than now did so by a clock that was set back since: whoever tells this has waited.
  if (head.changedMs <= nowMs && nowMs - head.changedMs < stallMs) return refuse("it goes on");
  const seconds = Math.round(stallMs / 1_000);
  if (head.state === "active") return endTicket(ticket, { state: "failed", reason: `nothing has come on for ${seconds} s; it waits for ${laggards(ticket, "prepared")}` });
  return endTicket(ticket, { state: "done", reason: `in use; not made CURRENT within ${seconds} s by ${laggards(ticket, "switched")}, which do that when they are back` });
}

/** The nodes with slots that have not come as far. */
function laggards({ plan, slots }: Ticket, state: "prepared" | "switched"): string {
  const isBehind = (node: string, table: string): boolean => (slots.get(keyOfSlot({ node, table }))?.state ?? state) !== state;
  const nodes = plan.nodes.filter((node) => plan.tables.some(({ table }) => isBehind(node, table)));
  return nodes.length === 0 ? "nobody" : formatNames(nodes, nodesNamedMax);
}

/** What is committed is in use and is not taken back; rollback is for that. */
function onCancel(ticket: Ticket): Outcome {
  const { state } = ticket.head;
  if (state === "cancelled") return already;
  return state === "active" ? endTicket(ticket, { state: "cancelled", reason: null }) : refuse(`the ticket is ${state}`);
}
