/** What `inspect` shows: the inspections of shards joined into one, as text and as JSON. */
import { BquerydError } from "../base/errors.js";
import { formatBytes, formatCount, formatCounted } from "../base/quantities.js";
import { formatTable, type Align } from "../base/text-table.js";
import { displayWidth, escapeUnprintable, truncateToWidth } from "../base/text-width.js";
import { isNumericDtype } from "../client/cells.js";
import type { Dtype } from "../columns/dtypes.js";
import { joinExtremes, showExtreme, type ColumnInspection, type KeptGeneration, type TableInspection } from "../columns/read/inspect.js";

/** One table, or the shards of a set together. */
export interface Inspection {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
  readonly columns: readonly ColumnInspection[];
  /** The tables it is made of, in shard order. */
  readonly tables: readonly TableInspection[];
}

/**
 * Joins the inspection of one table, or those of shards of one set, which is then called by the name given. Throws
 * SCHEMA_MISMATCH for shards of different columns.
 */
export function joinInspections(setName: string, tables: readonly TableInspection[]): Inspection {
  const name = tables[0]!.set === null ? tables[0]!.name : setName;
  requireSameColumns(tables);
  const columns = tables[0]!.columns.map((_, index) => joinColumns(tables.map((table) => table.columns[index]!)));
  return { name, rows: sumOf(tables, ({ rows }) => rows), bytes: sumOf(tables, ({ bytes }) => bytes), columns, tables };
}

/** Shards that no import made one set of may differ. */
function requireSameColumns([first, ...others]: readonly TableInspection[]): void {
  const schemaOf = ({ columns }: TableInspection): string => JSON.stringify(columns.map(({ name, dtype }) => [name, dtype]));
  const other = others.find((table) => schemaOf(table) !== schemaOf(first!));
  if (other !== undefined) throw new BquerydError("SCHEMA_MISMATCH", `${other.name} has other columns than ${first!.name}; inspect them apart`, { details: { table: other.name } });
}

/** The lines that a person reads, at most `width` cells wide (80 at least), with a line end. */
export function formatInspection(inspection: Inspection, width: number): string {
  const { name, rows, bytes, columns, tables } = inspection;
  const shards = formatShards(tables[0]!.set, tables.length);
  const title = `${escapeUnprintable(name)}: ${formatCounted(rows, "row")}${shards}, ${formatCounted(columns.length, "column")}, ${formatBytes(bytes)}`;
  const cells = Math.max(lineWidthMin, width);
  return [title, ...formatHistory(tables), "", formatStorage(columns, cells), "", formatContent(columns, tables.length > 1, cells), ...formatRefused(tables, cells), ""].join("\n");
}

/**
 * The object that `--json` prints; sizes in bytes. `distinct` counts the values of the dictionary, which the shards of a
 * set share; it is null for a column without one. Of a truncated extreme `min` and `max` have the beginning and an ellipsis,
 * or nothing. `raw_estimated`: raw_bytes goes by the mean length of those values.
 */
export function inspectionToJson({ name, rows, bytes, columns, tables }: Inspection): object {
  return {
    name, rows, bytes,
    columns: columns.map((column) => ({
      name: column.name, dtype: column.dtype, unit: column.unit, nullable: column.nullable, chunks: column.chunks, encodings: column.encodings,
      filters: column.filters, codecs: column.codecs, stored_bytes: column.storedBytes, raw_bytes: column.rawBytes, raw_estimated: column.isRawEstimated,
      nulls: column.nulls, min: showExtreme(column.minimum, column.dtype, column.isMinimumCut), min_truncated: column.isMinimumCut,
      max: showExtreme(column.maximum, column.dtype, column.isMaximumCut), max_truncated: column.isMaximumCut, distinct: column.distinct,
    })),
    refused: tables[0]!.refused,
    tables: tables.map((table) => ({
      name: table.name, generation: table.generation, rows: table.rows, bytes: table.bytes, set: table.set, sort: table.sort,
      changed: new Date(table.changedMs).toISOString(),
      generations: table.generations.map(({ id, changedMs }) => ({ id, changed: changedMs === null ? null : new Date(changedMs).toISOString() })),
    })),
  };
}

function formatShards(set: TableInspection["set"], shown: number): string {
  if (set === null) return "";
  if (shown === set.count) return ` in ${formatCounted(shown, "shard")}`;
  return ` in shard ${set.index} (of ${formatCount(set.count)})`;
}

