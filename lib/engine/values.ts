/** Runs of values outside WebAssembly memory, as partials and results hold them. */
import { isFloatDtype, isTextDtype, type Dtype, type FloatDtype, type TextDtype, type WholeDtype } from "../columns/dtypes.js";

/** Dtypes whose values are held as int64. */
export type Int64Dtype = Exclude<WholeDtype, "bool">;

/** Truth values, 0 or 1. */
export interface Flags {
  readonly dtype: "bool";
  readonly array: Uint8Array;
}

/** Whole numbers as tables keep them: the value less biasOf(dtype), so that all order alike; dates in days. */
export interface Wholes {
  readonly dtype: Int64Dtype;
  readonly array: BigInt64Array;
}

/** Floating point numbers; float32 as the float64 that equal them. */
export interface Floats {
  readonly dtype: FloatDtype;
  readonly array: Float64Array;
}

/** Texts one after another: value i is bytes[offsets[i], offsets[i + 1]). */
export interface PackedTexts {
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
}

/** Texts with their dtype: UTF-8 for string, anything for bytes. */
export interface Text extends PackedTexts {
  readonly dtype: TextDtype;
}

/** A run of values of one dtype, without nulls. */
export type Values = Flags | Wholes | Floats | Text;

/** Lists, one a row: list i is item[offsets[i], offsets[i + 1]). Columns of results may be of lists; nothing else is. */
export interface Lists {
  readonly dtype: "list";
  readonly item: Values;
  readonly offsets: Uint32Array;
}

/** Tells whether a column is of lists. */
export function isLists(values: Values | Lists): values is Lists {
  return values.dtype === "list";
}

/** Tells whether a run is of texts. */
export function isText(values: Values): values is Text {
  return isTextDtype(values.dtype);
}

/** Tells whether a run is of whole numbers held as int64. */
export function isWholes(values: Values): values is Wholes {
  return values.dtype !== "bool" && !isTextDtype(values.dtype) && !isFloatDtype(values.dtype);
}

/** Tells whether a run is of floating point numbers. */
export function isFloats(values: Values): values is Floats {
  return isFloatDtype(values.dtype);
}

/** How many values a run has. */
export function countOf(values: Values): number {
  return isText(values) ? values.offsets.length - 1 : values.array.length;
}

/** Values `start` to `end` (exclusive), the offsets of texts as copies that begin at 0, all else as views. */
export function sliceValues(values: Values, start: number, end: number): Values {
  if (isText(values)) {
    const { dtype, offsets, bytes } = values;
    const from = offsets[start]!;
    return { dtype, offsets: offsets.subarray(start, end + 1).map((offset) => offset - from), bytes: bytes.subarray(from, offsets[end]) };
  }
  if (isFloats(values)) return { dtype: values.dtype, array: values.array.subarray(start, end) };
  if (isWholes(values)) return { dtype: values.dtype, array: values.array.subarray(start, end) };
  return { dtype: values.dtype, array: values.array.subarray(start, end) };
}

/** A run of `count` values that mean nothing: zeros as they are held, empty texts. */
export function blankValues(dtype: Dtype, count: number): Values {
  if (isTextDtype(dtype)) return { dtype, offsets: new Uint32Array(count + 1), bytes: new Uint8Array(0) };
  if (isFloatDtype(dtype)) return { dtype, array: new Float64Array(count) };
  if (dtype === "bool") return { dtype, array: new Uint8Array(count) };
  return { dtype, array: new BigInt64Array(count) };
}

/** A run of one value: a number as tables keep it, or the bytes of a text. */
export function singleValue(dtype: Dtype, value: bigint | number | Uint8Array): Values {
  if (value instanceof Uint8Array) {
    if (!isTextDtype(dtype)) throw new Error(`bytes are no value of ${dtype}`);
    return { dtype, offsets: Uint32Array.of(0, value.length), bytes: new Uint8Array(value) };
  }
  if (isTextDtype(dtype)) throw new Error(`${value} is no value of ${dtype}`);
  if (isFloatDtype(dtype)) return { dtype, array: Float64Array.of(Number(value)) };
  if (dtype === "bool") return { dtype, array: Uint8Array.of(Number(value)) };
  return { dtype, array: BigInt64Array.of(BigInt(value)) };
}

/** The numbers from 0 to count, count excluded. */
export function upTo(count: number): Uint32Array {
  // A loop: Uint32Array.from calls a function for every entry and takes ten times as long.
  const numbers = new Uint32Array(count);
  for (let k = 0; k < count; k++) numbers[k] = k;
  return numbers;
}

/** Compares value i of a with value j of b, both of one dtype: negative, zero or positive; text by unsigned bytes. */
export type Compare = (i: number, j: number) => number;

