/** Sums of floats: exact of decimals, compensated of all others. */
import type { FloatDtype } from "../../columns/dtypes.js";
import type { DecimalSums } from "./decimal-sums.js";
import type { MergePlan } from "./merge-plan.js";

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

/** The compensated sums of both along a plan; null where neither side has some. */
export function mergePairs(a: Float64Array | null, b: Float64Array | null, { groups, placesLeft, placesRight }: MergePlan): Float64Array | null {
  if (a === null && b === null) return null;
  const merged = new Float64Array(groups * 2);
  // Adding to nothing drops the rest of what is not finite, as adding to something does.
  if (a !== null) addPairs(a, placesLeft, merged);
  if (b !== null) addPairs(b, placesRight, merged);
  return merged;
}

/** Adds compensated sums by two-sum (Knuth, TAOCP 2, 4.2.2), in place, to those at their places. */
export function addPairs(pairs: Float64Array, places: Uint32Array, merged: Float64Array): void {
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
