/** The handle of the compute thread: starts it, runs and stops tasks, and replaces it when it dies. */
import { Worker } from "node:worker_threads";
import { monotonicMs } from "../../../base/clock.js";
import { BquerydError, unreachable } from "../../../base/errors.js";
import type { EngineMemory } from "../../../engine/engine.js";
import type { ComputeReply, ComputeRequest, ComputeSetup } from "./compute-messages.js";
import type { ComputeTask, WorkerEvent } from "../events.js";
import { failureOf, type Failure } from "../failure.js";

/** What a compute thread tells, as events of the worker's core. */
export type ComputeEvent = WorkerEvent & { kind: "computeUp" | "computeLost" | "block" | "slice" | "taskDone" | "taskFailed" };

/** What a compute thread is started with. */
export interface ComputeThreadOptions {
  readonly dataDir: string;
  readonly cacheBytes: number;
  readonly queryBytes: number;
  readonly partialCacheBytes: number;
  /** That a partial may have to fit a message. */
  readonly messageBytes: number;
  readonly onEvent: (event: ComputeEvent) => void;
  /** The program of the thread; the one beside this file when absent. */
  readonly program?: URL;
}

const defaultProgram = new URL("./compute.js", import.meta.url);
const closeMs = 2_000;
/**
 * What is young is collected after a third of this. Arrays outside the heap live as long as the small objects that hold
 * them: with the default of 48 MB those of many tasks wait for each other.
 */
const youngMegabytes = 12;
const restartMinMs = 100;
const restartMaxMs = 10_000;

/** What an engine has in memory that has done nothing. */
export const noMemory: EngineMemory = { cacheBytes: 0, partialCacheBytes: 0, queryPeakBytes: 0 };

/** How long to wait before a thread is started again, after so many deaths without a finished task between them. */
export function restartDelayMs(deaths: number): number {
  return Math.min(restartMaxMs, restartMinMs * 2 ** (deaths - 1));
}

/**
 * A running compute thread; `computeUp` has been told when this resolves. Throws the error of an engine that cannot be
 * made, MEMORY_LIMIT above all.
 */
export async function startComputeThread(options: ComputeThreadOptions): Promise<ComputeThread> {
  const thread = new ComputeThread(options);
  try {
    await thread.started;
    return thread;
  } catch (cause) {
    await thread.close();
    throw cause;
  }
}

/** A compute thread that is kept alive until closed; made by `startComputeThread`. */
export class ComputeThread {
  /** Resolves when the first thread can compute; rejects with the reason why it never will. */
  readonly started: Promise<void>;
  readonly #program: URL;
  readonly #setup: ComputeSetup;
  readonly #stopFlag: Int32Array;
  readonly #onEvent: (event: ComputeEvent) => void;
  #thread: Worker | undefined;
  #runCount = 0;
  #runningId: string | undefined;
  #deaths = 0;
  #restart: NodeJS.Timeout | undefined;
  #isClosed = false;
  #isRenewed = false;
  #memory = noMemory;
  #settleStart: (error?: BquerydError) => void = () => undefined;

  constructor({ dataDir, cacheBytes, queryBytes, partialCacheBytes, messageBytes, onEvent, program = defaultProgram }: ComputeThreadOptions) {
    const stopFlag = new SharedArrayBuffer(4);
    this.#program = program;
    this.#setup = { dataDir, cacheBytes, queryBytes, partialCacheBytes, messageBytes, stopFlag };
    this.#stopFlag = new Int32Array(stopFlag);
    this.#onEvent = onEvent;
    this.started = new Promise((resolve, reject) => {
      this.#settleStart = (error) => { if (error === undefined) resolve(); else reject(error); };
    });
    this.#launch();
  }

