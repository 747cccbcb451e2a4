/** Runs of values outside WebAssembly memory, as partials and results hold them. */
import type { Dtype } from "../columns/dtypes.js";

/** Strings one after another: value i is bytes[offsets[i], offsets[i + 1]), UTF-8. */
export interface Text {
  readonly dtype: "string";
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
}

/** A run of values of one dtype, without nulls. */
export type Values =
  | { readonly dtype: "bool"; readonly array: Uint8Array }
  | { readonly dtype: "int64" | "timestamp"; readonly array: BigInt64Array }
  | { readonly dtype: "float64"; readonly array: Float64Array }
  | Text;

/** How many values a run has. */
export function countOf(values: Values): number {
  return values.dtype === "string" ? values.offsets.length - 1 : values.array.length;
}

/** A run of no values. */
export function emptyValues(dtype: Dtype): Values {
  switch (dtype) {
    case "bool": return { dtype, array: new Uint8Array(0) };
    case "int64": case "timestamp": return { dtype, array: new BigInt64Array(0) };
    case "float64": return { dtype, array: new Float64Array(0) };
    case "string": return { dtype, offsets: new Uint32Array(1), bytes: new Uint8Array(0) };
  }
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
  if (a.dtype === "string" && b.dtype === "string") return (i, j) => compareText(a, i, b, j);
  if (a.dtype === "string" || b.dtype === "string") throw new Error(`cannot compare ${a.dtype} with ${b.dtype}`);
  if (a.array instanceof BigInt64Array && b.array instanceof BigInt64Array) return compareInt64(a.array, b.array);
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
  if (a.dtype === "string" && b.dtype === "string") return pickText(a, b, sources);
  switch (a.dtype) {
    case "bool": return { dtype: a.dtype, array: pickInto(new Uint8Array(sources.length), a.array, sameArray(a, b), sources) };
    case "float64": return { dtype: a.dtype, array: pickInto(new Float64Array(sources.length), a.array, sameArray(a, b), sources) };
    case "int64": case "timestamp": return { dtype: a.dtype, array: pickBig(a.array, sameArray(a, b), sources) };
    case "string": throw new Error(`cannot pick from ${a.dtype} and ${b.dtype}`);
  }
}

function sameArray<V extends Exclude<Values, Text>>(a: V, b: Values): V["array"] {
  if (a.dtype !== b.dtype) throw new Error(`cannot pick from ${a.dtype} and ${b.dtype}`);
  return b.array;
}

function pickInto<A extends Uint8Array | Float64Array>(target: A, a: A, b: A, sources: Int32Array): A {
  for (let k = 0; k < sources.length; k++) {
    const from = sources[k]!;
    target[k] = from >= 0 ? a[from]! : b[~from]!;
  }
  return target;
}

function pickBig(a: BigInt64Array, b: BigInt64Array, sources: Int32Array): BigInt64Array {
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
  return { dtype: "string", offsets, bytes };
}

/** Copies to target[start, end); keys are short, for which a loop beats TypedArray.set several times over. */
function copyShort(source: Uint8Array, from: number, target: Uint8Array, start: number, end: number): void {
  if (end - start > 64) {
    target.set(source.subarray(from, from + end - start), start);
    return;
  }
  for (let at = start; at < end; at++) target[at] = source[from++]!;
}
