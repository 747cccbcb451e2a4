/** A scan that is done again, part by part of its groups, where all groups at once need more memory than a query may take. */
import { BquerydError } from "../base/errors.js";
import type { Part } from "./groups/parts.js";
import { mergePartials } from "./merge.js";
import type { Partial } from "./partial.js";
import { bytesOfArrays } from "./array-bytes.js";
import type { ScanCost } from "./scan.js";

/** Each time the parts were too large still there are eight times as many. */
const attemptsMax = 3;
const factor = 8;
const partsMax = 4_096;

/** A scan that may be done in parts. */
export interface PartedScan {
  /** Those of the shard. */
  readonly rows: number;
  readonly cost: ScanCost;
  /** Bytes that the partials of all parts may take. */
  readonly bytesMax: number;
  /** The partial of all groups, or of those of a part. */
  scan(part: Part | null): Partial;
  /** The failure of partials that take more. */
  refuse(bytes: number): BquerydError;
}

/**
 * What a scan gives of the whole, or of all parts together: groups are in one part each, so that nothing but the last bits of
 * sums of floats, whose rows are added up in another order, depends on it. How many parts there are follows from the query, the
 * shard and query_memory. Throws the MEMORY_LIMIT of the smallest parts that were tried.
 */
export function scanInParts(scan: PartedScan): Partial {
  return joinParts(scanParts(scan), scan);
}

function scanParts({ rows, cost, bytesMax, scan }: PartedScan): readonly Partial[] {
  const before = { ...cost };
  let parts = 1;
  for (let attempt = 0; ; attempt++) {
    try {
      return parts === 1 ? [scan(null)] : scanAll(parts, { cost, before, bytesMax, scan });
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

/** The partials of all parts, or of the first ones that take more than they may: more parts take no less. */
function scanAll(parts: number, { cost, before, bytesMax, scan }: Pick<PartedScan, "cost" | "bytesMax" | "scan"> & { readonly before: ScanCost }): readonly Partial[] {
  const partials: Partial[] = [];
  let bytes = 0;
  for (let place = 0; place < parts && bytes <= bytesMax; place++) {
    countAnew(cost, before);
    const partial = scan({ place, parts });
    bytes += bytesOfArrays(partial);
    partials.push(partial);
  }
  return partials;
}

function joinParts(parts: readonly Partial[], { bytesMax, refuse }: PartedScan): Partial {
  const bytes = bytesOfArrays(...parts);
  if (parts.length > 1 && bytes > bytesMax) throw refuse(bytes);
  let partials = parts;
  while (partials.length > 1) partials = joinPairs(partials);
  return partials[0]!;
}

function joinPairs(partials: readonly Partial[]): Partial[] {
  return partials.flatMap((left, at) => (at % 2 === 1 ? [] : [at + 1 < partials.length ? mergePartials(left, partials[at + 1]!) : left]));
}

/** Rows and chunks count once, however often they are gone through; what was decoded was decoded. */
function countAnew(cost: ScanCost, { rowsScanned, chunksPruned, chunksFromStatistics, shardsPruned }: ScanCost): void {
  Object.assign(cost, { rowsScanned, chunksPruned, chunksFromStatistics, shardsPruned });
}
