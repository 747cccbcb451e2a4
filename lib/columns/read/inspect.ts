/** What is in a table, for people: per column how it is stored, and its extremes. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { formatHex } from "../../base/hex.js";
import { isBcolz, readBcolzDirectory } from "../bcolz/directory.js";
import { openBcolz } from "../bcolz/open.js";
import { readCurrent } from "../directory/current.js";
import { formatDate, formatTimestamp } from "../moments.js";
import { describeTable } from "./describe.js";
import { biasOf, isTextDtype, type Dtype } from "../dtypes.js";
import { widthOf, type Codec, type Encoding, type Filter } from "../files/encodings.js";
import type { Footer, FooterColumn, SetPlace } from "../files/footer.js";
import type { Extreme } from "../files/index.js";
import type { OpenColumn } from "./open-column.js";
import { openOwnTable } from "./open.js";
import type { ChunkStatistics, RefusedColumn, TableColumn } from "./table.js";
import { extremeBytesMax } from "../text-order.js";

/** A value as JSON can hold it: integers past 2^53 and infinities as text, times in ISO 8601, bytes in hexadecimal. */
export type Shown = number | string | boolean | null;

/** The extremes of a column, as statistics hold them. */
export interface Extremes {
  /** Null where every row is null, or where it is not known. */
  readonly minimum: Extreme | null;
  /** Whether the minimum is only known to be no less, as statistics keep 64 bytes of a text. */
  readonly isMinimumCut: boolean;
  readonly maximum: Extreme | null;
  /** Whether the maximum is only known to be no greater. */
  readonly isMaximumCut: boolean;
}

/** One column of an inspected table. */
export interface ColumnInspection extends Extremes {
  readonly name: string;
  readonly dtype: Dtype;
  /** What one step of a whole number is; null where nobody said. */
  readonly unit: string | null;
  readonly nullable: boolean;
  readonly rows: number;
  readonly chunks: number;
  /** How many chunks use each; empty for a table of bcolz. */
  readonly encodings: Readonly<Partial<Record<Encoding, number>>>;
  readonly filters: Readonly<Partial<Record<Filter, number>>>;
  readonly codecs: Readonly<Partial<Record<Codec, number>>>;
  /** Bytes on disk: chunks and index, and the dictionary where there is one. */
  readonly storedBytes: number;
  /** Bytes of the values as they are: the width of the dtype a row, for strings and bytes their own; null when not known. */
  readonly rawBytes: number | null;
  /** Whether rawBytes goes by the mean length of the values in the dictionary: no data is read. */
  readonly isRawEstimated: boolean;
  readonly nulls: number;
  /** Values in the dictionary, which all shards of an import share; null for a column without one. */
  readonly distinct: number | null;
}

/** A generation that a table keeps. */
export interface KeptGeneration {
  readonly id: string;
  /** When its footer was written, ms since 1970 by this machine's clock; null when that is gone. */
  readonly changedMs: number | null;
}

/** An inspected table. */
export interface TableInspection {
  readonly name: string;
  readonly generation: string;
  /** The one in use first. */
  readonly generations: readonly KeptGeneration[];
  readonly rows: number;
  readonly bytes: number;
  readonly changedMs: number;
  readonly set: SetPlace | null;
  readonly sort: string | null;
  readonly columns: readonly ColumnInspection[];
  /** Columns besides these that no dtype can hold. */
  readonly refused: readonly RefusedColumn[];
}

/**
 * Inspects the current generation of the table in a directory: from footer and indexes alone, one of bcolz by decoding
 * its columns where that was not done before. Throws as `openTable`, and for bcolz what decoding throws.
 */
export function inspectTable(path: string): TableInspection {
  return isBcolz(path) ? inspectBcolz(path) : inspectOwn(path);
}

