/** What info(), files() and the other verbs about the cluster answer. Names are those of JSON documents, times are seconds. */
import { Type, Value, type Static, type TSchema } from "../base/typebox.js";
import { BquerydError } from "../base/errors.js";

/** A cluster as one of its controllers sees it: the answer of info(). */
export interface ClusterInfo {
  /** Of the controller that answers, as are the members down to `served`. */
  readonly id: string;
  /** `tcp://127.0.0.1:14300` */
  readonly address: string;
  readonly node: string;
  readonly pid: number;
  readonly version: string;
  readonly uptime: number;
  readonly messages_in: number;
  readonly messages_out: number;
  /** Messages that were none of the protocol, and were dropped. */
  readonly malformed: number;
  /** Of the pointers of tables that it resolves by; 0 while there are none. */
  readonly epoch: number;
  /** Connections, first messages and calls that were refused for want of a known key or its role. */
  readonly refused: number;
  /** Since the start: calls that ended, those of them that failed, and bytes of messages. */
  readonly served: { readonly calls: number; readonly failures: number; readonly bytes_in: number; readonly bytes_out: number };
  /** The other controllers of the registry. */
  readonly controllers: readonly ControllerInfo[];
  readonly workers: readonly WorkerInfo[];
  readonly downloaders: readonly CarrierInfo[];
  readonly movers: readonly CarrierInfo[];
  /** Clients connected now. */
  readonly clients: number;
  /** Calls under way. */
  readonly calls: number;
  readonly queues: readonly QueueInfo[];
  /** Workers, downloaders and movers that left lately, the latest first. */
  readonly departures: readonly DepartureInfo[];
  /** Sentences about what is not as it should be. */
  readonly warnings: readonly string[];
}

/** Another controller of the cluster. */
export interface ControllerInfo {
  readonly id: string;
  readonly address: string;
  readonly node: string;
  readonly pid: number;
}

/** A process of a node that controllers see. */
interface ServingInfo {
  readonly id: string;
  readonly node: string;
  readonly pid: number;
  readonly role: string;
  readonly busy: boolean;
  readonly uptime: number;
  /** Seconds since its last message. */
  readonly last_seen: number;
  readonly data_dir: string;
}

/** A worker and what it does. */
export interface WorkerInfo extends ServingInfo {
  /** Tables and sets of which it holds something, their shards (a table is one) and the rows in those. */
  readonly tables: number;
  readonly shards: number;
  readonly rows: number;
  /** What it works on, and for how long; null when it is idle. */
  readonly running: { readonly query: string; readonly verb: string; readonly subject: string; readonly shards: number; readonly seconds: number } | null;
}

/** A downloader, which fetches tables to its node, or a mover, which puts them into use there. */
export interface CarrierInfo extends ServingInfo {
  /** What it is at, such as `taxi-3.bcolzs 41 %`; null while it waits. */
  readonly doing: string | null;
}

/** A call that is not answered yet: an element of the answer of queries(). */
export interface QueryInfo {
  /** By which it can be cancelled; the beginning will do. */
  readonly query: string;
  /** groupby, rows, sleep, readfile or execute_code. */
  readonly verb: string;
  /** Its tables, or what else it is about. */
  readonly subject: string;
  /** The first of its tables as they were asked for. */
  readonly tables: readonly string[];
  /** Id of the client that waits for it; empty where none does. */
  readonly client: string;
  readonly affinity: string;
  readonly state: "waiting" | "running";
  readonly shards_done: number;
  readonly shards: number;
  /** Seconds until its first task was given out, and since then. */
  readonly queued: number;
  readonly running: number;
  /** Tasks of it that workers are at. */
  readonly workers: number;
  /** Id of the controller that has it. */
  readonly controller: string;
}

/** How many processes heard something; downloaders and movers are named where there are any that are meant. */
export interface Reached {
  readonly workers: number;
  readonly downloaders?: number;
  readonly movers?: number;
}

/** What loglevel() reached. */
export interface LogLevelSet extends Reached {
  readonly level: string;
  readonly controllers: number;
}

