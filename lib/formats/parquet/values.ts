/**
 * The values of Parquet pages of fixed width, as words of 32 bits: one for BOOLEAN (0 or 1), INT32 and FLOAT, two, the
 * low one first, for INT64, DOUBLE and INT96, which becomes nanoseconds since 1970.
 *
 * | encoding | bytes |
 * |---|---|
 * | PLAIN | one value after another, little-endian; booleans a bit each; INT96 is u64 nanoseconds of a day and i32 Julian day |
 * | RLE | u32 length and runs of width 1: booleans |
 * | PLAIN_DICTIONARY, RLE_DICTIONARY | u8 width and runs of dictionary codes |
 * | DELTA_BINARY_PACKED | see delta.ts |
 * | BYTE_STREAM_SPLIT | all first bytes, all second bytes, and so on |
 */
import { createDeltas } from "./delta.js";
import { createRuns, unpackBits } from "./runs.js";
import { damaged } from "./varint.js";
import type { Page } from "./pages.js";

/** The physical types of fixed width. */
export type FixedType = "BOOLEAN" | "INT32" | "INT64" | "INT96" | "FLOAT" | "DOUBLE";

/** Reads on and on through values of fixed width, nulls left out. */
export interface FixedValues {
  /** Writes the next values from value `at` of `words` on. Throws where the page ends before. */
  read(words: Int32Array, at: number, count: number): void;
}

/** Words of a value. */
export function wordsOf(type: FixedType): 1 | 2 {
  return type === "BOOLEAN" || type === "INT32" || type === "FLOAT" ? 1 : 2;
}

/** The values of a page of at most 65,536 rows at a time; `dictionary` has its words, null where the chunk has none. */
export function openFixedValues(type: FixedType, page: Page, dictionary: Int32Array | null): FixedValues {
  const { encoding, values } = page;
  if (values.length === 0) return { read: (_words, _at, count) => requireNone(count) };
  switch (encoding) {
    case "PLAIN": return openPlain(type, values);
    case "PLAIN_DICTIONARY": case "RLE_DICTIONARY": return openCodes(wordsOf(type), values, dictionary);
    case "RLE":
      if (type === "BOOLEAN") return openBooleanRuns(values);
      break;
    case "DELTA_BINARY_PACKED":
      if (type === "INT32" || type === "INT64") return openDeltas(type, values);
      break;
    case "BYTE_STREAM_SPLIT":
      if (type !== "BOOLEAN" && type !== "INT96") return openSplit(wordsOf(type), values);
      break;
  }
  throw damaged(`${type} values in the encoding ${encoding}`);
}

/** Throws for values of a page that has none, as one of nulls alone. */
export function requireNone(count: number): void {
  if (count > 0) throw damaged("values cut short");
}

/** All values of a dictionary page. */
export function readFixedDictionary(type: FixedType, page: Page): Int32Array {
  const words = wordsOf(type);
  if (page.count * (type === "INT96" ? 12 : 4 * words) > page.values.length || type === "BOOLEAN") throw damaged("a dictionary cut short");
  const dictionary = new Int32Array(page.count * words);
  openPlain(type, page.values).read(dictionary, 0, page.count);
  return dictionary;
}

function openPlain(type: FixedType, values: Uint8Array): FixedValues {
  if (type === "BOOLEAN") return openBits(values);
  if (type === "INT96") return openDays(values);
  const valueBytes = 4 * wordsOf(type);
  let from = 0;
  return {
    read(words, at, count) {
      const to = from + count * valueBytes;
      if (to > values.length) throw damaged("values cut short");
      new Uint8Array(words.buffer, words.byteOffset + at * valueBytes).set(values.subarray(from, to));
      from = to;
    },
  };
}

function openBits(values: Uint8Array): FixedValues {
  let done = 0;
  return {
    read(words, at, count) {
      if (done + count > values.length * 8) throw damaged("values cut short");
      unpackBits({ bytes: values, start: done >>> 3, shift: done & 7, width: 1 }, new Uint32Array(words.buffer, words.byteOffset), at, count);
      done += count;
    },
  };
}

