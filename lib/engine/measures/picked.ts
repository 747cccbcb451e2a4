/** min, max, first and last: values of the input itself. */
import type { SeenValues } from "../states/seen-values.js";
import { flagsOf, requireState, type FinishedColumn, type MeasureDefinition } from "./measure.js";

/** The least value. */
export const minMeasure = pickMeasure("min");

/** The greatest value. */
export const maxMeasure = pickMeasure("max");

/** The value of the first non-null row of the set. */
export const firstMeasure = pickMeasure("first");

/** The value of the last. */
export const lastMeasure = pickMeasure("last");

function pickMeasure(kind: "min" | "max" | "first" | "last"): MeasureDefinition {
  return {
    check: () => undefined,
    states: () => [{ kind, inputs: [0], params: {} }],
    finish: (states) => finishSeen(requireState(states, 0, kind)),
  };
}

function finishSeen({ seen, values }: SeenValues): FinishedColumn {
  return { values, isNull: flagsOf(seen.length, (group) => seen[group] === 0) };
}
