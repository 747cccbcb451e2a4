/** A second thread that verifies, as the first one sees it. */
import { Worker } from "node:worker_threads";
import { BquerydError, type ErrorCode } from "../../base/errors.js";
import type { VerifyJob } from "./jobs.js";
import type { Finding } from "./verification.js";

/** A job for the thread, by a number of its own. */
export interface VerifyRequest {
  readonly id: number;
  readonly job: VerifyJob;
}

/** What the thread says. */
export type VerifyAnswer =
  | { readonly kind: "progress"; readonly bytes: number }
  | { readonly kind: "done"; readonly id: number; readonly findings: readonly Finding[] }
  | { readonly kind: "failed"; readonly id: number; readonly code: ErrorCode; readonly message: string };

/** A thread that does jobs in the order they come. */
export interface VerifyThread {
  /** The findings of a job. Throws what it failed with, and what the thread was stopped with. */
  run(job: VerifyJob): Promise<readonly Finding[]>;
  /** Fails every job that is not done, and ends the thread. */
  stop(cause: Error): void;
  /** Ends the thread. */
  close(): Promise<void>;
}

interface Waiting {
  resolve(findings: readonly Finding[]): void;
  reject(cause: Error): void;
}

/** Starts a thread for the table in a directory. */
export function startThread(directory: string, onBytes: (bytes: number) => void): VerifyThread {
  const worker = new Worker(new URL("thread.js", import.meta.url), { workerData: { directory } });
  const waiting = new Map<number, Waiting>();
  let nextId = 0;
  let ended: Error | undefined;
  function end(cause: Error): void {
    ended ??= cause;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
    // Its end is awaited by close.
    void worker.terminate();
  }
  worker.on("error", end);
  worker.on("exit", () => { end(new Error("the thread that verifies ended by itself")); });
  worker.on("message", (answer: VerifyAnswer) => {
    // What it had said before it heard that it is to end.
    if (ended !== undefined) return undefined;
    if (answer.kind === "progress") return onBytes(answer.bytes);
    const { resolve, reject } = waiting.get(answer.id)!;
    waiting.delete(answer.id);
    if (answer.kind === "done") resolve(answer.findings);
    else reject(new BquerydError(answer.code, answer.message));
  });
  return {
    run(job) {
      if (ended !== undefined) return Promise.reject(ended);
      return new Promise((resolve, reject) => {
        waiting.set(nextId, { resolve, reject });
        worker.postMessage({ id: nextId++, job } satisfies VerifyRequest);
      });
    },
    stop: end,
    async close() {
      await worker.terminate();
    },
  };
}