  /** Starts a task; its blocks and its end come as events. Only one runs at a time. */
  run(task: ComputeTask): void {
    if (this.#thread === undefined || this.#runningId !== undefined) throw new Error(`task ${task.taskId} cannot run now`);
    this.#runningId = task.taskId;
    request(this.#thread, { kind: "run", run: ++this.#runCount, task, remainingMs: task.deadlineMs - monotonicMs() });
  }

  /** Lets go of tables that were replaced or removed, between two tasks. */
  forget(names: readonly string[]): void {
    if (this.#thread !== undefined && names.length > 0) request(this.#thread, { kind: "forget", names });
  }

  /** What the engine had in memory when it was last told of. */
  get memory(): EngineMemory {
    return this.#memory;
  }

  /** Lets the thread go between two tasks and starts another, with which all memory of the engine is given back. */
  renew(): void {
    if (this.#runningId !== undefined) throw new Error(`task ${this.#runningId} runs`);
    if (this.#thread === undefined || this.#isRenewed) return;
    this.#isRenewed = true;
    void this.#end(this.#thread);
  }

  /** Asks the running task to stop between two chunks; nothing happens when another one runs. */
  cancel(taskId: string): void {
    if (this.#runningId === taskId) Atomics.store(this.#stopFlag, 0, this.#runCount);
  }

  /** Lets the engine go, ending the thread by force when it does not end in time. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#restart);
    const thread = this.#thread;
    if (thread === undefined) return;
    Atomics.store(this.#stopFlag, 0, this.#runCount);
    await this.#end(thread);
  }

  async #end(thread: Worker): Promise<void> {
    const exited = new Promise<void>((resolve) => { thread.once("exit", () => { resolve(); }); });
    request(thread, { kind: "close" });
    const force = setTimeout(() => void thread.terminate(), closeMs);
    await exited;
    clearTimeout(force);
  }

  #launch(): void {
    const thread = new Worker(this.#program, { workerData: this.#setup, name: "compute", resourceLimits: { maxYoungGenerationSizeMb: youngMegabytes } });
    this.#thread = thread;
    let lastError: unknown;
    thread.on("message", (replies: readonly ComputeReply[]) => {
      for (const reply of replies) {
        if (reply.kind === "unusable") lastError = errorOf(reply.failure);
        else this.#onReply(reply);
      }
    });
    thread.on("error", (error) => { lastError = error; });
    // Node delivers every message of a thread before its exit.
    thread.on("exit", (exitCode) => { this.#onExit(lastError, exitCode); });
  }

  #onReply(reply: Exclude<ComputeReply, { kind: "unusable" }>): void {
    switch (reply.kind) {
      case "up":
        this.#onEvent({ kind: "computeUp" });
        this.#settleStart();
        break;
      case "block": case "slice": this.#onEvent(reply); break;
      case "done":
        this.#memory = reply.memory;
        this.#deaths = 0;
        this.#runningId = undefined;
        this.#onEvent({ ...reply, kind: "taskDone" });
        break;
      case "failed":
        this.#memory = reply.memory;
        this.#runningId = undefined;
        this.#onEvent({ ...reply, kind: "taskFailed" });
        break;
      default: unreachable(reply);
    }
  }

  #onExit(cause: unknown, exitCode: number): void {
    const failure = deathFailure(cause, exitCode);
    this.#thread = undefined;
    this.#runningId = undefined;
    this.#memory = noMemory;
    this.#settleStart(errorOf(failure));
    if (this.#isClosed) return;
    if (this.#isRenewed) {
      this.#isRenewed = false;
      this.#launch();
      return;
    }
    this.#deaths++;
    this.#restart = setTimeout(() => { this.#launch(); }, restartDelayMs(this.#deaths));
    this.#onEvent({ kind: "computeLost", failure, error: cause });
  }
}

function request(thread: Worker, message: ComputeRequest): void {
  thread.postMessage(message);
}

function errorOf({ code, message, details }: Failure): BquerydError {
  return new BquerydError(code, message, { details });
}

function deathFailure(cause: unknown, exitCode: number): Failure {
  if (cause instanceof Error && "code" in cause && cause.code === "ERR_WORKER_OUT_OF_MEMORY") {
    // Another thread would run out of the same memory.
    const message = "the query needs more memory than a compute thread has; ask for fewer groups or columns";
    return { code: "MEMORY_LIMIT", message, details: {}, retry: "never", shard: null };
  }
  if (cause instanceof BquerydError) return failureOf(cause, []);
  const reason = cause instanceof Error ? cause.message : `exit code ${exitCode}`;
  return { code: "INTERNAL", message: `a compute thread ended unexpectedly: ${reason}`, details: { exitCode }, retry: "elsewhere", shard: null };
}
