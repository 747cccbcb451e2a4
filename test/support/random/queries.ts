/** Random queries over a random table, as callers write them. */
import type { Random } from "../../../lib/base/clock.js";
import { dtypes } from "../../../lib/columns/dtypes.js";
import { functionNames } from "../../../lib/engine/expressions/functions.js";
import { measureOps } from "../../../lib/engine/query/measures.js";
import { exactDtype } from "./sql-measures.js";
import { drawCondition, plainOps, type TermColumn } from "./conditions.js";
import type { Coverage } from "./coverage.js";
import { chance, oneOf, someOf, whole } from "./draw.js";
import { countCalls, drawKeyExpression, drawNumberExpression, drawTimeKey, drawTimeLiteral, isNearTime, keyForms, zones } from "./key-expressions.js";
import { drawMeasure, type DrawnMeasure } from "./measures.js";
import { nullShares, type FilledTable, type RandomColumn } from "./tables.js";

/** A query as groupby takes it, but for its tables. */
export interface WrittenQuery {
  readonly keys: readonly (string | { readonly expr: string; readonly as: string })[];
  readonly measures: readonly unknown[];
  readonly where: readonly unknown[];
  readonly expand_filter_column?: string;
  readonly having?: readonly unknown[];
  readonly order?: readonly (string | readonly [string, "asc" | "desc"])[];
  readonly limit?: number;
  readonly offset?: number;
  readonly aggregate?: boolean;
  /** Asked of the table and of one that is not there. */
  readonly missing?: "empty";
  readonly partial?: "allow";
  readonly cache: boolean | "columns";
}

/** What a run has to make use of. */
export const wanted: Readonly<Record<string, readonly string[]>> = {
  dtype: dtypes,
  nulls: nullShares.map(nullName),
  measure: [...measureOps, "rows"],
  term: [...plainOps, "like", "not like", ...["==", "!=", "<", "<=", ">", ">="].map((op) => `${op} column`)],
  condition: ["and", "or", "not", "text", "expression"],
  key: ["column", ...keyForms],
  function: functionNames,
  zone: zones,
  option: ["having", "order", "limit", "offset", "expand_filter_column", "computed", "aggregate: false", "missing", "partial"],
  keys: ["0", "1", "2", "3", "4"],
  measures: ["0", "1", "2", "3", "4", "5"],
  terms: ["0", "1", "2", "3", "4"],
};

/** A column of the result that is exact, so that rows may be ordered and chosen by it. */
interface Output extends TermColumn {
  readonly isNumber: boolean;
}

/** A query that means something for the table's dtypes; what it makes use of is counted. */
export function drawQuery(random: Random, table: FilledTable, coverage: Coverage): WrittenQuery {
  const columns = table.columns.map((column, place) => ({ ...column, values: table.values[place]! }));
  const use = (column: RandomColumn): void => {
    coverage.count("dtype", column.dtype);
    coverage.count("nulls", nullName(column.nullShare));
  };
  const keyed = someOf(random, columns, oneOf(random, table.rows > 10_000 ? [0, 1, 1, 1, 2, 3, 4] : [0, 1, 1, 2, 2, 3, 4]));
  const keys = keyed.map((column, place) => drawKey(random, column, columns, place, coverage));
  const measured = Array.from({ length: whole(random, keys.length === 0 ? 1 : 0, 5) }, (_, place) => drawMeasure(random, columns, `m${place}`));
  measured.forEach(({ columns: used, op, text = "" }) => { used.forEach(use); coverage.count("measure", op); countCalls(coverage, text); });
  keyed.forEach(use);
  const outputs = [...keyed.flatMap((column, place): Output[] => (typeof keys[place] === "string" ? [{ ...column, isNumber: false }] : [])), ...outputsOf(measured)];
  const measures: unknown[] = measured.map(({ written }) => written);
  for (const computed of drawComputed(random, outputs, coverage)) measures.splice(whole(random, 0, measures.length), 0, computed);
  const where = drawWhere(random, columns, coverage);
  coverage.count("keys", String(keys.length));
  coverage.count("measures", String(measured.length));
  coverage.count("terms", String(where.length));
  return {
    keys, measures, where, cache: oneOf(random, [true, "columns", false]),
    ...drawExpand(random, columns, where.length > 0, coverage),
    ...drawRowsWanted(random, keys, outputs, coverage),
  };
}