/** When it changed and what it is sorted by; of one table every generation that is kept. */
function formatHistory(tables: readonly TableInspection[]): string[] {
  const [first] = tables;
  const sorted = first!.sort === null ? [] : [`sorted by ${escapeUnprintable(first!.sort)}`];
  if (tables.length > 1) {
    const changedMs = Math.max(...tables.map((table) => table.changedMs));
    return [...sorted, `changed ${formatTime(changedMs)}`];
  }
  return [...sorted, ...first!.generations.map((generation, place) => formatGeneration(generation, place === 0))];
}

function formatRefused(tables: readonly TableInspection[], width: number): string[] {
  const lines = tables[0]!.refused.map(({ name, reason }) => truncateToWidth(`${escapeUnprintable(name)} is ${escapeUnprintable(reason)}, which no dtype holds`, width));
  return lines.length === 0 ? [] : ["", ...lines];
}

function formatGeneration({ id, changedMs }: KeptGeneration, isCurrent: boolean): string {
  const time = changedMs === null ? "" : ` of ${formatTime(changedMs)}`;
  return `${isCurrent ? "generation" : "kept before:"} ${id.slice(0, 12)}${time}`;
}

function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace("T", " ").replace(/\.\d+Z$/, "Z");
}

function joinColumns(parts: readonly ColumnInspection[]): ColumnInspection {
  const first = parts[0]!;
  const distinct = parts.map((part) => part.distinct);
  return {
    name: first.name, dtype: first.dtype, unit: first.unit,
    nullable: parts.some(({ nullable }) => nullable),
    rows: sumOf(parts, ({ rows }) => rows),
    chunks: sumOf(parts, ({ chunks }) => chunks),
    encodings: addCounts(parts.map(({ encodings }) => encodings)),
    filters: addCounts(parts.map(({ filters }) => filters)),
    codecs: addCounts(parts.map(({ codecs }) => codecs)),
    storedBytes: sumOf(parts, ({ storedBytes }) => storedBytes),
    rawBytes: parts.some(({ rawBytes }) => rawBytes === null) ? null : sumOf(parts, ({ rawBytes }) => rawBytes ?? 0),
    isRawEstimated: parts.some(({ isRawEstimated }) => isRawEstimated),
    nulls: sumOf(parts, ({ nulls }) => nulls),
    ...joinExtremes(parts),
    distinct: distinct.reduce((most, count) => (most === null || count === null ? null : Math.max(most, count))),
  };
}

function addCounts<Name extends string>(parts: readonly Readonly<Partial<Record<Name, number>>>[]): Partial<Record<Name, number>> {
  const sum: Partial<Record<Name, number>> = {};
  for (const counts of parts) for (const name of keysOf(counts)) sum[name] = (sum[name] ?? 0) + (counts[name] ?? 0);
  return sum;
}

function keysOf<Name extends string>(counts: Readonly<Partial<Record<Name, number>>>): Name[] {
  const keys: Name[] = [];
  for (const name in counts) keys.push(name);
  return keys;
}

function sumOf<T>(items: readonly T[], count: (item: T) => number): number {
  return items.reduce((sum, item) => sum + count(item), 0);
}

const lineWidthMin = 80;
const gapWidth = 2;
const nameWidthMin = 12;
/** Room for a timestamp of whole seconds. */
const extremeWidthFair = 20;
const barWidth = { min: 8, max: 40 };

/** Widths below which the columns of the first table are not cut, in the order in which they are. */
const storageWidthsMin = [["encoding", 11], ["column", nameWidthMin], ["dtype", 9], ["codec", 4]] as const;

/** Encoding, codec and sizes as far as they are known; a bar of the stored bytes where there is room for one. */
function formatStorage(columns: readonly ColumnInspection[], width: number): string {
  const sizes = columns.map(formatRaw);
  const all: { header: string; align: Align; cells: string[] }[] = [
    { header: "column", align: "left", cells: columns.map(({ name }) => name) },
    { header: "dtype", align: "left", cells: columns.map(formatDtype) },
    { header: "encoding", align: "left", cells: columns.map(({ encodings }) => byFrequency(encodings)) },
    { header: "codec", align: "left", cells: columns.map(({ codecs }) => byFrequency(codecs).replace("raw", "none")) },
    { header: "stored", align: "right", cells: columns.map(({ storedBytes }) => formatBytes(storedBytes)) },
    { header: "raw", align: "right", cells: sizes.map(([raw]) => raw) },
    { header: "ratio", align: "right", cells: sizes.map(([, ratio]) => ratio) },
  ];
  const shown = all.filter(({ cells }, place) => place === 0 || cells.some((cell) => cell !== ""));
  const headers = shown.map(({ header }) => header);
  const rows = columns.map((_, row) => shown.map(({ cells }) => cells[row]!));
  const align = shown.map((column) => column.align);
  const order = storageWidthsMin.map(([header, min]) => ({ column: headers.indexOf(header), min })).filter(({ column }) => column >= 0);
  const widths = shrink(naturalWidths(headers, rows), order, width);
  const room = Math.min(barWidth.max, width - totalWidth(widths) - gapWidth);
  if (room < barWidth.min) return formatTable(headers, rows, { align, cellWidthMax: widths });
  const largest = Math.max(1, ...columns.map(({ storedBytes }) => storedBytes));
  const withBars = rows.map((row, place) => [...row, formatBar(columns[place]!.storedBytes / largest, room)]);
  return formatTable([...headers, "share"], withBars, { align: [...align, "left"], cellWidthMax: [...widths, room] });
}

