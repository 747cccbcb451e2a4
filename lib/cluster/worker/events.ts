/** What happens to a worker, what it does about it, and the tasks that these are about. */
import type { LogLevel } from "../../base/config-keys.js";
import type { AbsentColumn, Block, BrokenTable, Cost, Errand, Holding, ShardRef, WidenedColumn, WorkerMessage, WorkerReply } from "../../wire/messages.js";
import type { Failure } from "./failure.js";

/** The columns of a shard that the compute thread now holds decoded; an empty list means none any more. */
export interface CacheChange {
  readonly shard: string;
  readonly columns: readonly string[];
}

/** A task as the compute thread runs it. */
export interface ComputeTask {
  readonly taskId: string;
  /** The query as the client encoded it. */
  readonly query: Uint8Array;
  readonly shards: readonly ShardRef[];
  /** When it is of no use any more, by the worker's steady clock. */
  readonly deadlineMs: number;
  /** Asks for rows, in place of partials. */
  readonly rows?: RowsAsked;
  /** The dtypes of columns that a shard may lack; absent where that is an error. */
  readonly absent?: readonly AbsentColumn[];
  /** What holds the dtypes of columns that are not of one in all shards of the call. */
  readonly widened?: readonly WidenedColumn[];
}

/** A task that reads no table. */
export interface ErrandTask {
  readonly taskId: string;
  readonly errand: Errand;
  /** As the client sent it. */
  readonly body: readonly Uint8Array[];
  /** When it is of no use any more, by the worker's steady clock. */
  readonly deadlineMs: number;
}

/** What an errand came to: text of JSON, or bytes as they are. */
export interface ErrandAnswer {
  readonly form: "json" | "bytes";
  readonly bytes: Uint8Array;
}

/** How many slices and rows a task may send, and where each of its shards goes on. */
export type RowsAsked = NonNullable<(WorkerReply & { type: "task" })["rows"]>;

/** A stretch of a shard's rows, encoded. */
export interface RowSlice {
  readonly ordinal: number;
  readonly from: number;
  readonly next: number | null;
  readonly rows: number;
  readonly bytes: Uint8Array;
}

/** What happens to a worker. A link is the connection to one controller, named by its address. */
export type WorkerEvent =
  | { readonly kind: "linked"; readonly link: string }
  | { readonly kind: "unlinked"; readonly link: string }
  | { readonly kind: "received"; readonly link: string; readonly header: WorkerReply; readonly body: readonly Uint8Array[] }
  | { readonly kind: "holdingsChanged"; readonly added: readonly Holding[]; readonly removed: readonly string[] }
  /** All that cannot be opened now, in place of what could not before. */
  | { readonly kind: "tablesBroken"; readonly tables: readonly BrokenTable[] }
  | { readonly kind: "computeUp" }
  | { readonly kind: "computeLost"; readonly failure: Failure; readonly error?: unknown }
  | { readonly kind: "block"; readonly taskId: string; readonly block: Block; readonly partial: Uint8Array }
  | { readonly kind: "slice"; readonly taskId: string; readonly slice: RowSlice }
  /** A block of the running task is larger than a message may be. */
  | { readonly kind: "blockRefused"; readonly taskId: string; readonly failure: Failure }
  | { readonly kind: "taskDone"; readonly taskId: string; readonly cost: Cost; readonly cacheChanges: readonly CacheChange[] }
  | { readonly kind: "taskFailed"; readonly taskId: string; readonly failure: Failure; readonly cacheChanges: readonly CacheChange[] }
  /** An errand ends with this or, as other tasks do, with taskFailed. */
  | { readonly kind: "errandDone"; readonly taskId: string; readonly answer: ErrandAnswer }
  | { readonly kind: "tick" }
  /** Finish the running task, then leave. */
  | { readonly kind: "stop"; readonly reason: string }
  /** Hand the running task back and leave at once. */
  | { readonly kind: "stopNow"; readonly reason: string };

/** What node.ts is to do. */
export type Instruction =
  | { readonly kind: "send"; readonly link: string; readonly header: WorkerMessage; readonly body: readonly Uint8Array[] }
  | { readonly kind: "run"; readonly task: ComputeTask }
  | { readonly kind: "runErrand"; readonly task: ErrandTask }
  | { readonly kind: "cancel"; readonly taskId: string }
  | { readonly kind: "setLogLevel"; readonly level: LogLevel }
  /** Scans its data_dir now. */
  | { readonly kind: "look" }
  | { readonly kind: "reconnect"; readonly link: string }
  | { readonly kind: "welcomed"; readonly link: string; readonly controllerId: string; readonly node: string }
  | { readonly kind: "leave"; readonly reason: string };
