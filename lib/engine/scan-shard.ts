/** A query over one shard. */
import type { Part } from "./groups/parts.js";
import { planMeasures } from "./measures/table.js";
import type { Partial } from "./partial.js";
import { partsBytesMax, tooManyGroups } from "./partial-limit.js";
import type { Query } from "./query/query.js";
import { maskBaskets, stopIfAsked, withScan, type ScanContext, type ScanTable } from "./scan.js";
import { chunksOf } from "./scan-column.js";
import { scanInParts } from "./scan-parts.js";
import { bindQuery, planScan, scanChunks, takePartial } from "./scan-plan.js";
import { definitionOf } from "./states/kinds.js";
import { partialOfEdges } from "./where/basket-edges.js";

/**
 * The partial of a query over one shard. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH, MEMORY_LIMIT, CANCELLED and what
 * decoding throws; the memory it took is given back in every case.
 */
export function scanShard(table: ScanTable, query: Query, context: ScanContext): Partial {
  if (query.expand !== null && query.baskets === "ask") return scanEdges(table, query.expand, query, context);
  if (query.keys.length === 0 || !canBeParted(query)) return scanGroups(table, query, context, null);
  const bytesMax = partsBytesMax(context.messageBytes);
  return scanInParts({
    rows: table.rows, cost: context.cost, bytesMax,
    scan: (part) => scanGroups(table, query, context, part),
    refuse: (bytes) => tooManyGroups(query, bytes, bytesMax),
  });
}

function canBeParted({ measures }: Query): boolean {
  return planMeasures(measures).states.every(({ kind }) => definitionOf(kind).mindsOtherGroups !== true);
}

function scanEdges(table: ScanTable, expand: string, query: Query, context: ScanContext): Partial {
  const column = table.column(expand);
  return withScan(table, query, context, (scan) => partialOfEdges(maskBaskets(column, scan).edges(), column, context.ordinal, scan.strings));
}

/** The partial of all groups, or of those of a part. */
function scanGroups(table: ScanTable, query: Query, context: ScanContext, part: Part | null): Partial {
  return withScan(table, query, context, (scan) => {
    const plan = planScan(scan, bindQuery(scan), { isSpanning: false, part });
    scanChunks(plan, chunksOf(table));
    stopIfAsked(context.shouldStop);
    return takePartial(plan);
  });
}
