/**
 * What every kind of mergeable state has in common: a partial carries states for its groups, and measures are made of
 * them. One file a kind defines it, kinds.ts lists them.
 */
import type { Dtype } from "../../columns/dtypes.js";
import type { ScanColumn } from "../scan-column.js";
import type { Adding } from "./adding.js";
import type { ArrayReader, Description, StateWriter } from "./bytes.js";
import type { MergePlan } from "./merge-plan.js";
import type { Accumulator, AccumulatorContext } from "./slab.js";

/** Parameters of a state: what its kind has to be told; all of them JSON. */
export type StateParams = Readonly<Record<string, StateParam>>;

/** One of them. */
export type StateParam = number | string | boolean | null | readonly StateParam[];

/** Rows of each group on both sides of a merge. */
export interface MergedRows {
  readonly left: Float64Array;
  readonly right: Float64Array;
}

/** A kind of state: S holds it for all groups of a partial, in their order. States are never changed in place. */
export interface StateDefinition<S> {
  /** Whether rows of other groups matter to a group, so that a shard cannot be scanned part by part of its groups. */
  readonly mindsOtherGroups?: true;
  /** An accumulator of the state over the groups of a shard; `columns` are its inputs, in the order the kind takes them. */
  accumulate(params: StateParams, columns: readonly ScanColumn[], context: AccumulatorContext): Accumulator<S>;
  /** The states of both sides, of equal dtypes; the left side holds the earlier rows. Equal inputs give equal bytes. */
  merge(left: S, right: S, plan: MergePlan, rows: MergedRows): S;
  /** How many of them are merged at once; kinds without it are merged by twos. */
  readonly adding?: Adding<S>;
  /** The states of groups of which no row was seen, with the dtypes and parameters of another state. */
  empty(like: S, groups: number): S;
  /** The dtypes of its inputs, as far as they matter to merging and finishing; none where any two states merge. */
  dtypes(state: S): readonly Dtype[];
  /** The same state as if its inputs had had wider dtypes; see widening.ts. Asked only where dtypes differ. */
  widen(state: S, dtypes: readonly Dtype[]): S;
  /** Writes the arrays of a state; what it gives is JSON that `read` gets back. */
  write(state: S, writer: StateWriter): Description;
  /**
   * Reads what `write` wrote, from bytes that may be hostile: the state is right for that many groups, whatever they hold,
   * or this throws.
   */
  read(description: Description, groups: number, reader: ArrayReader): S;
}
