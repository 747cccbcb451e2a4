/** What `inspect` shows: the inspections of shards joined into one, as text and as JSON. */
import { formatBytes, formatCount } from "../base/quantities.js";
import { formatTable } from "../base/text-table.js";
import type { Dtype } from "../columns/dtypes.js";
import type { ColumnInspection, Shown, TableInspection } from "../columns/inspect.js";
import { compareText } from "../columns/text.js";

/** One table, or the shards of a set together. */
export interface Inspection {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
  readonly columns: readonly ColumnInspection[];
  /** The tables it is made of, in shard order. */
  readonly tables: readonly TableInspection[];
}

/** Joins the inspection of one table, or those of shards of one set, which is then called by the name given. */
export function joinInspections(setName: string, tables: readonly TableInspection[]): Inspection {
  const name = tables[0]!.set === null ? tables[0]!.name : setName;
  const columns = tables[0]!.columns.map((_, index) => tables.map((table) => table.columns[index]!).reduce(joinColumns));
  return { name, rows: sumOf(tables, ({ rows }) => rows), bytes: sumOf(tables, ({ bytes }) => bytes), columns, tables };
}

/** The lines that a person reads, at most 80 cells wide, with a line end. */
export function formatInspection({ name, rows, bytes, columns, tables }: Inspection): string {
  const shards = formatShards(tables[0]!.set, tables.length);
  const title = `${name}: ${formatCount(rows)} rows${shards}, ${formatCount(columns.length)} columns, ${formatBytes(bytes)}`;
  return `${title}\n\n${formatStorage(columns)}\n\n${formatContent(columns)}\n`;
}

/** The object that `--json` prints; sizes in bytes, the distinct values only where a dictionary counts them. */
export function inspectionToJson({ name, rows, bytes, columns, tables }: Inspection): object {
  return {
    name, rows, bytes,
    columns: columns.map((column) => ({
      name: column.name, dtype: column.dtype, nullable: column.nullable, chunks: column.chunks, encodings: column.encodings,
      filters: column.filters, codecs: column.codecs, stored_bytes: column.storedBytes, raw_bytes: column.rawBytes,
      nulls: column.nulls, min: column.minimum, max: column.maximum, distinct: column.distinct,
    })),
    tables: tables.map((table) => ({
      name: table.name, generation: table.generation, rows: table.rows, bytes: table.bytes, set: table.set, sort: table.sort,
      changed: new Date(table.changedMs).toISOString(),
    })),
  };
}

function formatShards(set: TableInspection["set"], shown: number): string {
  if (set === null) return "";
  if (shown === set.count) return ` in ${formatCount(shown)} ${shown === 1 ? "shard" : "shards"}`;
  return ` in shard ${set.index} (of ${formatCount(set.count)})`;
}

function joinColumns(a: ColumnInspection, b: ColumnInspection): ColumnInspection {
  return {
    name: a.name,
    dtype: a.dtype,
    nullable: a.nullable || b.nullable,
    chunks: a.chunks + b.chunks,
    encodings: addCounts(a.encodings, b.encodings),
    filters: addCounts(a.filters, b.filters),
    codecs: addCounts(a.codecs, b.codecs),
    storedBytes: a.storedBytes + b.storedBytes,
    rawBytes: a.rawBytes + b.rawBytes,
    nulls: a.nulls + b.nulls,
    minimum: extremeOf(a.dtype, a.minimum, b.minimum, -1),
    maximum: extremeOf(a.dtype, a.maximum, b.maximum, 1),
    distinct: a.distinct === null || b.distinct === null ? null : Math.max(a.distinct, b.distinct),
  };
}

function addCounts<Name extends string>(a: Readonly<Partial<Record<Name, number>>>, b: Readonly<Partial<Record<Name, number>>>): Partial<Record<Name, number>> {
  const sum: Partial<Record<Name, number>> = { ...a };
  for (const name of keysOf(b)) sum[name] = (sum[name] ?? 0) + (b[name] ?? 0);
  return sum;
}

function keysOf<Name extends string>(counts: Readonly<Partial<Record<Name, number>>>): Name[] {
  const keys: Name[] = [];
  for (const name in counts) keys.push(name);
  return keys;
}

/** The smaller of two shown values for direction -1, the larger for 1; null only when both are. */
function extremeOf(dtype: Dtype, a: Shown, b: Shown, direction: -1 | 1): Shown {
  if (a === null || b === null) return a ?? b;
  return compareShown(dtype, a, b) * direction >= 0 ? a : b;
}

function compareShown(dtype: Dtype, a: NonNullable<Shown>, b: NonNullable<Shown>): number {
  switch (dtype) {
    case "string": return compareText(String(a), String(b));
    // Without their Z, times in ISO 8601 order as text whatever the digits of their seconds.
    case "timestamp": return compareText(String(a).slice(0, -1), String(b).slice(0, -1));
    case "int64": return Number(BigInt(a) > BigInt(b)) - Number(BigInt(a) < BigInt(b));
    case "bool": case "float64": return Number(a) > Number(b) ? 1 : Number(a) < Number(b) ? -1 : 0;
  }
}

function sumOf(tables: readonly TableInspection[], count: (table: TableInspection) => number): number {
  return tables.reduce((sum, table) => sum + count(table), 0);
}

const lineWidth = 80;
const nameWidth = 16;
const barWidth = 6;

function formatStorage(columns: readonly ColumnInspection[]): string {
  const largest = Math.max(1, ...columns.map(({ storedBytes }) => storedBytes));
  const rows = columns.map((column) => [
    column.name, column.dtype, keysOf(column.encodings).join("+"), formatBytes(column.storedBytes), formatBytes(column.rawBytes),
    column.storedBytes === 0 ? "" : (column.rawBytes / column.storedBytes).toFixed(1), formatBar(column.storedBytes / largest),
  ]);
  return formatTable(["column", "dtype", "encoding", "stored", "raw", "ratio", "share"], rows, {
    align: ["left", "left", "left", "right", "right", "right", "left"],
    cellWidthMax: [nameWidth, 9, 17, 7, 7, 6, barWidth],
  });
}

function formatContent(columns: readonly ColumnInspection[]): string {
  const headers = ["column", "nulls", "distinct", "min", "max"];
  const rows = columns.map(({ name, nulls, distinct, minimum, maximum }) => [
    name, formatCount(nulls), distinct === null ? "" : formatCount(distinct), formatShown(minimum), formatShown(maximum),
  ]);
  const [, nullsWidth, distinctWidth] = headers.map((header, column) => Math.max(header.length, ...rows.map((row) => row[column]!.length)));
  const extremeWidth = Math.floor((lineWidth - nameWidth - nullsWidth! - distinctWidth! - 4 * 2) / 2);
  const numeric = columns.every(({ dtype }) => dtype === "int64" || dtype === "float64") ? "right" : "left";
  return formatTable(headers, rows, {
    align: ["left", "right", "right", numeric, numeric],
    cellWidthMax: [nameWidth, nullsWidth!, distinctWidth!, extremeWidth, extremeWidth],
  });
}

function formatShown(value: Shown): string {
  return value === null ? "" : String(value);
}

/** A bar of up to six cells, in steps of an eighth of a cell. */
function formatBar(share: number): string {
  const eighths = Math.max(1, Math.round(share * barWidth * 8));
  const rest = eighths % 8;
  return "█".repeat(Math.floor(eighths / 8)) + (rest === 0 ? "" : ["▏", "▎", "▍", "▌", "▋", "▊", "▉"][rest - 1]!);
}
