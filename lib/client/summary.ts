/** What answering a query took: every answer carries it. */
import type { Cost, LeftOut } from "../wire/messages.js";

/** What an answer covers; everything, unless `partial: 'allow'` let it go without some shards. */
export interface Coverage {
  /** Shards that are not in the answer, with the error code and sentence that says why. */
  readonly shardsMissing: readonly { readonly name: string; readonly code: string; readonly reason: string }[];
  /** Rows of those shards; null where they are not known of every one. */
  readonly rowsMissing: number | null;
}

/** Times are milliseconds; scanned and merged ones are sums over workers, so they may exceed the duration. */
export interface Summary {
  readonly queryId: string;
  /** Generation that was read of each shard, in the order of the answer. */
  readonly generations: ReadonlyMap<string, string>;
  readonly shards: number;
  /** Shards of which the whole is in the answer; fewer than `shards` where a limit was reached before, too. */
  readonly shardsAnswered: number;
  readonly coverage: Coverage;
  /** Rows of the result. */
  readonly rows: number;
  /** Messages that the rows came in, of a query for rows. */
  readonly slices: number;
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
  /** Whether nothing was computed: the answer has been kept since `queryId`, and its shards are still the same. */
  readonly unchanged: boolean;
  readonly workers: number;
  /** Shards that were given to a worker a second time. */
  readonly retries: number;
  readonly queuedMs: number;
  readonly scannedMs: number;
  /** Merging in workers and here. */
  readonly mergedMs: number;
  /** From the merged groups to the columns of the table. */
  readonly renderedMs: number;
  /** From the call to the finished table. */
  readonly durationMs: number;
}

/** The summary of an answer from what the controller counted and what was measured here. */
export function summarize(facts: {
  readonly queryId: string;
  readonly generations: ReadonlyMap<string, string>;
  readonly shardsAnswered: number;
  readonly leftOut: readonly LeftOut[];
  readonly rows: number;
  readonly slices: number;
  readonly cost: Cost;
  readonly unchanged?: boolean;
  readonly workers: number;
  readonly retries: number;
  readonly queuedMs: number;
  readonly mergedMs: number;
  readonly renderedMs: number;
  readonly durationMs: number;
}): Summary {
  const { queryId, generations, shardsAnswered, leftOut, rows, slices, cost, unchanged = false, workers, retries, queuedMs, mergedMs, renderedMs, durationMs } = facts;
  const { shardsPruned, chunksPruned, chunksFromStatistics, rowsScanned, chunksDecoded, bytesDecoded, cacheHits, partialCacheHits } = cost;
  return {
    queryId, generations, shards: generations.size, shardsAnswered, coverage: coverageOf(leftOut), rows, slices, shardsPruned, chunksPruned, chunksFromStatistics,
    rowsScanned, chunksDecoded, bytesDecoded, cacheHits, partialCacheHits,
    unchanged, workers, retries, queuedMs, scannedMs: cost.scanMs, mergedMs: cost.mergeMs + mergedMs, renderedMs, durationMs,
  };
}

function coverageOf(leftOut: readonly LeftOut[]): Coverage {
  return {
    shardsMissing: leftOut.map(({ name, code, message }) => ({ name, code, reason: message })),
    rowsMissing: leftOut.reduce<number | null>((sum, { rows }) => (sum === null || rows === null ? null : sum + rows), 0),
  };
}
