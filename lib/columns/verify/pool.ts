/** Running the jobs of a verification: in this thread, and beside it in another where there is much to do. */
import { setImmediate } from "node:timers/promises";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { createChecker, type Checker, type VerifyJob } from "./jobs.js";
import { startThread, type VerifyThread } from "./thread-handle.js";
import type { Finding } from "./verification.js";

/** How the jobs are run. */
export interface RunOptions {
  readonly directory: string;
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** Verifying so much takes no longer than starting a thread. */
const aloneBytesMax = 128 * 1024 * 1024;
/** Bytes of a job that this thread does itself: while it does, it neither shows progress nor hears of an abort. */
const ownJobBytesMax = 64 * 1024 * 1024;
/** Jobs that the other thread has at a time, so that it need not wait for this one. */
const jobsAhead = 2;

/** The findings of all jobs, in the order of the jobs. Throws CANCELLED. */
export async function runJobs(jobs: readonly VerifyJob[], { directory, onBytes, signal }: RunOptions): Promise<Finding[]> {
  const isMuch = jobs.reduce((sum, job) => sum + job.bytes, 0) > aloneBytesMax;
  const checker = createChecker(directory);
  const thread = isMuch ? startThread(directory, onBytes) : undefined;
  try {
    return (await shareJobs(jobs, checker, thread, { onBytes, signal })).flat();
  } finally {
    checker.close();
    await thread?.close();
  }
}

/** The other thread takes the largest jobs first, this one the smallest. */
async function shareJobs(jobs: readonly VerifyJob[], checker: Checker, thread: VerifyThread | undefined, { onBytes, signal }: Omit<RunOptions, "directory">): Promise<(readonly Finding[])[]> {
  const findings: (readonly Finding[])[] = jobs.map(() => []);
  const waiting = [...jobs.keys()].sort((a, b) => jobs[a]!.bytes - jobs[b]!.bytes);
  let failure: Error | undefined;
  /** Nobody may work on once another has failed: what the work is done with is about to be given back. */
  async function unlessFailed(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (cause) {
      failure ??= toBquerydError(cause, "verify a table");
      waiting.length = 0;
      thread?.stop(failure);
    }
  }
  async function workHere(): Promise<void> {
    while (waiting.length > 0 && (thread === undefined || jobs[waiting[0]!]!.bytes <= ownJobBytesMax)) {
      requireGoing(signal);
      const at = waiting.shift()!;
      findings[at] = checker.run(jobs[at]!, onBytes);
      await setImmediate();
    }
  }
  async function workThere(other: VerifyThread): Promise<void> {
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      requireGoing(signal);
      findings[at] = await other.run(jobs[at]!);
    }
  }
  const stop = (): void => { thread?.stop(interrupted(signal)); };
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await Promise.all([workHere(), ...(thread === undefined ? [] : Array.from({ length: jobsAhead }, () => workThere(thread)))].map(unlessFailed));
    requireGoing(signal);
    if (failure !== undefined) throw failure;
    return findings;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** Throws CANCELLED once the signal has been aborted. */
export function requireGoing(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw interrupted(signal);
}

function interrupted(signal: AbortSignal | undefined): BquerydError {
  return new BquerydError("CANCELLED", "verifying was interrupted; start it again to know", { cause: signal?.reason });
}
