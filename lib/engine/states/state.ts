/** The mergeable states that measures are made of: what a partial carries for every group. */
import type { WholeDtype } from "../../columns/dtypes.js";
import type { Values } from "../values.js";

/** What a state counts or keeps. */
export type StateKind = "count" | "sum" | "min" | "max";

/** A state that a query needs: of a column, once, whatever measures share it. */
export interface StateSpec {
  readonly kind: StateKind;
  readonly column: string;
}

/**
 * Sums of integers: float64 where each is whole and within 2^53, so that adding is one instruction; else four uint32
 * limbs a group, little-endian, two's complement of 128 bits.
 */
export type IntSums = Float64Array | Uint32Array;

/**
 * A state for every group of a partial.
 * - count: non-null rows, exact to 2^53; null where no row of the column is null, so they are the rows of the group.
 * - sum-int: sums of whole numbers as they are kept (uint64 less 2^63 each), as IntSums holds them; `dtype` is the column's.
 * - sum-float: a compensated sum, two float64 a group: sum, then what rounding left out.
 * - min, max: the extreme value where `seen` is 1.
 */
export type StateColumn =
  | { readonly kind: "count"; readonly counts: Float64Array | null }
  | { readonly kind: "sum-int"; readonly dtype: WholeDtype; readonly sums: IntSums }
  | { readonly kind: "sum-float"; readonly pairs: Float64Array }
  | { readonly kind: "min" | "max"; readonly seen: Uint8Array; readonly values: Values };

/**
 * Where the groups of a merged partial come from: row k is group `left[k]` of one and `right[k]` of the other, -1 where
 * one lacks it; never both.
 */
export interface MergePlan {
  readonly left: Int32Array;
  readonly right: Int32Array;
}
