/** The table of measures: every op with its definition, and what the measures of a query need together. */
import type { Dtype } from "../../columns/dtypes.js";
import type { Expression } from "../expressions/tree.js";
import type { Partial } from "../partial.js";
import type { MeasureOp, MeasureSpec } from "../query/measures.js";
import type { StateSpec } from "../states/kinds.js";
import { isLists, isText } from "../values.js";
import { countMeasure, countNullsMeasure } from "./count.js";
import { approxCountDistinctMeasure, countDistinctMeasure, sortedCountDistinctMeasure } from "./distinct.js";
import { modeMeasure, topkMeasure } from "./frequent.js";
import { histogram2dMeasure, histogramMeasure } from "./histogram.js";
import type { FinishedColumn, MeasureDefinition } from "./measure.js";
import { corrMeasure, covarMeasure, stdMeasure, stdSampleMeasure, varMeasure, varSampleMeasure } from "./moments.js";
import { firstMeasure, lastMeasure, maxMeasure, minMeasure } from "./picked.js";
import { approxQuantileMeasure, medianMeasure, quantileMeasure } from "./quantile.js";
import { meanMeasure, sumMeasure } from "./sum.js";

const definitions: Readonly<Record<MeasureOp, MeasureDefinition>> = {
  count: countMeasure,
  count_na: countNullsMeasure,
  sum: sumMeasure,
  mean: meanMeasure,
  min: minMeasure,
  max: maxMeasure,
  first: firstMeasure,
  last: lastMeasure,
  var: varMeasure,
  std: stdMeasure,
  var_samp: varSampleMeasure,
  std_samp: stdSampleMeasure,
  corr: corrMeasure,
  covar: covarMeasure,
  histogram: histogramMeasure,
  histogram2d: histogram2dMeasure,
  count_distinct: countDistinctMeasure,
  sorted_count_distinct: sortedCountDistinctMeasure,
  mode: modeMeasure,
  topk: topkMeasure,
  median: medianMeasure,
  quantile: quantileMeasure,
  approx_count_distinct: approxCountDistinctMeasure,
  approx_quantile: approxQuantileMeasure,
};

/** A measure, its definition, and the places of its inputs and states among those of its query. */
interface PlannedMeasure {
  readonly measure: MeasureSpec;
  readonly definition: MeasureDefinition;
  readonly inputs: readonly number[];
  readonly states: readonly number[];
}

/** What the measures of a query need: inputs and states, each once. */
export interface MeasurePlan {
  readonly measures: readonly PlannedMeasure[];
  readonly inputs: readonly Expression[];
  readonly states: readonly StateSpec[];
}

const plans = new WeakMap<readonly MeasureSpec[], MeasurePlan>();

/** The plan of measures, the same in every process that is given them. Lists of measures never change: what was planned for one is kept. */
export function planMeasures(measures: readonly MeasureSpec[]): MeasurePlan {
  const known = plans.get(measures);
  if (known !== undefined) return known;
  const plan = makePlan(measures);
  plans.set(measures, plan);
  return plan;
}

function makePlan(measures: readonly MeasureSpec[]): MeasurePlan {
  const inputs = createList<Expression>();
  const states = createList<StateSpec>();
  const planned = measures.map((measure) => {
    const definition = definitions[measure.op];
    const places = measure.inputs.map((input) => inputs.place(input));
    const needs = definition.states(measure).map((need) => states.place({ ...need, inputs: need.inputs.map((own) => places[own]!) }));
    return { measure, definition, inputs: places, states: needs };
  });
  return { measures: planned, inputs: inputs.items, states: states.items };
}

/** Throws DTYPE_MISMATCH or BAD_QUERY when a measure means nothing for its inputs, of which the dtypes are given. */
export function checkMeasures(plan: MeasurePlan, dtypes: readonly Dtype[]): void {
  for (const { measure, definition, inputs } of plan.measures) definition.check(measure, inputs.map((place) => dtypes[place]!));
}

/** Of which groups large columns are wanted, and who is told what columns take. */
export interface Finishing {
  /** All when absent. */
  readonly largeOf?: Uint32Array;
  /** Told the bytes of the columns so far, of large ones before they are made; may throw. */
  requireRoom?(bytes: number): void;
}

/** The finished columns of measures over a merged partial. Throws OVERFLOW naming the measure, and what `requireRoom` does. */
export function finishMeasures(plan: Pick<MeasurePlan, "measures">, partial: Partial, { largeOf, requireRoom = () => undefined }: Finishing = {}): FinishedColumn[] {
  let bytes = 0;
  return plan.measures.map(({ measure, definition, states: places }) => {
    const states = places.map((place) => partial.states[place]!);
    const { large } = definition;
    if (large !== undefined) requireRoom((bytes += large.bytes(largeOf?.length ?? partial.groups, measure)));
    if (large !== undefined && largeOf !== undefined) return large.finish(states, measure, largeOf);
    const column = definition.finish(states, partial, measure);
    if (large === undefined) requireRoom((bytes += bytesOfColumn(column)));
    return column;
  });
}

/** Tells whether the column of a measure is made of the groups alone that are wanted. */
export function isLarge({ op }: MeasureSpec): boolean {
  return definitions[op].large !== undefined;
}

/** What a column takes, as far as its values are its own. */
function bytesOfColumn({ values, isNull }: FinishedColumn): number {
  const item = isLists(values) ? values.item : values;
  const bytes = isText(item) ? item.offsets.byteLength + item.bytes.length : item.array.byteLength;
  return bytes + (isLists(values) ? values.offsets.byteLength : 0) + (isNull?.length ?? 0);
}

/** A list that holds equal items once. */
function createList<T>(): { readonly items: readonly T[]; place(item: T): number } {
  const items: T[] = [];
  const places = new Map<string, number>();
  return {
    items,
    place(item) {
      const key = JSON.stringify(item, distinguish);
      const known = places.get(key);
      if (known !== undefined) return known;
      places.set(key, items.length);
      return items.push(item) - 1;
    },
  };
}

/** What JSON cannot hold, as something that nothing else is written as. */
function distinguish(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return { $int: value.toString() };
  if (typeof value === "number" && !Number.isFinite(value)) return { $float: String(value) };
  return value;
}
