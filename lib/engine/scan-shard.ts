/** A query over one shard. */
import type { Partial } from "./partial.js";
import type { Query } from "./query/query.js";
import { maskBaskets, stopIfAsked, withScan, type ScanContext, type ScanTable } from "./scan.js";
import { chunksOf } from "./scan-column.js";
import { bindQuery, planScan, scanChunks, takePartial } from "./scan-plan.js";
import { partialOfEdges } from "./where/basket-edges.js";

/**
 * The partial of a query over one shard. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH, MEMORY_LIMIT, CANCELLED and what
 * decoding throws; the memory it took is given back in every case.
 */
export function scanShard(table: ScanTable, query: Query, context: ScanContext): Partial {
  return withScan(table, query, context, (scan) => {
    if (query.expand !== null && query.baskets === "ask") {
      const column = table.column(query.expand);
      return partialOfEdges(maskBaskets(column, scan).edges(), column, context.ordinal, scan.strings);
    }
    const plan = planScan(scan, bindQuery(scan), false);
    scanChunks(plan, chunksOf(table));
    stopIfAsked(context.shouldStop);
    return takePartial(plan);
  });
}
