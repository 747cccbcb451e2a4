/** The thread for merging, as its client sees it: started when it is first needed, and holding up no process that has nothing else to do. */
import { Worker } from "node:worker_threads";
import { BquerydError, unreachable } from "../base/errors.js";
import type { Block } from "../engine/tree.js";
import type { MergeReply, MergeRequest, OrderedRows, RowsJob } from "./merge-messages.js";
import type { Draft, RenderedGroups } from "./merger.js";
import type { Accepted } from "./session.js";

/** Merges partials on a thread of its own. */
export interface MergeThread {
  /** Begins to merge for a query, as encodeQuery wrote it; `fail` is told once what the job fails with before it is asked for its answer. */
  open(query: Uint8Array, size: JobSize, fail: (error: BquerydError) => void): MergeJob;
  /** Begins to collect and order rows for a query that was accepted; as `open`. */
  openRows(query: Uint8Array, from: { readonly accepted: Accepted; readonly bytesMax: number }, fail: (error: BquerydError) => void): RowsJob;
  /** Ends the thread; jobs that are not done fail with CANCELLED. */
  close(): Promise<void>;
}

/** How many shards a query has, and the bytes that its partials may take. */
export interface JobSize {
  readonly shardCount: number;
  readonly bytesMax: number;
}

/** The merging of one query. */
export interface MergeJob {
  /** Adds the bytes of a block, which are copied; null for a shard that is left out. */
  add(block: Block, bytes: Uint8Array | null): void;
  /** What the answer would be over what has been added before; undefined where there is none, or the job has ended. One at a time. */
  draft(): Promise<Draft | undefined>;
  /** The answer. Rejects with what the job failed with, CANCELLED by the signal, or DEADLINE when the time is over first. */
  finish(timeoutMs: number, signal: AbortSignal | undefined): Promise<RenderedGroups>;
  /** Ends the job, if it has not ended. */
  drop(): void;
}

/** Who waits for a job. */
interface Waiting {
  settle(outcome: RenderedGroups | OrderedRows | BquerydError): void;
  /** The oldest rows that were added have been taken. */
  taken(): void;
  drafted(draft: Draft | undefined): void;
}

const defaultProgram = new URL("./merge-program.js", import.meta.url);
/** Bytes that are copied before others have their turn: about a millisecond. */
const turnBytes = 1024 * 1024;

/** A thread that runs a program, the one beside this file when absent. */
export function createMergeThread(program = defaultProgram): MergeThread {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let jobs = 0;

  function start(): Worker {
    // Flags such as --input-type are about the program of the process alone.
    const started = new Worker(program, { name: "merge", execArgv: [] });
    let cause: unknown;
    started.unref();
    started.on("message", (reply: MergeReply) => { take(reply); });
    started.on("error", (error) => { cause = error; });
    // Node delivers every message of a thread before its exit.
    started.on("exit", (exitCode) => {
      worker = undefined;
      failAll(deathOf(cause, exitCode));
    });
    return started;
  }

  function take(reply: MergeReply): void {
    switch (reply.kind) {
      case "finished": waiting.get(reply.job)?.settle(reply.answer); break;
      case "taken": waiting.get(reply.job)?.taken(); break;
      case "drafted": waiting.get(reply.job)?.drafted(reply.draft); break;
      case "failed": waiting.get(reply.job)?.settle(new BquerydError(reply.code, reply.message, { details: reply.details })); break;
      default: unreachable(reply);
    }
  }

  function failAll(error: BquerydError): void {
    for (const { settle } of [...waiting.values()]) settle(error);
  }

  function post(request: MergeRequest, transfer: ArrayBuffer[] = []): void {
    worker?.postMessage(request, transfer);
  }

  /** Keeps the process alive as long as somebody waits. */
  function wait(job: number, who: Waiting): void {
    waiting.set(job, who);
    worker?.ref();
  }
  function leave(job: number): void {
    waiting.delete(job);
    if (waiting.size === 0) worker?.unref();
  }

  return {
    open(query, size, fail) {
      worker ??= start();
      const stopFlag = new SharedArrayBuffer(4);
      const job = createJob(++jobs, { stopFlag, fail, post, wait, leave });
      post({ kind: "open", job: jobs, query, ...size, stopFlag });
      return groupsJob(job, post);
    },
    openRows(query, from, fail) {
      worker ??= start();
      const stopFlag = new SharedArrayBuffer(4);
      const job = createJob(++jobs, { stopFlag, fail, post, wait, leave });
      post({ kind: "openRows", job: jobs, query, ...from, stopFlag });
      return rowsJob(job);
    },
    async close() {
      failAll(new BquerydError("CANCELLED", "the rpc object was closed while the call ran"));
      await worker?.terminate();
    },
  };
}

