/** What a controller tells people about its cluster: the documents of info() and files(). Keys are snake_case, times seconds. */
import { parseTableName, shardOrder } from "../../columns/names.js";
import type { ControllerRecord } from "../../registry/registry.js";
import type { ClusterInfo, TableInfo, WorkerInfo } from "../../wire/documents.js";
import type { Holding } from "../../wire/messages.js";
import { describeUnreadable, listUnreadable } from "./broken.js";
import { chosenHoldings, type Catalog, type Shard } from "./catalog.js";
import type { Sessions, WorkerSession } from "./sessions.js";
import type { ControllerState, Worker } from "./state.js";

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
}

/** What info() is made of. */
export interface InfoFacts {
  readonly own: OwnFacts;
  readonly state: ControllerState;
  readonly sessions: Sessions;
  /** The controllers the registry lists, this one among them; or why it cannot be read. */
  readonly controllers: readonly ControllerRecord[] | { readonly problem: string };
}

/** Warnings listed in one document. */
const warningsMax = 100;

/** The document of info(). `nowMs` and the start of a process are of the steady clock. */
export function describeCluster({ own, state, sessions, controllers }: InfoFacts, nowMs: number): ClusterInfo {
  const others = "problem" in controllers ? [] : controllers.filter(({ id }) => id !== own.id);
  const unread = "problem" in controllers ? [`the registry cannot be read: ${controllers.problem}`] : [];
  return {
    id: own.id, address: own.address, node: own.node, pid: own.pid, version: own.version, uptime: seconds(nowMs - own.startedMs),
    messages_in: own.messagesIn, messages_out: own.messagesOut, malformed: own.malformed,
    controllers: others.map(({ id, address, node, pid }) => ({ id, address, node, pid })),
    workers: [...state.workers.values()].flatMap((worker) => {
      const session = sessions.workers.get(worker.id);
      return session === undefined ? [] : [describeWorker(state, worker, session, nowMs)];
    }),
    clients: sessions.clients.size, calls: state.calls.size,
    queues: [...state.queues].map(([affinity, queue]) => ({ affinity, calls: queue.size, shards: countWaiting(state, queue) })),
    warnings: [...unread, ...listUnreadable(state).slice(0, warningsMax).map(describeUnreadable), ...describeDifferences(state.catalog)],
  };
}

/** The tables and sets of live workers, by name, each in the generation a query would read. */
export function listTables(catalog: Catalog): TableInfo[] {
  const groups = new Map<string, Holding[]>();
  for (const holding of chosenHoldings(catalog).values()) {
    const { base, shard } = parseTableName(holding.name);
    const key = shard === null ? holding.name : base;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [holding]);
    else group.push(holding);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, holdings]) => describeTable(catalog, holdings));
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
  const holdings = [...worker.shards].flatMap((name) => state.catalog.shards.get(name)?.holders.get(worker.id) ?? []);
  const task = worker.taskId === undefined ? undefined : state.tasks.get(worker.taskId);
  const running = task === undefined ? null : { query: task.queryId, shards: task.shardCount, seconds: seconds(nowMs - task.assignedMs) };
  return {
    id: worker.id, node: session.node, pid: session.pid, role: session.role, busy: running !== null,
    uptime: seconds(nowMs - session.startedMs), last_seen: seconds(nowMs - worker.lastHeardMs), data_dir: session.dataDir,
    tables: new Set(holdings.map(({ name }) => parseTableName(name).base)).size, shards: holdings.length,
    rows: holdings.reduce((sum, { rows }) => sum + rows, 0), running,
  };
}

/** A sentence for each shard that live workers hold in more than one generation. */
function describeDifferences(catalog: Catalog): string[] {
  const differing = [...catalog.shards.values()].filter(({ byGeneration }) => byGeneration.size > 1);
  const sentences = differing.slice(0, warningsMax).map(describeDifference);
  const more = differing.length - warningsMax;
  return more > 0 ? [...sentences, `workers differ in ${more} more shards`] : sentences;
}

function describeDifference({ name, byGeneration }: Shard): string {
  const held = [...byGeneration].map(([generation, ids]) => `${ids.size} hold ${shorten(generation)}`);
  return `workers differ in ${name}: ${held.sort().join(", ")}; import or copy the table again where it is older`;
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