function formatContent(columns: readonly ColumnInspection[], isSet: boolean, width: number): string {
  const headers = ["column", "nulls", "distinct", "min", "max"];
  const rows = columns.map(({ name, nulls, distinct, dtype, minimum, isMinimumCut, maximum, isMaximumCut }) => [
    // The dictionary of a set may hold values that only another of its shards uses.
    name, formatCount(nulls), distinct === null ? "" : `${isSet ? "≤ " : ""}${formatCount(distinct)}`, formatExtreme(minimum, dtype, isMinimumCut), formatExtreme(maximum, dtype, isMaximumCut),
  ]);
  const numeric = columns.every(({ dtype }) => isNumericDtype(dtype)) ? "right" : "left";
  const natural = naturalWidths(headers, rows);
  const [nameWidth, nullsWidth, distinctWidth] = [Math.min(natural[0]!, Math.floor(width / 4)), natural[1]!, natural[2]!];
  const half = Math.max(extremeWidthFair, Math.floor((width - nameWidth - nullsWidth - distinctWidth - 4 * gapWidth) / 2));
  const widths = shrink(natural, [{ column: 4, min: half }, { column: 3, min: half }, { column: 0, min: nameWidthMin }, { column: 4, min: 12 }, { column: 3, min: 12 }], width);
  return formatTable(headers, rows, { align: ["left", "right", "right", numeric, numeric], cellWidthMax: widths });
}

function formatDtype({ dtype, unit }: ColumnInspection): string {
  return unit === null ? dtype : `${dtype} [${unit}]`;
}

/** The raw size and how many times it is the stored one. */
function formatRaw({ rawBytes, isRawEstimated, storedBytes }: ColumnInspection): [string, string] {
  if (rawBytes === null) return ["", ""];
  return [`${isRawEstimated ? "~" : ""}${formatBytes(rawBytes)}`, storedBytes === 0 ? "" : (rawBytes / storedBytes).toFixed(1)];
}

/** Names joined by +, the most frequent first. */
function byFrequency<Name extends string>(counts: Readonly<Partial<Record<Name, number>>>): string {
  return keysOf(counts).sort((a, b) => (counts[b] ?? 0) - (counts[a] ?? 0)).join("+");
}

function formatExtreme(value: ColumnInspection["minimum"], dtype: Dtype, isCut: boolean): string {
  if (typeof value === "number" && dtype === "float32") return shortest(value);
  return String(showExtreme(value, dtype, isCut) ?? "");
}

/** The shortest decimal that rounds to a float32. */
function shortest(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(value);
}

function naturalWidths(headers: readonly string[], rows: readonly (readonly string[])[]): number[] {
  return headers.map((header, column) => rows.reduce((widest, row) => Math.max(widest, displayWidth(escapeUnprintable(row[column]!))), header.length));
}

function totalWidth(widths: readonly number[]): number {
  return sumOf(widths, (width) => width) + gapWidth * (widths.length - 1);
}

/** Takes from one column after another, down to its least width, until a line fits. */
function shrink(natural: readonly number[], order: readonly { column: number; min: number }[], width: number): number[] {
  const widths = [...natural];
  for (const { column, min } of order) {
    const excess = totalWidth(widths) - width;
    if (excess > 0) widths[column] = Math.min(widths[column]!, Math.max(min, widths[column]! - excess));
  }
  return widths;
}

/** A bar of up to `width` cells, in steps of an eighth of a cell. */
function formatBar(share: number, width: number): string {
  const eighths = Math.max(1, Math.round(share * width * 8));
  const rest = eighths % 8;
  return "█".repeat(Math.floor(eighths / 8)) + (rest === 0 ? "" : ["▏", "▎", "▍", "▌", "▋", "▊", "▉"][rest - 1]!);
}