/** The comparison of two runs; throws an assertion when their dtypes differ. */
export function comparison(a: Values, b: Values): Compare {
  if (isText(a) && isText(b)) return (i, j) => compareText(a, i, b, j);
  if (isText(a) || isText(b)) throw new Error(`cannot compare ${a.dtype} with ${b.dtype}`);
  if (isWholes(a) && isWholes(b)) return compareInt64(a.array, b.array);
  const left = a.array;
  const right = b.array;
  return (i, j) => (left[i]! < right[j]! ? -1 : left[i]! > right[j]! ? 1 : 0);
}

/** int64 compared by halves: bigint arithmetic would allocate for every value. */
function compareInt64(a: BigInt64Array, b: BigInt64Array): Compare {
  const highA = new Int32Array(a.buffer, a.byteOffset, a.length * 2);
  const highB = new Int32Array(b.buffer, b.byteOffset, b.length * 2);
  return (i, j) => {
    const high = highA[2 * i + 1]! - highB[2 * j + 1]!;
    return high !== 0 ? high : (highA[2 * i]! >>> 0) - (highB[2 * j]! >>> 0);
  };
}

function compareText(a: Text, i: number, b: Text, j: number): number {
  let left = a.offsets[i]!;
  let right = b.offsets[j]!;
  const leftEnd = a.offsets[i + 1]!;
  const rightEnd = b.offsets[j + 1]!;
  const common = left + Math.min(leftEnd - left, rightEnd - right);
  const leftBytes = a.bytes;
  const rightBytes = b.bytes;
  while (left < common) {
    const difference = leftBytes[left++]! - rightBytes[right++]!;
    if (difference !== 0) return difference;
  }
  return leftEnd - left - (rightEnd - right);
}

/**
 * New values picked from two runs of one dtype: entry k is a[from] for `from = sources[k]` >= 0, else b[~from].
 */
export function pick(a: Values, b: Values, sources: Int32Array): Values {
  if (a.dtype === b.dtype) {
    if (isText(a) && isText(b)) return pickText(a, b, sources);
    if (isWholes(a) && isWholes(b)) return { dtype: a.dtype, array: pickInt64(a.array, b.array, sources) };
    if (isFloats(a) && isFloats(b)) return { dtype: a.dtype, array: pickInto(new Float64Array(sources.length), a.array, b.array, sources) };
    if (a.dtype === "bool" && b.dtype === "bool") return { dtype: a.dtype, array: pickInto(new Uint8Array(sources.length), a.array, b.array, sources) };
  }
  throw new Error(`cannot pick from ${a.dtype} and ${b.dtype}`);
}

function pickInto<A extends Uint8Array | Float64Array>(target: A, a: A, b: A, sources: Int32Array): A {
  for (let k = 0; k < sources.length; k++) {
    const from = sources[k]!;
    target[k] = from >= 0 ? a[from]! : b[~from]!;
  }
  return target;
}

function pickInt64(a: BigInt64Array, b: BigInt64Array, sources: Int32Array): BigInt64Array {
  const target = new BigInt64Array(sources.length);
  // Float64 copies would quieten signalling NaN patterns; halves of 32 bits move every pattern unharmed.
  const halves = new Uint32Array(target.buffer);
  const halvesA = new Uint32Array(a.buffer, a.byteOffset, a.length * 2);
  const halvesB = new Uint32Array(b.buffer, b.byteOffset, b.length * 2);
  for (let k = 0; k < sources.length; k++) {
    const from = sources[k]!;
    const source = from >= 0 ? halvesA : halvesB;
    const at = 2 * (from >= 0 ? from : ~from);
    halves[2 * k] = source[at]!;
    halves[2 * k + 1] = source[at + 1]!;
  }
  return target;
}

function pickText(a: Text, b: Text, sources: Int32Array): Text {
  const offsets = new Uint32Array(sources.length + 1);
  for (let k = 0; k < sources.length; k++) {
    const from = sources[k]!;
    const source = from >= 0 ? a.offsets : b.offsets;
    const at = from >= 0 ? from : ~from;
    offsets[k + 1] = offsets[k]! + source[at + 1]! - source[at]!;
  }
  const bytes = new Uint8Array(offsets[sources.length]!);
  for (let k = 0; k < sources.length; k++) {
    const from = sources[k]!;
    const source = from >= 0 ? a : b;
    const at = source.offsets[from >= 0 ? from : ~from]!;
    copyShort(source.bytes, at, bytes, offsets[k]!, offsets[k + 1]!);
  }
  return { dtype: a.dtype, offsets, bytes };
}

/** Copies to target[start, end); texts are short, for which a loop beats TypedArray.set several times over. */
export function copyShort(source: Uint8Array, from: number, target: Uint8Array, start: number, end: number): void {
  if (end - start > 64) {
    target.set(source.subarray(from, from + end - start), start);
    return;
  }
  for (let at = start; at < end; at++) target[at] = source[from++]!;
}
