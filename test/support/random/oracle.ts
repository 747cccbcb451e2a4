/** DuckDB as the oracle of random queries: the same rows, the same question in SQL, compared within stated bounds. */
import {
  DuckDBBlobValue, DuckDBDataChunk, DuckDBInstance, DuckDBListValue, BIGINT, BLOB, BOOLEAN, DOUBLE, UBIGINT, VARCHAR,
  type DuckDBConnection, type DuckDBType, type DuckDBValue,
} from "@duckdb/node-api";
import { isFloatDtype, wholeRange, type Dtype } from "../../../lib/columns/dtypes.js";
import type { Expression } from "../../../lib/engine/expressions/tree.js";
import type { Query } from "../../../lib/engine/query/query.js";
import { rowSpecs } from "../../../lib/engine/rows/columns.js";
import type { StoredValue } from "../read-table.js";
import { conditionSql, expressionSql, quoteName, type Columns, type TypedSql } from "./sql.js";
import { exactDtype, measureSql, type Ends, type MeasureSql } from "./sql-measures.js";
import type { FilledTable, RandomTable, Value } from "./tables.js";

/** An answer row by row: keys, then measures and computed ones in the order asked; and by how much each may differ. */
export interface Expected {
  readonly rows: readonly (readonly Value[])[];
  /** Of every value: the largest absolute difference allowed, NaN where nothing can be said. */
  readonly bounds: readonly (readonly number[])[];
}

/** A database that random tables are loaded into. */
export interface Oracle {
  load(table: FilledTable): Promise<void>;
  answer(table: RandomTable, query: Query): Promise<Expected>;
  /** Whether a whole number of the query leaves its dtype in some row of the table, or in some group. */
  overflows(table: RandomTable, query: Query): Promise<boolean>;
  drop(table: RandomTable): Promise<void>;
  close(): void;
}

const vectorRows = 2_048;

