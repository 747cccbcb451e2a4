/** What a controller tells people about its cluster: the documents of info() and files(). Keys are snake_case, times seconds. */
import { parseTableName, shardOrder } from "../../../columns/names.js";
import { describeIncomplete } from "../../../columns/resolve-tables.js";
import type { Pointers } from "../../../registry/pointers.js";
import type { ControllerRecord } from "../../../registry/registry.js";
import { shortAddress } from "../../../wire/addresses.js";
import type { CarrierInfo, ClusterInfo, TableInfo, WorkerInfo } from "../../../wire/documents.js";
import type { Holding, ProcessRole } from "../../../wire/messages.js";
import { socketTraffic } from "../../../wire/sockets.js";
import { describeUnreadable, listUnreadable } from "../tables/broken.js";
import { sumCalls, type CallCounts } from "./call-counts.js";
import { chosenHoldings, type Catalog, type Shard } from "../tables/catalog.js";
import { carriersOf, describeUnpaired } from "../carriers.js";
import { listDepartures, warnOfDepartures } from "../departures.js";
import { describeLackingNodes } from "../tables/lacking-nodes.js";
import { describeUnreadImports } from "../tables/unread-imports.js";
import { subjectOf, verbOf } from "./queries.js";
import type { Sessions, WorkerSession } from "../peers/sessions.js";
import type { ControllerState, Worker } from "../state.js";

/** Facts about a controller's own process. */
export interface OwnFacts {
  readonly id: string;
  readonly address: string;
  readonly node: string;
  readonly pid: number;
  readonly version: string;
  readonly startedMs: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly malformed: number;
  readonly refused: number;
  readonly calls: CallCounts;
}

/** What info() is made of. */
export interface InfoFacts {
  readonly own: OwnFacts;
  readonly state: ControllerState;
  readonly sessions: Sessions;
  /** The controllers the registry lists, this one among them; or why it cannot be read. */
  readonly controllers: readonly ControllerRecord[] | { readonly problem: string };
  /** As the registry has them; left out where they could not be read, or nobody has anything else than they name. */
  readonly pointers?: Pointers | undefined;
}

/** Warnings listed in one document. */
const warningsMax = 100;

/** The document of info(). `nowMs` and the start of a process are of the steady clock. */
export function describeCluster({ own, state, sessions, controllers, pointers }: InfoFacts, nowMs: number): ClusterInfo {
  const others = "problem" in controllers ? [] : controllers.filter(({ id }) => id !== own.id);
  const unread = "problem" in controllers ? [`the registry cannot be read: ${controllers.problem}`] : [];
  return {
    id: own.id, address: own.address, node: own.node, pid: own.pid, version: own.version, uptime: seconds(nowMs - own.startedMs),
    messages_in: own.messagesIn, messages_out: own.messagesOut, malformed: own.malformed, refused: own.refused, epoch: state.catalog.epoch, served: describeServed(own),
    controllers: others.map(({ id, address, node, pid }) => ({ id, address: shortAddress(address), node, pid })),
    workers: [...state.workers.values()].flatMap((worker) => {
      const session = sessions.workers.get(worker.id);
      return session === undefined ? [] : [describeWorker(state, worker, session, nowMs)];
    }),
    downloaders: listCarriers({ state, sessions }, "downloader", nowMs), movers: listCarriers({ state, sessions }, "mover", nowMs),
    clients: sessions.clients.size, calls: state.calls.size,
    queues: [...state.queues].map(([affinity, queue]) => ({ affinity, calls: queue.size, shards: countWaiting(state, queue) })),
    departures: listDepartures(state.departures, nowMs),
    warnings: [
      ...unread, ...warnOfDepartures(state, nowMs), ...describeUnpaired(state).slice(0, warningsMax), ...listUnreadable(state).slice(0, warningsMax).map(describeUnreadable),
      ...describeIncompleteSets(state.catalog), ...describeDifferences(state.catalog), ...describeLackingNodes(state, pointers).slice(0, warningsMax),
      ...(pointers === undefined ? [] : describeUnreadImports(state, pointers)).slice(0, warningsMax),
    ],
  };
}

function describeServed({ calls }: OwnFacts): ClusterInfo["served"] {
  const { bytesIn, bytesOut } = socketTraffic();
  return { ...sumCalls(calls), bytes_in: bytesIn, bytes_out: bytesOut };
}

/** The tables and sets of live workers, by name, each in the generation a query would read. */
export function listTables(catalog: Catalog): TableInfo[] {
  const groups = new Map<string, Holding[]>();
  for (const holding of chosenHoldings(catalog).values()) {
    const key = groupOf(holding.name);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [holding]);
    else group.push(holding);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, holdings]) => describeTable(catalog, holdings));
}

