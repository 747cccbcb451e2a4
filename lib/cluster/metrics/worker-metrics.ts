/** The metrics of a worker, and whether it is ready. */
import type { EngineMemory } from "../../engine/engine.js";
import type { WorkerState } from "../worker/core.js";
import type { TaskCounts } from "../worker/task-counts.js";
import { counter, counterBy, flag, gauge, type MetricFamily, type Observed } from "./families.js";
import { processFamilies } from "./process-metrics.js";

/** What a worker lets see of itself, as it is now. Only read. */
export interface WorkerFacts {
  readonly state: WorkerState;
  readonly tasks: TaskCounts;
  /** Controllers that have taken its registration. */
  readonly controllers: number;
  readonly isRegistryUp: boolean;
  readonly malformed: number;
  /** As the last task left it. */
  readonly memory: EngineMemory;
  readonly cacheBytesMax: number;
  readonly queryBytesMax: number;
}

/** A worker to be observed. `look` is asked for its facts at each question. */
export function observeWorker(look: () => WorkerFacts): Observed {
  return { families: [...processFamilies("worker"), ...holdingFamilies(look), ...taskFamilies(look), ...memoryFamilies(look)], findObstacle: () => findObstacle(look()) };
}

function findObstacle({ state, controllers }: WorkerFacts): string | undefined {
  if (state.phase !== "serving") return "it is stopping";
  if (!state.computeUp) return "its compute thread is being started again";
  return controllers === 0 ? "no controller has taken its registration" : undefined;
}

function holdingFamilies(look: () => WorkerFacts): MetricFamily[] {
  return [
    gauge("bqueryd_shards_held", "Tables and shards that this worker serves", () => look().state.holdings.size),
    gauge("bqueryd_tables_broken", "Tables in data_dir that cannot be opened", () => look().state.broken.length),
    gauge("bqueryd_controllers", "Controllers that this worker is registered with", () => look().controllers),
    flag("bqueryd_registry_up", "Whether the registry can be used", () => look().isRegistryUp),
    counter("bqueryd_malformed_total", "Messages that were none of the protocol, and were dropped", () => look().malformed),
  ];
}

function taskFamilies(look: () => WorkerFacts): MetricFamily[] {
  const cost = (): TaskCounts["cost"] => look().tasks.cost;
  return [
    counterBy("bqueryd_tasks_total", "Tasks that have ended, by outcome", "outcome", () => ({ done: look().tasks.done, failed: look().tasks.failed })),
    flag("bqueryd_busy", "Whether a task runs", () => look().state.running !== undefined),
    flag("bqueryd_compute_up", "Whether the compute thread runs", () => look().state.computeUp),
    counter("bqueryd_compute_lost_total", "Compute threads that ended without being told to", () => look().tasks.computeLost),
    counter("bqueryd_shards_scanned_total", "Shards that tasks answered for", () => cost().shards),
    counter("bqueryd_rows_scanned_total", "Rows that tasks looked at", () => cost().rowsScanned),
    counter("bqueryd_decoded_bytes_total", "Bytes of columns that were decoded", () => cost().bytesDecoded),
    counter("bqueryd_cache_hits_total", "Chunks of columns that were found decoded", () => cost().cacheHits),
    counter("bqueryd_cache_misses_total", "Chunks of columns that had to be decoded", () => cost().chunksDecoded),
    counter("bqueryd_partial_cache_hits_total", "Shards whose part of an answer was kept from an earlier query", () => cost().partialCacheHits),
    counter("bqueryd_scan_seconds_total", "Time spent scanning", () => cost().scanMs / 1_000),
    counter("bqueryd_merge_seconds_total", "Time spent merging parts of answers", () => cost().mergeMs / 1_000),
  ];
}

function memoryFamilies(look: () => WorkerFacts): MetricFamily[] {
  return [
    gauge("bqueryd_cache_bytes", "Decoded columns that are kept", () => look().memory.cacheBytes),
    gauge("bqueryd_cache_bytes_max", "What cache_memory allows", () => look().cacheBytesMax),
    gauge("bqueryd_partial_cache_bytes", "Answers of earlier queries that are kept", () => look().memory.partialCacheBytes),
    gauge("bqueryd_query_peak_bytes", "The most that a query has used of query_memory", () => look().memory.queryPeakBytes),
    gauge("bqueryd_query_bytes_max", "What query_memory allows", () => look().queryBytesMax),
  ];
}
