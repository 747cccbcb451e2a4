/** A partial: the mergeable state of a query over a block of shards, as a run of groups sorted by key. */
import type { Dtype } from "../columns/dtypes.js";
import type { StateColumn } from "./states/kinds.js";
import { upTo, type Values } from "./values.js";

/**
 * One key of a partial: its distinct values in ascending order, and for every group the place of its value there; a
 * null's place is the count of values, so nulls sort last. `codes` null stands for 0, 1, 2, ... (one key, no repeats).
 */
export interface PartialKey {
  readonly dtype: Dtype;
  readonly domain: Values;
  readonly codes: Uint32Array | null;
  /** Where the domain comes from: equal sources have comparable ranks, which saves comparing strings. */
  readonly source: DomainSource | null;
}

/** The dictionary that a domain of strings was taken from, and the rank of each of its values there. */
export interface DomainSource {
  readonly dictionary: string;
  readonly ranks: Uint32Array;
}

/** Groups in ascending order of their keys, nulls last, each group once; without keys one group, or none for no rows. */
export interface Partial {
  readonly groups: number;
  readonly keys: readonly PartialKey[];
  /** Rows of each group. */
  readonly rows: Float64Array;
  /** In the order of the query's states. */
  readonly states: readonly StateColumn[];
}

/** The codes of a key as an array, made where they are implied. */
export function codesOf(key: PartialKey, groups: number): Uint32Array {
  return key.codes ?? upTo(groups);
}
