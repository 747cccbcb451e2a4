/** The order of rows by one column, as pairs of 32-bit words that compare as the values do. Nulls come last. */
import { isBitSet } from "../../columns/bits.js";
import type { Batch } from "../../columns/dtypes.js";
import { countTexts } from "../../columns/texts.js";
import type { Texts } from "../../columns/texts.js";
import { isTextBatch } from "../values/batches.js";
import type { FixedBatch } from "../values/batches.js";

/**
 * The keys of a run of rows. `high[i]`, then `low[i]`, order row i unsigned; of texts they are the first eight bytes
 * alone, and the texts settle what is equal. Null rows, and NaN, which a table keeps as null, are marked in `nulls`.
 */
export interface SortKeys {
  readonly rows: number;
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  readonly nulls: Uint8Array | null;
  readonly texts: Texts | null;
}

const signBit = 0x8000_0000;

/** The keys of a batch. */
export function keysOf(batch: Batch): SortKeys {
  const keys = { rows: batch.rows, high: new Uint32Array(batch.rows), low: new Uint32Array(batch.rows), nulls: batch.nulls };
  if (isTextBatch(batch)) {
    fillTextKeys(batch.values, keys);
    return { ...keys, texts: batch.values };
  }
  return { ...keys, texts: null, nulls: fillFixedKeys(batch, keys) };
}

/** Orders row i of one run and row j of another: negative, 0 or positive. */
export function compareKeys(a: SortKeys, i: number, b: SortKeys, j: number): number {
  const isNull = isBitSet(a.nulls, i);
  if (isNull || isBitSet(b.nulls, j)) return Number(isNull) - Number(isBitSet(b.nulls, j));
  const byHigh = a.high[i]! - b.high[j]!;
  if (byHigh !== 0) return byHigh;
  const byLow = a.low[i]! - b.low[j]!;
  if (byLow !== 0 || a.texts === null || b.texts === null) return byLow;
  return compareEntries(a.texts, entryAt(a.texts, i), b.texts, entryAt(b.texts, j));
}

/** The first row that comes before the one ahead of it; -1 when the rows are in order. */
export function findDisorder(keys: SortKeys): number {
  for (let row = 1; row < keys.rows; row++) if (compareKeys(keys, row - 1, keys, row) > 0) return row;
  return -1;
}

/** Orders two entries of texts by their unsigned bytes. */
export function compareEntries(a: Texts, entryA: number, b: Texts, entryB: number): number {
  const [startA, startB] = [a.offsets[entryA]!, b.offsets[entryB]!];
  const [lengthA, lengthB] = [a.offsets[entryA + 1]! - startA, b.offsets[entryB + 1]! - startB];
  const length = Math.min(lengthA, lengthB);
  // A native comparison costs two views; texts are mostly shorter than that is worth.
  if (length > 64) return Buffer.compare(a.bytes.subarray(startA, startA + lengthA), b.bytes.subarray(startB, startB + lengthB));
  for (let i = 0; i < length; i++) {
    const order = a.bytes[startA + i]! - b.bytes[startB + i]!;
    if (order !== 0) return order;
  }
  return lengthA - lengthB;
}

/** Four bytes of an entry from `from`, most significant first; zeros past its end. */
export function wordOf({ bytes }: Texts, from: number, end: number): number {
  if (from + 4 <= end) return ((bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!) >>> 0;
  let word = 0;
  for (let i = 0; i < 4; i++) word = (word << 8) | (from + i < end ? bytes[from + i]! : 0);
  return word >>> 0;
}

function entryAt({ codes }: Texts, row: number): number {
  return codes === null ? row : codes[row]!;
}

interface KeyWords {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}

function fillTextKeys(texts: Texts, { high, low }: KeyWords): void {
  const rows = countTexts(texts);
  for (let row = 0; row < rows; row++) {
    const entry = entryAt(texts, row);
    const [start, end] = [texts.offsets[entry]!, texts.offsets[entry + 1]!];
    high[row] = wordOf(texts, start, end);
    low[row] = wordOf(texts, start + 4, end);
  }
}

/** Fills the keys and gives the rows without a value. */
function fillFixedKeys(batch: FixedBatch, keys: KeyWords): Uint8Array | null {
  switch (batch.dtype) {
    case "bool": case "uint8": case "uint16": case "uint32": keys.low.set(batch.values); break;
    case "int8": case "int16": case "int32": case "date": fillSigned(batch.values, keys.low); break;
    case "int64": case "timestamp": fillWide(wordsOf(batch.values), keys, signBit); break;
    case "uint64": fillWide(wordsOf(batch.values), keys, 0); break;
    case "float32": return fillSingles(batch.values, batch.nulls, keys);
    case "float64": return fillDoubles(batch.values, batch.nulls, keys);
  }
  return batch.nulls;
}

function fillSigned(values: Int8Array | Int16Array | Int32Array, low: Uint32Array): void {
  for (let row = 0; row < values.length; row++) low[row] = values[row]! ^ signBit;
}

function fillWide(words: Uint32Array, { high, low }: KeyWords, flip: number): void {
  for (let row = 0; row < high.length; row++) {
    low[row] = words[2 * row]!;
    high[row] = words[2 * row + 1]! ^ flip;
  }
}

function fillSingles(values: Float32Array, nulls: Uint8Array | null, { low }: KeyWords): Uint8Array | null {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let hasNaN = false;
  for (let row = 0; row < values.length; row++) {
    const value = values[row]!;
    // 0.0 and -0.0 are one value of a table.
    low[row] = value === 0 ? signBit : orderWord(words[row]!, words[row]!);
    if (value !== value) hasNaN = true;
  }
  return hasNaN ? withNaN(values, nulls) : nulls;
}

function fillDoubles(values: Float64Array, nulls: Uint8Array | null, { high, low }: KeyWords): Uint8Array | null {
  const words = wordsOf(values);
  let hasNaN = false;
  for (let row = 0; row < values.length; row++) {
    const value = values[row]!;
    const top = words[2 * row + 1]!;
    high[row] = value === 0 ? signBit : orderWord(top, top);
    low[row] = value === 0 ? 0 : (top & signBit) === 0 ? words[2 * row]! : ~words[2 * row]!;
    if (value !== value) hasNaN = true;
  }
  return hasNaN ? withNaN(values, nulls) : nulls;
}

/** The most significant word of a float so that it orders unsigned: negative ones descend as their bits ascend. */
function orderWord(word: number, sign: number): number {
  return (sign & signBit) === 0 ? word ^ signBit : ~word;
}

function wordsOf(values: BigInt64Array | BigUint64Array | Float64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}

/** A new bitmap that marks the NaN besides the nulls. */
function withNaN(values: Float32Array | Float64Array, nulls: Uint8Array | null): Uint8Array {
  const bitmap = new Uint8Array((values.length + 7) >> 3);
  if (nulls !== null) bitmap.set(nulls.subarray(0, bitmap.length));
  values.forEach((value, row) => { if (value !== value) bitmap[row >> 3]! |= 1 << (row & 7); });
  return bitmap;
}
