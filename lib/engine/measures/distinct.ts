/** count_distinct, sorted_count_distinct and approx_count_distinct: how many values, of any dtype. */
import { estimateDistinct } from "../states/registers.js";
import { finishCounts, requireState, type MeasureDefinition } from "./measure.js";

/** Distinct non-null values. */
export const countDistinctMeasure: MeasureDefinition = {
  check: () => undefined,
  states: () => [{ kind: "tally", inputs: [0], params: { isCounted: false } }],
  finish(states, partial) {
    const { offsets } = requireState(states, 0, "tally");
    return finishCounts(countsOf(partial.groups, (group) => offsets[group + 1]! - offsets[group]!));
  },
};

/** Runs of equal values in which the group is present. */
export const sortedCountDistinctMeasure: MeasureDefinition = {
  check: () => undefined,
  states: () => [{ kind: "runs", inputs: [0], params: {} }],
  finish: (states) => finishCounts(requireState(states, 0, "runs").counts),
};

/** Distinct non-null values, to about 0.8 %. */
export const approxCountDistinctMeasure: MeasureDefinition = {
  check: () => undefined,
  states: () => [{ kind: "hyperloglog", inputs: [0], params: {} }],
  finish(states, partial) {
    const registers = requireState(states, 0, "hyperloglog");
    return finishCounts(countsOf(partial.groups, (group) => estimateDistinct(registers, group)));
  },
};

function countsOf(groups: number, countOf: (group: number) => number): Float64Array {
  const counts = new Float64Array(groups);
  for (let group = 0; group < groups; group++) counts[group] = countOf(group);
  return counts;
}
