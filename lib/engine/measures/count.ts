/** count and count_na: rows, non-null and null values. */
import type { Partial } from "../partial.js";
import type { StateColumn } from "../states/kinds.js";
import { finishCounts, requireState, type MeasureDefinition } from "./measure.js";

/** Non-null values; without an input, rows. */
export const countMeasure: MeasureDefinition = {
  check: () => undefined,
  states: (measure) => (measure.inputs.length === 0 ? [] : [{ kind: "count", inputs: [0], params: {} }]),
  finish: (states, partial) => finishCounts(states.length === 0 ? partial.rows : countsOf(states, 0, partial)),
};

/** Null values. */
export const countNullsMeasure: MeasureDefinition = {
  check: () => undefined,
  states: () => [{ kind: "count", inputs: [0], params: {} }],
  finish(states, partial) {
    const counts = countsOf(states, 0, partial);
    return finishCounts(partial.rows.map((rows, group) => rows - counts[group]!));
  },
};

/** The counts of a count state. */
export function countsOf(states: readonly StateColumn[], place: number, partial: Partial): Float64Array {
  return requireState(states, place, "count").counts ?? partial.rows;
}