function inspectOwn(path: string): TableInspection {
  const { name, generation, rows, bytes, changedMs } = describeTable(path);
  const table = openOwnTable(path, { generation });
  try {
    const { footer } = table;
    const generations = readCurrent(path, name).map((id) => ({ id, changedMs: statSync(join(path, `${id}.json`), { throwIfNoEntry: false })?.mtimeMs ?? null }));
    const columns = table.columns.map((column, at) => ({ ...contentOf(column, footer.columns[at]!.unit), ...ownStorage(column, footer.columns[at]!, footer) }));
    return { name, generation, generations, rows, bytes, changedMs, set: footer.set, sort: footer.sort, columns, refused: [] };
  } finally {
    table.close();
  }
}

function inspectBcolz(path: string): TableInspection {
  const { name, generation, rows, storedBytes, changedMs, columns: directories, refused } = readBcolzDirectory(path);
  const table = openBcolz(path, { generation });
  try {
    const columns = table.columns.map((column, at) => {
      const chunkBytes = directories[at]!.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0);
      return { ...contentOf(column, table.footer.columns[at]!.unit), ...bcolzStorage(column, chunkBytes) };
    });
    return { name, generation, generations: [{ id: generation, changedMs }], rows, bytes: storedBytes, changedMs, set: null, sort: null, columns, refused };
  } finally {
    table.close();
  }
}

type Storage = Pick<ColumnInspection, "encodings" | "filters" | "codecs" | "storedBytes" | "rawBytes" | "isRawEstimated" | "distinct">;

function contentOf(column: TableColumn, unit: string | null): Omit<ColumnInspection, keyof Storage> {
  const parts = Array.from({ length: column.chunkCount }, (_, chunk) => {
    const statistics = column.statistics(chunk);
    return { rows: statistics.rows, nulls: statistics.nullCount, ...extremesOf(statistics, column.dtype) };
  });
  return {
    name: column.name, dtype: column.dtype, unit, nullable: column.nullable, rows: column.rows, chunks: parts.length,
    nulls: parts.reduce((sum, part) => sum + part.nulls, 0),
    ...joinExtremes(parts),
  };
}

function ownStorage(column: OpenColumn, { segments, dictionary }: FooterColumn, footer: Footer): Storage {
  const records = Array.from({ length: column.chunkCount }, (_, chunk) => column.place(chunk).record);
  const entry = dictionary === null ? null : footer.dictionaries[dictionary]!;
  const besides = new Set([...segments.map((segment) => segment.index), ...(entry === null ? [] : [entry.file])]);
  const besidesBytes = footer.files.filter((file) => besides.has(file.name)).reduce((sum, file) => sum + file.bytes, 0);
  return {
    encodings: tally(records.map((record) => record.encoding)),
    filters: tally(records.map((record) => record.filter)),
    codecs: tally(records.map((record) => record.codec)),
    storedBytes: records.reduce((sum, record) => sum + record.storedBytes, besidesBytes),
    distinct: entry?.count ?? null,
    ...(isTextDtype(column.dtype) && entry === null ? { rawBytes: plainBytes(column), isRawEstimated: false } : rawSize(column, entry)),
  };
}

function bcolzStorage(column: TableColumn, storedBytes: number): Storage {
  const dictionary = column.dictionary();
  const entry = dictionary === null ? null : { count: dictionary.count, bytes: dictionary.offsets[dictionary.count]! };
  return { encodings: {}, filters: {}, codecs: {}, storedBytes, distinct: entry?.count ?? null, ...rawSize(column, entry) };
}

function rawSize(column: TableColumn, dictionary: { readonly count: number; readonly bytes: number } | null): Pick<Storage, "rawBytes" | "isRawEstimated"> {
  if (!isTextDtype(column.dtype)) return { rawBytes: column.rows * widthOf(column.dtype), isRawEstimated: false };
  if (dictionary === null) return { rawBytes: null, isRawEstimated: false };
  let values = 0;
  for (let chunk = 0; chunk < column.chunkCount; chunk++) values += column.statistics(chunk).rows - column.statistics(chunk).nullCount;
  return { rawBytes: Math.round(values * (dictionary.bytes / Math.max(1, dictionary.count))), isRawEstimated: dictionary.count > 1 };
}

