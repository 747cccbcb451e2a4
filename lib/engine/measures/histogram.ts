/** histogram and histogram2d: lists of counts, one a bin; with their edges, and how many values lie under and over them. */
import { BquerydError } from "../../base/errors.js";
import type { Literal } from "../query/literal.js";
import { axesOf } from "../states/histogram.js";
import { axisEdges, isBinnedDtype } from "../states/histogram-axis.js";
import type { StateParam, StateParams } from "../states/state.js";
import { upTo, type Values } from "../values.js";
import { meansNothing, requireState, toInt64, type MeasureDefinition, type MeasureSpec } from "./measure.js";

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
    finish(states, _partial, measure) {
      const state = requireState(states, 0, "histogram");
      const axes = axesOf(paramsOf(measure));
      const edges = state.inputs.map((dtype, place) => {
        if (!isBinnedDtype(dtype)) throw meansNothing(measure, place, dtype, "use topk");
        return axisEdges(axes[place]!, dtype).shown;
      });
      const bins = axes.reduce((product, axis) => product * axis.bins, 1);
      if (state.cells !== bins + 2 || state.inputs.length !== inputs.length) throw new BquerydError("BAD_MESSAGE", "a partial holds a histogram of other bins; the processes differ in version");
      const groups = state.counts.length / state.cells;
      const item = pickCounts(state.counts, groups, state.cells, 0, bins);
      const [under, over] = [bins, bins + 1].map((cell) => pickCounts(state.counts, groups, state.cells, cell, 1));
      const offsets = upTo(groups + 1).map((group) => group * bins);
      return { values: { dtype: "list", item, offsets }, isNull: null, bins: { edges, under: under!, over: over! } };
    },
  };
}

/** `length` counts of every group from a cell on, as int64. */
function pickCounts(counts: Float64Array, groups: number, cells: number, from: number, length: number): Values {
  const picked = new Float64Array(groups * length);
  for (let group = 0; group < groups; group++) picked.set(counts.subarray(group * cells + from, group * cells + from + length), group * length);
  return { dtype: "int64", array: toInt64(picked) };
}

/** Parameters as states carry them; edges are float64 and so may be their ends. */
function paramsOf({ params: { bins = [], low = [], high = [] } }: MeasureSpec): StateParams {
  return { bins, low: low.map(endOf), high: high.map(endOf) };
}

function endOf(end: Literal | null): StateParam {
  if (typeof end === "bigint") return Number(end);
  return typeof end === "object" ? null : end;
}
