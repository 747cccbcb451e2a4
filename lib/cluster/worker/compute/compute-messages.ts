/** What the message thread and the compute thread of one worker say to each other. */
import type { EngineMemory } from "../../../engine/engine.js";
import type { Block, Cost } from "../../../wire/messages.js";
import type { CacheChange, ComputeTask, RowSlice } from "../events.js";
import type { Failure } from "../failure.js";

/** What a compute thread is born with. */
export interface ComputeSetup {
  readonly dataDir: string;
  readonly cacheBytes: number;
  readonly queryBytes: number;
  readonly partialCacheBytes: number;
  /** That a partial may have to fit a message. */
  readonly messageBytes: number;
  /** One Int32: the number of the newest run that is to stop. */
  readonly stopFlag: SharedArrayBuffer;
}

/** Message thread to compute thread. Runs are numbered from 1, so that a late stop never hits the next run; each thread has a clock of its own. */
export type ComputeRequest =
  | { readonly kind: "run"; readonly run: number; readonly task: ComputeTask; readonly remainingMs: number }
  /** Tables of these names were replaced or removed: their files are to be let go. */
  | { readonly kind: "forget"; readonly names: readonly string[] }
  | { readonly kind: "close" };

/** Compute thread to message thread, where what is told at one moment is one list. */
export type ComputeReply =
  | { readonly kind: "up" }
  | { readonly kind: "unusable"; readonly failure: Failure }
  | { readonly kind: "block"; readonly taskId: string; readonly block: Block; readonly partial: Uint8Array }
  | { readonly kind: "slice"; readonly taskId: string; readonly slice: RowSlice }
  | { readonly kind: "done"; readonly taskId: string; readonly cost: Cost; readonly cacheChanges: readonly CacheChange[]; readonly memory: EngineMemory }
  | { readonly kind: "failed"; readonly taskId: string; readonly failure: Failure; readonly cacheChanges: readonly CacheChange[]; readonly memory: EngineMemory };
