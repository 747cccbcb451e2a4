/** Batches cut by what their values take, so that whoever turns them into something else needs little memory at once. */
import type { Batch } from "../../columns/dtypes.js";
import type { Texts } from "../../columns/texts.js";
import { widthOf } from "../../columns/files/encodings.js";
import { sliceBatch, sliceNulls } from "../../columns/slice-batch.js";
import { isTextBatch, type ListBatch, type TextBatch } from "./batches.js";

/** How much a slice holds at most, but for one of a single row. */
export interface SliceLimits {
  readonly rows: number;
  /** Of the values of its rows, each text counted as often as it comes. */
  readonly bytes: number;
}

/** Yields batches of equal rows, one a column, as views on their rows in order: as many at a time as the limits allow. */
export function* cutBatches(batches: readonly Batch[], limits: SliceLimits): Generator<readonly Batch[]> {
  for (const { from, to } of findCuts(batches, limits)) yield batches.map((batch) => sliceBatch(batch, from, to));
}

/** The same of batches of which some may be of lists. */
export function* cutLists(batches: readonly (Batch | ListBatch)[], limits: SliceLimits): Generator<readonly (Batch | ListBatch)[]> {
  for (const { from, to } of findCuts(batches, limits)) yield batches.map((batch) => (batch.dtype === "list" ? sliceLists(batch, from, to) : sliceBatch(batch, from, to)));
}

function* findCuts(batches: readonly (Batch | ListBatch)[], limits: SliceLimits): Generator<{ readonly from: number; readonly to: number }> {
  const rows = batches[0]?.rows ?? 0;
  const sizes = rowSizes(batches, rows);
  for (let from = 0; from < rows;) {
    const to = findEnd(sizes, from, limits);
    yield { from, to };
    from = to;
  }
}

function sliceLists({ dtype, item, offsets, nulls }: ListBatch, from: number, to: number): ListBatch {
  return { dtype, rows: to - from, item, offsets: offsets.subarray(from, to + 1), nulls: sliceNulls(nulls, from, to) };
}

function findEnd(sizes: Float64Array, from: number, limits: SliceLimits): number {
  const end = Math.min(sizes.length, from + limits.rows);
  let bytes = sizes[from]!;
  let to = from + 1;
  while (to < end && bytes + sizes[to]! <= limits.bytes) bytes += sizes[to++]!;
  return to;
}

/** Bytes of the values of each row. */
function rowSizes(batches: readonly (Batch | ListBatch)[], rows: number): Float64Array {
  const fixedBytes = batches.reduce((sum, { dtype }) => sum + (dtype === "list" ? offsetBytes : widthOf(dtype)), 0);
  const sizes = new Float64Array(rows).fill(fixedBytes);
  for (const batch of batches) {
    if (batch.dtype === "list") addListSizes(batch, sizes);
    else if (isTextBatch(batch)) addTextSizes(batch, sizes);
  }
  return sizes;
}

const offsetBytes = 4;

function addTextSizes({ values }: TextBatch, sizes: Float64Array): void {
  for (let row = 0; row < sizes.length; row++) sizes[row]! += textBytes(values, row);
}

function addListSizes({ item, offsets }: ListBatch, sizes: Float64Array): void {
  const width = widthOf(item.dtype);
  for (let row = 0; row < sizes.length; row++) {
    const [start, end] = [offsets[row]!, offsets[row + 1]!];
    sizes[row]! += (end - start) * width;
    if (isTextBatch(item)) for (let at = start; at < end; at++) sizes[row]! += textBytes(item.values, at);
  }
}

function textBytes({ offsets, codes }: Texts, row: number): number {
  const entry = codes === null ? row : codes[row]!;
  return offsets[entry + 1]! - offsets[entry]!;
}
