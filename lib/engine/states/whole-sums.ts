/**
 * Exact sums of whole numbers: float64 where each is whole and within 2^53, so that adding is one instruction; else 128
 * bits. No order of additions can overflow on the way.
 */
import type { WholeDtype } from "../../columns/dtypes.js";
import { spread, type MergePlan } from "./merge-plan.js";

/** Sums a group: float64 within 2^53, or four uint32 limbs each, little-endian, two's complement of 128 bits. */
export type IntSums = Float64Array | Uint32Array;

/** Sums of whole numbers, of the values themselves whatever is kept in their place; `dtype` is the input's. */
export interface WholeSums {
  readonly kind: "sum";
  readonly dtype: WholeDtype;
  readonly sums: IntSums;
}

const limbRange = 0x1_0000_0000;
/** The upper half of an int64 below this, and above minus this, leaves it within 2^53. */
const exactHighMax = 0x20_0000;

/** Sums of the groups in the given order, from int64 accumulators that never overflowed. */
export function takeNarrowSums(memory: ArrayBufferLike, pointer: number, order: Uint32Array): IntSums {
  const sums = new Float64Array(order.length);
  const halves = new Int32Array(memory, pointer);
  for (let k = 0; k < order.length; k++) {
    const at = 2 * order[k]!;
    const high = halves[at + 1]!;
    if ((high >= exactHighMax || high <= -exactHighMax) && !isExact(halves[at]!, high, high >> 31, high >> 31)) return takeLimbs(halves, order);
    sums[k] = high * limbRange + (halves[at]! >>> 0);
  }
  return sums;
}

function takeLimbs(halves: Int32Array, order: Uint32Array): Uint32Array {
  const limbs = new Uint32Array(order.length * 4);
  for (let k = 0; k < order.length; k++) {
    const high = halves[2 * order[k]! + 1]!;
    limbs[4 * k] = halves[2 * order[k]!]!;
    limbs[4 * k + 1] = high;
    limbs[4 * k + 2] = high >> 31;
    limbs[4 * k + 3] = high >> 31;
  }
  return limbs;
}

/** Tells whether limbs hold a number of at most 2^53 - 1, whatever its sign. */
function isExact(low: number, high: number, third: number, fourth: number): boolean {
  const sign = high >> 31;
  return (third | 0) === sign && (fourth | 0) === sign && high < exactHighMax && (high > -exactHighMax || (high === -exactHighMax && low !== 0));
}

/** Limbs of the groups in the given order, from 128-bit accumulators. */
export function takeWideSums(memory: ArrayBufferLike, pointer: number, order: Uint32Array): Uint32Array {
  const limbs = new Uint32Array(order.length * 4);
  const source = new Uint32Array(memory, pointer);
  for (let k = 0; k < order.length; k++) {
    for (let limb = 0; limb < 4; limb++) limbs[4 * k + limb] = source[4 * order[k]! + limb]!;
  }
  return limbs;
}

/** The limbs of one bigint of at most 128 bits. */
export function limbsOf(value: bigint): Uint32Array {
  const limbs = new Uint32Array(4);
  for (let limb = 0; limb < 4; limb++) limbs[limb] = Number(BigInt.asUintN(32, value >> BigInt(32 * limb)));
  return limbs;
}

/** The sums of two runs of integer sums along a merge plan. */
export function mergeIntSums(a: IntSums, b: IntSums, plan: MergePlan): IntSums {
  const exact = a instanceof Float64Array && b instanceof Float64Array ? mergeExactSums(a, b, plan) : undefined;
  return exact ?? narrowLimbs(mergeLimbs(toLimbs(a), toLimbs(b), plan));
}

/** The sums of limbs as float64 where all are exact: equal sums are of one form, whatever was added up to them. */
export function narrowLimbs(limbs: Uint32Array): IntSums {
  const halves = new Int32Array(limbs.buffer, limbs.byteOffset, limbs.length);
  const sums = new Float64Array(limbs.length / 4);
  for (let group = 0; group < sums.length; group++) {
    const at = 4 * group;
    const high = halves[at + 1]!;
    if (!isExact(halves[at]!, high, halves[at + 2]!, halves[at + 3]!)) return limbs;
    sums[group] = high * limbRange + limbs[at]!;
  }
  return sums;
}

/** Undefined when a sum is not within 2^53. */
function mergeExactSums(a: Float64Array, b: Float64Array, plan: MergePlan): Float64Array | undefined {
  const merged = spread(a, plan.placesLeft, new Float64Array(plan.groups));
  return addExactSums(b, plan.placesRight, merged) === b.length ? merged : undefined;
}

/** Adds sums, in place, to those at their places, up to one that is not within 2^53; gives how many it has added. */
function addExactSums(sums: Float64Array, places: Uint32Array, merged: Float64Array): number {
  for (let group = 0; group < sums.length; group++) {
    const place = places[group]!;
    const sum = merged[place]! + sums[group]!;
    if (sum > Number.MAX_SAFE_INTEGER || sum < Number.MIN_SAFE_INTEGER) return group;
    merged[place] = sum;
  }
  return sums.length;
}

