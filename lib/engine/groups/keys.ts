/** Key columns of a shard: how their values become small whole numbers ("fields") by which groups are found. */
import { isFloatDtype, isTextDtype } from "../../columns/dtypes.js";
import { mayBeNull, type ChunkRange, type Run, type ScanColumn } from "../scan-column.js";

/**
 * A key column of a shard. A value's field is its distance from `minimum` (whole numbers), its code (texts) or its bits
 * (floats); a null's field is `size`, so nulls come last. `size` is undefined where no bound is known beforehand.
 */
export interface KeyColumn {
  readonly column: ScanColumn;
  readonly kind: "int" | "float" | "code";
  /** Whether some row of the shard is null. */
  readonly hasNulls: boolean;
  readonly minimum: bigint;
  /** Fields of non-null values lie in [0, size). */
  readonly size: bigint | undefined;
}

/** Codes of a plain column are uint32; this bounds their fields. */
const poolSize = 2n ** 32n - 1n;

/** The key column with its range, from the statistics of its chunks: all of them, or some. */
export function keyColumnOf(column: ScanColumn, chunks: ChunkRange = { start: 0, end: column.chunkCount }): KeyColumn {
  const hasNulls = mayBeNull(column, chunks);
  if (isFloatDtype(column.dtype)) return { column, kind: "float", hasNulls, minimum: 0n, size: undefined };
  if (isTextDtype(column.dtype)) {
    const dictionary = column.dictionary();
    return { column, kind: "code", hasNulls, minimum: 0n, size: dictionary === null ? poolSize : BigInt(dictionary.count) };
  }
  const { minimum, maximum } = intRange(column, chunks);
  return { column, kind: "int", hasNulls, minimum, size: maximum - minimum + 1n };
}

/** How many fields a key column has, its null included; undefined when unbounded. */
export function fieldsOf(key: KeyColumn): bigint | undefined {
  return key.size === undefined ? undefined : key.size + (key.hasNulls ? 1n : 0n);
}

/** What a run adds to a packed number for a field of weight `stride`: code * multiplier + offset, and delta for nulls. */
export function fieldTerms(key: KeyColumn, run: Run, stride: bigint): { multiplier: bigint; offset: bigint; nullDelta: bigint } {
  const offset = (run.base - key.minimum) * stride;
  const ofNull = (run.nullValue - key.minimum) * stride;
  return { multiplier: run.step * stride, offset, nullDelta: (key.size ?? 0n) * stride - ofNull };
}

function intRange(column: ScanColumn, { start, end }: ChunkRange): { minimum: bigint; maximum: bigint } {
  let minimum: bigint | undefined;
  let maximum: bigint | undefined;
  for (let chunk = start; chunk < end; chunk++) {
    const statistics = column.statistics(chunk);
    // Without extremes no row of the chunk has a value.
    if (typeof statistics.minimum !== "bigint" || typeof statistics.maximum !== "bigint") continue;
    if (minimum === undefined || statistics.minimum < minimum) minimum = statistics.minimum;
    if (maximum === undefined || statistics.maximum > maximum) maximum = statistics.maximum;
  }
  // A column of nulls alone has no range; an empty one of size 0 holds its null at field 0.
  return { minimum: minimum ?? 0n, maximum: maximum ?? -1n };
}