/** What makes no difference where every shard is there. */
export function drawLeniency(random: Random, coverage: Coverage): Pick<WrittenQuery, "missing" | "partial"> {
  const drawn = { ...(chance(random, 0.15) ? { missing: "empty" as const } : {}), ...(chance(random, 0.15) ? { partial: "allow" as const } : {}) };
  for (const option of Object.keys(drawn)) coverage.count("option", option);
  return drawn;
}

/** A query for the rows themselves. */
export function drawRowQuery(random: Random, table: FilledTable, coverage: Coverage): WrittenQuery {
  const columns = table.columns.map((column, place) => ({ ...column, values: table.values[place]! }));
  const drawn = someOf(random, columns, whole(random, 1, 6));
  const keys = drawn.slice(0, whole(random, 0, 2)).map((column, place) => drawKey(random, column, columns, place, coverage));
  const plain = drawn.slice(keys.length).map(({ name }) => name);
  const number = oneOf(random, columns.filter(({ dtype }) => /int|float/.test(dtype)));
  const measures = [...plain, ...(plain.length === 0 || chance(random, 0.3) ? [{ expr: drawNumberExpression(random, number, columns), as: "computed" }] : [])];
  for (const measure of measures) if (typeof measure !== "string") countCalls(coverage, measure.expr);
  const where = drawWhere(random, columns, coverage);
  const names = [...keys.map((key) => (typeof key === "string" ? key : key.as)), ...plain];
  coverage.count("option", "aggregate: false");
  return {
    keys, measures, where, aggregate: false, cache: oneOf(random, [true, "columns", false]),
    ...(names.length > 0 && chance(random, 0.4) ? { order: someOf(random, names, 2).map((name) => [name, oneOf(random, ["asc", "desc"] as const)] as const) } : {}),
    ...(chance(random, 0.5) ? { limit: oneOf(random, [0, 1, 10, 2_000, 70_000]) } : {}), ...(chance(random, 0.2) ? { offset: oneOf(random, [1, 30, 66_000]) } : {}),
    ...drawExpand(random, columns, where.length > 0, coverage),
  };
}

function nullName(share: number): string {
  return `${share * 100} %`;
}

function drawKey(random: Random, column: TermColumn & RandomColumn, columns: readonly (TermColumn & RandomColumn)[], place: number, coverage: Coverage): string | { expr: string; as: string } {
  // Times of our days are what buckets and zones are for.
  const near = columns.filter(isNearTime);
  const drawn = near.length > 0 && chance(random, 0.15) ? drawTimeKey(random, oneOf(random, near)) : chance(random, 0.4) ? drawKeyExpression(random, column, columns) : undefined;
  coverage.count("key", drawn?.form ?? "column");
  countCalls(coverage, drawn?.text ?? "");
  return drawn === undefined ? column.name : { expr: drawn.text, as: `key ${place}` };
}

function outputsOf(measured: readonly DrawnMeasure[]): Output[] {
  return measured.flatMap(({ name, op, columns: [column], isPlain }): Output[] => {
    const dtype = op === "rows" ? "int64" : exactDtype(op, column!.dtype);
    if (dtype === null || !isPlain) return [];
    const isCount = op === "rows" || op.startsWith("count") || op === "sorted_count_distinct" || op === "sum";
    return [{ name, dtype, values: isCount ? [0n, 1n, 2n, 5n, 40n] : column!.values, isNumber: /int|float/.test(dtype) }];
  });
}

