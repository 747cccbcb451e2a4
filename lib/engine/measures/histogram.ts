/** histogram and histogram2d: lists of counts, one a bin; with their edges, and how many values lie under and over them. */
import { BquerydError } from "../../base/errors.js";
import type { MeasureSpec } from "../query/measures.js";
import { axesOf, type Histogram } from "../states/histogram.js";
import { axisEdges, axisEnd, isBinnedDtype, type AxisSpec } from "../states/histogram-axis.js";
import type { StateColumn } from "../states/kinds.js";
import type { StateParams } from "../states/state.js";
import { upTo, type Values } from "../values.js";
import { meansNothing, requireState, type FinishedColumn, type MeasureDefinition } from "./measure.js";

/** Of one input. */
export const histogramMeasure = histogramOf([0]);

/** Of two inputs; bins are row-major, those of the second next to each other. */
export const histogram2dMeasure = histogramOf([0, 1]);

function histogramOf(inputs: readonly number[]): MeasureDefinition {
  return {
    check(measure, dtypes) {
      const axes = axesOf(paramsOf(measure));
      dtypes.forEach((dtype, place) => {
        if (!isBinnedDtype(dtype)) throw meansNothing(measure, place, dtype, "use topk");
        axisEdges(axes[place]!, dtype);
      });
    },
    states: (measure) => [{ kind: "histogram", inputs, params: paramsOf(measure) }],
    finish: (states, _partial, measure) => finishOf(states, measure, upTo(groupsOf(requireState(states, 0, "histogram")))),
    large: {
      bytes: (groups, measure) => 8 * groups * (binsOf(axesOf(paramsOf(measure))) + 2),
      finish: finishOf,
    },
  };

  function finishOf(states: readonly StateColumn[], measure: MeasureSpec, groups: Uint32Array): FinishedColumn {
    const state = requireState(states, 0, "histogram");
    const axes = axesOf(paramsOf(measure));
    const edges = state.inputs.map((dtype, place) => {
      if (!isBinnedDtype(dtype)) throw meansNothing(measure, place, dtype, "use topk");
      return axisEdges(axes[place]!, dtype).shown;
    });
    const bins = binsOf(axes);
    if (state.cells !== bins + 2 || state.inputs.length !== inputs.length) throw new BquerydError("BAD_MESSAGE", "a partial holds a histogram of other bins; the processes differ in version");
    const item = pickCounts(state, groups, 0, bins);
    const [under, over] = [bins, bins + 1].map((cell) => pickCounts(state, groups, cell, 1));
    const offsets = upTo(groups.length + 1).map((place) => place * bins);
    return { values: { dtype: "list", item, offsets }, isNull: null, bins: { edges, under: under!, over: over! } };
  }
}

function binsOf(axes: readonly AxisSpec[]): number {
  return axes.reduce((product, axis) => product * axis.bins, 1);
}

function groupsOf({ counts, cells }: Histogram): number {
  return counts.length / cells;
}

/** `length` counts of every given group from a cell on, as int64. */
function pickCounts({ counts, cells }: Histogram, groups: Uint32Array, from: number, length: number): Values {
  const halves = new Uint32Array(2 * groups.length * length);
  let at = 0;
  for (let place = 0; place < groups.length; place++) {
    const start = groups[place]! * cells + from;
    for (let cell = start; cell < start + length; cell++) {
      const count = counts[cell]!;
      halves[at++] = count;
      halves[at++] = Math.floor(count / 0x1_0000_0000);
    }
  }
  return { dtype: "int64", array: new BigInt64Array(halves.buffer) };
}

/** Parameters as states carry them. */
function paramsOf({ params: { bins = [], low = [], high = [] } }: MeasureSpec): StateParams {
  return { bins, low: low.map(axisEnd), high: high.map(axisEnd) };
}
