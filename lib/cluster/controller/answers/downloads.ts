/** The verbs of tickets: making one, telling how they are, and ending one. Whatever they change, the registry decides. */
import { BquerydError } from "../../../base/errors.js";
import { limits } from "../../../base/limits.js";
import type { Log } from "../../../base/log.js";
import { parseTableName } from "../../../columns/names.js";
import { parseBucket } from "../../../objects/open.js";
import type { TicketHead, TicketKeeper, TicketList, TicketPlan } from "../../../registry/tickets.js";
import type { DownloadInfo, TicketMade } from "../../../wire/download-documents.js";
import type { ClientMessage } from "../../../wire/messages.js";
import { decide } from "../../sync/tickets/core.js";
import { placeTicket } from "../../sync/tickets/placement.js";
import { countSlots } from "../../sync/tickets/ticket.js";
import { describeHead, describeTicket } from "./download-report.js";
import { requireReadyNode, warnOfNodes, type NodeRoles } from "./download-nodes.js";

/** What tickets need of a controller. */
export interface DownloadHost {
  readonly registry: { readonly tickets: TicketKeeper };
  readonly log: Log;
  /** The nodes that serve or fetch data now. */
  nodes(): readonly NodeRoles[];
}

type Asked = Pick<ClientMessage & { type: "call" }, "bucket" | "sources" | "sets" | "replicas" | "ticket" | "detail">;

/** How often a ticket is read again that changed while it was to be cancelled: its state has few changes to go through. */
const cancelsMax = 20;

/**
 * Makes the ticket that a call asks for; one of that id that asks for the same was made before, and is told again. A call
 * without an id asks whether it could be made. Throws USAGE, BAD_INPUT for what is no table, CONFIG for what is no bucket,
 * TICKET_FAILED where no node could get anything, EXISTS for an id that is taken, BUSY when there are too many, REGISTRY_UNAVAILABLE.
 */
export async function makeTicket({ registry: { tickets }, log, nodes }: DownloadHost, asked: Asked): Promise<TicketMade> {
  const { bucket, tables, sets } = requireRequest(asked);
  const there = nodes();
  const id = asked.ticket ?? "";
  const wanted: TicketPlan = { id, bucket, tables, nodes: there.map(({ node }) => node), replicas: asked.replicas ?? null, ...(sets === undefined ? {} : { sets }) };
  const before = asked.ticket === undefined ? undefined : await tickets.plan(id);
  if (before === undefined) requireMakable(wanted, there);
  const isNew = before === undefined && asked.ticket !== undefined;
  if (isNew) await createTicket(tickets, wanted);
  const plan = isNew ? requireSame(await tickets.plan(id), wanted) : requireSame(before ?? wanted, wanted);
  const places = placeTicket(plan);
  if (isNew) log.info({ event: "ticket.created", ticket: id, bucket, tables: tables.length, nodes: plan.nodes.length, replicas: plan.replicas, slots: places.length });
  return { ticket: asked.ticket ?? null, slots: places.length, warnings: [...warnOfReplicas(plan), ...warnOfNodes(there, new Set(places.map(({ node }) => node)))] };
}

function warnOfReplicas({ replicas, nodes }: TicketPlan): string[] {
  if (replicas === null || replicas <= nodes.length) return [];
  return [`${replicas} replicas are asked for, and there ${nodes.length === 1 ? "is 1 node" : `are ${nodes.length} nodes`}: each table comes to all of these`];
}

/**
 * A document for each ticket, the newest last, or for the one that is asked for; with `detail` those under way, and with
 * `slots` the others too, tell of their nodes, as far as one answer holds them: the newest first.
 */
export async function listDownloads({ registry: { tickets }, nodes }: DownloadHost, { ticket, detail }: Asked): Promise<{ readonly documents: DownloadInfo[]; readonly epoch: number | undefined }> {
  const { nowMs, heads: all } = await tickets.list();
  const heads = ticket === undefined ? all : all.filter(({ id }) => id === ticket);
  const epoch = Math.max(0, ...heads.map((head) => head.epoch ?? 0));
  const documents: DownloadInfo[] = [];
  let room = limits.slotsListedMax;
  for (const head of [...heads].reverse()) {
    const isWanted = detail === "slots" || (detail === "nodes" && (isUnderWay(head) || ticket !== undefined));
    const isRead = isWanted && countSlots(head) <= room;
    const plan = isRead ? await tickets.plan(head.id) : undefined;
    if (isRead) room -= countSlots(head);
    documents.unshift(plan === undefined ? describeHead(head, nowMs) : describeTicket({
      head, plan, nowMs, slots: await tickets.slots(plan), listsPlaces: detail === "slots", nodes: nodes(),
    }));
  }
  return { documents, epoch: epoch === 0 ? undefined : epoch };
}

/**
 * Cancels a ticket and gives how many slots that ends; one that has ended is forgotten, for 0. One that is committed is in
 * use, and goes on to its end. Throws USAGE, NOT_FOUND, BUSY when it never holds still, REGISTRY_UNAVAILABLE.
 */
