/** The fields of one column as a batch of its dtype. */
import { isUtf8 } from "node:buffer";
import { parseHex } from "../../base/hex.js";
import { wholeRange } from "../../columns/dtypes.js";
import type { Batch } from "../../columns/dtypes.js";
import { parseDate } from "../../columns/moments.js";
import { bytesAt, packBytes } from "../../columns/texts.js";
import type { Texts } from "../../columns/texts.js";
import { roundToFloat32 } from "../values/float32.js";
import { fieldText, placeOf, placesOfColumn, wordsAt } from "./memory.js";
import type { CsvMemory } from "./memory.js";
import { kinds, kindsOf } from "../values/infer.js";
import type { WantedColumn } from "../source.js";

/** A column to be read: the `index`-th field of each row. `fixed`: spellings of the dtype count that do not by themselves. */
export interface CsvColumn extends WantedColumn {
  readonly index: number;
}

/** The values of a column, and the rows whose values do not fit it, whose entries in the batch mean nothing. */
export interface ColumnValues {
  readonly batch: Batch;
  readonly misfits: readonly number[];
}

interface Counts {
  readonly misfits: number[];
  readonly hard: Uint32Array;
  readonly nulls: Uint8Array | null;
}

/** Rows with fewer distinct texts than half of them are given codes; tried on so many rows first. */
const codesTriedOn = 4_096;

/** The values of a column in rows [0, rows) of the memory, copied out of it. */
export function readColumn(memory: CsvMemory, column: CsvColumn, rows: number): ColumnValues {
  const { kernels, block, values, nulls, misfits, state } = memory;
  const { dtype } = column;
  const fields = placesOfColumn(memory, column.index);
  const lenient = column.fixed ? 1 : 0;
  switch (dtype) {
    case "string": case "bytes": {
      const nullCount = kernels.csvNullBits(fields, rows, nulls);
      const texts = readTexts(memory, fields, rows);
      const batch: Batch = { dtype, rows, values: dtype === "bytes" ? withoutHex(texts) : texts, nulls: nullCount === 0 ? null : copyNulls(memory, rows) };
      return { batch, misfits: [] };
    }
    case "bool":
      kernels.csvBools(block, fields, rows, lenient, values, nulls, misfits, state);
      return finish(readCounts(memory, rows), (counts) => ({ dtype, rows, values: new Uint8Array(copyOut(memory, rows)), nulls: counts.nulls }));
    case "uint64":
      kernels.csvUint64s(block, fields, rows, lenient, values, nulls, misfits, state);
      return finish(readCounts(memory, rows), (counts) => ({ dtype, rows, values: new BigUint64Array(copyOut(memory, rows * 8)), nulls: counts.nulls }));
    case "date":
      kernels.csvDates(block, fields, rows, values, nulls, misfits, state);
      return finishDates(memory, column, rows);
    case "timestamp":
      kernels.csvTimestamps(block, fields, rows, values, nulls, misfits, state);
      return finish(readCounts(memory, rows), (counts) => ({ dtype, rows, values: new BigInt64Array(copyOut(memory, rows * 8)), nulls: counts.nulls }));
    case "float32": case "float64": return readFloats(memory, { ...column, dtype }, rows);
    default: {
      const { least, greatest } = wholeRange(dtype);
      kernels.csvInts(block, fields, rows, lenient, least, greatest, values, nulls, misfits, state);
      return finish(readCounts(memory, rows), (counts) => integerBatch(memory, dtype, rows, counts.nulls));
    }
  }
}

/** The kinds of all values of a column, or-ed (see infer.ts). */
export function kindsOfColumn(memory: CsvMemory, index: number, rows: number): number {
  const { kernels, block, powers, hard, state } = memory;
  const found = kernels.csvKinds(block, placesOfColumn(memory, index), rows, powers, hard, state);
  return hardRows(memory).reduce((all, row) => all | kindsOf(fieldText(memory, placeOf(memory, index, row))), found);
}

/** Tells whether a value is UTF-8; nulls are. */
export function isTextValid({ kernels, block }: CsvMemory, { start, end }: { readonly start: number; readonly end: number }): boolean {
  return isUtf8(new Uint8Array(kernels.memory.buffer, block + start, end - start));
}

function finish(counts: Counts, makeBatch: (counts: Counts) => Batch): ColumnValues {
  return { batch: makeBatch(counts), misfits: counts.misfits };
}

/** Years that the kernel does not read are of texts that may be dates, and are where the column is one of dates. */
function finishDates(memory: CsvMemory, { index, fixed }: CsvColumn, rows: number): ColumnValues {
  const { misfits, nulls } = readCounts(memory, rows);
  const values = new Int32Array(copyOut(memory, rows * 4));
  const isNone = (row: number): boolean => {
    const days = parseDate(fieldText(memory, placeOf(memory, index, row)));
    if (days !== undefined) values[row] = days;
    return days === undefined;
  };
  return { batch: { dtype: "date", rows, values, nulls }, misfits: fixed ? misfits.filter(isNone) : misfits };
}

function readCounts(memory: CsvMemory, rows: number): Counts {
  const [misfits, , nulls] = wordsAt(memory, memory.state, 3);
  return { misfits: [...wordsAt(memory, memory.misfits, misfits!)], hard: hardRows(memory), nulls: nulls === 0 ? null : copyNulls(memory, rows) };
}

