/**
 * A few threads that run one kind of task. The entry of a thread calls `servePool` with what does a task; whoever has the
 * tasks calls `createPool` with that entry. `inOrder` keeps a bounded number of tasks under way and their results in line.
 */
import { availableParallelism } from "node:os";
import { Worker, parentPort } from "node:worker_threads";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import type { ErrorCode, ErrorDetails } from "../../base/errors.js";
import { throwIfAborted } from "../abort.js";

const threadsMax = 4;

/** Open threads; whoever opened them closes them. */
export interface Pool<Task, Result> {
  readonly threads: number;
  /**
   * Does a task on the thread with the fewest; the buffers in `transfer` go with it and are gone here. Rejects with what
   * the task threw, with INTERNAL or MEMORY_LIMIT when the thread ends, with CANCELLED when the pool is closed.
   */
  run(task: Task, transfer: readonly ArrayBuffer[]): Promise<Result>;
  /** Ends the threads at once, with tasks under way or not; they are gone when it resolves. */
  close(): Promise<void>;
}

/** The result of a task, and its buffers that need not be copied. */
export interface Answer<Result> {
  readonly result: Result;
  readonly transfer: readonly ArrayBuffer[];
}

interface Request<Task> {
  readonly id: number;
  readonly task: Task;
}

type Reply<Result> =
  | { readonly id: number; readonly result: Result }
  | { readonly id: number; readonly failure: { readonly code: ErrorCode; readonly message: string; readonly details: ErrorDetails } };

interface Waiting<Result> {
  resolve(result: Result): void;
  reject(error: BquerydError): void;
}

interface Thread<Result> {
  readonly worker: Worker;
  readonly exited: Promise<void>;
  readonly waiting: Map<number, Waiting<Result>>;
}

/**
 * A pool whose threads run the module at `entry`. They start when the first tasks come, `threads` of them at most (one a
 * core and no more than four without it).
 */
export function createPool<Task, Result>(entry: URL, { threads: count = Math.min(threadsMax, availableParallelism()) }: { readonly threads?: number | undefined } = {}): Pool<Task, Result> {
  const threads: Thread<Result>[] = [];
  let failure: BquerydError | undefined;
  let lastId = 0;

  function fail(error: BquerydError): void {
    failure ??= error;
    for (const { waiting } of threads) {
      for (const { reject } of waiting.values()) reject(failure);
      waiting.clear();
    }
  }

  function findThread(): Thread<Result> {
    const idlest = threads.reduce<Thread<Result> | undefined>((best, thread) => (best === undefined || thread.waiting.size < best.waiting.size ? thread : best), undefined);
    if (idlest !== undefined && (idlest.waiting.size === 0 || threads.length >= count)) return idlest;
    const started = startThread<Result>(entry, fail);
    threads.push(started);
    return started;
  }

  return {
    threads: count,
    run(task, transfer) {
      return new Promise<Result>((resolve, reject) => {
        if (failure !== undefined) {
          reject(failure);
          return;
        }
        const { worker, waiting } = findThread();
        const request: Request<Task> = { id: ++lastId, task };
        waiting.set(request.id, { resolve, reject });
        worker.postMessage(request, [...transfer]);
      });
    },
    async close() {
      fail(new BquerydError("CANCELLED", "the threads of an import were stopped"));
      await Promise.all(threads.map(async ({ worker, exited }) => {
        await worker.terminate();
        await exited;
      }));
    },
  };
}

function startThread<Result>(entry: URL, fail: (error: BquerydError) => void): Thread<Result> {
  const worker = new Worker(entry);
  const waiting = new Map<number, Waiting<Result>>();
  worker.on("message", (reply: Reply<Result>) => {
    const task = waiting.get(reply.id);
    waiting.delete(reply.id);
    if ("result" in reply) task?.resolve(reply.result);
    else task?.reject(new BquerydError(reply.failure.code, reply.failure.message, { details: reply.failure.details }));
  });
  worker.on("error", (cause) => { fail(deathFailure(cause)); });
  const exited = new Promise<void>((resolve) => {
    worker.once("exit", (exitCode) => {
      fail(deathFailure(new Error(`exit code ${exitCode}`)));
      resolve();
    });
  });
  return { worker, exited, waiting };
}

function deathFailure(cause: unknown): BquerydError {
  if (cause instanceof Error && "code" in cause && cause.code === "ERR_WORKER_OUT_OF_MEMORY") {
    return new BquerydError("MEMORY_LIMIT", "a thread of an import ran out of memory; import fewer columns at once", { cause });
  }
  return toBquerydError(cause, "go on without a thread that ended");
}

/** Does the tasks of the pool that started this thread, one after another, until the pool ends the thread. */
export function servePool<Task, Result>(handle: (task: Task) => Answer<Result> | Promise<Answer<Result>>): void {
  const port = parentPort;
  if (port === null) throw new Error("only a thread serves a pool");
  const serve = async ({ id, task }: Request<Task>): Promise<void> => {
    try {
      const { result, transfer } = await handle(task);
      port.postMessage({ id, result } satisfies Reply<Result>, [...transfer]);
    } catch (cause) {
      const { code, message, details } = toBquerydError(cause);
      port.postMessage({ id, failure: { code, message, details } } satisfies Reply<Result>);
    }
  };
  let last = Promise.resolve();
  port.on("message", (request: Request<Task>) => { last = last.then(() => serve(request)); });
}

/** How much may be under way at once: reaching either stops the start of more, but one item always may. */
export interface Flow<Item> {
  readonly itemsMax: number;
  readonly bytesMax: number;
  bytesOf(item: Item): number;
  readonly signal: AbortSignal | undefined;
}

/**
 * The results of `work` in the order of the items, of which several are under way at once, also while the caller is busy
 * with a result. Throws what `work` and the items throw, in their place, and CANCELLED on abort.
 */
export async function* inOrder<Item, Result>(items: AsyncIterable<Item>, work: (item: Item) => Promise<Result>, flow: Flow<Item>): AsyncGenerator<Result> {
  const queue: { readonly result: Promise<Result>; readonly bytes: number }[] = [];
  let bytes = 0;
  for await (const item of items) {
    throwIfAborted(flow.signal, "import");
    const itemBytes = flow.bytesOf(item);
    while (queue.length >= flow.itemsMax || (queue.length > 0 && bytes + itemBytes > flow.bytesMax)) yield await takeFirst();
    const result = work(item);
    // Whoever takes it from the queue hears of its failure; when nobody does, an earlier failure is told.
    result.catch(() => undefined);
    queue.push({ result, bytes: itemBytes });
    bytes += itemBytes;
  }
  while (queue.length > 0) yield await takeFirst();

  function takeFirst(): Promise<Result> {
    throwIfAborted(flow.signal, "import");
    const first = queue.shift()!;
    bytes -= first.bytes;
    return first.result;
  }
}
