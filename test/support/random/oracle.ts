/** DuckDB as the oracle of random queries: the same rows, the same question in SQL, compared within stated bounds. */
import {
  DuckDBBlobValue, DuckDBDataChunk, DuckDBDateValue, DuckDBInstance, DuckDBTimestampNanosecondsValue,
  BIGINT, BLOB, BOOLEAN, DATE, DOUBLE, FLOAT, INTEGER, SMALLINT, TIMESTAMP_NS, TINYINT, UBIGINT, UINTEGER, USMALLINT, UTINYINT, VARCHAR,
  type DuckDBConnection, type DuckDBType, type DuckDBValue,
} from "@duckdb/node-api";
import { formatHex } from "../../../lib/base/hex.js";
import { isFloatDtype, type Dtype } from "../../../lib/columns/dtypes.js";
import { parseTimestamp } from "../../../lib/columns/moments.js";
import type { Condition, Expression, Term } from "../../../lib/engine/expressions/tree.js";
import type { MeasureSpec } from "../../../lib/engine/measures/measure.js";
import type { Literal } from "../../../lib/engine/query/literal.js";
import type { Query } from "../../../lib/engine/query/query.js";
import type { StoredValue } from "../read-table.js";
import type { FilledTable, RandomTable, Value } from "./tables.js";

/** An answer row by row: keys, then for each measure its value and the size by which a float may be off, else 0. */
export interface Expected {
  readonly rows: readonly (readonly Value[])[];
  /** By row and measure: largest absolute difference allowed. */
  readonly bounds: readonly (readonly number[])[];
}

/** A database that random tables are loaded into. */
export interface Oracle {
  load(table: FilledTable): Promise<void>;
  answer(table: RandomTable, query: Query): Promise<Expected>;
  close(): void;
}

const types: Record<Dtype, DuckDBType> = {
  bool: BOOLEAN, int8: TINYINT, int16: SMALLINT, int32: INTEGER, int64: BIGINT, uint8: UTINYINT, uint16: USMALLINT, uint32: UINTEGER, uint64: UBIGINT,
  float32: FLOAT, float64: DOUBLE, string: VARCHAR, timestamp: TIMESTAMP_NS, date: DATE, bytes: BLOB,
};
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

async function loadTable(connection: DuckDBConnection, table: FilledTable): Promise<void> {
  const columns = table.columns.map(({ name, dtype }) => `${quote(name)} ${types[dtype].toString()}`);
  await connection.run(`create table ${quote(table.name)} (${columns.join(", ")})`);
  const appender = await connection.createAppender(table.name);
  for (let start = 0; start < table.rows; start += vectorRows) {
    const rows = Math.min(vectorRows, table.rows - start);
    const chunk = DuckDBDataChunk.create(table.columns.map(({ dtype }) => types[dtype]), rows);
    table.columns.forEach(({ dtype }, place) => {
      chunk.setColumnValues(place, table.values[place]!.slice(start, start + rows).map((value) => toDuckDB(dtype, value)));
    });
    appender.appendDataChunk(chunk);
  }
  appender.closeSync();
}

function toDuckDB(dtype: Dtype, value: StoredValue): DuckDBValue {
  if (value instanceof Uint8Array) return new DuckDBBlobValue(value);
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  if (typeof value !== "bigint" || dtype === "int64" || dtype === "uint64") return value;
  if (dtype === "timestamp") return new DuckDBTimestampNanosecondsValue(value);
  return dtype === "date" ? new DuckDBDateValue(Number(value)) : Number(value);
}

async function ask(connection: DuckDBConnection, table: RandomTable, query: Query): Promise<Expected> {
  const dtypeOf = (name: string): Dtype => table.columns.find((column) => column.name === name)!.dtype;
  const names = query.keys.map(({ expr }) => columnOf(expr));
  const keys = names.map((key) => plain(quote(key), dtypeOf(key)));
  const measures = query.measures.flatMap((measure) => measureSql(measure, measure.inputs[0] === undefined ? "int64" : dtypeOf(columnOf(measure.inputs[0]))));
  const where = termsOf(query.where).map((term) => termSql(term, dtypeOf(columnOf(term.operand))));
  const sql = [
    `select ${[...keys, ...measures].join(", ")} from ${quote(table.name)}`,
    where.length === 0 ? "" : `where ${where.join(" and ")}`,
    keys.length === 0 ? "" : `group by ${names.map(quote).join(", ")} order by ${names.map((key) => `${quote(key)} asc nulls last`).join(", ")}`,
  ].join("\n");
  const rows = (await connection.runAndReadAll(sql)).getRows();
  return {
    rows: rows.map((row) => [...row.slice(0, keys.length), ...query.measures.map((_, k) => row[keys.length + 2 * k])].map(toValue)),
    bounds: rows.map((row) => query.measures.map((_, k) => Number(row[keys.length + 2 * k + 1] ?? 0))),
  };
}

