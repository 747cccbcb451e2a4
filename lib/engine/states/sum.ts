/**
 * The sum state: exact of whole numbers and of decimals, compensated of other floats by two-sum (Knuth, TAOCP 2, 4.2.2), so
 * that cutting rows into other shards moves only the last bits.
 */
import { isFloatDtype, isTextDtype, type Dtype, type FloatDtype, type WholeDtype } from "../../columns/dtypes.js";
import { createFloatSum } from "./accumulate-float-sum.js";
import { createWholeSum } from "./accumulate-sum.js";
import { requireDtype, requireFloatDtype, requireWholeDtype } from "./bytes.js";
import { addDecimals, finishDecimals, mergeDecimals, readDecimals, startDecimals, writeDecimals, type DecimalSums } from "./decimal-sums.js";
import type { MergePlan } from "./merge-plan.js";
import { readWholes, writeWholes } from "./numbers.js";
import { nearestQuotients, quotientPairs } from "./quotients.js";
import type { StateDefinition } from "./state.js";
import { addIntSums, mergeIntSums, narrowLimbs, type IntSums } from "./whole-sums.js";
import { upTo } from "../values.js";

/** Sums of whole numbers, of the values themselves whatever is kept in their place; `dtype` is the input's. */
export interface WholeSums {
  readonly kind: "sum";
  readonly dtype: WholeDtype;
  readonly sums: IntSums;
}

/**
 * Sums of floats in two parts, so that the exact one depends on no order of merging: of chunks of decimals, ascending in
 * places, and of all others.
 */
export interface FloatSums {
  readonly kind: "sum";
  readonly dtype: FloatDtype;
  readonly decimals: readonly DecimalSums[];
  /** Compensated sums, two float64 a group: sum, then what rounding left out; null where all is decimal. */
  readonly pairs: Float64Array | null;
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
    if ("pairs" in left && "pairs" in right) return { ...left, decimals: mergeDecimals(left.decimals, right.decimals, plan), pairs: mergePairs(left.pairs, right.pairs, plan) };
    throw new Error(`cannot merge sums of ${left.dtype} and ${right.dtype}`);
  },
  adding: {
    isAssociative: (state) => "sums" in state || state.pairs === null,
    start(states, groups) {
      const [first] = states;
      if (first === undefined || "pairs" in first) return first && startFloats(first, states, groups);
      const areLimbs = states.some((state) => "sums" in state && state.sums instanceof Uint32Array);
      return { ...first, sums: areLimbs ? new Uint32Array(4 * groups) : new Float64Array(groups) };
    },
    add(sum, state, places) {
      if ("sums" in sum && "sums" in state) return { ...sum, sums: addIntSums(sum.sums, state.sums, places) };
      if (!("pairs" in sum && "pairs" in state)) return sum;
      if (sum.pairs !== null && state.pairs !== null) addPairs(state.pairs, places, sum.pairs);
      return { ...sum, decimals: addDecimals(sum.decimals, state.decimals, places) };
    },
    finish(sum) {
      if ("pairs" in sum) return { ...sum, decimals: finishDecimals(sum.decimals) };
      return sum.sums instanceof Uint32Array ? { ...sum, sums: narrowLimbs(sum.sums) } : sum;
    },
  },
  empty: (like, groups) => ("sums" in like ? { ...like, sums: new Float64Array(groups) } : { ...like, decimals: [], pairs: null }),
  dtypes: (state) => [state.dtype],
  widen: (state, [dtype]) => widenSums(state, dtype!),
  write(state, writer) {
    const { dtype } = state;
    if ("pairs" in state) {
      const decimals = writeDecimals(state.decimals, writer);
      if (state.pairs !== null) writer.array(state.pairs);
      return { dtype, decimals, arePairs: state.pairs !== null };
    }
    if (state.sums instanceof Float64Array) return { dtype, ...writeWholes(state.sums, writer) };
    writer.array(state.sums);
    return { dtype, areLimbs: true };
  },
  read({ dtype, areLimbs, decimals, arePairs, ...numbers }, groups, reader) {
    const known = requireDtype(dtype);
    if (isFloatDtype(known)) return { kind: "sum", dtype: known, decimals: readDecimals(decimals, groups, reader), pairs: arePairs === true ? reader.float64(groups * 2) : null };
    const sums = areLimbs === true ? reader.uint32(groups * 4) : readWholes(numbers, groups, reader);
    return { kind: "sum", dtype: requireWholeDtype(known), sums };
  },
};

/**
 * The sum of each group, or its mean where counts are given, as a new array: the nearest float64 where all is decimal or
 * whole, else one that is off by the last bits at most.
 */
export function totalsOf(sum: WholeSums | FloatSums, groups: number, counts?: Float64Array): Float64Array {
  if ("sums" in sum) return nearestQuotients([{ places: 0, sums: sum.sums }], groups, counts);
  if (sum.pairs === null) return nearestQuotients(sum.decimals, groups, counts);
  const pairs = sum.pairs.slice();
  for (const part of sum.decimals) addPairs(quotientPairs(part, groups), upTo(groups), pairs);
  return new Float64Array(groups).map((_, group) => (pairs[2 * group]! + pairs[2 * group + 1]!) / (counts?.[group] ?? 1));
}

function startFloats(first: FloatSums, states: readonly (WholeSums | FloatSums)[], groups: number): FloatSums {
  const all = states.flatMap((state) => ("pairs" in state ? [state] : []));
  return { ...first, decimals: startDecimals(all.map(({ decimals }) => decimals), groups), pairs: all.some(({ pairs }) => pairs !== null) ? new Float64Array(2 * groups) : null };
}

function mergePairs(a: Float64Array | null, b: Float64Array | null, { groups, placesLeft, placesRight }: MergePlan): Float64Array | null {
  if (a === null && b === null) return null;
  const merged = new Float64Array(groups * 2);
  // Adding to nothing drops the rest of what is not finite, as adding to something does.
  if (a !== null) addPairs(a, placesLeft, merged);
  if (b !== null) addPairs(b, placesRight, merged);
  return merged;
}

/** Adds sums, in place, to those at their places. */
function addPairs(pairs: Float64Array, places: Uint32Array, merged: Float64Array): void {
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
  return { kind: "sum", dtype, decimals: [{ places: 0, sums: state.sums }], pairs: null };
}
