/** DuckDB as the oracle of random queries: the same rows, the same question in SQL, compared within stated bounds. */
import { DuckDBDataChunk, DuckDBInstance, DuckDBTimestampNanosecondsValue, BIGINT, BOOLEAN, DOUBLE, TIMESTAMP_NS, VARCHAR, type DuckDBConnection, type DuckDBType, type DuckDBValue } from "@duckdb/node-api";
import type { Dtype } from "../../../lib/columns/dtypes.js";
import type { MeasureSpec } from "../../../lib/engine/measures.js";
import type { Query, Term } from "../../../lib/engine/query.js";
import type { RandomTable, Value } from "./tables.js";

/** An answer row by row: keys, then for each measure its value and the size by which a float may be off, else 0. */
export interface Expected {
  readonly rows: readonly (readonly Value[])[];
  /** By row and measure: largest absolute difference allowed. */
  readonly bounds: readonly (readonly number[])[];
}

/** A database that random tables are loaded into. */
export interface Oracle {
  load(table: RandomTable): Promise<void>;
  answer(table: RandomTable, query: Query): Promise<Expected>;
  close(): void;
}

const types: Record<Dtype, DuckDBType> = { bool: BOOLEAN, int64: BIGINT, float64: DOUBLE, string: VARCHAR, timestamp: TIMESTAMP_NS };
const vectorRows = 2_048;

/** An empty in-memory database with one thread, so that its float sums do not vary. */
export async function openOracle(): Promise<Oracle> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  return {
    load: (table) => loadTable(connection, table),
    answer: (table, query) => ask(connection, table, query),
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function loadTable(connection: DuckDBConnection, table: RandomTable): Promise<void> {
  const columns = table.columns.map(({ name, dtype }) => `${quote(name)} ${types[dtype].toString()}`);
  await connection.run(`create table ${quote(table.name)} (${columns.join(", ")})`);
  const appender = await connection.createAppender(table.name);
  for (let start = 0; start < table.rows; start += vectorRows) {
    const rows = Math.min(vectorRows, table.rows - start);
    const chunk = DuckDBDataChunk.create(table.columns.map(({ dtype }) => types[dtype]), rows);
    table.columns.forEach(({ dtype, values }, place) => { chunk.setColumnValues(place, values.slice(start, start + rows).map((value) => toDuckDB(dtype, value))); });
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
}

function toDuckDB(dtype: Dtype, value: Value): DuckDBValue {
  return dtype === "timestamp" && typeof value === "bigint" ? new DuckDBTimestampNanosecondsValue(value) : value;
}

async function ask(connection: DuckDBConnection, table: RandomTable, query: Query): Promise<Expected> {
  const dtypeOf = (name: string): Dtype => table.columns.find((column) => column.name === name)!.dtype;
  const keys = query.keys.map((key) => (dtypeOf(key) === "timestamp" ? `epoch_ns(${quote(key)})` : quote(key)));
  const measures = query.measures.flatMap((measure) => measureSql(measure, measure.column === "*" ? "int64" : dtypeOf(measure.column)));
  const where = query.where.map((term) => termSql(term, dtypeOf(term.column)));
  const sql = [
    `select ${[...keys, ...measures].join(", ")} from ${quote(table.name)}`,
    where.length === 0 ? "" : `where ${where.join(" and ")}`,
    keys.length === 0 ? "" : `group by ${query.keys.map(quote).join(", ")} order by ${query.keys.map((key) => `${quote(key)} asc nulls last`).join(", ")}`,
  ].join("\n");
  const rows = (await connection.runAndReadAll(sql)).getRows();
  return {
    rows: rows.map((row) => [...row.slice(0, keys.length), ...query.measures.map((_, k) => row[keys.length + 2 * k])].map(toValue)),
    bounds: rows.map((row) => query.measures.map((_, k) => Number(row[keys.length + 2 * k + 1] ?? 0))),
  };
}

/** The measure and its bound: 1e-12 of the sum of magnitudes for float sums, of their mean for means. */
function measureSql({ column, op }: MeasureSpec, dtype: Dtype): [string, string] {
  if (column === "*") return ["count(*)", "0"];
  const name = quote(column);
  const number = dtype === "bool" ? `cast(${name} as bigint)` : name;
  const wrap = dtype === "timestamp" ? (sql: string) => `epoch_ns(${sql})` : (sql: string) => sql;
  switch (op) {
    case "count": return [`count(${name})`, "0"];
    case "min": return [wrap(`min(${name})`), "0"];
    case "max": return [wrap(`max(${name})`), "0"];
    case "sum": return dtype === "float64" ? [finite(name, `fsum(${name})`), `1e-12 * fsum(abs(${name}))`] : [`sum(${number})`, "0"];
    case "mean": {
      const sum = dtype === "float64" ? finite(name, `fsum(${name})`) : `cast(sum(${number}) as double)`;
      return [`${sum} / count(${name})`, `1e-12 * fsum(abs(cast(${number} as double))) / count(${name})`];
    }
  }
}

/** Infinities first: opposite ones have no sum, which is a null here. */
function finite(name: string, sql: string): string {
  return `case when bool_or(${name} = 'inf') and bool_or(${name} = '-inf') then null when bool_or(${name} = 'inf') then 'inf'::double when bool_or(${name} = '-inf') then '-inf'::double else ${sql} end`;
}

function termSql(term: Term, dtype: Dtype): string {
  const literals = term.values.map((value) => literalSql(value, dtype));
  // A BIGINT would be compared with 0.5 as a double; DECIMAL holds both exactly.
  const isDecimal = dtype === "int64" && term.values.some((value) => typeof value === "number" && !Number.isInteger(value));
  const left = isDecimal ? `cast(${quote(term.column)} as decimal(38,10))` : quote(term.column);
  if (term.op === "in" || term.op === "not in") return `${left} ${term.op} (${literals.join(", ")})`;
  return `${left} ${term.op === "==" ? "=" : term.op} ${literals[0]}`;
}

function literalSql(value: Term["values"][number], dtype: Dtype): string {
  switch (dtype) {
    case "bool": return String(value);
    case "int64": return typeof value === "number" && !Number.isInteger(value) ? `cast('${value}' as decimal(38,10))` : `cast('${value}' as hugeint)`;
    case "float64": return `cast('${value}' as double)`;
    case "timestamp": return `cast('${String(value).replace("Z", "")}' as timestamp_ns)`;
    case "string": return `'${String(value).replaceAll("'", "''")}'`;
  }
}

function toValue(value: DuckDBValue | undefined): Value {
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  if (typeof value === "bigint" || typeof value === "string" || typeof value === "boolean") return value;
  throw new Error(`DuckDB gave a ${typeof value}`);
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
