/**
 * The sum state: exact of whole numbers, compensated of floats by two-sum (Knuth, TAOCP 2, 4.2.2), so that cutting rows
 * into other shards moves only the last bits.
 */
import { isFloatDtype, isTextDtype, type Dtype, type FloatDtype, type WholeDtype } from "../../columns/dtypes.js";
import { createFloatSum, createWholeSum } from "./accumulate-sum.js";
import { requireDtype, requireFloatDtype, requireWholeDtype } from "./bytes.js";
import type { MergePlan, StateDefinition } from "./state.js";
import { bigintSum, countSums, mergeIntSums, type IntSums } from "./whole-sums.js";

/** Sums of whole numbers, of the values themselves whatever is kept in their place; `dtype` is the input's. */
export interface WholeSums {
  readonly kind: "sum";
  readonly dtype: WholeDtype;
  readonly sums: IntSums;
}

/** Compensated sums, two float64 a group: sum, then what rounding left out. */
export interface FloatSums {
  readonly kind: "sum";
  readonly dtype: FloatDtype;
  readonly pairs: Float64Array;
}

/** Of one input that is no text. */
export const sumState: StateDefinition<WholeSums | FloatSums> = {
  accumulate(_spec, [column], context) {
    const { dtype } = column!;
    if (isTextDtype(dtype)) throw new Error(`a sum of ${dtype} means nothing`);
    return isFloatDtype(dtype) ? createFloatSum(column!, dtype, context) : createWholeSum(column!, dtype, context);
  },
  merge(left, right, plan) {
    if ("sums" in left && "sums" in right) return { ...left, sums: mergeIntSums(left.sums, right.sums, plan) };
    if ("pairs" in left && "pairs" in right) return { ...left, pairs: mergeFloatSums(left.pairs, right.pairs, plan) };
    throw new Error(`cannot merge sums of ${left.dtype} and ${right.dtype}`);
  },
  empty: (like, groups) => ("sums" in like ? { ...like, sums: new Float64Array(groups) } : { ...like, pairs: new Float64Array(2 * groups) }),
  dtypes: (state) => [state.dtype],
  widen: (state, [dtype]) => widenSums(state, dtype!),
  write(state, writer) {
    const { dtype } = state;
    writer.array("sums" in state ? state.sums : state.pairs);
    return { dtype, areLimbs: "sums" in state && state.sums instanceof Uint32Array };
  },
  read({ dtype, areLimbs }, groups, reader) {
    const known = requireDtype(dtype);
    if (isFloatDtype(known)) return { kind: "sum", dtype: known, pairs: reader.float64(groups * 2) };
    const sums = areLimbs === true ? reader.uint32(groups * 4) : requireExact(reader.float64(groups));
    return { kind: "sum", dtype: requireWholeDtype(known), sums };
  },
};

/** The float64 value of the compensated sum of a group. */
export function floatSum(pairs: Float64Array, group: number): number {
  return pairs[2 * group]! + pairs[2 * group + 1]!;
}

function requireExact(sums: Float64Array): Float64Array {
  for (const sum of sums) if (!Number.isSafeInteger(sum)) throw new RangeError("a sum is not whole");
  return sums;
}

function mergeFloatSums(a: Float64Array, b: Float64Array, plan: MergePlan): Float64Array {
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

function widenSums(state: WholeSums | FloatSums, dtype: Dtype): WholeSums | FloatSums {
  if ("pairs" in state) return { ...state, dtype: requireFloatDtype(dtype) };
  if (!isFloatDtype(dtype)) return { ...state, dtype: requireWholeDtype(dtype) };
  const groups = countSums(state.sums);
  const pairs = new Float64Array(2 * groups);
  for (let group = 0; group < groups; group++) {
    const sum = bigintSum(state.sums, group);
    pairs[2 * group] = Number(sum);
    pairs[2 * group + 1] = Number(sum - BigInt(pairs[2 * group]!));
  }
  return { kind: "sum", dtype, pairs };
}