/** An empty in-memory database with one thread, so that its float sums do not vary. */
export async function openOracle(): Promise<Oracle> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  // It makes joins of long lists, one of which ends in an internal error of DuckDB 1.5.
  await connection.run("set disabled_optimizers = 'in_clause'");
  return {
    load: (table) => loadTable(connection, table),
    answer: (table, query) => (query.aggregate ? answerGroups(connection, table, query) : answerRows(connection, table, query)),
    overflows: (table, query) => overflows(connection, table, query),
    async drop({ name }) {
      await connection.run(`drop table ${quoteName(name)}`);
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** Whole numbers, days and nanoseconds are kept as they are; floats as DOUBLE. */
function typeOf(dtype: Dtype): DuckDBType {
  if (dtype === "bool") return BOOLEAN;
  if (dtype === "string") return VARCHAR;
  if (dtype === "bytes") return BLOB;
  if (isFloatDtype(dtype)) return DOUBLE;
  return dtype === "uint64" ? UBIGINT : BIGINT;
}

async function loadTable(connection: DuckDBConnection, table: FilledTable): Promise<void> {
  const columns = table.columns.map(({ name, dtype }) => `${quoteName(name)} ${typeOf(dtype).toString()}`);
  await connection.run(`create table ${quoteName(table.name)} (rid bigint, ${columns.join(", ")})`);
  const appender = await connection.createAppender(table.name);
  for (let start = 0; start < table.rows; start += vectorRows) {
    const rows = Math.min(vectorRows, table.rows - start);
    const chunk = DuckDBDataChunk.create([BIGINT, ...table.columns.map(({ dtype }) => typeOf(dtype))], rows);
    chunk.setColumnValues(0, Array.from({ length: rows }, (_, row) => BigInt(start + row)));
    table.values.forEach((values, place) => {
      chunk.setColumnValues(place + 1, values.slice(start, start + rows).map(toDuckDB));
    });
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
}

function toDuckDB(value: StoredValue): DuckDBValue {
  if (value instanceof Uint8Array) return new DuckDBBlobValue(value);
  return typeof value === "number" && Number.isNaN(value) ? null : value;
}

/** The parts of a query in SQL. */
interface Plan {
  /** The steps, each a named query over those before it; the last is `finished`. */
  readonly steps: string;
  readonly keys: readonly TypedSql[];
  readonly measures: readonly MeasureSql[];
  /** What is computed of rows, and of groups. */
  readonly ofRows: readonly TypedSql[];
  readonly ofGroups: readonly TypedSql[];
  /** The columns of the result by name, where they are exact. */
  readonly outputs: Columns;
}

async function answerGroups(connection: DuckDBConnection, table: RandomTable, query: Query): Promise<Expected> {
  const plan = planSql(table, query, await readEnds(connection, table, query));
  const having = query.having === null ? "" : `where ${conditionSql(query.having, plan.outputs)}`;
  const order = [...query.order.map(({ name, descending }) => `${plan.outputs(name).sql} ${descending ? "desc" : "asc"} nulls last`), ...plan.keys.map((_, key) => `k${key} asc nulls last`)];
  const sql = [
    plan.steps, "select * from finished", having, order.length === 0 ? "" : `order by ${order.join(", ")}`,
    query.limit === null ? "" : `limit ${query.limit}`, query.offset === 0 ? "" : `offset ${query.offset}`,
  ].join("\n");
  const found = await connection.runAndReadAll(sql);
  const places = new Map(found.columnNames().map((name, place) => [name, place]));
  const rows: Value[][] = [];
  const bounds: number[][] = [];
  for (const read of found.getRows()) {
    const valueAt = (name: string): Value => toValue(read[places.get(name)!]);
    const outputs = plan.measures.map((measure, m) => measure.finish(measure.results.map((_, part) => valueAt(`m${m}_${part}`))));
    query.computed.forEach(({ place }, c) => outputs.splice(place, 0, { value: valueAt(`c${c}`), bound: 0 }));
    rows.push([...plan.keys.map((_, key) => valueAt(`k${key}`)), ...outputs.map(({ value }) => value)]);
    bounds.push([...plan.keys.map(() => 0), ...outputs.map(({ bound }) => bound)]);
  }
  return { rows, bounds };
}

/** The selected rows themselves, in their order or in the one asked. */
async function answerRows(connection: DuckDBConnection, table: RandomTable, query: Query): Promise<Expected> {
  const specs = rowSpecs(query);
  const parts = specs.map(({ expr }) => expressionSql(expr, columnsOf(table)).sql);
  const where = query.where === null ? "true" : conditionSql(query.where, columnsOf(table));
  const order = query.order.map(({ name, descending }) => `o${specs.findIndex((spec) => spec.name === name)} ${descending ? "desc" : "asc"} nulls last`);
  const sql = [
    `with ${selectedSteps(table, query, where).join(",\n")}`,
    `select ${parts.map((part, place) => `${part} as o${place}`).join(", ")} from selected order by ${[...order, "rid"].join(", ")}`,
    query.limit === null ? "" : `limit ${query.limit}`, query.offset === 0 ? "" : `offset ${query.offset}`,
  ].join("\n");
  const rows = (await connection.runAndReadAll(sql)).getRows().map((row) => row.map(toValue));
  return { rows, bounds: rows.map((row) => row.map(() => 0)) };
}

async function overflows(connection: DuckDBConnection, table: RandomTable, query: Query): Promise<boolean> {
  if (!query.aggregate) return areRowsBeyond(connection, table, query);
  const plan = planSql(table, query, await readEnds(connection, table, query));
  const sums = query.measures.flatMap(({ op, inputs: [input] }, m): TypedSql[] => (op !== "sum" || input === undefined ? [] : [{ sql: `m${m}_0`, dtype: exactDtype("sum", expressionSql(input, columnsOf(table)).dtype) }]));
  const ofRows = `select ${anyBeyond(plan.ofRows)} from ${quoteName(table.name)}`;
  const ofGroups = `${plan.steps}\nselect ${anyBeyond([...plan.ofGroups, ...sums])} from finished`;
  try {
    for (const sql of [ofRows, ofGroups]) if ((await connection.runAndReadAll(sql)).getRows()[0]![0] === true) return true;
    return false;
  } catch (error) {
    // What leaves 128 bits leaves 64.
    if (error instanceof Error && /out of range|overflow/i.test(error.message)) return true;
    throw error;
  }
}

async function areRowsBeyond(connection: DuckDBConnection, table: RandomTable, query: Query): Promise<boolean> {
  const parts: TypedSql[] = [];
  for (const { expr } of rowSpecs(query)) expressionSql(expr, columnsOf(table), (part) => parts.push(part));
  if (query.where !== null) conditionSql(query.where, columnsOf(table), (part) => parts.push(part));
  return (await connection.runAndReadAll(`select ${anyBeyond(parts)} from ${quoteName(table.name)}`)).getRows()[0]![0] === true;
}

function anyBeyond(parts: readonly TypedSql[]): string {
  const tests = parts.flatMap(({ sql, dtype }) => {
    if (dtype === null || dtype === "string" || dtype === "bytes" || isFloatDtype(dtype) || dtype === "bool") return [];
    const { least, greatest } = wholeRange(dtype);
    return [`bool_or(${sql} < ${least}::hugeint or ${sql} > ${greatest}::hugeint)`];
  });
  return tests.length === 0 ? "bool_or(false)" : `coalesce(${tests.join(", false) or coalesce(")}, false)`;
}

function columnsOf(table: RandomTable): Columns {
  const byName = new Map(table.columns.map(({ name, dtype }) => [name, dtype]));
  return (name) => {
    const dtype = byName.get(name)!;
    const isPlain = dtype === "bool" || dtype === "string" || dtype === "bytes" || isFloatDtype(dtype);
    return { sql: isPlain ? quoteName(name) : `cast(${quoteName(name)} as hugeint)`, dtype };
  };
}

/** For every measure the least and greatest values of its inputs over the whole table, where a histogram has open ends. */
async function readEnds(connection: DuckDBConnection, table: RandomTable, query: Query): Promise<Ends[]> {
  return Promise.all(query.measures.map(async ({ inputs, params }) => {
    if (![...(params.low ?? []), ...(params.high ?? [])].includes(null)) return [];
    const ends = inputs.flatMap((input) => ["min", "max"].map((op) => `${op}(${expressionSql(input, columnsOf(table)).sql})`));
    const [row] = (await connection.runAndReadAll(`select ${ends.join(", ")} from ${quoteName(table.name)}`)).getRows();
    return inputs.map((_, axis) => [toValue(row![2 * axis]), toValue(row![2 * axis + 1])] as const);
  }));
}

function planSql(table: RandomTable, query: Query, ends: readonly Ends[]): Plan {
  const columns = columnsOf(table);
  const [ofRows, ofGroups]: [TypedSql[], TypedSql[]] = [[], []];
  const ofRow = (expr: Expression): TypedSql => expressionSql(expr, columns, (part) => ofRows.push(part));
  const keys = query.keys.map(({ expr }) => ofRow(expr));
  const inputs = query.measures.map((measure) => measure.inputs.map(ofRow));
  const where = query.where === null ? "true" : conditionSql(query.where, columns, (part) => ofRows.push(part));
  const named = inputs.map((own, m) => own.map(({ dtype }, i): TypedSql => ({ sql: `x${m}_${i}`, dtype })));
  const measures = query.measures.map((measure, m) => measureSql(measure, named[m]!, `r${m}`, ends[m]!));
  const outputs = outputColumns(query, keys, inputs, (part) => ofGroups.push(part));
  const taken = ["rid", ...keys.map(({ sql }, key) => `${sql} as k${key}`), ...inputs.flatMap((own, m) => own.map(({ sql }, i) => `${sql} as x${m}_${i}`))];
  const steps = [
    ...selectedSteps(table, query, where),
    `rows_taken as (select ${taken.join(", ")} from selected)`,
    ...runSteps(query),
    `grouped as (select ${[...keys.map((_, key) => `k${key}`), ...measures.flatMap(({ groups }, m) => groups.map((sql, part) => `${sql} as g${m}_${part}`)), "count(*) as group_rows"].join(", ")} from rows_numbered${keys.length === 0 ? "" : ` group by ${keys.map((_, key) => `k${key}`).join(", ")}`})`,
    `measured as (select ${[...keys.map((_, key) => `k${key}`), ...measures.flatMap(({ results }, m) => results.map((sql, part) => `${sql.replaceAll("$", `g${m}_`)} as m${m}_${part}`)), "group_rows"].join(", ")} from grouped)`,
    `finished as (select *${query.computed.map(({ expr }, c) => `, ${expressionSql(expr, outputs, (part) => ofGroups.push(part)).sql} as c${c}`).join("")} from measured)`,
  ];
  return { steps: `with ${steps.join(",\n")}`, keys, measures, ofRows, ofGroups, outputs };
}

/** The selected rows, by whole baskets where they are asked. */
function selectedSteps(table: RandomTable, { expand }: Query, where: string): string[] {
  const name = quoteName(table.name);
  if (expand === null) return [`selected as (select * from ${name} where ${where})`];
  const column = quoteName(expand);
  return [
    `starts as (select *, case when rid > 0 and ${column} is not distinct from lag(${column}) over (order by rid) then 0 else 1 end as is_start from ${name})`,
    "baskets as (select *, sum(is_start) over (order by rid rows unbounded preceding) as basket from starts)",
    `selected as (select * from baskets where basket in (select basket from baskets where ${where}))`,
  ];
}

/** Numbers the runs of equal values of every input of which runs are counted, nulls left out. */
function runSteps(query: Query): string[] {
  const counted = query.measures.flatMap(({ op }, m) => (op === "sorted_count_distinct" ? [m] : []));
  const window = (m: number): string => `over (partition by x${m}_0 is null order by rid rows unbounded preceding)`;
  return [
    `rows_linked as (select *${counted.map((m) => `, lag(x${m}_0) over (partition by x${m}_0 is null order by rid) as p${m}`).join("")} from rows_taken)`,
    `rows_numbered as (select *${counted.map((m) => `, sum(case when p${m} is distinct from x${m}_0 then 1 else 0 end) ${window(m)} as r${m}`).join("")} from rows_linked)`,
  ];
}

/** The columns of the result that conditions, order and arithmetic may name. */
function outputColumns(query: Query, keys: readonly TypedSql[], inputs: readonly (readonly TypedSql[])[], visit: (part: TypedSql) => void): Columns {
  const outputs = new Map<string, TypedSql>();
  query.keys.forEach(({ name }, key) => outputs.set(name, { sql: `k${key}`, dtype: keys[key]!.dtype }));
  query.measures.forEach(({ name, op }, m) => outputs.set(name, { sql: `m${m}_0`, dtype: exactDtype(op, inputs[m]![0]?.dtype ?? null) }));
  const find: Columns = (name) => outputs.get(name)!;
  query.computed.forEach(({ name, expr }, c) => outputs.set(name, { sql: `c${c}`, dtype: expressionSql(expr, find, visit).dtype }));
  return find;
}

function toValue(value: DuckDBValue | undefined): Value {
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  if (typeof value === "bigint" || typeof value === "string" || typeof value === "boolean") return value;
  if (value instanceof DuckDBBlobValue) return value.bytes;
  if (value instanceof DuckDBListValue) return value.items.map(toValue);
  throw new Error(`DuckDB gave a ${typeof value}`);
}
