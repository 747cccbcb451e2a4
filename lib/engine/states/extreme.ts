/** The min and max states: an extreme value of a group, where it has one. */
import { createExtreme } from "./accumulate-extreme.js";
import { mergeSeen, readSeen, seenAdding, unseenValues, widenSeen, writeSeen, type SeenValues } from "./seen-values.js";
import type { StateDefinition } from "./state.js";

/** The extreme value where `seen` is 1. */
export interface Extremes<K extends "min" | "max"> extends SeenValues {
  readonly kind: K;
}

/** Of one input of any dtype. */
export const minState: StateDefinition<Extremes<"min">> = defineExtreme("min");

/** Of one input of any dtype. */
export const maxState: StateDefinition<Extremes<"max">> = defineExtreme("max");

function defineExtreme<K extends "min" | "max">(kind: K): StateDefinition<Extremes<K>> {
  return {
    accumulate(_spec, [column], context) {
      const accumulator = createExtreme(kind, column!, context);
      return { ...accumulator, take: (order) => ({ kind, ...accumulator.take(order) }) };
    },
    merge: (left, right, plan) => ({ kind, ...mergeSeen(left, right, plan, kind) }),
    adding: seenAdding(kind),
    empty: (like, groups) => ({ kind, ...unseenValues(like.values.dtype, groups) }),
    dtypes: (state) => [state.values.dtype],
    widen: (state, [dtype]) => ({ kind, ...widenSeen(state, dtype!) }),
    write: writeSeen,
    read: (description, groups, reader) => ({ kind, ...readSeen(description, groups, reader) }),
  };
}
