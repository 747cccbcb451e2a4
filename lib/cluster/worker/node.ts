/** A worker: turns messages, timers, files and its compute thread into events of the core, and does what it decides. */
import { boundLog } from "../../base/bounded-log.js";
import { monotonicMs, randomId } from "../../base/clock.js";
import type { Config } from "../../base/config.js";
import { BquerydError, unreachable, type ErrorCode } from "../../base/errors.js";
import { createCollector, createHeapCollector, idleGarbageBytesMax, taskGarbageBytesMax } from "../../base/garbage.js";
import type { Log } from "../../base/log.js";
import { withResolvers } from "../../base/resolvers.js";
import { openLinks, type Links } from "../links.js";
import type { WorkerFacts } from "../metrics/worker-metrics.js";
import { standingOf } from "../registration.js";
import type { Registry } from "../../registry/registry.js";
import { shortAddress } from "../../wire/addresses.js";
import { findKeys } from "../../wire/key-file.js";
import { requireDataDir } from "./holdings/data-dir.js";
import { noMemory, startComputeThread, type ComputeEvent, type ComputeThread } from "./compute/compute-thread.js";
import { createWorkerState, on, type WorkerState } from "./core.js";
import { createErrands, type Errands } from "./errands/errands.js";
import type { Instruction, WorkerEvent } from "./events.js";
import { failureOf } from "./failure.js";
import { watchHoldings, type HoldingsWatch } from "./holdings/holdings-watch.js";
import { createMemoryWatch, describeExcess, watchMemory } from "./memory-watch.js";
import { countTask, createTaskCounts } from "./task-counts.js";

/** What a worker needs from the process it runs in. The registry stays the caller's. */
export interface WorkerOptions {
  readonly config: Config;
  readonly log: Log;
  readonly registry: Registry;
}

/** A worker that serves until it is stopped or told to shut down. */
export interface RunningWorker {
  readonly id: string;
  /** Resolves with the reason when it has left its controllers and closed everything. */
  readonly stopped: Promise<string>;
  /** Takes no more tasks, finishes the running one within a bound, says goodbye and closes. Never throws. */
  stop(reason: string): Promise<void>;
  /** Why it ended by itself, to be started again; undefined while it serves, and when it was told to end. */
  findFailure(): BquerydError | undefined;
  /** What metrics are made of. */
  look(): WorkerFacts;
  /** Takes over what can change while it serves: memory_limit, timeout. */
  reload(config: Config): void;
}

/** How long a worker that is stopping lets its task go on before it hands it back. */
const finishMsMax = 10_000;

/** More than the frames before a partial or a slice ever have. */
const headerBytes = 4_096;

/** Failures that mean the files changed under us: controllers are told what is there now before they ask again. */
const staleCodes: readonly ErrorCode[] = ["GENERATION_GONE", "SHARD_UNAVAILABLE", "CORRUPT_FOOTER"];

/**
 * A worker over `config.dataDir`, connected to the controllers there are and to those that come. Throws CONFIG for a
 * data directory that cannot be served and MEMORY_LIMIT when the engine's memory cannot be had.
 */
export async function startWorker({ config, log, registry }: WorkerOptions): Promise<RunningWorker> {
  await requireDataDir(config.dataDir);
  const node = new WorkerNode(config, log);
  try {
    await node.open(registry);
  } catch (cause) {
    await node.close();
    throw cause;
  }
  return {
    id: node.id, stopped: node.stopped, stop: (reason) => node.stop(reason), findFailure: () => node.failure,
    look: () => node.look(), reload: (again) => { node.reload(again); },
  };
}

class WorkerNode {
  readonly id = randomId();
  readonly #end = withResolvers<string>();
  readonly stopped = this.#end.promise;
  /** Why it ends by itself. */
  failure: BquerydError | undefined;
  #config: Config;
  readonly #log: Log;
  readonly #state: WorkerState;
  readonly #collect = createCollector(taskGarbageBytesMax);
  readonly #tasks = createTaskCounts();
  readonly #memory = createMemoryWatch();
  /** Links of the controllers that took the registration. */
  readonly #welcome = new Set<string>();
  readonly #collectHeap = createHeapCollector(idleGarbageBytesMax);
  #compute: ComputeThread | undefined;
  readonly #errands: Errands;
  #holdings: HoldingsWatch | undefined;
  #links: Links | undefined;
  #ticks: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;

