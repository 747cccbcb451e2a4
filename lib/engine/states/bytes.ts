/**
 * Arrays in the bytes of a partial (partial-bytes.ts says where): what writes them in turn, and what reads them back from
 * bytes of anybody.
 */
import { dtypes, isFloatDtype, isTextDtype, wholeRange, type Dtype, type FloatDtype, type WholeDtype } from "../../columns/dtypes.js";
import { isText, type Int64Dtype, type PackedTexts, type Values, type Wholes } from "../values.js";

/** What a state or key says of itself beside its arrays; JSON. */
export type Description = Readonly<Record<string, unknown>>;

/** The arrays that partials are made of. */
export type AnyArray = Uint8Array | Uint16Array | Uint32Array | Float64Array | BigInt64Array;

/** Takes arrays in the order in which a reader gives them back. */
export interface StateWriter {
  array(array: AnyArray): void;
  values(values: Values): void;
}

/**
 * Gives arrays in the order in which they were written, as views. With a count it throws unless there are as many
 * entries; without one the caller checks that they fit.
 */
export interface ArrayReader {
  /** Says that so many bytes are about to be taken beside those that came; may throw. */
  grow(bytes: number): void;
  uint8(count?: number): Uint8Array;
  uint16(count?: number): Uint16Array;
  uint32(count?: number): Uint32Array;
  float64(count?: number): Float64Array;
  int64(count?: number): BigInt64Array;
  /** Values that are some of their dtype: whole numbers in its range, bools 0 or 1, text offsets that ascend. */
  values(dtype: Dtype, count?: number): Values;
  /** `count` offsets and one more, from 0 on and ascending; the last is how many entries what follows has. */
  offsets(count: number): Uint32Array;
}

/** A writer, and the arrays it has taken so far. */
export function createWriter(): StateWriter & { readonly arrays: readonly AnyArray[] } {
  const arrays: AnyArray[] = [];
  return {
    arrays,
    array: (array) => void arrays.push(array),
    values(values) {
      if (isText(values)) arrays.push(values.offsets, values.bytes);
      else arrays.push(values.array);
    },
  };
}

/** A reader of arrays, each of which starts at a multiple of 8. What it throws is a RangeError or TypeError, and what `grow` does. */
export function createReader(arrays: readonly Uint8Array[], grow: (bytes: number) => void = () => undefined): ArrayReader & { readonly isAtEnd: () => boolean } {
  let next = 0;
  function take<A extends AnyArray>(view: new (buffer: ArrayBufferLike, offset: number, length: number) => A, width: number, count: number | undefined): A {
    const bytes = arrays[next++];
    if (bytes === undefined || bytes.length % width !== 0) throw new RangeError("an array is missing or cut");
    if (count !== undefined && bytes.length !== count * width) throw new RangeError("an array has the wrong length");
    return new view(bytes.buffer, bytes.byteOffset, bytes.length / width);
  }
  const reader: ArrayReader = {
    grow,
    uint8: (count) => take(Uint8Array, 1, count),
    uint16: (count) => take(Uint16Array, 2, count),
    uint32: (count) => take(Uint32Array, 4, count),
    float64: (count) => take(Float64Array, 8, count),
    int64: (count) => take(BigInt64Array, 8, count),
    values: (dtype, count) => readValues(dtype, count, reader),
    offsets(count) {
      const offsets = reader.uint32(count + 1);
      requireAscending(offsets);
      return offsets;
    },
  };
  return { ...reader, isAtEnd: () => next === arrays.length };
}

/** A dtype that a description names; throws a TypeError where it names none. */
export function requireDtype(value: unknown): Dtype {
  const found = dtypes.find((dtype) => dtype === value);
  if (found === undefined) throw new TypeError("a dtype is unknown");
  return found;
}

