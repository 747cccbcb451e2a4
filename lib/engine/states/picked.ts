/** The min, max, first and last states: one value of the non-null rows of a group, where it has any; rows are in order of the set. */
import type { ScanColumn } from "../scan-column.js";
import { createEnd } from "./accumulate-end.js";
import { createExtreme } from "./accumulate-extreme.js";
import { mergeSeen, readSeen, seenAdding, unseenValues, widenSeen, writeSeen, type Preference, type SeenValues } from "./seen-values.js";
import type { Accumulator, AccumulatorContext } from "./slab.js";
import type { StateDefinition } from "./state.js";

/** The value where `seen` is 1. */
export interface Picked<K extends Preference> extends SeenValues {
  readonly kind: K;
}

/** The least value, of one input of any dtype. */
export const minState: StateDefinition<Picked<"min">> = definePicked("min", (...of) => createExtreme("min", ...of));
/** The greatest value, of one input of any dtype. */
export const maxState: StateDefinition<Picked<"max">> = definePicked("max", (...of) => createExtreme("max", ...of));
/** The first value, of one input of any dtype. */
export const firstState: StateDefinition<Picked<"first">> = definePicked("first", (...of) => createEnd("first", ...of));
/** The last value, of one input of any dtype. */
export const lastState: StateDefinition<Picked<"last">> = definePicked("last", (...of) => createEnd("last", ...of));

function definePicked<K extends Preference>(kind: K, create: (column: ScanColumn, context: AccumulatorContext) => Accumulator<SeenValues>): StateDefinition<Picked<K>> {
  return {
    accumulate(_params, [column], context) {
      const accumulator = create(column!, context);
      return { ...accumulator, take: (order) => ({ kind, ...accumulator.take(order) }) };
    },
    // The left side holds the earlier rows.
    merge: (left, right, plan) => ({ kind, ...mergeSeen(left, right, plan, kind) }),
    adding: seenAdding(kind),
    empty: (like, groups) => ({ kind, ...unseenValues(like.values.dtype, groups) }),
    dtypes: (state) => [state.values.dtype],
    widen: (state, [dtype]) => ({ kind, ...widenSeen(state, dtype!) }),
    write: writeSeen,
    read: (description, groups, reader) => ({ kind, ...readSeen(description, groups, reader) }),
  };
}
