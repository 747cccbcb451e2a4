/** What a client and its thread for merging say to each other. Jobs are numbered. */
import type { ErrorCode, ErrorDetails } from "../base/errors.js";
import type { Block } from "../engine/tree.js";
import type { Draft, RenderedGroups } from "./merger.js";
import type { Accepted, News } from "./session.js";

/** What is said of the rows of a shard. */
export type RowsNews = Extract<News, { type: "slice" | "leftOut" }>;

/** Rows in order, and what came for them. */
export interface OrderedRows extends RenderedGroups {
  /** Shards that ended, or were left out. */
  readonly ended: number;
  readonly slices: number;
}

/** The ordering of the rows of one query. */
export interface RowsJob {
  /** Adds a slice, whose bytes are copied, or a shard that is left out; `onTaken` is called when that is done with. */
  add(reply: RowsNews, bytes: Uint8Array | null, onTaken: () => void): void;
  /** The rows. Rejects with what the job failed with, CANCELLED by the signal, or DEADLINE when the time is over first. */
  finish(timeoutMs: number, signal: AbortSignal | undefined): Promise<OrderedRows>;
  /** Ends the job, if it has not ended. */
  drop(): void;
}

/** Client to thread. */
export type MergeRequest =
  /** `query` as encodeQuery wrote it, whose partials may take `bytesMax`; an Int32 of `stopFlag` other than 0 says that nobody waits any more. */
  | { readonly kind: "open"; readonly job: number; readonly query: Uint8Array; readonly shardCount: number; readonly bytesMax: number; readonly stopFlag: SharedArrayBuffer }
  /** The same for rows in an order, of which `bytesMax` may be held. */
  | { readonly kind: "openRows"; readonly job: number; readonly query: Uint8Array; readonly accepted: Accepted; readonly bytesMax: number; readonly stopFlag: SharedArrayBuffer }
  | { readonly kind: "rows"; readonly job: number; readonly reply: RowsNews; readonly bytes: Uint8Array | null }
  | { readonly kind: "add"; readonly job: number; readonly block: Block; readonly bytes: Uint8Array | null }
  /** Asks for the answer over what has been added so far. */
  | { readonly kind: "draft"; readonly job: number }
  /** All has been added: asks for the answer, with which the job ends. */
  | { readonly kind: "finish"; readonly job: number }
  | { readonly kind: "drop"; readonly job: number };

/** Thread to client. A job that failed has ended. */
export type MergeReply =
  | { readonly kind: "finished"; readonly job: number; readonly answer: RenderedGroups | OrderedRows }
  /** The draft that was asked for; undefined where there is none. */
  | { readonly kind: "drafted"; readonly job: number; readonly draft: Draft | undefined }
  /** The oldest rows that were not said to be taken have been. */
  | { readonly kind: "taken"; readonly job: number }
  | { readonly kind: "failed"; readonly job: number; readonly code: ErrorCode; readonly message: string; readonly details: ErrorDetails };
