/** The columns of a result as batches, of which files of other formats are made. */
import { chunkRows, type Batch } from "../columns/dtypes.js";
import type { ResultColumn } from "../engine/finish.js";
import { countOf, isLists, isText, sliceValues, type Values } from "../engine/values.js";
import { fixedBatch, type ListBatch } from "../formats/values/batches.js";
import { fixedValues } from "./column-values.js";

/**
 * Yields all rows in order, one batch a column, at most 65,536 rows at a time: views on what the columns hold, and copies
 * where that is another form than the dtype's own. What a null row holds is zeros, so that equal results are equal batches.
 */
export function* resultBatches(columns: readonly ResultColumn[], rows: number): Generator<readonly (Batch | ListBatch)[]> {
  for (let from = 0; from < rows; from += chunkRows) {
    const to = Math.min(rows, from + chunkRows);
    yield columns.map((column) => batchOf(column, from, to));
  }
}

function batchOf({ values, isNull }: ResultColumn, from: number, to: number): Batch | ListBatch {
  const found = isNull?.subarray(from, to);
  const nullRows = found?.includes(1) === true ? found : null;
  if (!isLists(values)) return itemBatch(sliceValues(values, from, to), nullRows);
  const start = values.offsets[from]!;
  return {
    dtype: "list", rows: to - from, nulls: nullRows === null ? null : packNulls(nullRows),
    offsets: values.offsets.subarray(from, to + 1).map((offset) => offset - start),
    item: itemBatch(sliceValues(values.item, start, values.offsets[to]!), null),
  };
}

function itemBatch(values: Values, isNull: Uint8Array | null): Batch {
  const facts = { rows: countOf(values), nulls: isNull === null ? null : packNulls(isNull) };
  if (isText(values)) return { dtype: values.dtype, ...facts, values: { offsets: values.offsets, bytes: values.bytes, codes: null } };
  const own = fixedValues(values);
  const array = isNull === null ? own : blankNulls(own === values.array ? own.slice() : own, isNull);
  return fixedBatch(values.dtype, facts, array.buffer, array.byteOffset);
}

/** Updated in place. */
function blankNulls<A extends ArrayBufferView>(array: A, isNull: Uint8Array): A {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const width = bytes.length / isNull.length;
  for (let row = 0; row < isNull.length; row++) if (isNull[row] === 1) bytes.fill(0, row * width, (row + 1) * width);
  return array;
}

function packNulls(isNull: Uint8Array): Uint8Array {
  const nulls = new Uint8Array((isNull.length + 7) >> 3);
  for (let row = 0; row < isNull.length; row++) nulls[row >> 3]! |= isNull[row]! << (row & 7);
  return nulls;
}