/** Arithmetic over measures. */
function drawComputed(random: Random, outputs: readonly Output[], coverage: Coverage): { expr: string; as: string }[] {
  const numbers = outputs.filter(({ isNumber }) => isNumber);
  if (numbers.length === 0 || chance(random, 0.7)) return [];
  coverage.count("option", "computed");
  const [a, b] = [oneOf(random, numbers).name, oneOf(random, numbers).name];
  return [{ expr: oneOf(random, [`${a} - ${b}`, `${a} * 2 + ${b}`, `${a} / ${b}`, `coalesce(${a}, 0) % 7`, `CASE WHEN ${a} > ${b} THEN ${a} ELSE -1 END`]), as: "computed" }];
}

function drawWhere(random: Random, columns: readonly (TermColumn & RandomColumn)[], coverage: Coverage): unknown[] {
  const count = oneOf(random, [0, 0, 1, 1, 1, 2, 2, 3, 4]);
  return Array.from({ length: count }, () => {
    if (chance(random, 0.15)) return drawWritten(random, columns, coverage);
    const term = drawCondition(random, columns, oneOf(random, [0, 0, 1, 2]), (op, dtype) => {
      coverage.count("term", op);
      coverage.count("dtype", dtype);
    });
    for (const kind of ["and", "or", "not"]) if (kind in term) coverage.count("condition", kind);
    return term;
  });
}

/** A term on an expression, or as text. */
function drawWritten(random: Random, columns: readonly (TermColumn & RandomColumn)[], coverage: Coverage): unknown {
  const { name, expr, literal } = drawCompared(random, columns);
  const op = oneOf(random, ["<", ">=", "!="]);
  countCalls(coverage, expr);
  if (chance(random, 0.5)) {
    coverage.count("condition", "expression");
    return [{ expr }, op, literal];
  }
  coverage.count("condition", "text");
  return `${expr} ${op} ${typeof literal === "number" ? literal : `'${literal}'`} OR NOT ${name} IS NULL`;
}

/** An expression of a column of numbers or times, and a literal beside its values. */
function drawCompared(random: Random, columns: readonly (TermColumn & RandomColumn)[]): { name: string; expr: string; literal: number | string } {
  const near = columns.filter(isNearTime);
  if (near.length > 0 && chance(random, 0.4)) {
    const column = oneOf(random, near);
    const drawn = drawTimeKey(random, column);
    return { name: column.name, expr: drawn.text, literal: drawTimeLiteral(random, drawn, column) };
  }
  const column = oneOf(random, columns.filter(({ dtype }) => /int|float/.test(dtype)));
  return { name: column.name, expr: drawNumberExpression(random, column, columns), literal: whole(random, -10, 100) };
}

function drawExpand(random: Random, columns: readonly TermColumn[], hasWhere: boolean, coverage: Coverage): Pick<WrittenQuery, "expand_filter_column"> {
  if (!hasWhere || !chance(random, 0.12)) return {};
  coverage.count("option", "expand_filter_column");
  return { expand_filter_column: oneOf(random, columns).name };
}

type RowsWanted = Pick<WrittenQuery, "having" | "order" | "limit" | "offset">;

function drawRowsWanted(random: Random, keys: WrittenQuery["keys"], outputs: readonly Output[], coverage: Coverage): RowsWanted {
  const drawn: { -readonly [K in keyof RowsWanted]: RowsWanted[K] } = {};
  if (outputs.length > 0 && chance(random, 0.2)) drawn.having = [drawCondition(random, outputs, oneOf(random, [0, 0, 1]), () => undefined)];
  const names = [...new Set([...keys.map((key) => (typeof key === "string" ? key : key.as)), ...outputs.map(({ name }) => name)])];
  if (names.length > 0 && chance(random, 0.3)) drawn.order = someOf(random, names, whole(random, 1, 3)).map((name) => (chance(random, 0.5) ? name : [name, oneOf(random, ["asc", "desc"] as const)]));
  if (chance(random, 0.25)) drawn.limit = oneOf(random, [0, 1, 3, 50, 1_000]);
  if (chance(random, 0.1)) drawn.offset = oneOf(random, [1, 2, 20]);
  for (const option of Object.keys(drawn)) coverage.count("option", option);
  return drawn;
}
