/** Costs of answers, added up. */
import type { Cost } from "./messages.js";

/** What nothing costs. */
export const noCost: Cost = {
  shards: 0, shardsPruned: 0, rowsScanned: 0, chunksDecoded: 0, chunksPruned: 0, chunksFromStatistics: 0, partialCacheHits: 0,
  cacheHits: 0, bytesDecoded: 0, scanMs: 0, mergeMs: 0,
};

/** The cost of both. */
export function addCosts(a: Cost, b: Cost): Cost {
  return {
    shards: a.shards + b.shards, shardsPruned: a.shardsPruned + b.shardsPruned, rowsScanned: a.rowsScanned + b.rowsScanned,
    chunksDecoded: a.chunksDecoded + b.chunksDecoded, chunksPruned: a.chunksPruned + b.chunksPruned,
    chunksFromStatistics: a.chunksFromStatistics + b.chunksFromStatistics, partialCacheHits: a.partialCacheHits + b.partialCacheHits,
    cacheHits: a.cacheHits + b.cacheHits, bytesDecoded: a.bytesDecoded + b.bytesDecoded, scanMs: a.scanMs + b.scanMs, mergeMs: a.mergeMs + b.mergeMs,
  };
}
