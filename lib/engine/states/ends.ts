/** The first and last states: the value of the first or last non-null row of a group, in row order of the set. */
import { createEnd } from "./accumulate-end.js";
import { mergeSeen, readSeen, seenAdding, unseenValues, widenSeen, writeSeen, type SeenValues } from "./seen-values.js";
import type { StateDefinition } from "./state.js";

/** The value where `seen` is 1. */
export interface Ends<K extends "first" | "last"> extends SeenValues {
  readonly kind: K;
}

/** Of one input of any dtype. */
export const firstState: StateDefinition<Ends<"first">> = defineEnd("first");

/** Of one input of any dtype. */
export const lastState: StateDefinition<Ends<"last">> = defineEnd("last");

function defineEnd<K extends "first" | "last">(kind: K): StateDefinition<Ends<K>> {
  return {
    accumulate(_spec, [column], context) {
      const accumulator = createEnd(kind, column!, context);
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