/** Adds sums to those at their places, in place where these have room; gives those that hold them from then on. */
export function addIntSums(merged: IntSums, sums: IntSums, places: Uint32Array): IntSums {
  const done = merged instanceof Float64Array && sums instanceof Float64Array ? addExactSums(sums, places, merged) : 0;
  if (done === places.length) return merged;
  const limbs = toLimbs(merged);
  addLimbs(toLimbs(sums).subarray(4 * done), places.subarray(done), limbs);
  return limbs;
}

function toLimbs(sums: IntSums): Uint32Array {
  if (sums instanceof Uint32Array) return sums;
  const limbs = new Uint32Array(sums.length * 4);
  for (let k = 0; k < sums.length; k++) {
    const high = Math.floor(sums[k]! / limbRange);
    limbs[4 * k] = sums[k]! - high * limbRange;
    limbs[4 * k + 1] = high;
    limbs[4 * k + 2] = high >> 31;
    limbs[4 * k + 3] = high >> 31;
  }
  return limbs;
}

function mergeLimbs(a: Uint32Array, b: Uint32Array, { groups, placesLeft, placesRight }: MergePlan): Uint32Array {
  const merged = new Uint32Array(groups * 4);
  addLimbs(a, placesLeft, merged);
  addLimbs(b, placesRight, merged);
  return merged;
}

/** Adds sums, in place, to those at their places. */
function addLimbs(limbs: Uint32Array, places: Uint32Array, merged: Uint32Array): void {
  for (let group = 0; group < places.length; group++) {
    const at = 4 * places[group]!;
    let carry = 0;
    for (let limb = 0; limb < 4; limb++) {
      const sum = merged[at + limb]! + limbs[4 * group + limb]! + carry;
      merged[at + limb] = sum;
      carry = Number(sum >= limbRange);
    }
  }
}

/** The sum of a group exactly. */
export function bigintSum(sums: IntSums, group: number): bigint {
  if (sums instanceof Float64Array) return BigInt(sums[group]!);
  let value = 0n;
  for (let limb = 3; limb >= 0; limb--) value = (value << 32n) | BigInt(sums[4 * group + limb]!);
  return BigInt.asIntN(128, value);
}

/**
 * The sums with 2^63 added for every value they are made of, of which `counts` says how many: of uint64 from those of the
 * values as they are kept. A new array.
 */
export function addBiases(sums: Uint32Array, counts: Float64Array): Uint32Array {
  const biased = new Uint32Array(sums);
  for (let group = 0; group < counts.length; group++) {
    // Of the limbs of 2^63 * count the second has its lowest bit alone, the upper two all others.
    const [at, half] = [4 * group, Math.floor(counts[group]! / 2)];
    const second = biased[at + 1]! + (counts[group]! % 2) * 0x8000_0000;
    const third = biased[at + 2]! + (half % limbRange) + (second >= limbRange ? 1 : 0);
    biased[at + 1] = second;
    biased[at + 2] = third;
    biased[at + 3] = biased[at + 3]! + Math.floor(half / limbRange) + (third >= limbRange ? 1 : 0);
  }
  return biased;
}

/** The dtype that sums of a dtype have. */
export function sumDtype(dtype: WholeDtype): "int64" | "uint64" {
  switch (dtype) {
    case "bool": case "int8": case "int16": case "int32": case "int64": case "timestamp": case "date": return "int64";
    case "uint8": case "uint16": case "uint32": case "uint64": return "uint64";
  }
}

/** The sums as a dtype is kept (less 2^63 for uint64), or the first group whose sum it does not hold. */
export function toKept(sums: IntSums, dtype: "int64" | "uint64"): BigInt64Array | { readonly overflowAt: number } {
  return sums instanceof Float64Array ? keepExact(sums, dtype) : keepLimbs(sums, dtype);
}

function keepExact(sums: Float64Array, dtype: "int64" | "uint64"): BigInt64Array | { readonly overflowAt: number } {
  const halves = new Uint32Array(sums.length * 2);
  const bias = dtype === "uint64" ? 0x8000_0000 : 0;
  for (let group = 0; group < sums.length; group++) {
    if (bias !== 0 && sums[group]! < 0) return { overflowAt: group };
    const high = Math.floor(sums[group]! / limbRange);
    halves[2 * group] = sums[group]! - high * limbRange;
    halves[2 * group + 1] = high ^ bias;
  }
  return new BigInt64Array(halves.buffer);
}

function keepLimbs(limbs: Uint32Array, dtype: "int64" | "uint64"): BigInt64Array | { readonly overflowAt: number } {
  const halves = new Uint32Array(limbs.length / 2);
  const bias = dtype === "uint64" ? 0x8000_0000 : 0;
  for (let group = 0; group < limbs.length / 4; group++) {
    const upper = bias === 0 && limbs[4 * group + 1]! >>> 31 === 1 ? 0xffff_ffff : 0;
    if (limbs[4 * group + 2] !== upper || limbs[4 * group + 3] !== upper) return { overflowAt: group };
    halves[2 * group] = limbs[4 * group]!;
    halves[2 * group + 1] = limbs[4 * group + 1]! ^ bias;
  }
  return new BigInt64Array(halves.buffer);
}