/** The bytes of plain texts: what a chunk has besides them is its bitmap, and offsets. */
function plainBytes(column: OpenColumn): number {
  let bytes = 0;
  for (let chunk = 0; chunk < column.chunkCount; chunk++) {
    const { rawBytes, nullCount } = column.place(chunk).record;
    const { rows } = column.statistics(chunk);
    if (nullCount < rows) bytes += rawBytes - (nullCount === 0 ? 0 : Math.ceil(rows / 8)) - 4 * (rows + 1);
  }
  return bytes;
}

function tally<Name extends string>(names: readonly Name[]): Partial<Record<Name, number>> {
  const counts: Partial<Record<Name, number>> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** Rows with their extremes: of a chunk, or of a column in one shard. */
type Part = Pick<ColumnInspection, "rows" | "nulls" | keyof Extremes>;

/** The extremes of some parts together; a null where there is none, or where a part does not know its own. */
export function joinExtremes(parts: readonly Part[]): Extremes {
  const least = pickExtreme(parts, ({ minimum, isMinimumCut }) => [minimum, isMinimumCut], (order) => order < 0);
  const greatest = pickExtreme(parts, ({ maximum, isMaximumCut }) => [maximum, isMaximumCut], (order) => order > 0);
  return { minimum: least[0], isMinimumCut: least[1], maximum: greatest[0], isMaximumCut: greatest[1] };
}

function pickExtreme(parts: readonly Part[], extremeOf: (part: Part) => [Extreme | null, boolean], isBetter: (order: number) => boolean): [Extreme | null, boolean] {
  let best: Extreme | null = null;
  let isCut = false;
  for (const part of parts) {
    const [candidate, isCandidateCut] = extremeOf(part);
    if (candidate === null && part.nulls < part.rows) return [null, true];
    if (candidate === null) continue;
    const order = best === null ? undefined : compareExtremes(candidate, best);
    // A bound that is also a value is one.
    isCut = order === undefined || isBetter(order) ? isCandidateCut : isCut && (order !== 0 || isCandidateCut);
    if (order === undefined || isBetter(order)) best = candidate;
  }
  return [best, isCut];
}

/**
 * The extremes of a chunk. Statistics say that one of the two was cut, and not which. A minimum that was has all 64
 * bytes; a maximum may have fewer, if bytes 0xff had to go, which no string has.
 */
function extremesOf({ minimum, maximum, truncated }: ChunkStatistics, dtype: Dtype): Extremes {
  const isLong = (extreme: Extreme | null): boolean => extreme instanceof Uint8Array && extreme.length === extremeBytesMax;
  return { minimum, isMinimumCut: truncated && isLong(minimum), maximum, isMaximumCut: truncated && (dtype !== "string" || isLong(maximum)) };
}

function compareExtremes(a: Extreme, b: Extreme): number {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

/** An extreme of a column as people and JSON have it; of one that is cut what all its texts begin with, and an ellipsis. */
export function showExtreme(value: Extreme | null, dtype: Dtype, isCut: boolean): Shown {
  if (value === null) return null;
  if (value instanceof Uint8Array) return showText(value, dtype, isCut);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  switch (dtype) {
    case "bool": return value === 1n;
    case "timestamp": return formatTimestamp(value);
    case "date": return formatDate(Number(value));
    case "int8": case "int16": case "int32": case "int64": case "uint8": case "uint16": case "uint32": case "uint64": return showWhole(value + biasOf(dtype));
    case "float32": case "float64": case "string": case "bytes": throw new Error(`a whole number is no extreme of ${dtype}`);
  }
}

function showWhole(value: bigint): Shown {
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
}

/** The last byte of a cut maximum is raised, and a cut may split a character: both are left out. */
function showText(bytes: Uint8Array, dtype: Dtype, isCut: boolean): string {
  const shown = isCut ? bytes.subarray(0, bytes.length - 1) : bytes;
  if (dtype === "bytes") return `${formatHex(shown)}${isCut ? "…" : ""}`;
  const text = Buffer.from(shown).toString();
  return isCut ? `${text.replace(/\ufffd+$/, "")}…` : text;
}
