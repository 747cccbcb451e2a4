/** Parquet files for tests: written by DuckDB from SQL, or byte by byte where DuckDB cannot. */
import { writeFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { DuckDBBlobValue, DuckDBInstance } from "@duckdb/node-api";
import type { DuckDBValue } from "@duckdb/node-api";
import type { Dtype } from "../../lib/columns/dtypes.js";
import type { StoredValue } from "./read-table.js";

/** The rows of a DuckDB query, each an array of values, from a fresh database on one thread. */
export async function queryDuckDb(sql: string): Promise<DuckDBValue[][]> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRows();
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Writes the result of a query as a Parquet file; `options` are those of DuckDB's COPY. */
export async function writeParquet(path: string, select: string, options = ""): Promise<void> {
  await queryDuckDb(`COPY (${select}) TO '${path}' (FORMAT parquet${options === "" ? "" : `, ${options}`})`);
}

/** The values of columns as DuckDB reads them from what `FROM` names, in the plain form of a dtype that holds them. */
export async function readByDuckDb(from: string, columns: readonly { readonly name: string; readonly dtype: Dtype }[]): Promise<Map<string, StoredValue[]>> {
  const rows = await queryDuckDb(`SELECT ${columns.map(plainExpression).join(", ")} FROM ${from}`);
  return new Map(columns.map(({ name }, at) => [name, rows.map((row) => plainValue(row[at]!))]));
}

function plainExpression({ name, dtype }: { readonly name: string; readonly dtype: Dtype }): string {
  const column = `"${name.replaceAll('"', '""')}"`;
  switch (dtype) {
    case "bool": case "string": case "bytes": return column;
    case "float32": case "float64": return `${column}::DOUBLE`;
    case "timestamp": return `epoch_ns(${column})::HUGEINT`;
    case "date": return `(${column}::DATE - DATE '1970-01-01')::HUGEINT`;
    default: return `${column}::HUGEINT`;
  }
}

function plainValue(value: DuckDBValue): StoredValue {
  if (value instanceof DuckDBBlobValue) return Uint8Array.from(value.bytes);
  if (value === null || ["bigint", "number", "string", "boolean"].includes(typeof value)) return value as bigint | number | string | boolean | null;
  throw new Error(`a value of DuckDB that is not plain: ${String(value)}`);
}

/** A required column of a hand-made Parquet file with its values in the PLAIN encoding. */
export interface HandmadeColumn {
  readonly name: string;
  /** Number of the physical type in parquet.thrift: 2 is INT64, 3 INT96, 6 BYTE_ARRAY, 7 FIXED_LEN_BYTE_ARRAY. */
  readonly type: number;
  readonly typeBytes?: number;
  /** Number of the converted type: 0 is UTF8, 9 TIMESTAMP_MILLIS, 10 TIMESTAMP_MICROS, 14 UINT_64. */
  readonly convertedType?: number;
  /** Adds a checksum to its page: the right one, or one that is not. */
  readonly checksum?: "right" | "wrong";
  readonly values: Uint8Array;
}

/** Writes a Parquet file of one row group and one page a column; `claimedRows` is what its metadata says of the file. */
export function writeHandmadeParquet(path: string, rows: number, columns: readonly HandmadeColumn[], claimedRows = rows): void {
  const parts: Uint8Array[] = [Buffer.from("PAR1")];
  const chunks = columns.map((column) => {
    const offset = parts.reduce((sum, part) => sum + part.length, 0);
    const checksum = (crc32(column.values) | 0) ^ (column.checksum === "wrong" ? 1 : 0);
    const header = struct({ 1: i32(0), 2: i32(column.values.length), 3: i32(column.values.length), ...(column.checksum === undefined ? {} : { 4: i32(checksum) }), 5: struct({ 1: i32(rows), 2: i32(0), 3: i32(3), 4: i32(3) }) });
    parts.push(header.bytes, column.values);
    const bytes = i64(header.bytes.length + column.values.length);
    const facts = struct({ 1: i32(column.type), 2: list([i32(0)]), 3: list([text(column.name)]), 4: i32(0), 5: i64(rows), 6: bytes, 7: bytes, 9: i64(offset) });
    return struct({ 2: i64(offset), 3: facts });
  });
  const root = struct({ 4: text("schema"), 5: i32(columns.length) });
  const schema = list([root, ...columns.map(schemaElement)]);
  const group = struct({ 1: list(chunks), 2: i64(0), 3: i64(rows) });
  const metadata = struct({ 1: i32(1), 2: schema, 3: i64(claimedRows), 4: list([group]) });
  const length = Buffer.alloc(4);
  length.writeUInt32LE(metadata.bytes.length);
  writeFileSync(path, Buffer.concat([...parts, metadata.bytes, length, Buffer.from("PAR1")]));
}

function schemaElement({ name, type, typeBytes, convertedType }: HandmadeColumn): Thrift {
  return struct({
    1: i32(type),
    ...(typeBytes === undefined ? {} : { 2: i32(typeBytes) }),
    3: i32(0),
    4: text(name),
    ...(convertedType === undefined ? {} : { 6: i32(convertedType) }),
  });
}

/** A value in Thrift's compact protocol: its type number and its bytes. */
interface Thrift {
  readonly type: number;
  readonly bytes: Uint8Array;
}

function i32(value: number): Thrift {
  return { type: 5, bytes: varint(zigzag(value)) };
}

function i64(value: number): Thrift {
  return { type: 6, bytes: varint(zigzag(value)) };
}

function text(value: string): Thrift {
  const bytes = Buffer.from(value);
  return { type: 8, bytes: Buffer.concat([varint(BigInt(bytes.length)), bytes]) };
}

function list(items: readonly Thrift[]): Thrift {
  const type = items[0]?.type ?? 12;
  const head = items.length < 15 ? Buffer.from([(items.length << 4) | type]) : Buffer.concat([Buffer.from([0xf0 | type]), varint(BigInt(items.length))]);
  return { type: 9, bytes: Buffer.concat([head, ...items.map((item) => item.bytes)]) };
}

function struct(fields: Readonly<Record<number, Thrift>>): Thrift {
  let previous = 0;
  const parts = Object.entries(fields).map(([key, field]) => {
    const head = Buffer.from([((Number(key) - previous) << 4) | field.type]);
    previous = Number(key);
    return Buffer.concat([head, field.bytes]);
  });
  return { type: 12, bytes: Buffer.concat([...parts, Buffer.from([0])]) };
}

function zigzag(value: number): bigint {
  return BigInt(value) >= 0n ? BigInt(value) * 2n : BigInt(value) * -2n - 1n;
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return Uint8Array.from([...bytes, Number(rest)]);
}
