/** The dictionaries of an Arrow file: values that columns name by code. */
import { isBitSet } from "../../columns/bits.js";
import type { Batch, Dtype } from "../../columns/dtypes.js";
import type { ArrowRecord } from "./buffers.js";
import type { ArrowType } from "./schema.js";
import { readValues } from "./values.js";
import { isTextBatch } from "../values/batches.js";
import { convertBatch } from "../values/convert.js";
import type { Converted, Failure } from "../values/convert.js";
import { gatherRows } from "../values/gather.js";

/** Codes of rows with their null rows, whose codes mean nothing. */
export interface Codes {
  readonly codes: Uint32Array;
  readonly nulls: Uint8Array | null;
}

/** The values of a dictionary as `dtype`: those of a record batch, behind the ones before where it only adds to them. */
export async function readDictionary(type: ArrowType, record: ArrowRecord, dtype: Dtype, before: Converted | undefined): Promise<Converted> {
  const found = await readValues(type, { record, node: 0, buffer: 0, variadic: 0 }, { from: 0, rows: record.rows }, dtype);
  if (before === undefined) return found;
  const [first, second] = [before.batch.rows, found.batch.rows];
  const count = first + second;
  const from = new Uint32Array(count).fill(1, first);
  const rows = Uint32Array.from({ length: count }, (_, row) => (row < first ? row : row - first));
  const batch = gatherRows([before.batch, found.batch], { count, from, rows });
  return { batch: spellOut(batch), failed: [...before.failed, ...found.failed.map(({ row, text }) => ({ row: row + first, text }))] };
}

/** The dictionary of a column that has none, as one of nulls may. */
export function emptyDictionary(dtype: Dtype): Converted {
  return nullBatch(0, dtype);
}

/** The rows that codes stand for; a row fails where its value did. All codes are below the number of values. */
export function lookUp({ batch, failed }: Converted, { codes, nulls }: Codes): Converted {
  if (batch.rows === 0) return nullBatch(codes.length, batch.dtype);
  const failures = new Map(failed.map((failure) => [failure.row, failure.text]));
  const failedRows: Failure[] = [];
  if (failures.size > 0) {
    for (const [row, code] of codes.entries()) {
      const text = isBitSet(nulls, row) ? undefined : failures.get(code);
      if (text !== undefined) failedRows.push({ row, text });
    }
  }
  return { batch: gather(batch, { codes, nulls: joinNulls(batch, { codes, nulls }) }), failed: failedRows };
}

function gather(batch: Batch, { codes, nulls }: Codes): Batch {
  if (isTextBatch(batch)) return { dtype: batch.dtype, rows: codes.length, nulls, values: { ...batch.values, codes } };
  return { ...gatherRows([batch], { count: codes.length, from: new Uint32Array(codes.length), rows: codes }), nulls };
}

/** A row is null where it has no code or its value is null. */
function joinNulls(batch: Batch, { codes, nulls }: Codes): Uint8Array | null {
  if (batch.nulls === null) return nulls;
  const joined = nulls === null ? new Uint8Array((codes.length + 7) >> 3) : nulls.slice();
  for (const [row, code] of codes.entries()) if (isBitSet(batch.nulls, code)) joined[row >> 3]! |= 1 << (row & 7);
  return joined;
}

/** Texts with an entry a row. */
function spellOut(batch: Batch): Batch {
  if (!isTextBatch(batch) || batch.values.codes === null) return batch;
  const { codes } = batch.values;
  const entries = { ...batch, rows: batch.values.offsets.length - 1, nulls: null, values: { ...batch.values, codes: null } };
  const plain = gatherRows([entries], { count: codes.length, from: new Uint32Array(codes.length), rows: codes });
  return { ...plain, nulls: batch.nulls };
}

function nullBatch(rows: number, dtype: Dtype): Converted {
  const nulls = rows === 0 ? null : new Uint8Array((rows + 7) >> 3).fill(255);
  return convertBatch({ dtype: "string", rows, nulls, values: { offsets: new Uint32Array(rows + 1), bytes: new Uint8Array(0), codes: null } }, dtype);
}
