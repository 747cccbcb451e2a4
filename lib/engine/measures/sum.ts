/** sum and mean. Sums of whole numbers are exact in 128 bits: only a result that does not fit is an error. */
import { BquerydError } from "../../base/errors.js";
import type { Dtype } from "../../columns/dtypes.js";
import type { StateColumn } from "../states/kinds.js";
import { floatSum } from "../states/sum.js";
import { approximateSum, bigintSum, sumDtype, toKept } from "../states/whole-sums.js";
import { countsOf } from "./count.js";
import { finishFloats, flagsOf, meansNothing, requireState, type FinishedColumn, type MeasureDefinition, type MeasureSpec, type StateNeed } from "./measure.js";

const needs: readonly StateNeed[] = [{ kind: "count", inputs: [0], params: {} }, { kind: "sum", inputs: [0], params: {} }];

/** The sum of non-null values; null if there are none. */
export const sumMeasure: MeasureDefinition = {
  check: checkNumber,
  states: () => needs,
  finish(states, partial, measure) {
    const counts = countsOf(states, 0, partial);
    const sum = requireState(states, 1, "sum");
    if ("pairs" in sum) return finishFloats(counts.length, (group) => (counts[group] === 0 ? null : floatSum(sum.pairs, group)));
    const dtype = sumDtype(sum.dtype);
    const array = toKept(sum.sums, dtype);
    if (!(array instanceof BigInt64Array)) {
      throw new BquerydError("OVERFLOW", `the sum '${measure.name}' is ${bigintSum(sum.sums, array.overflowAt)} in one group and does not fit ${dtype}; use mean, or filter`, { details: { measure: measure.name } });
    }
    return { values: { dtype, array }, isNull: flagsOf(counts.length, (group) => counts[group] === 0) };
  },
};

/** The mean of non-null values; null if there are none. */
export const meanMeasure: MeasureDefinition = {
  check: checkNumber,
  states: () => needs,
  finish(states, partial): FinishedColumn {
    const counts = countsOf(states, 0, partial);
    const total = totalsOf(requireState(states, 1, "sum"));
    return finishFloats(counts.length, (group) => (counts[group] === 0 ? null : total(group) / counts[group]!));
  },
};

/** Throws DTYPE_MISMATCH unless an input is a number or bool. */
export function checkNumber(measure: MeasureSpec, dtypes: readonly Dtype[]): void {
  dtypes.forEach((dtype, place) => {
    if (dtype === "string" || dtype === "bytes" || dtype === "timestamp" || dtype === "date") throw meansNothing(measure, place, dtype, "use count, min or max");
  });
}

function totalsOf(sum: Extract<StateColumn, { kind: "sum" }>): (group: number) => number {
  return "pairs" in sum ? (group) => floatSum(sum.pairs, group) : (group) => approximateSum(sum.sums, group);
}
