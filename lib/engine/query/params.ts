/** Parameters of measures: which there are, what they may be, and their defaults. */
import { badQuery, show } from "./bad-query.js";
import type { Literal } from "./literal.js";

/** What ops may be told beside their inputs; which of it an op takes is checked where queries are parsed. */
export interface MeasureParams {
  /** topk: how many, by what. */
  readonly k?: number;
  readonly by?: "value" | "count";
  /** quantile, approx_quantile: which one, from 0 to 1. */
  readonly p?: number;
  /** approx_quantile: relative. */
  readonly error?: number;
  /** histogram, histogram2d: one entry an axis; an end that is null comes from the values. */
  readonly bins?: readonly number[];
  readonly low?: readonly (Literal | null)[];
  readonly high?: readonly (Literal | null)[];
}

/** The name of a parameter. */
export type ParamRule = keyof MeasureParams;

const topkMax = 10_000;
/** Bins of one histogram, all its axes multiplied. */
const binsMax = 65_536;
/** Sketches hold about one counter for each such step of magnitude: less would be larger than the values. */
const errorLeast = 0.0005;

/**
 * The parameters of a measure, checked, with defaults filled in: topk by value, approx_quantile with an error of 1 %,
 * histograms of 10 bins whose ends come from the values. Axes are lists of one entry an input. Throws BAD_QUERY.
 */
export function parseParams(name: string, op: string, rules: readonly ParamRule[], axes: number, params: unknown): MeasureParams {
  const given = params ?? {};
  if (typeof given !== "object" || Array.isArray(given)) throw badQuery(`the parameters of measure '${name}' are ${show(params)}; give an object such as {p: 0.5}`);
  const unknown = Object.keys(given).find((member) => !rules.some((rule) => rule === member));
  if (unknown !== undefined) throw badQuery(`measure '${name}' has a parameter '${unknown}'; '${op}' takes ${rules.length === 0 ? "none" : rules.join(", ")}`);
  const values = new Map<string, unknown>(Object.entries(given));
  const axesOf = (rule: ParamRule): readonly unknown[] => readAxes(name, rule, values.get(rule), axes);
  const checked: { -readonly [R in ParamRule]?: NonNullable<MeasureParams[R]> } = {};
  for (const rule of rules) {
    switch (rule) {
      case "k": checked.k = readWhole(name, rule, values.get(rule), topkMax); break;
      case "by": checked.by = readBy(name, values.get(rule)); break;
      case "p": checked.p = readBetween(name, rule, values.get(rule), 0, 1); break;
      case "error": checked.error = readBetween(name, rule, values.get(rule) ?? 0.01, errorLeast, 0.5); break;
      case "bins": checked.bins = readBins(name, axesOf(rule)); break;
      case "low": case "high": checked[rule] = axesOf(rule).map((end) => readEnd(name, rule, end)); break;
    }
  }
  requireAscending(name, checked);
  return checked;
}

/** One entry an axis: a list of that many, or one value for the only axis or all of them. */
function readAxes(name: string, rule: string, value: unknown, axes: number): readonly unknown[] {
  if (!Array.isArray(value)) return new Array<unknown>(axes).fill(value ?? null);
  if (value.length !== axes) throw badQuery(`'${rule}' of measure '${name}' has ${value.length} entries; give ${axes}, one for each column`);
  return value;
}

function readBins(name: string, bins: readonly unknown[]): number[] {
  const counts = bins.map((count) => readWhole(name, "bins", count ?? 10, binsMax));
  const total = counts.reduce((product, count) => product * count, 1);
  if (total > binsMax) throw badQuery(`measure '${name}' has ${total} bins; the limit is ${binsMax}`);
  return counts;
}

function readEnd(name: string, rule: string, end: unknown): Literal | null {
  if (end === null || end === undefined) return null;
  if (typeof end === "number" && Number.isFinite(end)) return end;
  if (typeof end === "string" || typeof end === "bigint") return end;
  if (end instanceof Date && !Number.isNaN(end.getTime())) return end.toISOString();
  throw badQuery(`'${rule}' of measure '${name}' is ${show(end)}; give a number, or a time as text or Date`);
}

function requireAscending(name: string, { low = [], high = [] }: MeasureParams): void {
  low.forEach((from, axis) => {
    const to = high[axis];
    if (typeof from === typeof to && from !== null && to !== null && to !== undefined && typeof from !== "string" && from >= to) {
      throw badQuery(`measure '${name}' goes from ${show(from)} to ${show(to)}; low is to be less than high`);
    }
  });
}

function readWhole(name: string, rule: string, value: unknown, most: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > most) {
    throw badQuery(`'${rule}' of measure '${name}' is ${showGiven(value)}; give a whole number from 1 to ${most}`);
  }
  return value;
}

function readBetween(name: string, rule: string, value: unknown, least: number, most: number): number {
  if (typeof value !== "number" || !(value >= least && value <= most)) throw badQuery(`'${rule}' of measure '${name}' is ${showGiven(value)}; give a number from ${least} to ${most}`);
  return value;
}

function showGiven(value: unknown): string {
  return value === undefined ? "missing" : show(value);
}

function readBy(name: string, value: unknown): "value" | "count" {
  if (value === undefined || value === "value") return "value";
  if (value === "count") return value;
  throw badQuery(`'by' of measure '${name}' is ${show(value)}; use 'value' or 'count'`);
}
