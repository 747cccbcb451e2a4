/**
 * The sum state: exact of whole numbers, compensated of floats by two-sum (Knuth, TAOCP 2, 4.2.2), so that cutting rows
 * into other shards moves only the last bits.
 */
import { isFloatDtype, isTextDtype, type Dtype, type FloatDtype, type WholeDtype } from "../../columns/dtypes.js";
import { createFloatSum, createWholeSum } from "./accumulate-sum.js";
import { requireDtype, requireFloatDtype, requireWholeDtype } from "./bytes.js";
import type { MergePlan } from "./merge-plan.js";
import { readWholes, writeWholes } from "./numbers.js";
import type { StateDefinition } from "./state.js";
import { addIntSums, bigintSum, countSums, mergeIntSums, narrowLimbs, type IntSums } from "./whole-sums.js";

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
  adding: {
    isAssociative: (state) => "sums" in state,
    start(states, groups) {
      const [first] = states;
      if (first === undefined || "pairs" in first) return first && { ...first, pairs: new Float64Array(2 * groups) };
      const areLimbs = states.some((state) => "sums" in state && state.sums instanceof Uint32Array);
      return { ...first, sums: areLimbs ? new Uint32Array(4 * groups) : new Float64Array(groups) };
    },
    add(sum, state, places) {
      if ("sums" in sum && "sums" in state) return { ...sum, sums: addIntSums(sum.sums, state.sums, places) };
      if ("pairs" in sum && "pairs" in state) addFloatSums(state.pairs, places, sum.pairs);
      return sum;
    },
    finish: (sum) => ("sums" in sum && sum.sums instanceof Uint32Array ? { ...sum, sums: narrowLimbs(sum.sums) } : sum),
  },
  empty: (like, groups) => ("sums" in like ? { ...like, sums: new Float64Array(groups) } : { ...like, pairs: new Float64Array(2 * groups) }),
  dtypes: (state) => [state.dtype],
  widen: (state, [dtype]) => widenSums(state, dtype!),
  write(state, writer) {
    const { dtype } = state;
    if ("sums" in state && state.sums instanceof Float64Array) return { dtype, ...writeWholes(state.sums, writer) };
    writer.array("sums" in state ? state.sums : state.pairs);
    return { dtype, areLimbs: "sums" in state };
  },
  read({ dtype, areLimbs, ...numbers }, groups, reader) {
    const known = requireDtype(dtype);
    if (isFloatDtype(known)) return { kind: "sum", dtype: known, pairs: reader.float64(groups * 2) };
    const sums = areLimbs === true ? reader.uint32(groups * 4) : readWholes(numbers, groups, reader);
    return { kind: "sum", dtype: requireWholeDtype(known), sums };
  },
};

/** The float64 values of compensated sums, as a new array. */
export function floatSums(pairs: Float64Array): Float64Array {
  const sums = new Float64Array(pairs.length / 2);
  for (let group = 0; group < sums.length; group++) sums[group] = pairs[2 * group]! + pairs[2 * group + 1]!;
  return sums;
}

function mergeFloatSums(a: Float64Array, b: Float64Array, { groups, placesLeft, placesRight }: MergePlan): Float64Array {
  const merged = new Float64Array(groups * 2);
  // Adding to nothing drops the rest of what is not finite, as adding to something does.
  addFloatSums(a, placesLeft, merged);
  addFloatSums(b, placesRight, merged);
  return merged;
}

/** Adds sums, in place, to those at their places. */
function addFloatSums(pairs: Float64Array, places: Uint32Array, merged: Float64Array): void {
  for (let group = 0; group < places.length; group++) {
    const at = 2 * places[group]!;
    const x = merged[at]!;
    const y = pairs[2 * group]!;
    const sum = x + y;
    const part = sum - x;
    merged[at] = sum;
    // Of what is not finite the difference with itself is no number.
    merged[at + 1] = sum - sum === 0 ? merged[at + 1]! + pairs[2 * group + 1]! + ((x - (sum - part)) + (y - part)) : 0;
  }
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