const julianDayOf1970 = 2_440_588;
const dayNs = 86_400_000_000_000n;

function openDays(values: Uint8Array): FixedValues {
  const view = new DataView(values.buffer, values.byteOffset, values.length);
  let from = 0;
  return {
    read(words, at, count) {
      const target = new BigInt64Array(words.buffer, words.byteOffset);
      if (from + 12 * count > values.length) throw damaged("values cut short");
      for (let i = 0; i < count; i++, from += 12) {
        const time = BigInt(view.getInt32(from + 8, true) - julianDayOf1970) * dayNs + view.getBigInt64(from, true);
        if (BigInt.asIntN(64, time) !== time) throw new TimeOutOfRange();
        target[at + i] = time;
      }
    },
  };
}

/** A time that int64 nanoseconds do not reach; whoever knows file and column makes it an OVERFLOW. */
export class TimeOutOfRange extends Error {
  override readonly name = "TimeOutOfRange";
}

function openBooleanRuns(values: Uint8Array): FixedValues {
  if (values.length < 4) throw damaged("values cut short");
  const end = 4 + new DataView(values.buffer, values.byteOffset).getUint32(0, true);
  const runs = createRuns(values, 4, Math.min(end, values.length), 1);
  return { read: (words, at, count) => runs.read(new Uint32Array(words.buffer, words.byteOffset + 4 * at, count), count) };
}

function openDeltas(type: FixedType, values: Uint8Array): FixedValues {
  const deltas = createDeltas({ bytes: values, at: 0, end: values.length });
  return { read: (words, at, count) => deltas.read(words, at, count, type === "INT64") };
}

function openSplit(wordsEach: 1 | 2, values: Uint8Array): FixedValues {
  const width = 4 * wordsEach;
  const total = Math.floor(values.length / width);
  let done = 0;
  return {
    read(words, at, count) {
      if (done + count > total) throw damaged("values cut short");
      const target = new Uint8Array(words.buffer, words.byteOffset + at * width);
      for (let plane = 0; plane < width; plane++) {
        const from = plane * total + done;
        for (let i = 0; i < count; i++) target[i * width + plane] = values[from + i]!;
      }
      done += count;
    },
  };
}

function openCodes(wordsEach: 1 | 2, values: Uint8Array, dictionary: Int32Array | null): FixedValues {
  const readCodes = openCodeReader(values, dictionary === null ? 0 : dictionary.length / wordsEach);
  return {
    read(words, at, count) {
      const codes = readCodes(count);
      if (wordsEach === 1) for (let i = 0; i < count; i++) words[at + i] = dictionary![codes[i]!]!;
      else gatherPairs(dictionary!, codes, words.subarray(2 * at, 2 * (at + count)));
    },
  };
}

function gatherPairs(dictionary: Int32Array, codes: Uint32Array, target: Int32Array): void {
  for (let i = 0, to = 0; to < target.length; i++, to += 2) {
    const from = 2 * codes[i]!;
    target[to] = dictionary[from]!;
    target[to + 1] = dictionary[from + 1]!;
  }
}

/**
 * Reads the codes of a page of a dictionary with `entries` values. Each call gives the next codes, valid until the next
 * call, all below `entries`.
 */
export function openCodeReader(values: Uint8Array, entries: number): (count: number) => Uint32Array {
  const runs = createRuns(values, 1, values.length, values[0]!);
  let codes = new Uint32Array(0);
  return (count) => {
    if (codes.length < count) codes = new Uint32Array(count);
    runs.read(codes, count);
    let most = 0;
    for (let i = 0; i < count; i++) if (codes[i]! > most) most = codes[i]!;
    if (count > 0 && most >= entries) throw damaged(`code ${most} into a dictionary of ${entries} values`);
    return codes;
  };
}