function hardRows(memory: CsvMemory): Uint32Array {
  return wordsAt(memory, memory.hard, wordsAt(memory, memory.state, 2)[1]!);
}

function copyNulls({ kernels, nulls }: CsvMemory, rows: number): Uint8Array {
  return kernels.bytes.slice(nulls, nulls + Math.ceil(rows / 8));
}

/** The first bytes of the values, outside the kernels' memory. */
function copyOut({ kernels, values }: CsvMemory, bytes: number): ArrayBuffer {
  return kernels.memory.buffer.slice(values, values + bytes);
}

function integerBatch(memory: CsvMemory, dtype: "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32", rows: number, nulls: Uint8Array | null): Batch {
  const low = (row: number): number => words[row * 2]!;
  const words = wordsAt(memory, memory.values, rows * 2);
  const length = { length: rows };
  switch (dtype) {
    case "int64": return { dtype, rows, values: new BigInt64Array(copyOut(memory, rows * 8)), nulls };
    case "int8": return { dtype, rows, values: Int8Array.from(length, (_, row) => low(row)), nulls };
    case "int16": return { dtype, rows, values: Int16Array.from(length, (_, row) => low(row)), nulls };
    case "int32": return { dtype, rows, values: Int32Array.from(length, (_, row) => low(row)), nulls };
    case "uint8": return { dtype, rows, values: Uint8Array.from(length, (_, row) => low(row)), nulls };
    case "uint16": return { dtype, rows, values: Uint16Array.from(length, (_, row) => low(row)), nulls };
    case "uint32": return { dtype, rows, values: Uint32Array.from(length, (_, row) => low(row)), nulls };
  }
}

function readFloats(memory: CsvMemory, column: CsvColumn & { readonly dtype: "float32" | "float64" }, rows: number): ColumnValues {
  const { kernels, block, powers, nulls, misfits, hard, state } = memory;
  const { dtype, index, fixed } = column;
  kernels.csvFloats(block, placesOfColumn(memory, index), rows, fixed ? 1 : 0, powers, memory.values, nulls, misfits, hard, state);
  const counts = readCounts(memory, rows);
  const values = new Float64Array(copyOut(memory, rows * 8));
  const textOf = (row: number): string => fieldText(memory, placeOf(memory, index, row)).trim();
  for (const row of counts.hard) {
    // There is no -0 in a table.
    values[row] = Number(textOf(row)) + 0;
    const isFloat = fixed ? Number.isFinite(values[row]) : (kindsOf(textOf(row)) & (kinds.float | kinds.huge)) !== 0;
    if (!isFloat) counts.misfits.push(row);
  }
  if (dtype === "float64") return { batch: { dtype, rows, values, nulls: counts.nulls }, misfits: counts.misfits };
  const narrow = new Float32Array(rows);
  values.forEach((value, row) => {
    narrow[row] = value;
    if (narrow[row] === value) return;
    narrow[row] = roundToFloat32(textOf(row), value);
    if (!Number.isFinite(narrow[row]) && Number.isFinite(value)) counts.misfits.push(row);
  });
  return { batch: { dtype, rows, values: narrow, nulls: counts.nulls }, misfits: counts.misfits };
}

function readTexts(memory: CsvMemory, fields: number, rows: number): Texts {
  const { kernels, block, offsets, pool } = memory;
  const count = findCodes(memory, fields, rows);
  const bytes = count === undefined ? kernels.csvTexts(block, fields, rows, offsets, pool) : wordsAt(memory, offsets, count + 1)[count]!;
  return {
    offsets: wordsAt(memory, offsets, (count ?? rows) + 1).slice(),
    bytes: kernels.bytes.slice(pool, pool + bytes),
    codes: count === undefined ? null : wordsAt(memory, memory.values, rows).slice(),
  };
}

/** Texts of which those that spell bytes as `\x` and hexadecimal digits are these bytes. */
function withoutHex(texts: Texts): Texts {
  if (!Buffer.from(texts.bytes.buffer, texts.bytes.byteOffset, texts.bytes.length).includes("\\x")) return texts;
  const entries = Array.from({ length: texts.offsets.length - 1 }, (_, entry) => bytesAt({ ...texts, codes: null }, entry));
  return { ...packBytes(entries.map((bytes) => parseHex(Buffer.from(bytes).toString("latin1")) ?? bytes)), codes: texts.codes };
}

/** How many distinct texts there are, once every row has its code; undefined when they are too many. */
function findCodes(memory: CsvMemory, fields: number, rows: number): number | undefined {
  const { kernels, block, offsets, pool, table, tableEntries, state, values } = memory;
  kernels.bytes.fill(0, table, table + tableEntries * 16);
  wordsAt(memory, state, 1)[0] = 0;
  let from = 0;
  for (const end of [Math.min(codesTriedOn, rows), rows]) {
    from = kernels.csvIntern(block, fields, end, from, table, tableEntries, offsets, pool, end >> 1, state, values);
    if (from < end) return undefined;
  }
  return wordsAt(memory, state, 1)[0]! || undefined;
}
