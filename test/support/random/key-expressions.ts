/** Random expressions as text: keys made from a column, and numbers. */
import type { Random } from "../../../lib/base/clock.js";
import { formatDate, formatTimestamp } from "../../../lib/columns/moments.js";
import { isFloatDtype } from "../../../lib/columns/dtypes.js";
import { isFunctionName } from "../../../lib/engine/expressions/functions.js";
import type { TermColumn } from "./conditions.js";
import type { Coverage } from "./coverage.js";
import { chance, oneOf, whole } from "./draw.js";
import type { RandomColumn } from "./tables.js";

type Column = TermColumn & RandomColumn;

/** An expression, and what kind of it is counted. */
export interface KeyExpression {
  readonly form: (typeof keyForms)[number];
  readonly text: string;
}

/** An expression of times, and whether it gives a number or a time. */
export interface TimeExpression extends KeyExpression {
  readonly gives: "number" | "time";
}

/** The forms that keys take besides columns. */
export const keyForms = [
  "date_trunc", "date_trunc in a zone", "hours in a zone", "time_bucket", "time_bucket in a zone", "buckets of hours in a zone", "part of a time", "part of a time in a zone",
  "time arithmetic", "bin", "arithmetic", "coalesce", "case", "text function",
] as const;

/** The zones that times are read in. */
export const zones = ["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"] as const;
const units = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];
const parts = ["year", "quarter", "month", "week", "day", "dayofweek", "isodow", "dayofyear", "hour", "minute", "second"];

/** An expression that begins with a column; undefined where there is none for its dtype. */
export function drawKeyExpression(random: Random, column: Column, columns: readonly Column[]): KeyExpression | undefined {
  const { name, dtype, shape } = column;
  if (chance(random, 0.15)) return { form: "coalesce", text: `coalesce(${name}, ${fellow(random, column, columns)})` };
  if (chance(random, 0.1)) return { form: "case", text: `CASE WHEN ${name} IS NULL THEN 'none' WHEN ${name} >= ${fellow(random, column, columns)} THEN 'high' END` };
  switch (dtype) {
    case "timestamp": return drawTimeKey(random, column);
    // The calendar of DuckDB ends before ours.
    case "date": return shape === "month" || shape === "century" ? drawTimeKey(random, column) : undefined;
    // Letters of all scripts have cases that libraries differ in.
    case "string": return { form: "text function", text: oneOf(random, [`substring(${name}, 1, 2)`, `substring(${name}, 3)`, `length(${name})`, `concat('<', ${name}, '>')`, ...(shape === "words" ? [] : ["upper", "lower", "upper", "lower"].map((call) => `${call}(${name})`))]) };
    case "bytes": return { form: "text function", text: `length(${name})` };
    case "bool": return undefined;
    default: break;
  }
  if (chance(random, 0.4)) return { form: "bin", text: isFloatDtype(dtype) ? `bin(${name}, ${oneOf(random, ["0.5", "1000.0, 1.0"])})` : `bin(${name}, ${oneOf(random, ["10", "1000, 3"])})` };
  return { form: "arithmetic", text: drawNumberExpression(random, column, columns) };
}

/**
 * Arithmetic of a number column and others; whole numbers may leave their dtype. Libraries differ in the last digit of
 * logarithms and powers, which are rounded to fewer.
 */
export function drawNumberExpression(random: Random, column: Column, columns: readonly Column[]): string {
  const { name } = column;
  const other = fellow(random, column, columns);
  const floats = ["floor", "ceil", "round", "abs", "sign", "float", "sqrt"].map((call) => `${call}(${name})`);
  const curves = [`ln(${name})`, `log10(${name})`, `exp(${name} % 10)`, `power(${name} % 10, ${oneOf(random, ["3", "0.5", "0"])})`, `power(abs(float(${name})) + 1, -1)`].map((curve) => `round(${curve}, 4)`);
  if (chance(random, 0.4)) return oneOf(random, [...floats, ...curves, ...curves, `round(${name}, ${whole(random, 0, 15)})`]);
  return oneOf(random, [`${name} % 7`, `${name} + 1`, `${name} - ${other}`, `${name} * 2`, `${name} / 4`, `least(${name}, ${other})`, `greatest(${name}, ${other}, 5)`, `abs(${name}) % 10`, `-${name}`, `CASE WHEN ${name} > ${other} THEN ${name} ELSE 0 END`]);
}

/** Whether the times of a column are in years of which every library knows the zones. */
export function isNearTime({ dtype, shape }: RandomColumn): boolean {
  return (dtype === "timestamp" && (shape === "days" || shape === "seconds" || shape === "changes")) || (dtype === "date" && shape === "month");
}

/** A key made from a column of times. */
export function drawTimeKey(random: Random, column: Column): TimeExpression {
  const { name } = column;
  const zone = isNearTime(column) && chance(random, 0.7) ? `, '${oneOf(random, zones)}'` : "";
  const unit = oneOf(random, units);
  const isOfDay = zone !== "" && ["second", "minute", "hour"].includes(unit);
  return oneOf<() => TimeExpression>(random, [
    () => ({ form: zone === "" ? "date_trunc" : isOfDay ? "hours in a zone" : "date_trunc in a zone", text: `date_trunc('${unit}', ${name}${zone})`, gives: "time" }),
    () => ({ form: zone === "" ? "time_bucket" : isOfDay ? "buckets of hours in a zone" : "time_bucket in a zone", text: `time_bucket('${oneOf(random, [whole(random, 1, 9), 15, 30, 90])} ${unit}s', ${name}${zone})`, gives: "time" }),
    () => ({ form: zone === "" ? "part of a time" : "part of a time in a zone", text: `${oneOf(random, parts)}(${name}${zone})`, gives: "number" }),
    () => (chance(random, 0.3) ? { form: "time arithmetic", text: `epoch(${name})`, gives: "number" } : { form: "time arithmetic", text: oneOf(random, [`${name} + 1`, `date(${name})`, `timestamp(${name})`]), gives: "time" }),
  ])();
}

/** A literal that an expression of times is compared with, as it is written in JSON: of times one that occurs in the column. */
export function drawTimeLiteral(random: Random, { gives }: TimeExpression, { dtype, values }: Column): number | string {
  if (gives === "number") return whole(random, 0, 60);
  const value = values.length === 0 ? null : oneOf(random, values);
  if (typeof value !== "bigint") return "2016-03-27";
  return dtype === "date" ? formatDate(Number(value)) : formatTimestamp(value);
}

/** Counts the functions that a text calls, and the zones it names. */
export function countCalls(coverage: Coverage, text: string): void {
  for (const [, name] of text.matchAll(/([a-z_0-9]+)\(/g)) if (isFunctionName(name!)) coverage.count("function", name);
  for (const zone of zones) if (text.includes(`'${zone}'`)) coverage.count("zone", zone);
}

/** Another column of the same dtype, else the column itself. */
function fellow(random: Random, column: Column, columns: readonly Column[]): string {
  return oneOf(random, columns.filter(({ dtype }) => dtype === column.dtype)).name;
}
