/**
 * The sum state: exact of whole numbers and of decimals, compensated of other floats by two-sum (Knuth, TAOCP 2, 4.2.2), so
 * that cutting rows into other shards moves only the last bits.
 */
import { isFloatDtype, isTextDtype, type Dtype } from "../../columns/dtypes.js";
import { createFloatSum } from "./accumulate-float-sum.js";
import { createWholeSum } from "./accumulate-sum.js";
import { requireDtype, requireFloatDtype, requireWholeDtype } from "./bytes.js";
import { addDecimals, finishDecimals, mergeDecimals, readDecimals, startDecimals, writeDecimals } from "./decimal-sums.js";
import { addPairs, mergePairs, type FloatSums } from "./float-sums.js";
import { readWholes, writeWholes } from "./numbers.js";
import { nearestQuotients, quotientPairs } from "./quotients.js";
import type { StateDefinition } from "./state.js";
import { addIntSums, mergeIntSums, narrowLimbs, type WholeSums } from "./whole-sums.js";
import { upTo } from "../values.js";

/** Of one input that is no text. */
export const sumState: StateDefinition<WholeSums | FloatSums> = {
  accumulate(_params, [column], context) {
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

function widenSums(state: WholeSums | FloatSums, dtype: Dtype): WholeSums | FloatSums {
  if ("pairs" in state) return { ...state, dtype: requireFloatDtype(dtype) };
  if (!isFloatDtype(dtype)) return { ...state, dtype: requireWholeDtype(dtype) };
  return { kind: "sum", dtype, decimals: [{ places: 0, sums: state.sums }], pairs: null };
}