/** What kill(), killworkers() or killall() stops. */
export interface Stopped extends Reached {
  readonly controllers: number;
}

/** Calls that wait under one affinity, and the shards of them that no worker has begun. */
export interface QueueInfo {
  readonly affinity: string;
  readonly calls: number;
  readonly shards: number;
}

/** A worker that left, or whose connection was replaced: why, and what became of what it was doing. Of downloaders and movers, too. */
export interface DepartureInfo {
  /** Its id, whatever its role. */
  readonly worker: string;
  readonly role: string;
  readonly node: string;
  readonly reason: string;
  /** Seconds since then. */
  readonly ago: number;
  /** Tasks given back for others to do, and tasks that another worker was doing as well. */
  readonly given_back: number;
  readonly elsewhere: number;
  /** Calls that ended with an error over it. */
  readonly failed_calls: number;
}

/** A table or set that can be asked: an element of the answer of files(). */
export interface TableInfo {
  /** By which it is asked for: `NAME.bcolz` of a table, `NAME` of a set. */
  readonly table: string;
  readonly kind: "table" | "set";
  readonly shards: number;
  readonly rows: number;
  /** Workers that hold all or some of it. */
  readonly holders: number;
  /** The first 8 digits of the generation of each shard, in order. */
  readonly generations: readonly string[];
  readonly columns: readonly { readonly name: string; readonly dtype: string }[];
}

/** A generation of a table, or an import of a set, that nodes have: an element of the answer of generations(). */
export interface GenerationInfo {
  /** By which rollback() takes it, as its beginning does: 64 hexadecimal digits, of a set the 32 that its shards have in common. */
  readonly generation: string;
  /** Whether queries read it: because a pointer names it, or without one because of what nodes have as the current one. */
  readonly in_use: boolean;
  /** Shards that it has, and how many of them no node has; a table has one. */
  readonly shards: number;
  readonly lacking: number;
  readonly rows: number;
  readonly bytes: number;
  /** When it was put on a node, the last time, by the clock of that: ISO 8601; null where that is not known. */
  readonly written: string | null;
  /** Who has it: `current` is what CURRENT there names, `kept` what it keeps besides, and `prepared` what waits for a ticket. */
  readonly nodes: readonly { readonly node: string; readonly state: "current" | "kept" | "prepared"; readonly shards: number }[];
}

/** What rollback() did. */
export interface Rollback {
  readonly table: string;
  /** The generation that was in use; null where nobody had it, or shards were of several. */
  readonly from: string | null;
  readonly to: string;
  readonly shards: number;
  /** Of the pointers that name it. */
  readonly epoch: number;
}

const [text, count, flag] = [Type.String(), Type.Number(), Type.Boolean()];

const controllerMembers = { id: text, address: text, node: text, pid: count };
const workerSchema = Type.Object({
  id: text, node: text, pid: count, role: text, busy: flag, uptime: count, last_seen: count, data_dir: text, tables: count, shards: count, rows: count,
  running: Type.Union([Type.Null(), Type.Object({ query: text, verb: text, subject: text, shards: count, seconds: count })]),
});
const carrierSchema = Type.Object({
  id: text, node: text, pid: count, role: text, busy: flag, uptime: count, last_seen: count, data_dir: text, doing: Type.Union([text, Type.Null()]),
});
const infoSchema = Type.Object({
  ...controllerMembers, version: text, uptime: count, messages_in: count, messages_out: count, malformed: count, refused: count, epoch: count,
  served: Type.Object({ calls: count, failures: count, bytes_in: count, bytes_out: count }),
  controllers: Type.Array(Type.Object(controllerMembers)), workers: Type.Array(workerSchema), downloaders: Type.Array(carrierSchema), movers: Type.Array(carrierSchema), clients: count, calls: count,
  queues: Type.Array(Type.Object({ affinity: text, calls: count, shards: count })), warnings: Type.Array(text),
  departures: Type.Array(Type.Object({ worker: text, role: text, node: text, reason: text, ago: count, given_back: count, elsewhere: count, failed_calls: count })),
});
const filesSchema = Type.Array(Type.Object({
  table: text, kind: Type.Union([Type.Literal("table"), Type.Literal("set")]), shards: count, rows: count, holders: count,
  generations: Type.Array(text), columns: Type.Array(Type.Object({ name: text, dtype: text })),
}));

