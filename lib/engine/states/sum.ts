/**
 * The sum states. Integer sums are 128-bit two's complement in four uint32 limbs, so no order of additions can overflow
 * on the way; float sums are compensated by two-sum (Knuth, TAOCP 2, 4.2.2), so cutting rows into other shards
 * moves only the last bits.
 */
import type { MergePlan } from "./state.js";

const limbRange = 0x1_0000_0000;

/** Limbs of the groups in the given order, from int64 accumulators that never overflowed. */
export function takeNarrowSums(memory: ArrayBufferLike, pointer: number, order: Uint32Array): Uint32Array {
  const limbs = new Uint32Array(order.length * 4);
  const halves = new Uint32Array(memory, pointer);
  for (let k = 0; k < order.length; k++) {
    const at = 2 * order[k]!;
    const high = halves[at + 1]!;
    const sign = high >>> 31 === 1 ? 0xffff_ffff : 0;
    limbs[4 * k] = halves[at]!;
    limbs[4 * k + 1] = high;
    limbs[4 * k + 2] = sign;
    limbs[4 * k + 3] = sign;
  }
  return limbs;
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

/** Pairs of the groups in the given order, from compensated accumulators. */
export function takeFloatSums(memory: ArrayBufferLike, pointer: number, order: Uint32Array): Float64Array {
  const pairs = new Float64Array(order.length * 2);
  const source = new Float64Array(memory, pointer);
  for (let k = 0; k < order.length; k++) {
    pairs[2 * k] = source[2 * order[k]!]!;
    pairs[2 * k + 1] = source[2 * order[k]! + 1]!;
  }
  return pairs;
}

/** The sums of two runs of 128-bit sums along a merge plan. */
export function mergeIntSums(a: Uint32Array, b: Uint32Array, plan: MergePlan): Uint32Array {
  const merged = new Uint32Array(plan.left.length * 4);
  for (let k = 0; k < plan.left.length; k++) {
    const left = 4 * plan.left[k]!;
    const right = 4 * plan.right[k]!;
    let carry = 0;
    for (let limb = 0; limb < 4; limb++) {
      const sum = (left >= 0 ? a[left + limb]! : 0) + (right >= 0 ? b[right + limb]! : 0) + carry;
      merged[4 * k + limb] = sum;
      carry = sum >= limbRange ? 1 : 0;
    }
  }
  return merged;
}

/** The sums of two runs of compensated sums along a merge plan. */
export function mergeFloatSums(a: Float64Array, b: Float64Array, plan: MergePlan): Float64Array {
  const merged = new Float64Array(plan.left.length * 2);
  for (let k = 0; k < plan.left.length; k++) {
    const left = 2 * plan.left[k]!;
    const right = 2 * plan.right[k]!;
    const x = left >= 0 ? a[left]! : 0;
    const y = right >= 0 ? b[right]! : 0;
    const sum = x + y;
    const rest = (left >= 0 ? a[left + 1]! : 0) + (right >= 0 ? b[right + 1]! : 0);
    const part = sum - x;
    merged[2 * k] = sum;
    merged[2 * k + 1] = Number.isFinite(sum) ? rest + ((x - (sum - part)) + (y - part)) : 0;
  }
  return merged;
}

/** The float64 value of the compensated sum of a group. */
export function floatSum(pairs: Float64Array, group: number): number {
  return pairs[2 * group]! + pairs[2 * group + 1]!;
}

/** Tells whether the 128-bit sum of a group is an int64. */
export function fitsInt64(limbs: Uint32Array, group: number): boolean {
  const sign = limbs[4 * group + 1]! >>> 31 === 1 ? 0xffff_ffff : 0;
  return limbs[4 * group + 2] === sign && limbs[4 * group + 3] === sign;
}

/** The exact 128-bit sum of a group. */
export function bigintSum(limbs: Uint32Array, group: number): bigint {
  let value = 0n;
  for (let limb = 3; limb >= 0; limb--) value = (value << 32n) | BigInt(limbs[4 * group + limb]!);
  return BigInt.asIntN(128, value);
}

/** The nearest float64, within a unit in the last place or two, of the 128-bit sum of a group. */
export function approximateSum(limbs: Uint32Array, group: number): number {
  const at = 4 * group;
  if (fitsInt64(limbs, group)) {
    const high = limbs[at + 1]! | 0;
    if (high >= -0x20_0000 && high < 0x20_0000) return high * limbRange + limbs[at]!;
  }
  return Number(bigintSum(limbs, group));
}
