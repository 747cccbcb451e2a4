/**
 * Measures as SQL of DuckDB where it has them exactly, else as what a few lines here make the expected value from; and by
 * how much a float may differ.
 */
import { isFloatDtype, type Dtype } from "../../../lib/columns/dtypes.js";
import { parseDate, parseTimestamp } from "../../../lib/columns/moments.js";
import type { Literal } from "../../../lib/engine/query/literal.js";
import type { MeasureSpec } from "../../../lib/engine/query/measures.js";
import { compareSql, type TypedSql } from "./sql.js";
import type { Value } from "./tables.js";

/** A value, and the largest absolute difference from it that a float may have; NaN where nothing can be said. */
export interface Bounded {
  readonly value: Value;
  readonly bound: number;
}

/** A measure over the rows `x0`, `x1` of a group. */
export interface MeasureSql {
  /** Aggregates. */
  readonly groups: readonly string[];
  /** What is made of them, named `$0`, `$1`, ..., once groups are there; as many as `finish` takes. */
  readonly results: readonly string[];
  finish(values: readonly Value[]): Bounded;
}

/** Ends of histograms that a query leaves open, from all rows of the table: the least and the greatest of an input. */
export type Ends = readonly (readonly [Value, Value])[];

/** The SQL of a measure over its inputs; `run` names the number of the run of equal values that a row is in. */
export function measureSql({ op, params }: MeasureSpec, inputs: readonly TypedSql[], run: string, ends: Ends): MeasureSql {
  const [x, y] = inputs;
  if (x === undefined) return exactly("count(*)::hugeint");
  const of = x.sql;
  const isFloat = isFloatDtype(x.dtype!);
  const number = x.dtype === "bool" ? `cast(${of} as hugeint)` : of;
  switch (op) {
    case "count": return exactly(`count(${of})::hugeint`);
    case "count_na": return exactly(`(count(*) - count(${of}))::hugeint`);
    case "min": case "max": return exactly(`${op}(${of})`);
    case "first": return exactly(`arg_min(${of}, rid) filter (where ${of} is not null)`);
    case "last": return exactly(`arg_max(${of}, rid) filter (where ${of} is not null)`);
    case "count_distinct": return exactly(`count(distinct ${of})::hugeint`);
    case "sorted_count_distinct": return exactly(`count(distinct case when ${of} is null then null else ${run} end)::hugeint`);
    case "sum": return isFloat ? within([finite(of, `fsum(${of})`), `1e-12 * fsum(abs(${of}))`]) : exactly(`sum(${number})`);
    case "mean": return within([`${isFloat ? finite(of, `fsum(${of})`) : `cast(sum(${number}) as double)`} / nullif(count(${of}), 0)`, `1e-12 * fsum(abs(cast(${number} as double))) / count(${of})`]);
    case "var": case "std": case "var_samp": case "std_samp": return momentSql(op, `cast(${number} as double)`);
    case "covar": case "corr": return comomentSql(op, asDouble(x), asDouble(y!));
    case "median": return quantileSql(x, 0.5);
    case "quantile": return quantileSql(x, params.p!);
    case "approx_quantile": return approxQuantileSql(x, params.p!, params.error ?? 0.01);
    case "approx_count_distinct": return { groups: [`count(distinct ${of})::hugeint`], results: ["$0"], finish: ([count]) => approximately(count!) };
    case "mode": return { groups: [`histogram(${of})`], results: ["map_keys($0)[list_position(map_values($0), list_max(map_values($0)))]"], finish: ([value]) => ({ value: value!, bound: 0 }) };
    case "topk": return topkSql(of, params.k!, params.by === "count");
    case "histogram": case "histogram2d": return histogramSql(inputs, params, ends);
  }
}

/** The dtype of the values of a measure, where they may be used in arithmetic and order: those that are exact. */
export function exactDtype(op: MeasureSpec["op"], input: Dtype | null): Dtype | null {
  switch (op) {
    case "count": case "count_na": case "count_distinct": case "sorted_count_distinct": return "int64";
    case "min": case "max": case "first": case "last": case "mode": return input;
    case "sum": return input === null || isFloatDtype(input) ? null : input.startsWith("uint") ? "uint64" : "int64";
    default: return null;
  }
}

function exactly(sql: string): MeasureSql {
  return { groups: [sql], results: ["$0"], finish: ([value]) => ({ value: value!, bound: 0 }) };
}

/** A value and its bound. */
function within(groups: readonly string[]): MeasureSql {
  return { groups, results: ["$0", "$1"], finish: ([value, bound]) => ({ value: value!, bound: Number(bound ?? 0) }) };
}

function asDouble({ sql, dtype }: TypedSql): string {
  return dtype === "bool" ? `cast(cast(${sql} as hugeint) as double)` : `cast(${sql} as double)`;
}

