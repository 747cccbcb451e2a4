/** Batches by the width of their values, their memory, and those of fixed width over raw bytes. */
import { isTextDtype } from "../../columns/dtypes.js";
import type { Batch, Dtype, TextDtype } from "../../columns/dtypes.js";

/** Dtypes whose values have a fixed width. */
export type FixedDtype = Exclude<Dtype, TextDtype>;

/** A batch of values of a fixed width. */
export type FixedBatch = Exclude<Batch, { readonly dtype: TextDtype }>;

/** A batch of texts. */
export type TextBatch = Extract<Batch, { readonly dtype: TextDtype }>;

/**
 * A run of lists, as results have them and tables do not: list i is items `offsets[i]` up to `offsets[i + 1]` (end
 * exclusive); offsets ascend and need not start at 0. No item is null. `nulls` is as that of a batch.
 */
export interface ListBatch {
  readonly dtype: "list";
  readonly rows: number;
  readonly item: Batch;
  readonly offsets: Uint32Array;
  readonly nulls: Uint8Array | null;
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
  const { offsets, codes } = batch.values;
  return offsets.byteLength + spanBytes(offsets) + (codes?.byteLength ?? 0) + nulls;
}

/** Of that memory the part that is a dictionary, which other batches may share; 0 without one. */
export function dictionaryBytes(batch: Batch): number {
  if (!isTextBatch(batch) || batch.values.codes === null) return 0;
  const { offsets } = batch.values;
  return offsets.byteLength + spanBytes(offsets);
}

/** Bytes of the entries: what lies before and after belongs to other rows. Without offsets the entries are elsewhere. */
function spanBytes(offsets: Uint32Array): number {
  return offsets.length === 0 ? 0 : offsets[offsets.length - 1]! - offsets[0]!;
}
