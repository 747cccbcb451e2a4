/** A scan that is done again, part by part of its groups, where all groups at once need more memory than a query may take. */
import { BquerydError } from "../base/errors.js";
import type { Part } from "./groups/parts.js";
import { mergePartials } from "./merge.js";
import type { Partial } from "./partial.js";
import type { ScanCost } from "./scan.js";

/** Each time the parts were too large still there are eight times as many. */
const attemptsMax = 3;
const factor = 8;
const partsMax = 4_096;

/**
 * What `scan` gives of the whole, or of all parts together: groups are in one part each, so that nothing but the last bits of
 * sums of floats, whose rows are added up in another order, depends on it. How many parts there are follows from the query, the
 * shard and query_memory. `rows` are those of the shard. Throws the MEMORY_LIMIT of the smallest parts that were tried.
 */
export function scanInParts(rows: number, cost: ScanCost, scan: (part: Part | null) => Partial): Partial {
  const before = { ...cost };
  let parts = 1;
  for (let attempt = 0; ; attempt++) {
    try {
      return scanAll(parts, cost, before, scan);
    } catch (cause) {
      if (!(cause instanceof BquerydError) || cause.code !== "MEMORY_LIMIT" || attempt === attemptsMax || parts === partsMax) throw cause;
      parts = Math.min(partsMax, attempt === 0 ? partsFor(rows, cost.rowsScanned - before.rowsScanned) : parts * factor);
      countAnew(cost, before);
    }
  }
}

/** Twice as many as would be enough if every row were a group, by how many of the rows there was room for; a few where that is not known. */
function partsFor(rows: number, scanned: number): number {
  return scanned === 0 ? factor : Math.min(factor ** 2, 2 ** Math.ceil(Math.log2((2 * rows) / scanned)));
}

function scanAll(parts: number, cost: ScanCost, before: ScanCost, scan: (part: Part | null) => Partial): Partial {
  if (parts === 1) return scan(null);
  let partials: Partial[] = [];
  for (let place = 0; place < parts; place++) {
    countAnew(cost, before);
    partials.push(scan({ place, parts }));
  }
  while (partials.length > 1) partials = partials.flatMap((left, at) => (at % 2 === 1 ? [] : [at + 1 < partials.length ? mergePartials(left, partials[at + 1]!) : left]));
  return partials[0]!;
}

/** Rows and chunks count once, however often they are gone through; what was decoded was decoded. */
function countAnew(cost: ScanCost, { rowsScanned, chunksPruned, chunksFromStatistics, shardsPruned }: ScanCost): void {
  Object.assign(cost, { rowsScanned, chunksPruned, chunksFromStatistics, shardsPruned });
}
