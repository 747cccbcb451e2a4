/** Random expressions as text: keys made from a column, and numbers. */
import type { Random } from "../../../lib/base/clock.js";
import { isFloatDtype } from "../../../lib/columns/dtypes.js";
import type { TermColumn } from "./conditions.js";
import { chance, oneOf, whole } from "./draw.js";
import type { RandomColumn } from "./tables.js";

type Column = TermColumn & RandomColumn;

/** An expression, and what kind of it is counted. */
export interface KeyExpression {
  readonly form: (typeof keyForms)[number];
  readonly text: string;
}

/** The forms that keys take besides columns. */
export const keyForms = ["date_trunc", "date_trunc in a zone", "time_bucket", "time_bucket in a zone", "part of a time", "time arithmetic", "bin", "arithmetic", "coalesce", "case", "text function"] as const;

const zones = ["Europe/Paris", "America/New_York", "Asia/Kolkata", "UTC"];
const units = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];
const parts = ["year", "quarter", "month", "week", "day", "isodow", "dayofyear", "hour", "minute", "second"];

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
    case "string": return { form: "text function", text: oneOf(random, [`substring(${name}, 1, 2)`, `length(${name})`, `concat('<', ${name})`, ...(shape === "words" ? [] : [`upper(${name})`])]) };
    case "bool": case "bytes": return undefined;
    default: break;
  }
  if (chance(random, 0.4)) return { form: "bin", text: isFloatDtype(dtype) ? `bin(${name}, ${oneOf(random, ["0.5", "1000.0, 1.0"])})` : `bin(${name}, ${oneOf(random, ["10", "1000, 3"])})` };
  return { form: "arithmetic", text: drawNumberExpression(random, column, columns) };
}

/** Arithmetic of a number column and others; whole numbers may leave their dtype. */
export function drawNumberExpression(random: Random, column: Column, columns: readonly Column[]): string {
  const { name } = column;
  const other = fellow(random, column, columns);
  const floats = ["floor", "round", "abs", "sign"].map((call) => `${call}(${name})`);
  return oneOf(random, [`${name} % 7`, `${name} + 1`, `${name} - ${other}`, `${name} * 2`, `${name} / 4`, `least(${name}, ${other})`, `greatest(${name}, ${other}, 5)`, `abs(${name}) % 10`, `-${name}`, ...floats, `CASE WHEN ${name} > ${other} THEN ${name} ELSE 0 END`]);
}

/** Whether the times of a column are in years of which every library knows the zones. */
export function isNearTime({ dtype, shape }: RandomColumn): boolean {
  return dtype === "timestamp" && (shape === "days" || shape === "seconds");
}

/** A key made from a column of times. */
export function drawTimeKey(random: Random, column: Column): KeyExpression {
  const { name } = column;
  const zone = isNearTime(column) && chance(random, 0.6) ? `, '${oneOf(random, zones)}'` : "";
  const form = (known: "date_trunc" | "time_bucket"): KeyExpression["form"] => (zone === "" ? known : `${known} in a zone`);
  // Hours of a zone are told apart by tests of their own: an hour that comes twice has one name.
  const usable = zone === "" ? units : units.slice(3);
  return oneOf<() => KeyExpression>(random, [
    () => ({ form: form("date_trunc"), text: `date_trunc('${oneOf(random, usable)}', ${name}${zone})` }),
    () => ({ form: form("time_bucket"), text: `time_bucket('${whole(random, 1, 9)} ${oneOf(random, usable)}s', ${name}${zone})` }),
    () => ({ form: "part of a time", text: `${oneOf(random, parts)}(${name}${zone})` }),
    () => ({ form: "time arithmetic", text: `${name} + 1` }),
  ])();
}

/** Another column of the same dtype, else the column itself. */
function fellow(random: Random, column: Column, columns: readonly Column[]): string {
  return oneOf(random, columns.filter(({ dtype }) => dtype === column.dtype)).name;
}