  constructor(config: Config, log: Log) {
    this.#config = config;
    this.#log = boundLog(log, monotonicMs);
    this.#state = createWorkerState({ ...standingOf(config, { workerId: this.id, startedMs: monotonicMs() }), expiryMs: config.expiryMs, newNonce: randomId });
    this.#errands = createErrands({
      dataDir: config.dataDir, codeModules: config.codeModules, answerBytesMax: config.messageBytesMax - headerBytes,
      onEvent: (event) => { this.#apply(event); },
    });
  }

  async open(registry: Registry): Promise<void> {
    const { dataDir, cacheMemoryBytes, partialCacheMemoryBytes, queryMemoryBytes, controllers, messageBytesMax, heartbeatMs, expiryMs } = this.#config;
    const log = this.#log;
    this.#compute = await startComputeThread({
      dataDir, cacheBytes: cacheMemoryBytes, queryBytes: queryMemoryBytes, partialCacheBytes: partialCacheMemoryBytes,
      messageBytes: messageBytesMax - headerBytes,
      onEvent: (event) => { this.#onCompute(event); },
    });
    this.#holdings = await watchHoldings({
      dataDir, log,
      onChange: (added, removed) => {
        this.#compute?.forget([...removed, ...added.map(({ name }) => name)]);
        this.#apply({ kind: "holdingsChanged", added, removed });
      },
      onBroken: (tables) => { this.#apply({ kind: "tablesBroken", tables }); },
    });
    this.#links = await openLinks({
      registry, controllers, messageBytesMax, keys: findKeys(this.#config.keyFile), refreshMs: expiryMs, log,
      onLinked: (link) => { this.#apply({ kind: "linked", link }); },
      onUnlinked: (link) => {
        this.#welcome.delete(link);
        this.#apply({ kind: "unlinked", link });
      },
      onMessage: (link, header, body) => { this.#apply({ kind: "received", link, header, body }); },
    });
    this.#ticks = setInterval(() => {
      this.#apply({ kind: "tick" });
      // The partials of tasks are this thread's, once they are handed over.
      this.#collect();
      this.#checkMemory();
      if (this.#state.running === undefined) this.#collectHeap();
    }, heartbeatMs);
  }

  look(): WorkerFacts {
    const { cacheMemoryBytes: cacheBytesMax, queryMemoryBytes: queryBytesMax } = this.#config;
    return {
      state: this.#state, tasks: this.#tasks, controllers: this.#welcome.size, isRegistryUp: this.#links?.isRegistryUp() ?? false,
      malformed: this.#links?.malformedCount() ?? 0, memory: this.#compute?.memory ?? noMemory, cacheBytesMax, queryBytesMax,
    };
  }

  reload({ memoryLimitBytes, timeoutMs }: Config): void {
    this.#config = { ...this.#config, memoryLimitBytes, timeoutMs };
  }

  async close(): Promise<void> {
    clearInterval(this.#ticks);
    clearTimeout(this.#patience);
    await Promise.all([this.#holdings?.close(), this.#links?.close(), this.#compute?.close(), this.#errands.close()]);
  }

  async stop(reason: string): Promise<void> {
    this.#apply({ kind: "stop", reason });
    await this.stopped;
  }

  #checkMemory(): void {
    const { memoryLimitBytes: limitBytes } = this.#config;
    if (limitBytes === undefined || this.#state.phase !== "serving") return;
    const facts = { residentBytes: process.memoryUsage.rss(), limitBytes, isBusy: this.#state.running !== undefined };
    const verdict = watchMemory(this.#memory, facts);
    if (verdict === "nothing") return;
    const reason = describeExcess(facts);
    this.#log.warn({ event: `memory.${verdict === "drop" ? "dropped" : "exceeded"}`, message: reason, residentBytes: facts.residentBytes, limitBytes });
    if (verdict === "drop") this.#dropCaches(reason);
    else {
      this.failure = new BquerydError("MEMORY_LIMIT", `${reason}; raise memory_limit, or lower cache_memory and query_memory`, { details: { residentBytes: facts.residentBytes, limitBytes } });
      void this.stop(reason);
    }
  }

  /** WebAssembly gives no memory back but with its thread. No task comes meanwhile: the core takes the thread for lost. */
  #dropCaches(reason: string): void {
    this.#apply({ kind: "computeLost", failure: { code: "MEMORY_LIMIT", message: reason, details: {}, retry: "elsewhere", shard: null } });
    this.#compute?.renew();
  }

  #apply(event: WorkerEvent): void {
    for (const instruction of on(this.#state, event, monotonicMs())) this.#execute(instruction);
    if (this.#state.phase === "stopping") this.#patience ??= setTimeout(() => {
      this.#apply({ kind: "stopNow", reason: this.#state.stopReason });
    }, Math.min(this.#config.timeoutMs, finishMsMax));
  }

  #execute(instruction: Instruction): void {
    switch (instruction.kind) {
      case "send": this.#send(instruction); break;
      case "run": this.#compute?.run(instruction.task); break;
      case "runErrand": this.#errands.run(instruction.task); break;
      case "cancel":
        this.#compute?.cancel(instruction.taskId);
        this.#errands.cancel(instruction.taskId);
        break;
      case "look": void this.#holdings?.rescan(); break;
      case "setLogLevel": this.#log.setLevel(instruction.level); break;
      case "reconnect": void this.#links?.reconnect(instruction.link); break;
      case "welcomed": {
        const { link, controllerId, node } = instruction;
        this.#welcome.add(link);
        this.#log.info({ event: "worker.registered", worker: this.id, controller: controllerId, address: shortAddress(link), node });
        break;
      }
      case "leave": void this.close().then(() => { this.#end.resolve(instruction.reason); }); break;
      default: unreachable(instruction);
    }
  }

  #send({ link, header, body }: Instruction & { kind: "send" }): void {
    try {
      this.#links?.send(link, header, body);
    } catch (cause) {
      if (header.type !== "partial" && header.type !== "slice") throw cause;
      const { taskId } = header;
      this.#apply({ kind: "blockRefused", taskId, failure: failureOf(cause, []) });
    }
  }

  #onCompute(event: ComputeEvent): void {
    countTask(this.#tasks, event);
    if (event.kind === "computeLost") this.#log.error({ event: "compute.lost", message: event.failure.message, error: event.error });
    if (event.kind !== "taskFailed") {
      this.#apply(event);
      return;
    }
    const { code, message, shard, retry } = event.failure;
    if (retry === "elsewhere") this.#log.warn({ event: "task.failed", code, message, shard });
    if (staleCodes.includes(code)) void this.#holdings?.rescan().then(() => { this.#apply(event); });
    else this.#apply(event);
  }
}
