/** Batches by the width of their values, their memory, and those of fixed width over raw bytes. */
import { isTextDtype } from "../../columns/dtypes.js";
import type { Batch, Dtype, TextDtype } from "../../columns/dtypes.js";

/** Dtypes whose values have a fixed width. */
export type FixedDtype = Exclude<Dtype, TextDtype>;

/** A batch of values of a fixed width. */
export type FixedBatch = Exclude<Batch, { readonly dtype: TextDtype }>;

/** A batch of texts. */
export type TextBatch = Extract<Batch, { readonly dtype: TextDtype }>;

/** Bytes of a value of each dtype of fixed width. */
const widths: Readonly<Record<FixedDtype, 1 | 2 | 4 | 8>> = {
  bool: 1, int8: 1, uint8: 1, int16: 2, uint16: 2, int32: 4, uint32: 4, float32: 4, date: 4,
  int64: 8, uint64: 8, float64: 8, timestamp: 8,
};

/** Bytes of a value of a dtype; undefined for texts. */
export function findWidth(dtype: Dtype): 1 | 2 | 4 | 8 | undefined {
  return isTextDtype(dtype) ? undefined : widths[dtype];
}

/** Tells texts from values of fixed width. */
export function isTextBatch(batch: Batch): batch is TextBatch {
  return isTextDtype(batch.dtype);
}

/** A batch over bytes in memory: `rows` values from byte `offset`, which is a multiple of their width. */
export function fixedBatch(dtype: FixedDtype, facts: { readonly rows: number; readonly nulls: Uint8Array | null }, buffer: ArrayBufferLike, offset = 0): FixedBatch {
  const { rows } = facts;
  switch (dtype) {
    case "bool": case "uint8": return { dtype, ...facts, values: new Uint8Array(buffer, offset, rows) };
    case "int8": return { dtype, ...facts, values: new Int8Array(buffer, offset, rows) };
    case "int16": return { dtype, ...facts, values: new Int16Array(buffer, offset, rows) };
    case "uint16": return { dtype, ...facts, values: new Uint16Array(buffer, offset, rows) };
    case "int32": case "date": return { dtype, ...facts, values: new Int32Array(buffer, offset, rows) };
    case "uint32": return { dtype, ...facts, values: new Uint32Array(buffer, offset, rows) };
    case "int64": case "timestamp": return { dtype, ...facts, values: new BigInt64Array(buffer, offset, rows) };
    case "uint64": return { dtype, ...facts, values: new BigUint64Array(buffer, offset, rows) };
    case "float32": return { dtype, ...facts, values: new Float32Array(buffer, offset, rows) };
    case "float64": return { dtype, ...facts, values: new Float64Array(buffer, offset, rows) };
  }
}

/** Memory that the values of a batch refer to, bytes. */
export function batchBytes(batch: Batch): number {
  const nulls = batch.nulls?.byteLength ?? 0;
  if (!isTextBatch(batch)) return batch.values.byteLength + nulls;
  const { offsets, bytes, codes } = batch.values;
  return offsets.byteLength + bytes.byteLength + (codes?.byteLength ?? 0) + nulls;
}
