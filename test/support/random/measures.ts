/** Random measures: every op on every dtype that it takes, with parameters; some of expressions. */
import type { Random } from "../../../lib/base/clock.js";
import { formatDate, formatTimestamp } from "../../../lib/columns/moments.js";
import { isFloatDtype, type Dtype } from "../../../lib/columns/dtypes.js";
import { measureOps, type MeasureOp } from "../../../lib/engine/query/measures.js";
import type { TermColumn } from "./conditions.js";
import { chance, oneOf, whole } from "./draw.js";
import { drawNumberExpression, drawTimeKey, isNearTime } from "./key-expressions.js";
import type { RandomColumn } from "./tables.js";

type Column = TermColumn & RandomColumn;

/** A measure as it is written, and what it is of. */
export interface DrawnMeasure {
  readonly written: readonly unknown[];
  readonly name: string;
  readonly op: MeasureOp | "rows";
  readonly columns: readonly Column[];
  /** Whether its inputs are columns. */
  readonly isPlain: boolean;
  /** The expression that is its input. */
  readonly text?: string;
}

/** A measure of some op over columns that it takes. */
export function drawMeasure(random: Random, columns: readonly Column[], name: string): DrawnMeasure {
  if (chance(random, 0.05)) return { written: ["*", "count", name], name, op: "rows", columns: [], isPlain: true };
  const op = oneOf(random, measureOps);
  const own = columns.filter((column) => takes(op, column));
  const used = op === "corr" || op === "covar" || op === "histogram2d" ? [oneOf(random, own), oneOf(random, own)] : [oneOf(random, own)];
  const [column] = used;
  const [isNumber, isNear] = [/int|float/.test(column!.dtype), isNearTime(column!)];
  if (used.length === 1 && (isNumber || isNear) && op !== "histogram" && chance(random, 0.15)) {
    const text = isNumber ? drawNumberExpression(random, column!, columns) : drawTimeKey(random, column!).text;
    return { written: [{ expr: text }, op, name, ...paramsOf(random, op, used)], name, op, columns: used, isPlain: false, text };
  }
  const inputs = used.length === 1 ? column!.name : used.map((input) => input.name);
  return { written: [inputs, op, name, ...paramsOf(random, op, used)], name, op, columns: used, isPlain: true };
}

function takes(op: MeasureOp, { dtype, shape }: Column): boolean {
  const isNumber = /int|float/.test(dtype);
  const isTime = dtype === "timestamp" || dtype === "date";
  switch (op) {
    case "sum": case "mean": case "var": case "std": case "var_samp": case "std_samp": case "corr": case "covar": return isNumber || dtype === "bool";
    case "median": case "quantile": return isNumber || isTime;
    case "approx_quantile": return isNumber;
    // Dates far from ours have no text; infinite values no bins of their own.
    case "histogram": case "histogram2d": return (isNumber && shape !== "infinite") || (isTime && !isFar(dtype, shape));
    default: return true;
  }
}

function isFar(dtype: Dtype, shape: string): boolean {
  return dtype === "date" && (shape === "any" || shape === "extremes");
}

function paramsOf(random: Random, op: MeasureOp, columns: readonly Column[]): [] | [Record<string, unknown>] {
  const p = oneOf(random, [0, 0.01, 0.25, 0.5, 0.57, 0.9, 0.999, 1]);
  switch (op) {
    case "topk": return [{ k: oneOf(random, [1, 2, 5, 100]), ...(chance(random, 0.2) ? {} : { by: oneOf(random, ["value", "count"]) }) }];
    case "quantile": return [{ p }];
    case "approx_quantile": return [chance(random, 0.5) ? { p } : { p, error: oneOf(random, [0.001, 0.05, 0.5]) }];
    case "histogram": return [binsOf(random, columns, [whole(random, 1, 12)])];
    case "histogram2d": return [binsOf(random, columns, [whole(random, 1, 4), whole(random, 1, 3)])];
    default: return [];
  }
}

function binsOf(random: Random, columns: readonly Column[], bins: readonly number[]): Record<string, unknown> {
  const ends = columns.map((column) => (chance(random, 0.2) ? [null, null] : endsOf(random, column)));
  return columns.length === 1 ? { bins: bins[0], low: ends[0]![0], high: ends[0]![1] } : { bins, low: ends.map(([low]) => low), high: ends.map(([, high]) => high) };
}

/** Ends on or beside values that occur. */
function endsOf(random: Random, { dtype, values }: Column): [unknown, unknown] {
  const drawn = [0, 1].map(() => (values.length === 0 ? null : oneOf(random, values)));
  if (dtype === "timestamp" || dtype === "date") {
    const [a, b] = drawn.map((value) => (typeof value === "bigint" ? value : 16_000n)) as [bigint, bigint];
    const [low, high] = a < b ? [a, b] : [b, a + 1n];
    return dtype === "date" ? [formatDate(Number(low)), formatDate(Number(high))] : [formatTimestamp(low), formatTimestamp(high)];
  }
  const [a, b] = drawn.map((value) => Number(value ?? 0)) as [number, number];
  const [low, high] = [Math.min(a, b), Math.max(a, b)];
  const wide = isFloatDtype(dtype) ? 0.5 : Math.max(1, Math.abs(high) * 2 ** -50);
  return high > low ? [low, high] : [high - wide, high];
}
