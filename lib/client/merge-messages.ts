/** What a client and its thread for merging say to each other. Jobs are numbered. */
import type { ErrorCode, ErrorDetails } from "../base/errors.js";
import type { Block } from "../engine/tree.js";
import type { RenderedGroups } from "./merger.js";

/** Client to thread. */
export type MergeRequest =
  /** `query` as encodeQuery wrote it, whose partials may take `bytesMax`; an Int32 of `stopFlag` other than 0 says that nobody waits any more. */
  | { readonly kind: "open"; readonly job: number; readonly query: Uint8Array; readonly shardCount: number; readonly bytesMax: number; readonly stopFlag: SharedArrayBuffer }
  | { readonly kind: "add"; readonly job: number; readonly block: Block; readonly bytes: Uint8Array | null }
  /** All has been added: asks for the answer, with which the job ends. */
  | { readonly kind: "finish"; readonly job: number }
  | { readonly kind: "drop"; readonly job: number };

/** Thread to client. A job that failed has ended. */
export type MergeReply =
  | { readonly kind: "finished"; readonly job: number; readonly groups: RenderedGroups }
  | { readonly kind: "failed"; readonly job: number; readonly code: ErrorCode; readonly message: string; readonly details: ErrorDetails };
