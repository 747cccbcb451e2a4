/** A part of the rows of a batch. */
import { copyBits } from "./bits.js";
import type { Batch } from "./dtypes.js";
import { sliceTexts } from "./texts.js";

/** Rows `from` to `to` (exclusive) of a batch: values as views on the same memory, nulls copied. */
export function sliceBatch(batch: Batch, from: number, to: number): Batch {
  if (from === 0 && to === batch.rows) return batch;
  const place = { rows: to - from, nulls: sliceNulls(batch.nulls, from, to) };
  switch (batch.dtype) {
    case "string": case "bytes": return { ...batch, ...place, values: sliceTexts(batch.values, from, to) };
    case "bool": case "uint8": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "int64": case "timestamp": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "int32": case "date": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "int8": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "int16": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "uint16": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "uint32": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "uint64": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "float32": return { ...batch, ...place, values: batch.values.subarray(from, to) };
    case "float64": return { ...batch, ...place, values: batch.values.subarray(from, to) };
  }
}

/** Bits `from` to `to` (exclusive) of a null bitmap as one of their own; null where none is set. */
export function sliceNulls(nulls: Uint8Array | null, from: number, to: number): Uint8Array | null {
  if (nulls === null) return null;
  const slice = new Uint8Array(Math.ceil((to - from) / 8));
  copyBits(nulls, from, slice, 0, to - from);
  return slice.some((byte) => byte !== 0) ? slice : null;
}