/** The table, or the set of a shard; a table and a set of one name are two. */
function groupOf(name: string): string {
  const { base, shard } = parseTableName(name);
  return shard === null ? name : base;
}

function describeTable(catalog: Catalog, holdings: readonly Holding[]): TableInfo {
  const ordered = [...holdings].sort((a, b) => shardOrder(a.name, b.name));
  const { base, shard, directory } = parseTableName(ordered[0]!.name);
  const holders = new Set(ordered.flatMap(({ name }) => [...catalog.shards.get(name)?.holders.keys() ?? []]));
  return {
    table: shard === null ? directory : base, kind: shard === null ? "table" : "set", shards: ordered.length,
    rows: ordered.reduce((sum, { rows }) => sum + rows, 0), holders: holders.size,
    generations: ordered.map(({ generation }) => shorten(generation)), columns: ordered[0]!.columns,
  };
}

function describeWorker(state: ControllerState, worker: Worker, session: WorkerSession, nowMs: number): WorkerInfo {
  const holdings = [...worker.shards].flatMap((name) => state.catalog.shards.get(name)?.holders.get(worker.id) ?? []).filter(({ prepared }) => prepared !== true);
  const task = worker.taskId === undefined ? undefined : state.tasks.get(worker.taskId);
  const running = task === undefined ? null : { query: task.queryId, ...nameCall(state, task.queryId), shards: task.shardCount, seconds: seconds(nowMs - task.startedMs) };
  return {
    id: worker.id, node: session.node, pid: session.pid, role: session.role, busy: running !== null,
    uptime: seconds(nowMs - session.startedMs), last_seen: seconds(nowMs - worker.lastHeardMs), data_dir: session.dataDir,
    tables: new Set(holdings.map(({ name }) => groupOf(name))).size, shards: holdings.length,
    rows: holdings.reduce((sum, { rows }) => sum + rows, 0), running,
  };
}

function listCarriers({ state, sessions }: Pick<InfoFacts, "state" | "sessions">, role: ProcessRole, nowMs: number): CarrierInfo[] {
  return carriersOf(state.carriers.values(), role).flatMap(({ id, node, dataDir, doing, lastHeardMs }) => {
    const session = sessions.workers.get(id);
    if (session === undefined) return [];
    const { pid, startedMs } = session;
    return [{ id, node, pid, role, busy: doing !== null, uptime: seconds(nowMs - startedMs), last_seen: seconds(nowMs - lastHeardMs), data_dir: dataDir, doing }];
  });
}

function nameCall(state: ControllerState, queryId: string): { verb: string; subject: string } {
  const call = state.calls.get(queryId);
  return call === undefined ? { verb: "", subject: "" } : { verb: verbOf(call), subject: subjectOf(call) };
}

/** A sentence for each set that no query finds whole. */
function describeIncompleteSets(catalog: Catalog): string[] {
  const phrases = describeIncomplete(chosenHoldings(catalog).values());
  return phrases.slice(0, warningsMax).map((phrase) => `${phrase}: no live worker holds the rest; start a worker whose data_dir has it, or import the set again`);
}

/** A sentence for each shard that live workers hold in more than one generation, where no pointer says which is read. */
function describeDifferences(catalog: Catalog): string[] {
  const differing = [...catalog.shards.values()].filter(({ name, byGeneration }) => byGeneration.size > 1 && !catalog.pointed.has(name));
  const sentences = differing.slice(0, warningsMax).map(describeDifference);
  const more = differing.length - warningsMax;
  return more > 0 ? [...sentences, `workers differ in ${more} more shards`] : sentences;
}

function describeDifference({ name, byGeneration }: Shard): string {
  const held = [...byGeneration].map(([generation, ids]) => `${ids.size} hold ${shorten(generation)}`);
  return `workers differ in ${name}: ${held.sort().join(", ")}; import or copy the table again where it is older`;
}

/** Queries of which shards wait for a worker, and those shards. */
export function sumWaiting(state: ControllerState): { readonly calls: number; readonly shards: number } {
  const waiting = [...state.queues].map(([, queue]) => ({ calls: queue.size, shards: countWaiting(state, queue) }));
  return waiting.reduce((sum, { calls, shards }) => ({ calls: sum.calls + calls, shards: sum.shards + shards }), { calls: 0, shards: 0 });
}

function countWaiting(state: ControllerState, queue: ReadonlySet<string>): number {
  return [...queue].reduce((sum, queryId) => sum + (state.calls.get(queryId)?.waitingCount ?? 0), 0);
}

function shorten(generation: string): string {
  return generation.slice(0, 8);
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
