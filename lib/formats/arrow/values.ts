/** Rows of an Arrow column as a batch of the dtype that holds them. */
import { isBitSet } from "../../columns/bits.js";
import type { Batch, Dtype } from "../../columns/dtypes.js";
import { halfToNumber } from "../../columns/half-float.js";
import type { Texts } from "../../columns/texts.js";
import { areUtf8 } from "../../columns/utf8.js";
import type { ArrowRecord } from "./buffers.js";
import type { ArrowField, ArrowType } from "./schema.js";
import { fixedBatch } from "../values/batches.js";
import { buildBatch, convertBatch, decimalScalar, formatDecimal } from "../values/convert.js";
import type { Converted } from "../values/convert.js";
import { createTextGatherer } from "../values/text-gatherer.js";
import { scaleWords } from "../values/time-units.js";

/** Where a column is in a record batch. */
export interface ColumnPlace {
  readonly record: ArrowRecord;
  readonly node: number;
  readonly buffer: number;
  readonly variadic: number;
}

/** Rows of a record batch: `from`, and how many. */
export interface RowRange {
  readonly from: number;
  readonly rows: number;
}

/** A time that int64 nanoseconds do not reach; whoever knows file and column makes it an OVERFLOW. */
export class ArrowTimeOutOfRange extends Error {
  override readonly name = "ArrowTimeOutOfRange";
}

/** Rows of a column as `dtype`, which may be another than its own. Throws plain errors for damaged content. */
export async function readValues(type: ArrowType, place: ColumnPlace, range: RowRange, dtype: Dtype): Promise<Converted> {
  const nulls = await readNulls(type, place, range);
  const { rows } = range;
  const { meaning, layout } = type;
  switch (layout.kind) {
    case "null": return convertBatch({ dtype: "string", rows, nulls, values: { offsets: new Uint32Array(rows + 1), bytes: new Uint8Array(0), codes: null } }, dtype);
    case "bits": return convertBatch({ dtype: "bool", rows, nulls, values: await readBits(place, 1, range) }, dtype);
    case "offsets": return convertBatch(textBatch(type.dtype, rows, nulls, await readOffsetTexts(place, layout.bytes, range)), dtype);
    case "views": return convertBatch(textBatch(type.dtype, rows, nulls, await readViews(place, range, nulls)), dtype);
    case "fixed": break;
  }
  const bytes = await (await place.record.buffer(place.buffer + 1)).read(range.from * layout.bytes, rows * layout.bytes);
  if (meaning.kind === "decimal") return readDecimals(bytes, { width: layout.bytes, scale: meaning.scale, dtype, rows, nulls });
  if (meaning.kind === "days in ms" && dtype === "timestamp") return convertBatch(timeBatch(bytes, rows, nulls, 1e6), dtype);
  return convertBatch(fixedColumn(type, bytes, layout.bytes, { rows, nulls }), dtype);
}

/** Codes of a dictionary-encoded column, with its nulls; those of null rows are 0. All are below `entries`. */
export async function readCodes({ codeBytes, isSigned }: NonNullable<ArrowField["dictionary"]>, place: ColumnPlace, range: RowRange, entries: number): Promise<{ codes: Uint32Array; nulls: Uint8Array | null }> {
  const nulls = await readNulls(null, place, range);
  const bytes = await (await place.record.buffer(place.buffer + 1)).read(range.from * codeBytes, range.rows * codeBytes);
  const view = new DataView(bytes.buffer);
  const codeAt = (row: number): number => {
    switch (codeBytes) {
      case 1: return isSigned ? view.getInt8(row) : view.getUint8(row);
      case 2: return isSigned ? view.getInt16(2 * row, true) : view.getUint16(2 * row, true);
      case 4: return isSigned ? view.getInt32(4 * row, true) : view.getUint32(4 * row, true);
      default: return Number(view.getBigInt64(8 * row, true));
    }
  };
  const codes = new Uint32Array(range.rows);
  for (let row = 0; row < range.rows; row++) {
    if (isBitSet(nulls, row)) continue;
    const code = codeAt(row);
    if (code < 0 || code >= entries) throw new Error(`it holds code ${code} into a dictionary of ${entries} values`);
    codes[row] = code;
  }
  return { codes, nulls };
}

