/** What info() and files() answer. Names are those of JSON documents, times are seconds. */
import { Type, type TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { BquerydError } from "../base/errors.js";

/** A cluster as one of its controllers sees it: the answer of info(). */
export interface ClusterInfo {
  /** Of the controller that answers, as are the members down to `malformed`. */
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
  /** The other controllers of the registry. */
  readonly controllers: readonly ControllerInfo[];
  readonly workers: readonly WorkerInfo[];
  /** Clients connected now. */
  readonly clients: number;
  /** Calls under way. */
  readonly calls: number;
  readonly queues: readonly QueueInfo[];
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

/** A worker and what it does. */
export interface WorkerInfo {
  readonly id: string;
  readonly node: string;
  readonly pid: number;
  readonly role: string;
  readonly busy: boolean;
  readonly uptime: number;
  /** Seconds since its last message. */
  readonly last_seen: number;
  readonly data_dir: string;
  /** Tables and sets of which it holds something, their shards (a table is one) and the rows in those. */
  readonly tables: number;
  readonly shards: number;
  readonly rows: number;
  /** What it works on, and for how long; null when it is idle. */
  readonly running: { readonly query: string; readonly shards: number; readonly seconds: number } | null;
}

/** Calls that wait under one affinity, and the shards of them that no worker has begun. */
export interface QueueInfo {
  readonly affinity: string;
  readonly calls: number;
  readonly shards: number;
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

const [text, count, flag] = [Type.String(), Type.Number(), Type.Boolean()];

const controllerMembers = { id: text, address: text, node: text, pid: count };
const workerSchema = Type.Object({
  id: text, node: text, pid: count, role: text, busy: flag, uptime: count, last_seen: count, data_dir: text, tables: count, shards: count, rows: count,
  running: Type.Union([Type.Null(), Type.Object({ query: text, shards: count, seconds: count })]),
});
const infoSchema = Type.Object({
  ...controllerMembers, version: text, uptime: count, messages_in: count, messages_out: count, malformed: count,
  controllers: Type.Array(Type.Object(controllerMembers)), workers: Type.Array(workerSchema), clients: count, calls: count,
  queues: Type.Array(Type.Object({ affinity: text, calls: count, shards: count })), warnings: Type.Array(text),
});
const filesSchema = Type.Array(Type.Object({
  table: text, kind: Type.Union([Type.Literal("table"), Type.Literal("set")]), shards: count, rows: count, holders: count,
  generations: Type.Array(text), columns: Type.Array(Type.Object({ name: text, dtype: text })),
}));

/** The answer of info(). Throws BAD_MESSAGE for what is none. */
export function decodeInfo(value: unknown): ClusterInfo {
  requireDocument("info", infoSchema, value);
  return value as ClusterInfo;
}

/** The answer of files(). Throws BAD_MESSAGE for what is none. */
export function decodeFiles(value: unknown): readonly TableInfo[] {
  requireDocument("files", filesSchema, value);
  return value as readonly TableInfo[];
}

function requireDocument(verb: string, schema: TSchema, value: unknown): void {
  const wrong = Value.Errors(schema, value).First();
  if (wrong === undefined) return;
  throw new BquerydError("BAD_MESSAGE", `the answer of ${verb}() has no sound ${wrong.path === "" ? "document" : wrong.path}; run the same release everywhere`, { details: { verb, member: wrong.path } });
}
