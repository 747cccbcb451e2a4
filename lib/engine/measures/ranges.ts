/** Histograms whose ends come from the values: what is to be asked before them, and what their ends are then. */
import { BquerydError } from "../../base/errors.js";
import { formatDate, formatTimestamp } from "../../columns/moments.js";
import { biasOf, wholeRange } from "../../columns/dtypes.js";
import type { Expression } from "../expressions/tree.js";
import type { Literal } from "../query/literal.js";
import type { MeasureSpec } from "../query/measures.js";
import type { Query } from "../query/query.js";
import { axisEnd, axisTime, isBinnedDtype } from "../states/histogram-axis.js";
import { isFloats, isLists, isWholes, type Values } from "../values.js";
import type { FinishedColumn } from "./measure.js";

/**
 * The query for the least and greatest value of every input of a histogram that has an open end; null where there is none.
 * Of a column they are over all rows of the tables, which statistics know; of an expression over those that the conditions
 * select, as others may have no value that fits, unless whole baskets are selected.
 */
export function rangeQuery(query: Query): Query | null {
  const inputs = query.measures.flatMap((measure) => (hasOpenEnd(measure) ? measure.inputs.map((input) => selected(input, query)) : []));
  if (inputs.length === 0) return null;
  const measures = inputs.flatMap((input, place): MeasureSpec[] => [
    { name: `least ${place}`, op: "min", inputs: [input], params: {} },
    { name: `greatest ${place}`, op: "max", inputs: [input], params: {} },
  ]);
  return { ...query, keys: [], measures, computed: [], where: null, expand: null, having: null, order: [], limit: null, offset: 0 };
}

/** The expression where the conditions hold, null elsewhere. */
function selected(input: Expression, { where, expand }: Query): Expression {
  if (input.kind === "column" || where === null || expand !== null) return input;
  return { kind: "case", branches: [{ when: where, then: input }], otherwise: null };
}

/** The query with every open end closed by the columns that answer its rangeQuery. Throws BAD_QUERY where a value is infinite. */
export function closeRanges(query: Query, ranges: readonly FinishedColumn[]): Query {
  let next = 0;
  const measures = query.measures.map((measure) => {
    if (!hasOpenEnd(measure)) return measure;
    const own = ranges.slice(next, (next += 2 * measure.inputs.length));
    return { ...measure, params: { ...measure.params, ...closeEnds(measure, own) } };
  });
  return { ...query, measures };
}

function hasOpenEnd({ params: { low = [], high = [] } }: MeasureSpec): boolean {
  return [...low, ...high].includes(null);
}

function closeEnds(measure: MeasureSpec, ranges: readonly FinishedColumn[]): { low: Literal[]; high: Literal[] } {
  const ends = measure.inputs.map((_, axis) => closeAxis(measure, axis, ranges[2 * axis]!, ranges[2 * axis + 1]!));
  return { low: ends.map(([low]) => low), high: ends.map(([, high]) => high) };
}

function closeAxis({ name, params }: MeasureSpec, axis: number, least: FinishedColumn, greatest: FinishedColumn): [Literal, Literal] {
  const [low, high] = [params.low?.[axis] ?? null, params.high?.[axis] ?? null];
  if (low !== null && high !== null) return [low, high];
  const { values } = least;
  if (isLists(values) || isLists(greatest.values) || !isBinnedDtype(values.dtype)) return [low ?? 0, high ?? 1];
  const isEmpty = least.isNull?.[0] === 1;
  if (isWholes(values) && (values.dtype === "timestamp" || values.dtype === "date")) {
    return closeTimes(values.dtype, low, high, isEmpty ? [0n, 0n] : [values.array[0]!, wholeOf(greatest.values)], params.bins?.[axis] ?? 1);
  }
  const range: [number, number] = isEmpty ? [0, 1] : [numberOf(values, -1), numberOf(greatest.values, 1)];
  if (!range.every(Number.isFinite)) throw new BquerydError("BAD_QUERY", `the histogram '${name}' has an open end, and its input has an infinite value; give both low and high`, { details: { measure: name } });
  return closeNumbers(low, high, range);
}

/** Where the range would be empty, an open end moves away, if it can, until a bin is a whole unit of the dtype. */
function closeTimes(dtype: "timestamp" | "date", low: Literal | null, high: Literal | null, [least, greatest]: [bigint, bigint], bins: number): [Literal, Literal] {
  const format = (time: bigint): string => (dtype === "date" ? formatDate(Number(time)) : formatTimestamp(time));
  const [from, to] = [low === null ? least : axisTime(axisEnd(low), dtype), high === null ? greatest : axisTime(axisEnd(high), dtype)];
  if (from < to) return [low ?? format(from), high ?? format(to)];
  const { least: first, greatest: last } = wholeRange(dtype);
  const span = BigInt(bins);
  if (high !== null) return [format(to - span < first ? first : to - span), high];
  const end = from + span > last ? last : from + span;
  return [low ?? format(end - span), format(end)];
}

/** Where the range would be empty, an open end moves away by half a unit or, of large numbers, by what they can tell apart. */
function closeNumbers(low: Literal | null, high: Literal | null, [least, greatest]: [number, number]): [Literal, Literal] {
  // What is no number is for the axis to refuse.
  if ([low, high].some((end) => end !== null && typeof end !== "number" && typeof end !== "bigint")) return [low ?? least, high ?? greatest];
  const from = low === null ? least : Number(low);
  const to = high === null ? greatest : Number(high);
  if (from < to) return [from, to];
  const step = Math.max(0.5, Math.abs(from) * 2 ** -40, Math.abs(to) * 2 ** -40);
  if (low === null && high === null) return [finite(from - step), finite(to + step)];
  return low === null ? [finite(to - 2 * step), to] : [from, finite(from + 2 * step)];
}

function finite(end: number): number {
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, end));
}

/** The extreme as a float64, of integers that it does not hold the next one in a direction, so that the value lies within. */
function numberOf(values: FinishedColumn["values"], direction: -1 | 1): number {
  if (isLists(values)) throw new Error("an extreme is no list");
  if (isFloats(values)) return values.array[0]!;
  const value = unbiased(values);
  const near = Number(value);
  return direction * Number(BigInt(near) - value) >= 0 ? near : nextFloat(near, direction);
}

/** The float64 beside one that is not 0. */
function nextFloat(value: number, direction: -1 | 1): number {
  const float = Float64Array.of(value);
  const bits = new BigInt64Array(float.buffer);
  bits[0] = bits[0]! + BigInt(value > 0 ? direction : -direction);
  return float[0]!;
}

function wholeOf(values: FinishedColumn["values"]): bigint {
  if (isLists(values)) throw new Error("an extreme is no list");
  return unbiased(values);
}

function unbiased(values: Values): bigint {
  if (!isWholes(values)) throw new Error(`${values.dtype} is no whole number`);
  return values.array[0]! + biasOf(values.dtype);
}
