/** What every measure has in common: what its definition says of it, and the column that it is finished as. */
import { BquerydError } from "../../base/errors.js";
import type { Dtype } from "../../columns/dtypes.js";
import { printExpression } from "../expressions/print.js";
import type { Expression } from "../expressions/tree.js";
import type { Partial } from "../partial.js";
import type { MeasureSpec } from "../query/measures.js";
import type { StateColumn, StateKind } from "../states/kinds.js";
import type { StateParams } from "../states/state.js";
import type { Lists, Values } from "../values.js";

/** A finished column: values, and 1 in `isNull` for each null row; null when no row is null. */
export interface FinishedColumn {
  readonly values: Values | Lists;
  readonly isNull: Uint8Array | null;
  /** Of a histogram alone. */
  readonly bins?: HistogramBins;
}

/** The bins of a histogram, and how many values of each row of the result lie in none of them. */
export interface HistogramBins {
  /** For every input ascending edges, one more than bins. */
  readonly edges: readonly Values[];
  /** A value lies under where the first of its inputs that is out of range is below it, else over; int64. */
  readonly under: Values;
  readonly over: Values;
}

/** A state that a measure needs; `inputs` are places among those of the measure. */
export interface StateNeed {
  readonly kind: StateKind;
  readonly inputs: readonly number[];
  readonly params: StateParams;
}

/** An op: what it takes, what it needs as state, and what it makes of it. */
export interface MeasureDefinition {
  /** Throws DTYPE_MISMATCH, or BAD_QUERY for parameters that do not go with the dtypes of its inputs. */
  check(measure: MeasureSpec, dtypes: readonly Dtype[]): void;
  states(measure: MeasureSpec): readonly StateNeed[];
  /** The finished column; `states` in the order of the needs. Throws OVERFLOW naming the measure. */
  finish(states: readonly StateColumn[], partial: Partial, measure: MeasureSpec): FinishedColumn;
  /** Of measures whose column is much for a group: the column of the given groups alone. */
  readonly large?: LargeColumn;
}

/** A column that is made of no more groups than are wanted. */
export interface LargeColumn {
  /** Bytes of the column of so many groups. */
  bytes(groups: number, measure: MeasureSpec): number;
  finish(states: readonly StateColumn[], measure: MeasureSpec, groups: Uint32Array): FinishedColumn;
}

/** The state of a kind at a place; throws an assertion where a partial holds another. */
export function requireState<K extends StateKind>(states: readonly StateColumn[], place: number, kind: K): Extract<StateColumn, { kind: K }> {
  const state = states[place];
  if (state?.kind !== kind) throw new Error(`a partial lacks its ${kind} state`);
  return state as Extract<StateColumn, { kind: K }>;
}

/** 1 for each entry of which a test is true; null where it is true of none. */
export function flagsOf(count: number, isSet: (group: number) => boolean): Uint8Array | null {
  const found = new Uint8Array(count);
  let any = false;
  for (let group = 0; group < count; group++) {
    if (!isSet(group)) continue;
    found[group] = 1;
    any = true;
  }
  return any ? found : null;
}

/** A column of float64 from a value a group; null where there is none, or it is not a number. */
export function finishFloats(count: number, valueOf: (group: number) => number | null): FinishedColumn {
  const array = new Float64Array(count);
  const isNull = flagsOf(count, (group) => {
    const value = valueOf(group);
    if (value === null || Number.isNaN(value)) return true;
    // Arithmetic may give -0.0, which tables do not hold.
    array[group] = value + 0;
    return false;
  });
  return { values: { dtype: "float64", array }, isNull };
}

/** A column of the given float64, null where a count is 0 or a number is none; the array is taken over and changed. */
export function finishCounted(array: Float64Array, counts: Float64Array): FinishedColumn {
  const isNull = new Uint8Array(array.length);
  for (let group = 0; group < array.length; group++) {
    const value = array[group]!;
    const isNone = counts[group] === 0 || value !== value;
    isNull[group] = Number(isNone);
    // Arithmetic may give -0.0, which tables do not hold.
    array[group] = isNone ? 0 : value + 0;
  }
  return { values: { dtype: "float64", array }, isNull: isNull.includes(1) ? isNull : null };
}

/** 1 for each count that is 0; null where none is. */
export function zerosOf(counts: Float64Array): Uint8Array | null {
  if (!counts.includes(0)) return null;
  const isZero = new Uint8Array(counts.length);
  for (let group = 0; group < counts.length; group++) isZero[group] = Number(counts[group] === 0);
  return isZero;
}

/** A column of int64 that is never null; counts are exact to 2^53. */
export function finishCounts(counts: Float64Array): FinishedColumn {
  return { values: { dtype: "int64", array: toInt64(counts) }, isNull: null };
}

/** Whole numbers from 0 to 2^53 as int64. */
export function toInt64(counts: Float64Array): BigInt64Array {
  const halves = new Uint32Array(counts.length * 2);
  for (let at = 0; at < counts.length; at++) {
    halves[2 * at] = counts[at]!;
    halves[2 * at + 1] = Math.floor(counts[at]! / 0x1_0000_0000);
  }
  return new BigInt64Array(halves.buffer);
}

/** DTYPE_MISMATCH for an op that means nothing for the dtype of one of its inputs; `advice` says what to use. */
export function meansNothing({ op, inputs, name }: MeasureSpec, place: number, dtype: Dtype, advice: string): BquerydError {
  return new BquerydError("DTYPE_MISMATCH", `'${op}' of ${describeInput(inputs[place]!)} means nothing for ${dtype}; ${advice}`, { details: { measure: name, op, dtype } });
}

function describeInput(input: Expression): string {
  return input.kind === "column" ? `column '${input.name}'` : `'${printExpression(input)}'`;
}
