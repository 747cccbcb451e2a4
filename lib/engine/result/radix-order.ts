/** Ordering rows by columns of numbers without comparing: byte by byte, the least significant first, each pass stable. */
import { isFloats, isText, isWholes, type Values } from "../values.js";

/** Numbers that rows are ordered by; nulls come last either way. */
export interface NumberOrder {
  /** No texts, but their ranks. */
  readonly values: Values | Uint32Array;
  readonly isNull: Uint8Array | null;
  readonly descending: boolean;
}

/** The given rows in order, the first entry counting most; rows that tie keep the order they came in. `stop` is called before every pass, and ends it by throwing. */
export function radixOrder(rows: Uint32Array, order: readonly NumberOrder[], stop: () => void): Uint32Array {
  return order.reduceRight((sorted, entry) => sortByNumbers(sorted, entry, stop), rows);
}

const byteValues = 256;

function sortByNumbers(rows: Uint32Array, { values, isNull, descending }: NumberOrder, stop: () => void): Uint32Array {
  const words = orderedWords(values);
  const numbered = isNull === null ? rows : rows.filter((row) => isNull[row] === 0);
  const passes = [words.low, words.high].flatMap((word) => [0, 8, 16, 24].map((shift) => ({ word, shift })));
  const sorted = passes.reduce((found, { word, shift }) => {
    stop();
    return sortByByte(found, word, shift, descending ? byteValues - 1 : 0);
  }, numbered);
  if (isNull === null) return sorted;
  const all = new Uint32Array(rows.length);
  all.set(sorted);
  all.set(rows.filter((row) => isNull[row] === 1), sorted.length);
  return all;
}

/** One pass; `flip` turns the order of bytes round. The rows themselves where all have one byte. */
function sortByByte(rows: Uint32Array, word: Uint32Array, shift: number, flip: number): Uint32Array {
  const starts = new Uint32Array(byteValues + 1);
  for (let k = 0; k < rows.length; k++) starts[(((word[rows[k]!]! >>> shift) & 0xff) ^ flip) + 1]! += 1;
  if (starts.includes(rows.length, 1)) return rows;
  for (let byte = 0; byte < byteValues; byte++) starts[byte + 1]! += starts[byte]!;
  const sorted = new Uint32Array(rows.length);
  for (let k = 0; k < rows.length; k++) {
    const row = rows[k]!;
    const byte = ((word[row]! >>> shift) & 0xff) ^ flip;
    sorted[starts[byte]!++] = row;
  }
  return sorted;
}

/** Halves of 64-bit words that order, unsigned, as the values do. */
function orderedWords(values: Values | Uint32Array): { low: Uint32Array; high: Uint32Array } {
  if (values instanceof Uint32Array) return { low: values, high: new Uint32Array(values.length) };
  if (isText(values)) throw new Error("texts are no numbers");
  const count = values.array.length;
  const [low, high] = [new Uint32Array(count), new Uint32Array(count)];
  if (isWholes(values)) splitWholes(values.array, low, high);
  else if (isFloats(values)) splitFloats(values.array, low, high);
  else low.set(values.array);
  return { low, high };
}

function splitWholes(wholes: BigInt64Array, low: Uint32Array, high: Uint32Array): void {
  const halves = new Uint32Array(wholes.buffer, wholes.byteOffset, wholes.length * 2);
  for (let k = 0; k < low.length; k++) {
    low[k] = halves[2 * k]!;
    high[k] = halves[2 * k + 1]! ^ 0x8000_0000;
  }
}

function splitFloats(floats: Float64Array, low: Uint32Array, high: Uint32Array): void {
  // -0.0 is to tie with 0.0.
  const bits = new Uint32Array(floats.map((value) => value + 0).buffer);
  for (let k = 0; k < low.length; k++) {
    const flip = bits[2 * k + 1]! >>> 31 === 1 ? 0xffff_ffff : 0;
    low[k] = bits[2 * k]! ^ flip;
    high[k] = bits[2 * k + 1]! ^ (flip | 0x8000_0000);
  }
}
