/** Physical values of a Parquet column as a batch of the dtype that holds what they mean. */
import { BquerydError } from "../../base/errors.js";
import { isBitSet } from "../../columns/bits.js";
import type { Batch, Dtype } from "../../columns/dtypes.js";
import { halfToNumber } from "../../columns/half-float.js";
import { bytesAt, packStrings } from "../../columns/texts.js";
import type { Texts } from "../../columns/texts.js";
import { areUtf8 } from "../../columns/utf8.js";
import { fixedBatch } from "../values/batches.js";
import type { FixedDtype } from "../values/batches.js";
import { buildBatch, convertBatch, decimalScalar, formatDecimal } from "../values/convert.js";
import type { Converted } from "../values/convert.js";
import type { PhysicalRows } from "./chunk.js";
import type { ParquetColumn } from "./columns.js";
import { TimeOutOfRange } from "./values.js";
import { damaged } from "./varint.js";
import { scaleWords } from "../values/time-units.js";

/** Makes batches of one column of one row group, and knows its dictionary again. */
export type Interpreter = (physical: PhysicalRows, rows: number) => Converted;

/** An interpreter to `dtype`, which may be another than the column's own. Throws plain errors for damaged values, TimeOutOfRange. */
export function createInterpreter(column: ParquetColumn, dtype: Dtype): Interpreter {
  const { meaning } = column;
  if (meaning.kind === "decimal") return (physical, rows) => readDecimals(physical, rows, meaning.scale, dtype);
  const entries = createEntryCheck(column);
  // The bytes of a UUID are its value as much as its text is.
  if (meaning.kind === "uuid" && dtype === "bytes") return ({ texts, nulls }, rows) => ({ batch: { dtype, rows, nulls, values: texts! }, failed: [] });
  return (physical, rows) => convertBatch(readBatch(column, physical, rows, entries), dtype);
}

function readBatch({ dtype, meaning }: ParquetColumn, { words, texts, nulls }: PhysicalRows, rows: number, entries: (texts: Texts) => Texts): Batch {
  if (texts !== null) {
    if (meaning.kind === "half float") return { dtype: "float32", rows, nulls, values: readHalves(texts, nulls, rows) };
    if (dtype !== "string" && dtype !== "bytes") throw new Error(`texts as ${dtype}`);
    return { dtype, rows, nulls, values: entries(texts) };
  }
  if (dtype === "string" || dtype === "bytes" || words === null) throw new Error(`numbers as ${dtype}`);
  if (meaning.kind === "time" && meaning.nsPerUnit > 1 && !scaleWords(words, meaning.nsPerUnit, nulls)) throw new TimeOutOfRange();
  return fixedBatch(dtype, { rows, nulls }, narrow(dtype, words));
}

/** The bytes of values of a dtype that Parquet stores in words. */
function narrow(dtype: FixedDtype, words: Int32Array): ArrayBufferLike {
  switch (dtype) {
    case "bool": return Uint8Array.from(words).buffer;
    case "int8": return requireSame(words, new Int8Array(words)).buffer;
    case "int16": return requireSame(words, new Int16Array(words)).buffer;
    case "uint8": return requireSame(words, new Uint8Array(words)).buffer;
    case "uint16": return requireSame(words, new Uint16Array(words)).buffer;
    default: return words.buffer;
  }
}

function requireSame<Narrow extends Int8Array | Int16Array | Uint8Array | Uint16Array>(words: Int32Array, narrowed: Narrow): Narrow {
  for (let i = 0; i < words.length; i++) if (words[i] !== narrowed[i]) throw damaged(`${words[i]}, which its type does not`);
  return narrowed;
}

/** What is to be done to texts, once a dictionary: strings are checked, UUIDs spelled. */
function createEntryCheck({ dtype, meaning }: ParquetColumn): (texts: Texts) => Texts {
  const known = new WeakMap<Uint32Array, Omit<Texts, "codes">>();
  const make = (texts: Texts): Omit<Texts, "codes"> => {
    if (meaning.kind === "uuid") return spellUuids(texts);
    if (dtype === "string" && !areUtf8(texts.offsets, texts.bytes)) throw damaged("text that is not UTF-8");
    return texts;
  };
  return (texts) => {
    let made = known.get(texts.offsets);
    if (made === undefined) {
      made = make(texts);
      known.set(texts.offsets, made);
    }
    return { offsets: made.offsets, bytes: made.bytes, codes: texts.codes };
  };
}

function spellUuids(texts: Texts): Texts {
  const entries = texts.offsets.length - 1;
  return packStrings(Array.from({ length: entries }, (_, entry) => {
    const hex = Buffer.from(bytesAt({ ...texts, codes: null }, entry)).toString("hex");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  }));
}

function readHalves(texts: Texts, nulls: Uint8Array | null, rows: number): Float32Array {
  return Float32Array.from({ length: rows }, (_, row) => {
    if (isBitSet(nulls, row)) return 0;
    const bytes = bytesAt(texts, row);
    return halfToNumber(bytes[0]! | (bytes[1]! << 8));
  });
}

function readDecimals({ words, texts, nulls }: PhysicalRows, rows: number, scale: number, dtype: Dtype): Converted {
  const unscaled = texts === null ? integerReader(words!, rows) : (row: number) => bigEndian(bytesAt(texts, row));
  return buildBatch({ dtype, rows, nulls }, (row) => {
    const value = unscaled(row);
    return decimalScalar(value, scale, dtype) ?? { failed: formatDecimal(value, scale) };
  });
}

function integerReader(words: Int32Array, rows: number): (row: number) => bigint {
  const wide = words.length === 2 * rows ? new BigInt64Array(words.buffer, words.byteOffset) : null;
  return (row) => wide?.[row] ?? BigInt(words[row]!);
}

/** Few decimals have more than 38 digits; those with far more would take forever. */
const decimalBytesMax = 1_024;

function bigEndian(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  if (bytes.length > decimalBytesMax) throw damaged(`a decimal of ${bytes.length} bytes`);
  return BigInt.asIntN(8 * bytes.length, BigInt(`0x${Buffer.from(bytes).toString("hex")}`));
}

/** The error for a time that int64 nanoseconds do not reach. */
export function timeOutOfRange(path: string, column: string): BquerydError {
  return new BquerydError("OVERFLOW", `column '${column}' of ${path} holds a time outside 1677-09-22 to 2262-04-11; leave it out with --columns`, { details: { path, column } });
}