async function readNulls(type: ArrowType | null, { record, node, buffer }: ColumnPlace, { from, rows }: RowRange): Promise<Uint8Array | null> {
  const facts = record.node(node);
  if (facts.rows !== record.rows) throw new Error("it has columns of different lengths");
  if (type?.layout.kind === "null") return allSet(rows);
  const validity = await record.buffer(buffer);
  if (facts.nullCount === 0 || validity.bytes === 0) return null;
  const start = from >> 3;
  const bits = await validity.read(start, ((from + rows + 7) >> 3) - start);
  return invertBits(bits, from & 7, rows);
}

function allSet(rows: number): Uint8Array {
  return invertBits(new Uint8Array((rows + 7) >> 3), 0, rows) ?? new Uint8Array(0);
}

/** The bits from bit `shift` (0 to 7) on, turned round; null where none is set then. */
function invertBits(bits: Uint8Array, shift: number, rows: number): Uint8Array | null {
  const inverted = new Uint8Array((rows + 7) >> 3);
  let any = 0;
  for (let i = 0; i < inverted.length; i++) {
    inverted[i] = ~((bits[i]! >> shift) | ((bits[i + 1] ?? 0) << (8 - shift)));
    if (i === inverted.length - 1 && (rows & 7) !== 0) inverted[i]! &= (1 << (rows & 7)) - 1;
    any |= inverted[i]!;
  }
  return any === 0 ? null : inverted;
}

/** A byte, 0 or 1, for each bit of buffer `which` of a column. */
async function readBits({ record, buffer }: ColumnPlace, which: number, { from, rows }: RowRange): Promise<Uint8Array> {
  const start = from >> 3;
  const bits = await (await record.buffer(buffer + which)).read(start, ((from + rows + 7) >> 3) - start);
  const shift = from & 7;
  return Uint8Array.from({ length: rows }, (_, row) => (bits[(row + shift) >> 3]! >> ((row + shift) & 7)) & 1);
}

function fixedColumn({ dtype, meaning }: ArrowType, bytes: Uint8Array, width: number, place: { rows: number; nulls: Uint8Array | null }): Batch {
  const { rows, nulls } = place;
  if (dtype === "bytes") return { dtype, ...place, values: { offsets: Uint32Array.from({ length: rows + 1 }, (_, row) => row * width), bytes, codes: null } };
  if (dtype === "string") throw new Error("it has texts of fixed width");
  switch (meaning.kind) {
    case "half float": {
      const halves = new Uint16Array(bytes.buffer, 0, rows);
      return { dtype: "float32", ...place, values: Float32Array.from(halves, halfToNumber) };
    }
    case "time": return timeBatch(bytes, rows, nulls, meaning.nsPerUnit);
    case "days in ms": return { dtype: "date", ...place, values: daysOf(new BigInt64Array(bytes.buffer, 0, rows), nulls) };
    default: return fixedBatch(dtype, place, bytes.buffer);
  }
}

const factorMax = 1e6;

/** Factors past a million are applied in two steps, each exact. */
function timeBatch(bytes: Uint8Array, rows: number, nulls: Uint8Array | null, nsPerUnit: number): Batch {
  const words = new Int32Array(bytes.buffer, 0, 2 * rows);
  const first = Math.min(nsPerUnit, factorMax);
  if (!scaleWords(words, first, nulls) || !scaleWords(words, nsPerUnit / first, nulls)) throw new ArrowTimeOutOfRange();
  return fixedBatch("timestamp", { rows, nulls }, bytes.buffer);
}

const dayMs = 86_400_000n;

function daysOf(milliseconds: BigInt64Array, nulls: Uint8Array | null): Int32Array {
  return Int32Array.from({ length: milliseconds.length }, (_, row) => {
    if (isBitSet(nulls, row)) return 0;
    const days = milliseconds[row]! / dayMs;
    if (days * dayMs !== milliseconds[row] || BigInt.asIntN(32, days) !== days) throw new Error(`it holds a date of ${milliseconds[row]} milliseconds; import it with --types as a timestamp`);
    return Number(days);
  });
}