const queriesSchema = Type.Array(Type.Object({
  query: text, verb: text, subject: text, tables: Type.Array(text), client: text, affinity: text,
  state: Type.Union([Type.Literal("waiting"), Type.Literal("running")]), shards_done: count, shards: count, queued: count, running: count, workers: count, controller: text,
}));
const generationsSchema = Type.Array(Type.Object({
  generation: text, in_use: flag, shards: count, lacking: count, rows: count, bytes: count, written: Type.Union([text, Type.Null()]),
  nodes: Type.Array(Type.Object({ node: text, state: Type.Union([Type.Literal("current"), Type.Literal("kept"), Type.Literal("prepared")]), shards: count })),
}));
const rollbackSchema = Type.Object({ table: text, from: Type.Union([text, Type.Null()]), to: text, shards: count, epoch: count });
const reachedMembers = { controllers: count, workers: count, downloaders: Type.Optional(count), movers: Type.Optional(count) };
const stoppedSchema = Type.Object(reachedMembers);
const logLevelSchema = Type.Object({ level: text, ...reachedMembers });

/** Tells whether a value is the answer of info(). */
export function isInfo(value: unknown): value is ClusterInfo {
  return Value.Check(infoSchema, value);
}

/** Tells whether a value is the answer of files() and lists something. */
export function isFiles(value: unknown): value is readonly TableInfo[] {
  return isListing(filesSchema, value);
}

/** Tells whether a value is the answer of queries() and lists something. */
export function isQueries(value: unknown): value is readonly QueryInfo[] {
  return isListing(queriesSchema, value);
}

/** Tells whether a value is the answer of generations() and lists something. */
export function isGenerations(value: unknown): value is readonly GenerationInfo[] {
  return isListing(generationsSchema, value);
}

/** The answer of queries(). Throws BAD_MESSAGE for what is none. */
export function decodeQueries(value: unknown): readonly QueryInfo[] {
  return requireDocument("queries", queriesSchema, value);
}

/** The answer of generations(). Throws BAD_MESSAGE for what is none. */
export function decodeGenerations(value: unknown): readonly GenerationInfo[] {
  return requireDocument("generations", generationsSchema, value);
}

/** The answer of rollback(). Throws BAD_MESSAGE for what is none. */
export function decodeRollback(value: unknown): Rollback {
  return requireDocument("rollback", rollbackSchema, value);
}

/** The answer of the verb that stopped processes. Throws BAD_MESSAGE for what is none. */
export function decodeStopped(verb: string, value: unknown): Stopped {
  return requireDocument(verb, stoppedSchema, value);
}

/** The answer of loglevel(). Throws BAD_MESSAGE for what is none. */
export function decodeLogLevel(value: unknown): LogLevelSet {
  return requireDocument("loglevel", logLevelSchema, value);
}

/** The answer of info(). Throws BAD_MESSAGE for what is none. */
export function decodeInfo(value: unknown): ClusterInfo {
  return requireDocument("info", infoSchema, value);
}

/** The answer of files(). Throws BAD_MESSAGE for what is none. */
export function decodeFiles(value: unknown): readonly TableInfo[] {
  return requireDocument("files", filesSchema, value);
}

/** Tells whether a value is a list as its schema, and lists something. */
export function isListing<S extends TSchema>(schema: S, value: unknown): value is Static<S> {
  return Array.isArray(value) && value.length > 0 && Value.Check(schema, value);
}

/** The answer of a verb. Throws BAD_MESSAGE, naming the place, unless it is as its schema. */
export function requireDocument<S extends TSchema>(verb: string, schema: S, value: unknown): Static<S> {
  const wrong = Value.Errors(schema, value).First();
  if (wrong === undefined) return value;
  throw new BquerydError("BAD_MESSAGE", `the answer of ${verb}() has no sound ${wrong.path === "" ? "document" : wrong.path}; run the same release everywhere`, { details: { verb, member: wrong.path } });
}