export async function deleteTicket({ registry: { tickets }, log }: DownloadHost, { ticket: id }: Asked, by: string): Promise<number> {
  if (id === undefined) throw new BquerydError("USAGE", "delete_download names no ticket; write rpc.delete_download('bqueryd_download_ticket_...'), see rpc.downloads()");
  for (let attempt = 0; attempt < cancelsMax; attempt++) {
    const { nowMs, heads } = await tickets.list();
    const head = requireTicket({ nowMs, heads }, id);
    if (head.state === "committed") return 0;
    if (!isUnderWay(head)) {
      await tickets.remove(id);
      return 0;
    }
    const plan = await tickets.plan(id);
    const outcome = plan === undefined ? undefined : decide({ head, plan, slots: new Map() }, { kind: "cancel" }, nowMs);
    if (outcome?.kind !== "change") continue;
    const isMade = await tickets.change(id, outcome.change).then(() => true, (cause: unknown) => {
      if (cause instanceof BquerydError && (cause.code === "STALE" || cause.code === "NOT_FOUND")) return false;
      throw cause;
    });
    if (!isMade) continue;
    log.info({ event: "ticket.cancelled", ticket: id, by, slots: countSlots(head) });
    return countSlots(head);
  }
  throw new BquerydError("BUSY", `the ticket ${id} changed ${cancelsMax} times while it was to be cancelled; ask again`, { details: { ticket: id } });
}

function requireRequest({ bucket, sources = [], sets = [] }: Asked): Pick<TicketPlan, "bucket" | "tables" | "sets"> {
  if (bucket === undefined) throw new BquerydError("USAGE", "download names no bucket; write rpc.download({filenames: ['taxi.bcolz'], bucket: 'shop'})");
  parseBucket(bucket);
  if (sources.length === 0) throw new BquerydError("USAGE", "download names no table; write rpc.download({filenames: ['taxi.bcolz'], bucket: 'shop'})");
  const names = new Set<string>();
  for (const { table } of sources) {
    parseTableName(table);
    if (names.has(table)) throw new BquerydError("USAGE", `download names ${table} twice; name it once`, { details: { table } });
    names.add(table);
  }
  const bases = new Set(sources.flatMap(({ table }) => { const { base, shard } = parseTableName(table); return shard === null ? [] : [base]; }));
  const strange = sets.find((set) => !bases.has(set));
  if (strange !== undefined) throw new BquerydError("USAGE", `download names the set '${strange}' and no shard of it; name its shards, or leave the set out`, { details: { set: strange } });
  return sets.length === 0 ? { bucket, tables: sources } : { bucket, tables: sources, sets: [...new Set(sets)].sort() };
}

function requireMakable(plan: TicketPlan, there: readonly NodeRoles[]): void {
  requireReadyNode(there);
  const { tables, nodes, replicas } = plan;
  if (tables.length > limits.shardsMax) throw new BquerydError("USAGE", `${tables.length} tables are more than the ${limits.shardsMax} that one ticket switches to at once; make several tickets of fewer tables`, { details: { tables: tables.length } });
  const slots = tables.length * Math.min(nodes.length, replicas ?? nodes.length);
  if (slots <= limits.ticketSlotsMax) return;
  throw new BquerydError("USAGE", `${tables.length} tables on ${nodes.length} nodes are ${slots} slots, and a ticket has at most ${limits.ticketSlotsMax}; make several tickets of fewer tables, or ask for fewer replicas`, { details: { slots } });
}

/** Another controller may have been sent the same at the same time. */
async function createTicket(tickets: TicketKeeper, plan: TicketPlan): Promise<void> {
  await tickets.create(plan, placeTicket(plan)).catch((cause: unknown) => {
    if (!(cause instanceof BquerydError) || cause.code !== "EXISTS") throw cause;
  });
}

/** The plan that there is under the id, of which nodes may have come or gone since. */
function requireSame(plan: TicketPlan | undefined, wanted: TicketPlan): TicketPlan {
  const asked = ({ bucket, tables, replicas, sets = [] }: TicketPlan): string => JSON.stringify([bucket, replicas, sets, tables.map(({ table, manifest, generation }) => [table, manifest, generation])]);
  if (plan !== undefined && asked(plan) === asked(wanted)) return plan;
  throw new BquerydError("EXISTS", `there is another ticket ${wanted.id} already; give another id`, { details: { ticket: wanted.id } });
}

function requireTicket({ heads }: TicketList, id: string): TicketHead {
  const head = heads.find((one) => one.id === id);
  if (head !== undefined) return head;
  throw new BquerydError("NOT_FOUND", `there is no ticket ${id}; it was deleted, ended more than a day ago, or the registry has lost it: see rpc.downloads()`, { details: { ticket: id } });
}

function isUnderWay({ state }: TicketHead): boolean {
  return state === "active" || state === "committed";
}
