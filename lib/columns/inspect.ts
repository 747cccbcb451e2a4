/** What is in a table, for people: per column how it is stored, and its extremes. */
import { describeTable } from "./describe.js";
import type { Dtype } from "./dtypes.js";
import type { Codec, Encoding, Filter } from "./encodings.js";
import type { Footer, SetPlace } from "./footer.js";
import type { Extreme } from "./index-file.js";
import type { OpenColumn } from "./open-column.js";
import { openTable } from "./open.js";
import { extremeBytesMax } from "./text.js";
import { formatTimestamp } from "./timestamps.js";

/** A value as JSON can hold it: integers past 2^53 and infinities as text, timestamps in ISO 8601. */
export type Shown = number | string | boolean | null;

/** One column of an inspected table. */
export interface ColumnInspection {
  readonly name: string;
  readonly dtype: Dtype;
  readonly nullable: boolean;
  readonly chunks: number;
  /** How many chunks use each. */
  readonly encodings: Readonly<Partial<Record<Encoding, number>>>;
  readonly filters: Readonly<Partial<Record<Filter, number>>>;
  readonly codecs: Readonly<Partial<Record<Codec, number>>>;
  /** Bytes on disk: chunks and index, and the dictionary where there is one. */
  readonly storedBytes: number;
  /** The same before compression. */
  readonly rawBytes: number;
  readonly nulls: number;
  /** Null where every row is. Text longer than 64 bytes is cut and ends in an ellipsis. */
  readonly minimum: Shown;
  readonly maximum: Shown;
  /** Distinct values in the dictionary, which all shards of an import share; null for a column without one. */
  readonly distinct: number | null;
}

/** An inspected table, JSON-safe. */
export interface TableInspection {
  readonly name: string;
  readonly generation: string;
  readonly rows: number;
  readonly bytes: number;
  readonly changedMs: number;
  readonly set: SetPlace | null;
  readonly sort: string | null;
  readonly columns: readonly ColumnInspection[];
}

/** Inspects the current generation of the table in a directory, from footer and indexes alone. Throws as `openTable`. */
export function inspectTable(path: string): TableInspection {
  const { name, generation, rows, bytes, changedMs } = describeTable(path);
  const table = openTable(path, { generation });
  try {
    const { set, sort } = table.footer;
    return { name, generation, rows, bytes, changedMs, set, sort, columns: table.columns.map((column, at) => inspectColumn(column, at, table.footer)) };
  } finally {
    table.close();
  }
}

function inspectColumn(column: OpenColumn, at: number, footer: Footer): ColumnInspection {
  const records = Array.from({ length: column.chunkCount }, (_, chunk) => column.place(chunk).record);
  const { segments, dictionary } = footer.columns[at]!;
  const entry = dictionary === null ? undefined : footer.dictionaries[dictionary];
  const besides = new Set([...segments.map((segment) => segment.index), ...(entry === undefined ? [] : [entry.file])]);
  const besidesBytes = footer.files.filter((file) => besides.has(file.name)).reduce((sum, file) => sum + file.bytes, 0);
  const minimum = extreme(records.map((record) => record.minimum), (order) => order < 0);
  const maximum = extreme(records.map((record) => record.maximum), (order) => order > 0);
  return {
    name: column.name, dtype: column.dtype, nullable: column.nullable, chunks: records.length,
    encodings: tally(records.map((record) => record.encoding)),
    filters: tally(records.map((record) => record.filter)),
    codecs: tally(records.map((record) => record.codec)),
    storedBytes: records.reduce((sum, record) => sum + record.storedBytes, besidesBytes),
    rawBytes: records.reduce((sum, record) => sum + record.rawBytes, besidesBytes),
    nulls: records.reduce((sum, record) => sum + record.nullCount, 0),
    minimum: show(minimum, column.dtype), maximum: show(maximum, column.dtype),
    distinct: entry?.count ?? null,
  };
}

function tally<Name extends string>(names: readonly Name[]): Partial<Record<Name, number>> {
  const counts: Partial<Record<Name, number>> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

/** The extreme that `isBetter` picks among those of the chunks; null when there are none. */
function extreme(candidates: readonly (Extreme | null)[], isBetter: (order: number) => boolean): Extreme | null {
  return candidates.reduce((best, candidate) => (best === null || (candidate !== null && isBetter(compareExtremes(candidate, best))) ? candidate : best), null);
}

function compareExtremes(a: Extreme, b: Extreme): number {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

function show(value: Extreme | null, dtype: Dtype): Shown {
  if (value === null) return null;
  if (value instanceof Uint8Array) return showText(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (dtype === "bool") return value === 1n;
  if (dtype === "timestamp") return formatTimestamp(value);
  const exact = Number(value);
  return Number.isSafeInteger(exact) ? exact : String(value);
}

/** The last byte of a cut maximum is raised, and a cut may split a character: both are left out. */
function showText(bytes: Uint8Array): string {
  if (bytes.length < extremeBytesMax) return Buffer.from(bytes).toString();
  return `${Buffer.from(bytes.subarray(0, extremeBytesMax - 1)).toString().replace(/\ufffd+$/, "")}…`;
}
