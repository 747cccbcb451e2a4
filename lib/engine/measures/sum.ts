/** sum and mean. Sums of whole numbers are exact in 128 bits: only a result that does not fit is an error. */
import { BquerydError } from "../../base/errors.js";
import type { Dtype } from "../../columns/dtypes.js";
import type { MeasureSpec } from "../query/measures.js";
import { totalsOf } from "../states/sum.js";
import { bigintSum, sumDtype, toKept } from "../states/whole-sums.js";
import { countsOf } from "./count.js";
import { finishCounted, meansNothing, requireState, zerosOf, type FinishedColumn, type MeasureDefinition, type StateNeed } from "./measure.js";

const needs: readonly StateNeed[] = [{ kind: "count", inputs: [0], params: {} }, { kind: "sum", inputs: [0], params: {} }];

/** The sum of non-null values; null if there are none. */
export const sumMeasure: MeasureDefinition = {
  check: checkNumber,
  states: () => needs,
  finish(states, partial, measure) {
    const counts = countsOf(states, 0, partial);
    const sum = requireState(states, 1, "sum");
    if ("pairs" in sum) return finishCounted(totalsOf(sum, counts.length), counts);
    const dtype = sumDtype(sum.dtype);
    const array = toKept(sum.sums, dtype);
    if (!(array instanceof BigInt64Array)) {
      throw new BquerydError("OVERFLOW", `the sum '${measure.name}' is ${bigintSum(sum.sums, array.overflowAt)} in one group and does not fit ${dtype}; use mean, or filter`, { details: { measure: measure.name } });
    }
    return { values: { dtype, array }, isNull: zerosOf(counts) };
  },
};

/** The mean of non-null values; null if there are none. */
export const meanMeasure: MeasureDefinition = {
  check: checkNumber,
  states: () => needs,
  finish(states, partial): FinishedColumn {
    const counts = countsOf(states, 0, partial);
    return finishCounted(totalsOf(requireState(states, 1, "sum"), counts.length, counts), counts);
  },
};

/** Throws DTYPE_MISMATCH unless an input is a number or bool. */
export function checkNumber(measure: MeasureSpec, dtypes: readonly Dtype[]): void {
  dtypes.forEach((dtype, place) => {
    if (dtype === "string" || dtype === "bytes" || dtype === "timestamp" || dtype === "date") throw meansNothing(measure, place, dtype, "use count, min or max");
  });
}
