/** Batches cut by what their values take, so that whoever turns them into something else needs little memory at once. */
import type { Batch } from "../../columns/dtypes.js";
import { widthOf } from "../../columns/files/encodings.js";
import { sliceBatch } from "../../columns/slice-batch.js";
import { isTextBatch, type TextBatch } from "./batches.js";

/** How much a slice holds at most, but for one of a single row. */
export interface SliceLimits {
  readonly rows: number;
  /** Of the values of its rows, each text counted as often as it comes. */
  readonly bytes: number;
}

/** Yields batches of equal rows, one a column, as views on their rows in order: as many at a time as the limits allow. */
export function* cutBatches(batches: readonly Batch[], limits: SliceLimits): Generator<readonly Batch[]> {
  const rows = batches[0]?.rows ?? 0;
  const sizes = rowSizes(batches, rows);
  for (let from = 0; from < rows;) {
    const to = findEnd(sizes, from, limits);
    const start = from;
    yield batches.map((batch) => sliceBatch(batch, start, to));
    from = to;
  }
}

function findEnd(sizes: Float64Array, from: number, limits: SliceLimits): number {
  const end = Math.min(sizes.length, from + limits.rows);
  let bytes = sizes[from]!;
  let to = from + 1;
  while (to < end && bytes + sizes[to]! <= limits.bytes) bytes += sizes[to++]!;
  return to;
}

/** Bytes of the values of each row. */
function rowSizes(batches: readonly Batch[], rows: number): Float64Array {
  const texts = batches.filter(isTextBatch);
  const fixedBytes = batches.reduce((sum, { dtype }) => sum + widthOf(dtype), 0);
  const sizes = new Float64Array(rows).fill(fixedBytes);
  for (const batch of texts) addTextSizes(batch, sizes);
  return sizes;
}

function addTextSizes({ values: { offsets, codes } }: TextBatch, sizes: Float64Array): void {
  for (let row = 0; row < sizes.length; row++) {
    const entry = codes === null ? row : codes[row]!;
    sizes[row]! += offsets[entry + 1]! - offsets[entry]!;
  }
}
