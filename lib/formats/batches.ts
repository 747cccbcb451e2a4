/** Cutting batches at the rows where one shard ends and the next begins. */
import { isBitSet } from "../columns/dtypes.js";
import type { Batch } from "../columns/dtypes.js";

/** Rows `start` to `end` (exclusive) of a batch; typed values are views into it, not copies. */
export function sliceBatch(batch: Batch, start: number, end: number): Batch {
  if (start === 0 && end === batch.rows) return batch;
  const place = { rows: end - start, nulls: sliceBitmap(batch.nulls, start, end) };
  switch (batch.dtype) {
    case "bool": return { dtype: batch.dtype, ...place, values: batch.values.subarray(start, end) };
    case "int64": case "timestamp": return { dtype: batch.dtype, ...place, values: batch.values.subarray(start, end) };
    case "float64": return { dtype: batch.dtype, ...place, values: batch.values.subarray(start, end) };
    case "string": return { dtype: batch.dtype, ...place, values: batch.values.slice(start, end) };
  }
}

/** Bits `start` to `end` (exclusive) moved to the beginning of a new bitmap; null where none of them is set. */
function sliceBitmap(bitmap: Uint8Array | null, start: number, end: number): Uint8Array | null {
  if (bitmap === null) return null;
  const slice = new Uint8Array((end - start + 7) >> 3);
  let found = false;
  for (let row = start; row < end; row++) {
    if (!isBitSet(bitmap, row)) continue;
    slice[(row - start) >> 3]! |= 1 << ((row - start) & 7);
    found = true;
  }
  return found ? slice : null;
}
