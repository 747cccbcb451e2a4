/** The table of measures: what each needs as state, and what it makes of it. */
import { BquerydError } from "../base/errors.js";
import { biasOf, isTextDtype, type Dtype } from "../columns/dtypes.js";
import type { Partial } from "./partial.js";
import type { IntSums, StateColumn, StateKind, StateSpec } from "./states/state.js";
import { addBiases, approximateSum, bigintSum, floatSum, sumDtype, toKept } from "./states/sum.js";
import type { Values } from "./values.js";

/** Every op a measure may name. */
export const measureOps = ["sum", "mean", "count", "min", "max"] as const;
export type MeasureOp = (typeof measureOps)[number];

/** One aggregate asked for; column `*` goes with count and counts rows. */
export interface MeasureSpec {
  readonly column: string;
  readonly op: MeasureOp;
  readonly name: string;
}

/** Tells whether a text names a measure. */
export function isMeasureOp(text: string): text is MeasureOp {
  return (measureOps as readonly string[]).includes(text);
}

/** A finished column: values, and 1 in `isNull` for each null row; null when no row is null. */
export interface FinishedColumn {
  readonly values: Values;
  readonly isNull: Uint8Array | null;
}

interface Definition {
  readonly states: readonly StateKind[];
  /** Whether it means something for texts, bytes and times. */
  readonly takesAny: boolean;
  finish(states: ReadonlyMap<StateKind, StateColumn>, partial: Partial, name: string): FinishedColumn;
}

const definitions: Record<MeasureOp, Definition> = {
  count: { states: ["count"], takesAny: true, finish: (states, partial) => ({ values: wholeNumbers(countsOf(states, partial)), isNull: null }) },
  sum: { states: ["count", "sum"], takesAny: false, finish: finishSum },
  mean: { states: ["count", "sum"], takesAny: false, finish: finishMean },
  min: { states: ["min"], takesAny: true, finish: (states) => finishExtreme(requireState(states, "min")) },
  max: { states: ["max"], takesAny: true, finish: (states) => finishExtreme(requireState(states, "max")) },
};

/** The states that measures need, each once; rows of `*` are part of every partial. */
export function statesOf(measures: readonly MeasureSpec[]): StateSpec[] {
  const states = new Map<string, StateSpec>();
  for (const { column, op } of measures) {
    if (column === "*") continue;
    for (const kind of definitions[op].states) states.set(JSON.stringify([kind, column]), { kind, column });
  }
  return [...states.values()];
}

/** Throws DTYPE_MISMATCH when a measure means nothing for its column's dtype. */
export function checkMeasure({ column, op }: MeasureSpec, dtype: Dtype): void {
  if (definitions[op].takesAny || !(isTextDtype(dtype) || dtype === "timestamp" || dtype === "date")) return;
  throw new BquerydError("DTYPE_MISMATCH", `'${op}' of column '${column}' means nothing for ${dtype}; use count, min or max`, { details: { column, op, dtype } });
}

/** The finished column of a measure over a merged partial with the given states. Throws OVERFLOW naming the measure. */
export function finishMeasure(measure: MeasureSpec, states: readonly StateSpec[], partial: Partial): FinishedColumn {
  if (measure.column === "*") return { values: wholeNumbers(partial.rows), isNull: null };
  const own = new Map<StateKind, StateColumn>();
  states.forEach((spec, place) => {
    if (spec.column === measure.column) own.set(spec.kind, partial.states[place]!);
  });
  return definitions[measure.op].finish(own, partial, measure.name);
}

type StateOf<K extends StateKind> = K extends "sum" ? Extract<StateColumn, { kind: "sum-int" | "sum-float" }> : Extract<StateColumn, { kind: K }>;

function requireState<K extends StateKind>(states: ReadonlyMap<StateKind, StateColumn>, kind: K): StateOf<K> {
  const state = states.get(kind);
  if (state === undefined) throw new Error(`a partial lacks its ${kind} state`);
  return state as StateOf<K>;
}

function countsOf(states: ReadonlyMap<StateKind, StateColumn>, partial: Partial): Float64Array {
  return requireState(states, "count").counts ?? partial.rows;
}

function finishSum(states: ReadonlyMap<StateKind, StateColumn>, partial: Partial, name: string): FinishedColumn {
  const counts = countsOf(states, partial);
  const sum = requireState(states, "sum");
  if (sum.kind === "sum-float") return floats(fill(counts, (group) => floatSum(sum.pairs, group)), counts);
  const dtype = sumDtype(sum.dtype);
  const sums = valueSums(sum, counts);
  const array = toKept(sums, dtype);
  if (!(array instanceof BigInt64Array)) {
    throw new BquerydError("OVERFLOW", `the sum '${name}' is ${bigintSum(sums, array.overflowAt)} in one group and does not fit ${dtype}; use mean, or filter`, { details: { measure: name } });
  }
  return { values: { dtype, array }, isNull: flags(counts, (count) => count === 0) };
}

function finishMean(states: ReadonlyMap<StateKind, StateColumn>, partial: Partial): FinishedColumn {
  const counts = countsOf(states, partial);
  const total = totalsOf(requireState(states, "sum"), counts);
  return floats(fill(counts, (group) => (counts[group] === 0 ? 0 : total(group) / counts[group]!)), counts);
}

function totalsOf(sum: StateOf<"sum">, counts: Float64Array): (group: number) => number {
  if (sum.kind === "sum-float") return (group) => floatSum(sum.pairs, group);
  const sums = valueSums(sum, counts);
  return (group) => approximateSum(sums, group);
}

/** Sums of the values themselves, whatever is kept in their place. */
function valueSums({ dtype, sums }: Extract<StateColumn, { kind: "sum-int" }>, counts: Float64Array): IntSums {
  return biasOf(dtype) === 0n ? sums : addBiases(sums, counts);
}

function finishExtreme({ seen, values }: StateOf<"min">): FinishedColumn {
  return { values, isNull: flags(seen, (flag) => flag === 0) };
}

/** Floats that are null where nothing was counted or the result is not a number. */
function floats(array: Float64Array, counts: Float64Array): FinishedColumn {
  const isNull = flags(counts, (count, group) => count === 0 || Number.isNaN(array[group]!));
  isNull?.forEach((flag, group) => {
    if (flag === 1) array[group] = 0;
  });
  return { values: { dtype: "float64", array }, isNull };
}

function fill(counts: Float64Array, value: (group: number) => number): Float64Array {
  const array = new Float64Array(counts.length);
  for (let group = 0; group < array.length; group++) array[group] = value(group);
  return array;
}

function wholeNumbers(counts: Float64Array): Values {
  const halves = new Uint32Array(counts.length * 2);
  for (let group = 0; group < counts.length; group++) {
    halves[2 * group] = counts[group]!;
    halves[2 * group + 1] = Math.floor(counts[group]! / 0x1_0000_0000);
  }
  return { dtype: "int64", array: new BigInt64Array(halves.buffer) };
}

function flags<A extends Float64Array | Uint8Array>(source: A, isNull: (value: number, group: number) => boolean): Uint8Array | null {
  const found = new Uint8Array(source.length);
  let any = false;
  for (let group = 0; group < source.length; group++) {
    if (!isNull(source[group]!, group)) continue;
    found[group] = 1;
    any = true;
  }
  return any ? found : null;
}