/** The same for a dtype of whole numbers. */
export function requireWholeDtype(value: unknown): WholeDtype {
  const dtype = requireDtype(value);
  if (isTextDtype(dtype) || isFloatDtype(dtype)) throw new TypeError(`whole numbers of ${dtype}`);
  return dtype;
}

/** The same for a dtype of floats. */
export function requireFloatDtype(value: unknown): FloatDtype {
  const dtype = requireDtype(value);
  if (!isFloatDtype(dtype)) throw new TypeError(`floats of ${dtype}`);
  return dtype;
}

/** A whole number from 0 to `most` that a description holds. */
export function requireCount(value: unknown, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0 || value > most) throw new RangeError("a count is none");
  return value;
}

/** Throws unless every entry is a whole number from 0 to 2^53 - 1, as counts are. */
export function requireCounts(counts: Float64Array): Float64Array {
  // Not `for of` and `isSafeInteger`: these take ten times as long.
  for (let k = 0; k < counts.length; k++) {
    const count = counts[k]!;
    if (!(count >= 0 && count <= Number.MAX_SAFE_INTEGER && Math.floor(count) === count)) throw new RangeError("a count is none");
  }
  return counts;
}

/** Throws unless every entry is a whole number from -2^53 to 2^53. */
export function requireExact(sums: Float64Array): Float64Array {
  for (let k = 0; k < sums.length; k++) {
    const sum = sums[k]!;
    if (!(Math.abs(sum) <= 2 ** 53 && Math.floor(sum) === sum)) throw new RangeError("a sum is not whole");
  }
  return sums;
}

/** Throws unless every entry is below an end. */
export function requireBelow(codes: Uint32Array, end: number): Uint32Array {
  for (let k = 0; k < codes.length; k++) if (codes[k]! >= end) throw new RangeError("a code is beyond its domain");
  return codes;
}

/** Throws unless every entry is 0 or 1. */
export function requireFlags(flags: Uint8Array): Uint8Array {
  for (let k = 0; k < flags.length; k++) if (flags[k]! > 1) throw new RangeError("a flag is neither 0 nor 1");
  return flags;
}

function readValues(dtype: Dtype, count: number | undefined, reader: ArrayReader): Values {
  if (isTextDtype(dtype)) return { dtype, ...readTexts(count, reader) };
  if (isFloatDtype(dtype)) return { dtype, array: reader.float64(count) };
  if (dtype === "bool") return { dtype, array: requireFlags(reader.uint8(count)) };
  return requireWholes({ dtype, array: reader.int64(count) });
}

/** Throws where an entry is none of the dtype. */
export function requireWholes(values: Wholes): Wholes {
  requireRange(values.dtype, values.array);
  return values;
}

/** Throws where an int64 is none of a narrower dtype: it would be cut on its way into a typed array of the dtype. */
function requireRange(dtype: Int64Dtype, array: BigInt64Array): void {
  const { least, greatest } = wholeRange(dtype);
  if (greatest > 0xffff_ffffn) return;
  const [low, high] = [Number(least), Number(greatest)];
  const halves = new Int32Array(array.buffer, array.byteOffset, array.length * 2);
  for (let at = 0; at < halves.length; at += 2) {
    const value = halves[at + 1]! * 0x1_0000_0000 + (halves[at]! >>> 0);
    if (value < low || value > high) throw new RangeError(`a value is none of ${dtype}`);
  }
}

function readTexts(count: number | undefined, reader: ArrayReader): PackedTexts {
  const offsets = reader.uint32(count === undefined ? undefined : count + 1);
  const bytes = reader.uint8();
  requireAscending(offsets);
  if (offsets[offsets.length - 1] !== bytes.length) throw new RangeError("text offsets do not fit");
  return { offsets, bytes };
}

function requireAscending(offsets: Uint32Array): void {
  if (offsets[0] !== 0) throw new RangeError("offsets do not start at 0");
  for (let k = 1; k < offsets.length; k++) if (offsets[k]! < offsets[k - 1]!) throw new RangeError("offsets go back");
}
