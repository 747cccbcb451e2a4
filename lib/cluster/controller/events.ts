/**
 * What the scheduling core is told and what it asks for. Workers and clients are named by the ids they made for
 * themselves, never by their sockets; bodies are passed through unopened.
 */
import { unreachable, type Retry } from "../../base/errors.js";
import type { Block, BrokenTable, ClientMessage, ClientReply, Cost, Holding, ProcessRole, WorkerMessage, WorkerReply } from "../../wire/messages.js";

/** Raw frames that only the two ends of a message open. */
export type Body = readonly Uint8Array[];

/** Columns a worker now holds decoded, by shard; an empty list means none any more. */
export interface CacheChange {
  readonly shard: string;
  readonly columns: readonly string[];
}

/** Something that happened to the cluster. Every event of a worker counts as a sign of life. */
export type Event =
  /** A worker that is new, or whose connection is: all it holds. */
  | { readonly kind: "registered"; readonly workerId: string; readonly node: string; readonly holdings: readonly Holding[] }
  /** A downloader or a mover, likewise. What it says besides are events as of workers, of which the core takes those that it may say. */
  | { readonly kind: "carrierRegistered"; readonly workerId: string; readonly node: string; readonly role: Exclude<ProcessRole, "worker">; readonly dataDir: string }
  | { readonly kind: "holdings"; readonly workerId: string; readonly added: readonly Holding[]; readonly removed: readonly string[] }
  /** All the tables that the worker has and cannot open. */
  | { readonly kind: "broken"; readonly workerId: string; readonly tables: readonly BrokenTable[] }
  /** The worker takes one task that names this nonce: at once, or after the one that it says it runs. */
  | { readonly kind: "ready"; readonly workerId: string; readonly nonce: string; readonly cached: readonly CacheChange[]; readonly running?: string }
  /** `doing`: what a downloader or a mover is at. */
  | { readonly kind: "heartbeat"; readonly workerId: string; readonly doing?: string }
  | { readonly kind: "called"; readonly clientId: string; readonly call: ClientMessage & { type: "call" }; readonly body: Body }
  | { readonly kind: "partial"; readonly workerId: string; readonly taskId: string; readonly block: Block; readonly body: Body }
  | SliceEvent
  | AnswerEvent
  | { readonly kind: "done"; readonly workerId: string; readonly taskId: string; readonly cost: Cost }
  | TaskFailed
  /** The worker did not start the task, or hands it back. */
  | { readonly kind: "declined"; readonly workerId: string; readonly taskId: string; readonly reason: string }
  /** `id` is the one the client gave its call. */
  | { readonly kind: "cancelled"; readonly clientId: string; readonly id: string }
  /** Somebody else ends a call; `by` says who, for people. */
  | { readonly kind: "queryCancelled"; readonly queryId: string; readonly by: string }
  /** The client has taken so many slices of that attempt. */
  | { readonly kind: "credit"; readonly clientId: string; readonly id: string; readonly attempt: number; readonly slices: number }
  | { readonly kind: "clientLost"; readonly clientId: string }
  /** News of a call is too large to be sent to its client. */
  | { readonly kind: "unsendable"; readonly clientId: string; readonly id: string; readonly message: string }
  /** `saidBye`: it left in order, for the reason it gave. */
  | { readonly kind: "workerLost"; readonly workerId: string; readonly reason: string; readonly saidBye: boolean }
  /** No more calls are taken; those running may finish, or are failed at once. */
  | { readonly kind: "stopping"; readonly finish: boolean }
  /** The generation in use of each table that was given one, by directory name, at an epoch. */
  | { readonly kind: "pointers"; readonly epoch: number; readonly pointed: ReadonlyMap<string, string> }
  /** Time has passed: sent at the latest when `wakeAt` asked for it. */
  | { readonly kind: "tick" };

/** Rows of a shard, from a place up to the next; null at its end. */
export interface SliceEvent {
  readonly kind: "slice";
  readonly workerId: string;
  readonly taskId: string;
  readonly ordinal: number;
  readonly from: number;
  readonly next: number | null;
  readonly rows: number;
  readonly body: Body;
}

/** What an errand came to. */
export interface AnswerEvent {
  readonly kind: "answer";
  readonly workerId: string;
  readonly taskId: string;
  readonly form: "json" | "bytes";
  readonly body: Body;
}

/** A worker could not do its task. `shard` is the one that failed, where one did. */
export interface TaskFailed {
  readonly kind: "failed";
  readonly workerId: string;
  readonly taskId: string;
  readonly code: string;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly retry: Retry;
  readonly shard: string | null;
}

/** Something to be done, in the order given. */
export type Action =
  | { readonly kind: "assign"; readonly workerId: string; readonly header: WorkerReply & { type: "task" }; readonly body: Body }
  | { readonly kind: "assignErrand"; readonly workerId: string; readonly header: WorkerReply & { type: "errand" }; readonly body: Body }
  | { readonly kind: "cancelTask"; readonly workerId: string; readonly taskId: string }
  /** The worker is to look at its tables now: some generation is waited for. */
  | { readonly kind: "look"; readonly workerId: string }
  /** News of a call that goes on. */
  | { readonly kind: "forward"; readonly clientId: string; readonly header: ClientReply & { type: "accepted" | "partial" | "slice" | "leftOut" | "answer" }; readonly body: Body }
  /** The one final answer of a call that was taken. */
  | { readonly kind: "answer"; readonly clientId: string; readonly header: ClientReply & { type: "result" | "error" } }
  /** The one final answer of a call that was not. */
  | { readonly kind: "refuse"; readonly clientId: string; readonly header: ClientReply & { type: "error" } }
  /** The next tick is wanted at this time, in place of the later one asked for before. */
  | { readonly kind: "wakeAt"; readonly atMs: number }
  | { readonly kind: "log"; readonly level: "info" | "warn"; readonly event: string; readonly facts: Readonly<Record<string, unknown>> };

/** What a message of a registered worker is to the core. */
export function eventOfMessage(workerId: string, header: Exclude<WorkerMessage, { type: "register" }>, body: Body): Event {
  switch (header.type) {
    case "holdings": return { kind: "holdings", workerId, added: header.added, removed: header.removed };
    case "broken": return { kind: "broken", workerId, tables: header.tables };
    case "ready": {
      const { nonce, cached, running } = header;
      return { kind: "ready", workerId, nonce, cached, ...(running === undefined ? {} : { running }) };
    }
    case "heartbeat": return { kind: "heartbeat", workerId, ...(header.doing === undefined ? {} : { doing: header.doing }) };
    case "partial": return { kind: "partial", workerId, taskId: header.taskId, block: header.block, body };
    case "slice": {
      const { taskId, ordinal, from, next, rows } = header;
      return { kind: "slice", workerId, taskId, ordinal, from, next, rows, body };
    }
    case "answer": return { kind: "answer", workerId, taskId: header.taskId, form: header.form, body };
    case "done": return { kind: "done", workerId, taskId: header.taskId, cost: header.cost };
    case "failed": {
      const { taskId, code, message, details, retry, shard } = header;
      return { kind: "failed", workerId, taskId, code, message, details, retry, shard };
    }
    case "declined": return { kind: "declined", workerId, taskId: header.taskId, reason: header.reason };
    case "bye": return { kind: "workerLost", workerId, reason: header.reason, saidBye: true };
    default: return unreachable(header);
  }
}