function groupsJob(job: Job, post: JobThread["post"]): MergeJob {
  return {
    ...job,
    add(block, bytes) {
      if (bytes === null) post({ kind: "add", job: job.id, block, bytes });
      else job.send(bytes, (copy) => ({ kind: "add", job: job.id, block, bytes: copy }));
    },
  };
}

function rowsJob(job: Job): RowsJob {
  return {
    drop: job.drop,
    add(reply, bytes, onTaken) {
      job.expect(onTaken);
      job.send(bytes ?? new Uint8Array(0), (copy) => ({ kind: "rows", job: job.id, reply, bytes: bytes === null ? null : copy }));
    },
    async finish(timeoutMs, signal) {
      const answer = await job.finish(timeoutMs, signal);
      if (!("ended" in answer)) throw new Error("a job for rows ends with rows");
      return answer;
    },
  };
}

/** What a job needs of its thread. */
interface JobThread {
  readonly stopFlag: SharedArrayBuffer;
  fail(error: BquerydError): void;
  post(request: MergeRequest, transfer?: ArrayBuffer[]): void;
  wait(job: number, who: Waiting): void;
  leave(job: number): void;
}

/** A job of either kind. */
interface Job {
  readonly id: number;
  /** Sends a copy of bytes, after those that were sent before. */
  send(bytes: Uint8Array, requestOf: (copy: Uint8Array) => MergeRequest): void;
  /** Calls back when the next rows of those that are sent have been taken. */
  expect(onTaken: () => void): void;
  draft(): Promise<Draft | undefined>;
  finish(timeoutMs: number, signal: AbortSignal | undefined): Promise<RenderedGroups | OrderedRows>;
  drop(): void;
}

function createJob(job: number, { stopFlag, fail, post, wait, leave }: JobThread): Job {
  const flag = new Int32Array(stopFlag);
  const expected: (() => void)[] = [];
  let copying = Promise.resolve();
  let drafted = (_draft: Draft | undefined): void => undefined;
  let outcome: RenderedGroups | OrderedRows | BquerydError | undefined;
  let tell = (): void => undefined;

  const end = (): void => { leave(job); drafted(undefined); };
  function settle(found: RenderedGroups | OrderedRows | BquerydError): void {
    outcome = found;
    end();
    if (found instanceof BquerydError) fail(found);
    tell();
  }
  function abandon(error: BquerydError): void {
    if (outcome !== undefined) return;
    outcome = error;
    end();
    Atomics.store(flag, 0, 1);
    post({ kind: "drop", job });
    tell();
  }
  const drop = (): void => { abandon(new BquerydError("CANCELLED", "the call was cancelled")); };
  /** What sockets give cannot be handed over; a long copy is made in turns. */
  async function send(bytes: Uint8Array, requestOf: (copy: Uint8Array) => MergeRequest): Promise<void> {
    const copy = new Uint8Array(bytes.length);
    for (let at = 0; at < bytes.length && outcome === undefined; at += turnBytes) {
      if (at > 0) await new Promise((resolve) => { setImmediate(resolve); });
      copy.set(bytes.subarray(at, at + turnBytes), at);
    }
    if (outcome === undefined) post(requestOf(copy), [copy.buffer]);
  }
  function settled(): Promise<void> {
    return new Promise((resolve) => {
      tell = resolve;
      if (outcome !== undefined) resolve();
    });
  }

  wait(job, { settle, taken: () => expected.shift()?.(), drafted: (draft) => { drafted(draft); } });
  return {
    id: job,
    send(bytes, requestOf) { copying = copying.then(() => send(bytes, requestOf)); },
    expect: (onTaken) => void expected.push(onTaken),
    draft: () => new Promise((resolve) => {
      if (outcome !== undefined) return resolve(undefined);
      drafted = resolve;
      post({ kind: "draft", job });
    }),
    async finish(timeoutMs, signal) {
      const late = new BquerydError("DEADLINE", `the partial answers were not merged within the ${Math.round(timeoutMs)} ms that were left; raise timeout`);
      const timer = setTimeout(() => { abandon(late); }, timeoutMs);
      signal?.addEventListener("abort", drop, { once: true });
      if (signal?.aborted === true) drop();
      try {
        await copying;
        if (outcome === undefined) post({ kind: "finish", job });
        await settled();
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener("abort", drop);
      }
      if (outcome === undefined || outcome instanceof BquerydError) throw outcome ?? new Error("a job ends with an outcome");
      return outcome;
    },
    drop,
  };
}

function deathOf(cause: unknown, exitCode: number): BquerydError {
  if (cause instanceof Error && "code" in cause && cause.code === "ERR_WORKER_OUT_OF_MEMORY") {
    return new BquerydError("MEMORY_LIMIT", "merging the partial answers needs more memory than a thread has; ask for fewer groups", { cause });
  }
  const reason = cause instanceof Error ? cause.message : `exit code ${exitCode}`;
  return new BquerydError("INTERNAL", `the thread that merges partial answers ended unexpectedly: ${reason}; ask again`, { details: { exitCode }, cause });
}