/** A value in a type that is read as we hold it: whole numbers, days and ns as HUGEINT or BIGINT. */
function plain(sql: string, dtype: Dtype): string {
  switch (dtype) {
    case "bool": case "string": case "bytes": case "float64": case "int64": return sql;
    case "int8": case "int16": case "int32": case "uint8": case "uint16": case "uint32": case "uint64": return `cast(${sql} as hugeint)`;
    case "float32": return `cast(${sql} as double)`;
    case "timestamp": return `epoch_ns(${sql})`;
    case "date": return `cast(${sql} - date '1970-01-01' as bigint)`;
  }
}

/** The measure and its bound: 1e-12 of the sum of magnitudes for float sums, of their mean for means. */
function measureSql({ inputs: [input], op }: MeasureSpec, dtype: Dtype): [string, string] {
  if (input === undefined) return ["count(*)", "0"];
  const name = quote(columnOf(input));
  const number = dtype === "bool" ? `cast(${name} as bigint)` : plain(name, dtype);
  switch (op) {
    case "count": return [`count(${name})`, "0"];
    case "min": return [plain(`min(${name})`, dtype), "0"];
    case "max": return [plain(`max(${name})`, dtype), "0"];
    case "sum": return isFloatDtype(dtype) ? [finite(number, `fsum(${number})`), `1e-12 * fsum(abs(${number}))`] : [`sum(${number})`, "0"];
    case "mean": {
      const sum = isFloatDtype(dtype) ? finite(number, `fsum(${number})`) : `cast(sum(${number}) as double)`;
      return [`${sum} / count(${name})`, `1e-12 * fsum(abs(cast(${number} as double))) / count(${name})`];
    }
    default: throw new Error(`there is no SQL here for ${op}`);
  }
}

/** Infinities first: opposite ones have no sum, which is a null here. */
function finite(name: string, sql: string): string {
  return `case when bool_or(${name} = 'inf') and bool_or(${name} = '-inf') then null when bool_or(${name} = 'inf') then 'inf'::double when bool_or(${name} = '-inf') then '-inf'::double else ${sql} end`;
}

function termSql(term: Term, dtype: Dtype): string {
  const left = comparable(term, dtype);
  const literals = term.values.map((value) => literalSql(value, dtype));
  if (term.op === "in" || term.op === "not in") return `${left} ${term.op} (${literals.join(", ")})`;
  return `${left} ${term.op === "==" ? "=" : term.op} ${literals[0]}`;
}

/** The column in a type that holds its values and the literals exactly. */
function comparable(term: Term, dtype: Dtype): string {
  const name = quote(columnOf(term.operand));
  switch (dtype) {
    case "bool": case "string": case "bytes": case "timestamp": case "float64": return name;
    case "float32": return plain(name, dtype);
    // An instant may lie within a day.
    case "date": return `${plain(name, dtype)}::hugeint * ${86_400_000_000_000n}`;
    case "int8": case "int16": case "int32": case "int64": case "uint8": case "uint16": case "uint32": case "uint64": {
      const isDecimal = term.values.some((value) => typeof value === "number" && !Number.isInteger(value));
      // An integer would be compared with 0.5 as a double; DECIMAL holds both exactly.
      return isDecimal ? `cast(${name} as decimal(38,10))` : `cast(${name} as hugeint)`;
    }
  }
}

function literalSql(value: Literal, dtype: Dtype): string {
  const text = value instanceof Uint8Array ? formatHex(value) : String(value);
  switch (dtype) {
    case "bool": return text;
    case "int8": case "int16": case "int32": case "int64": case "uint8": case "uint16": case "uint32": case "uint64":
      return typeof value === "number" && !Number.isInteger(value) ? `cast('${text}' as decimal(38,10))` : `cast('${text}' as hugeint)`;
    case "float32": case "float64": return `cast('${text}' as double)`;
    case "timestamp": return `cast('${text.replace("Z", "")}' as timestamp_ns)`;
    case "date": return `cast('${parseTimestamp(text)}' as hugeint)`;
    case "string": return `'${text.replaceAll("'", "''")}'`;
    case "bytes": return `unhex('${text.slice(2)}')`;
  }
}

/** The column that an expression is. */
export function columnOf(expr: Expression): string {
  if (expr.kind !== "column") throw new Error(`there is no SQL here for a ${expr.kind}`);
  return expr.name;
}

/** The terms of a condition, all of which have to hold. */
export function termsOf(condition: Condition | null): readonly Term[] {
  const parts = condition === null ? [] : condition.kind === "and" ? condition.parts : [condition];
  return parts.map((part) => {
    if (part.kind !== "compare") throw new Error(`there is no SQL here for ${part.kind}`);
    return part;
  });
}

function toValue(value: DuckDBValue | undefined): Value {
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  if (typeof value === "bigint" || typeof value === "string" || typeof value === "boolean") return value;
  if (value instanceof DuckDBBlobValue) return value.bytes;
  throw new Error(`DuckDB gave a ${typeof value}`);
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
