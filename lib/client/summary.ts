/** What answering a query took: every answer carries it. */
import type { Cost } from "../wire/messages.js";

/** Times are milliseconds; scanned and merged ones are sums over workers, so they may exceed the duration. */
export interface Summary {
  readonly queryId: string;
  /** Generation that was read of each shard, in the order of the answer. */
  readonly generations: ReadonlyMap<string, string>;
  readonly shards: number;
  /** Shards and chunks that statistics ruled out unread. */
  readonly shardsPruned: number;
  readonly chunksPruned: number;
  /** Chunks whose statistics said all that was asked, so that none of their rows was read. */
  readonly chunksFromStatistics: number;
  readonly rowsScanned: number;
  readonly chunksDecoded: number;
  readonly bytesDecoded: number;
  readonly cacheHits: number;
  /** Shards of which the same had been asked before, so that nothing of them was scanned. */
  readonly partialCacheHits: number;
  readonly workers: number;
  /** Shards that were given to a worker a second time. */
  readonly retries: number;
  readonly queuedMs: number;
  readonly scannedMs: number;
  /** Merging in workers and here. */
  readonly mergedMs: number;
  /** From the call to the finished table. */
  readonly durationMs: number;
}

/** The summary of an answer from what the controller counted and what was measured here. */
export function summarize(facts: {
  readonly queryId: string;
  readonly generations: ReadonlyMap<string, string>;
  readonly cost: Cost;
  readonly workers: number;
  readonly retries: number;
  readonly queuedMs: number;
  readonly mergedMs: number;
  readonly durationMs: number;
}): Summary {
  const { queryId, generations, cost, workers, retries, queuedMs, mergedMs, durationMs } = facts;
  const { shardsPruned, chunksPruned, chunksFromStatistics, rowsScanned, chunksDecoded, bytesDecoded, cacheHits, partialCacheHits } = cost;
  return {
    queryId, generations, shards: generations.size, shardsPruned, chunksPruned, chunksFromStatistics,
    rowsScanned, chunksDecoded, bytesDecoded, cacheHits, partialCacheHits,
    workers, retries, queuedMs, scannedMs: cost.scanMs, mergedMs: cost.mergeMs + mergedMs, durationMs,
  };
}