/** Infinities first: opposite ones have no sum, which is a null here. */
function finite(name: string, sql: string): string {
  return `case when bool_or(${name} = 'inf') and bool_or(${name} = '-inf') then null when bool_or(${name} = 'inf') then 'inf'::double when bool_or(${name} = '-inf') then '-inf'::double else ${sql} end`;
}

/** Means beyond this many standard deviations leave too few digits to compare. */
const steadinessMax = 1_000;

function momentSql(op: "var" | "std" | "var_samp" | "std_samp", x: string): MeasureSql {
  const sql = { var: "var_pop", std: "stddev_pop", var_samp: "var_samp", std_samp: "stddev_samp" }[op];
  const isFinite = `filter (where isfinite(${x}))`;
  return {
    groups: [`${sql}(${x}) ${isFinite}`, `avg(${x}) ${isFinite}`, `stddev_pop(${x}) ${isFinite}`, `bool_or(isinf(${x}))`],
    results: ["$0", "$1", "$2", "$3"],
    finish([value, mean, deviation, hasInfinite]) {
      if (hasInfinite === true) return { value: null, bound: 0 };
      if (typeof value !== "number") return { value: null, bound: 0 };
      return { value, bound: isSteady(mean!, deviation!) ? 1e-9 * value : NaN };
    },
  };
}

function comomentSql(op: "covar" | "corr", x: string, y: string): MeasureSql {
  const both = `filter (where isfinite(${x}) and isfinite(${y}))`;
  const ofBoth = (value: string): string => `(case when ${x} is null or ${y} is null then null else ${value} end)`;
  return {
    groups: [
      `${op === "covar" ? "covar_pop" : "corr"}(${y}, ${x}) ${both}`, `avg(${x}) ${both}`, `stddev_pop(${x}) ${both}`, `avg(${y}) ${both}`, `stddev_pop(${y}) ${both}`,
      `bool_or(isinf(${ofBoth(x)}) or isinf(${ofBoth(y)}))`,
    ],
    results: ["$0", "$1", "$2", "$3", "$4", "$5"],
    finish([value, meanX, deviationX, meanY, deviationY, hasInfinite]) {
      if (hasInfinite === true) return { value: null, bound: 0 };
      if (deviationX === null) return { value: null, bound: 0 };
      if (!isSteady(meanX!, deviationX!) || !isSteady(meanY!, deviationY!)) return { value: null, bound: NaN };
      if (typeof value !== "number") return { value: null, bound: 0 };
      return { value, bound: op === "corr" ? 1e-9 : 1e-9 * Number(deviationX) * Number(deviationY) };
    },
  };
}

function isSteady(mean: Value, deviation: Value): boolean {
  return Number(deviation) > 0 && Math.abs(Number(mean)) <= steadinessMax * Number(deviation);
}

/** A share as the decimal number that it is written as. */
function shareOf(p: number): { top: number; bottom: number } {
  const digits = (String(p).split(".")[1] ?? "").length;
  return { top: Math.round(p * 10 ** digits), bottom: 10 ** digits };
}

/** The values beside the place of a share, how far between them it is in parts of the denominator, and the denominator. */
function quantileSql(x: TypedSql, p: number): MeasureSql {
  const { top, bottom } = shareOf(p);
  const place = `((len($0) - 1) * ${top})`;
  return {
    groups: [`list_sort(list(${x.sql}) filter (where ${x.sql} is not null))`],
    results: [`$0[(${place} // ${bottom})::bigint + 1]`, `$0[(${place} // ${bottom})::bigint + 2]`, `(${place} % ${bottom})::hugeint`],
    finish([low, high, rest]) {
      if (low === null || low === undefined) return { value: null, bound: 0 };
      const isTime = x.dtype === "timestamp" || x.dtype === "date";
      if (isTime) return { value: typeof high !== "bigint" ? low : (low as bigint) + ((high - (low as bigint)) * BigInt(rest as bigint)) / BigInt(bottom), bound: 0 };
      return interpolate(Number(low), rest === 0n || high === null ? Number(low) : Number(high), Number(rest) / bottom);
    },
  };
}

function interpolate(low: number, high: number, fraction: number): Bounded {
  const value = low === high || fraction === 0 ? low : low * (1 - fraction) + high * fraction;
  return { value: Number.isNaN(value) ? null : value, bound: 1e-15 * (Math.abs(low) + Math.abs(high)) };
}

function approxQuantileSql(x: TypedSql, p: number, error: number): MeasureSql {
  const { top, bottom } = shareOf(p);
  return {
    groups: [`list_sort(list(${x.sql}) filter (where ${x.sql} is not null))`],
    results: [`$0[((len($0) - 1) * ${top} // ${bottom})::bigint + 1]`],
    finish: ([value]) => (value === null ? { value, bound: 0 } : { value: Number(value), bound: error * Math.abs(Number(value)) * (1 + 1e-9) }),
  };
}