interface DecimalFrame {
  readonly width: number;
  readonly scale: number;
  readonly dtype: Dtype;
  readonly rows: number;
  readonly nulls: Uint8Array | null;
}

function readDecimals(bytes: Uint8Array, { width, scale, dtype, rows, nulls }: DecimalFrame): Converted {
  const words = new Uint32Array(bytes.buffer, 0, rows * width / 4);
  const each = width / 4;
  return buildBatch({ dtype, rows, nulls }, (row) => {
    let value = 0n;
    for (let word = each - 1; word >= 0; word--) value = (value << 32n) | BigInt(words[row * each + word]!);
    const unscaled = BigInt.asIntN(8 * width, value);
    return decimalScalar(unscaled, scale, dtype) ?? { failed: formatDecimal(unscaled, scale) };
  });
}

function textBatch(dtype: Dtype, rows: number, nulls: Uint8Array | null, values: Texts): Batch {
  if (dtype === "bytes") return { dtype, rows, nulls, values };
  if (!areUtf8(values.offsets, values.bytes)) throw new Error("it holds text that is not UTF-8");
  return { dtype: "string", rows, nulls, values };
}

const textBytesMax = 512 * 1024 * 1024;

async function readOffsetTexts({ record, buffer }: ColumnPlace, width: 4 | 8, { from, rows }: RowRange): Promise<Texts> {
  const source = await record.buffer(buffer + 1);
  // A column without rows may lack even its one offset.
  if (rows === 0 || record.rows === 0) return { offsets: new Uint32Array(rows + 1), bytes: new Uint8Array(0), codes: null };
  const places = await source.read(from * width, (rows + 1) * width);
  const ends = width === 4 ? Float64Array.from(new Int32Array(places.buffer)) : Float64Array.from(new BigInt64Array(places.buffer), Number);
  const start = ends[0]!;
  const offsets = new Uint32Array(rows + 1);
  for (let row = 1; row <= rows; row++) {
    if (ends[row]! < ends[row - 1]! || ends[row]! - start > textBytesMax) throw new Error("it holds texts of impossible lengths");
    offsets[row] = ends[row]! - start;
  }
  const bytes = await (await record.buffer(buffer + 2)).read(start, offsets[rows]!);
  return { offsets, bytes, codes: null };
}

/** Views of up to 12 bytes hold the text; longer ones name a buffer, from 0, and a place in it. */
async function readViews({ record, buffer, variadic }: ColumnPlace, { from, rows }: RowRange, nulls: Uint8Array | null): Promise<Texts> {
  const views = await (await record.buffer(buffer + 1)).read(16 * from, 16 * rows);
  const view = new DataView(views.buffer);
  const count = record.variadicCount(variadic);
  const long = await Promise.all(Array.from({ length: count }, (_, index) => record.whole(buffer + 2 + index)));
  const gatherer = createTextGatherer(rows, (bytes) => {
    if (bytes > 2 * textBytesMax) throw new Error("it holds texts of impossible lengths");
  });
  for (let row = 0; row < rows; row++) {
    const at = 16 * row;
    const length = view.getInt32(at, true);
    if (isBitSet(nulls, row)) {
      gatherer.addEmpty();
    } else if (length <= 12) {
      if (length < 0) throw new Error("it holds texts of impossible lengths");
      gatherer.add(views, at + 4, at + 4 + length);
    } else {
      const [index, start] = [view.getInt32(at + 8, true), view.getInt32(at + 12, true)];
      if (index < 0 || index >= count) throw new Error("it holds texts in a buffer that is none");
      const bytes = long[index]!;
      if (start < 0 || start + length > bytes.length) throw new Error("it holds texts past the end of their buffer");
      gatherer.add(bytes, start, start + length);
    }
  }
  return gatherer.finish();
}