/** Six times the standard error of a sketch of 2^14 registers; of few values those that share a register are missed. */
function approximately(count: Value): Bounded {
  return { value: count, bound: Number(count) === 0 ? 0 : 2 + 0.049 * Number(count) };
}

function topkSql(x: string, k: number, isByCount: boolean): MeasureSql {
  const finish = ([value]: readonly Value[]): Bounded => ({ value: value!, bound: 0 });
  if (!isByCount) return { groups: [`list_reverse_sort(list(${x}) filter (where ${x} is not null))`], results: [`$0[1:${k}]`], finish };
  const sorted = "list_sort(list_transform(map_entries($0), e -> {'c': -(e.value::bigint), 'k': e.key}))";
  return { groups: [`histogram(${x})`], results: [`case when len(map_keys($0)) > 0 then list_transform(${sorted}[1:${k}], e -> e.k) end`], finish };
}

/** One filtered count a bin; bins are closed left, the last closed right. */
function histogramSql(inputs: readonly TypedSql[], { bins = [], low = [], high = [] }: MeasureSpec["params"], ends: Ends): MeasureSql {
  const endOf = (written: Literal | null | undefined, axis: number, side: 0 | 1): Literal => written ?? (isRange(...ends[axis]!) ? around(inputs[axis]!, ends[axis]![side] as Literal, side) : side);
  const axes = inputs.map((input, axis) => axisSql(input, bins[axis]!, endOf(low[axis], axis, 0), endOf(high[axis], axis, 1)));
  const cells = axes.length === 1 ? axes[0]! : axes[0]!.flatMap((first) => axes[1]!.map((second) => `${first} and ${second}`));
  return {
    groups: [`[${cells.map((cell) => `(count(*) filter (where ${cell}))::hugeint`).join(", ")}]`], results: ["$0"],
    finish: ([value]) => ({ value: value!, bound: hasOpenEnd(low, high) && ends.some(([least, greatest]) => !isRange(least, greatest)) ? NaN : 0 }),
  };
}

/** An end of numbers as a double, of whole numbers the nearest that is not within the range. */
function around({ dtype }: TypedSql, end: Literal, side: 0 | 1): Literal {
  if (typeof end !== "bigint" || dtype === "timestamp" || dtype === "date") return end;
  const near = Number(end);
  const step = 2 ** Math.max(-1, Math.floor(Math.log2(Math.abs(near) || 1)) - 52);
  const [below, above] = [near - step, near + step].map((double) => (Number.isInteger(double) ? double : near));
  if (side === 0) return BigInt(near) <= end ? near : below!;
  return BigInt(near) >= end ? near : above!;
}

function hasOpenEnd(low: readonly (Literal | null)[], high: readonly (Literal | null)[]): boolean {
  return [...low, ...high].includes(null);
}

function isRange(least: Value, greatest: Value): boolean {
  return least !== null && greatest !== null && Number(least) < Number(greatest);
}

function axisSql(input: TypedSql, bins: number, low: Literal, high: Literal): string[] {
  const isTime = input.dtype === "timestamp" || input.dtype === "date";
  const edges = isTime ? timeEdges(input.dtype, bins, low, high) : numberEdges(bins, Number(low), Number(high));
  const compare = (op: ">=" | "<" | "<=", edge: number | bigint): string => (isTime ? `(${input.sql} ${op} ${edge}::hugeint)` : compareSql(input, op, [edge]));
  return Array.from({ length: bins }, (_, bin) => `${compare(">=", edges[bin]!)} and ${compare(bin === bins - 1 ? "<=" : "<", edges[bin + 1]!)}`);
}

function numberEdges(bins: number, low: number, high: number): number[] {
  const width = (high - low) / bins;
  return Array.from({ length: bins + 1 }, (_, edge) => (edge === bins ? high : Math.min(high, low + edge * width)));
}

function timeEdges(dtype: "timestamp" | "date", bins: number, low: Literal, high: Literal): bigint[] {
  const [from, to] = [timeOf(dtype, low), timeOf(dtype, high)];
  return Array.from({ length: bins + 1 }, (_, edge) => from + (BigInt(edge) * (to - from)) / BigInt(bins));
}

function timeOf(dtype: "timestamp" | "date", end: Literal): bigint {
  if (typeof end === "bigint" || typeof end === "number") return BigInt(end);
  const days = parseDate(String(end));
  if (dtype === "date") return BigInt(days!);
  return days === undefined ? parseTimestamp(String(end))! : BigInt(days) * 86_400_000_000_000n;
}
