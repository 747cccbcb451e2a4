/** Exporting tables to files of other formats: streamed, and whole or not at all. */
import type { Writable } from "node:stream";
import { monotonicMs } from "../../base/clock.js";
import { BquerydError } from "../../base/errors.js";
import { chunkRows } from "../../columns/dtypes.js";
import type { Batch } from "../../columns/dtypes.js";
import { takeOneSet, type FoundTable } from "../../columns/read/one-set.js";
import { openTable } from "../../columns/read/open.js";
import { readBatches, type ReadOptions } from "../../columns/read/batches.js";
import { createDecoder } from "../../columns/read/decoder.js";
import type { Table } from "../../columns/read/table.js";
import { throwIfAborted } from "../abort.js";
import { requireNoneOf, requireOutsideTables } from "../outside.js";
import { agreeOnExport } from "./columns.js";
import type { ExportColumn } from "./columns.js";
import { requireExportFormat } from "./formats.js";
import type { ExportFormat } from "./formats.js";
import type { RowEncoder } from "./encoder.js";
import { openSink } from "./sink.js";
import type { Sink } from "./sink.js";
import { gatherRows } from "../values/gather.js";
import { cutBatches, type SliceLimits } from "../values/slices.js";
import { writeBcolz } from "../bcolz/write.js";

/** What to export, and where to. */
export interface ExportOptions {
  /**
   * Directories of one table, or of the shards of a set in their order; or what finds them, and is asked again when the
   * set is replaced while it is opened.
   */
  readonly tables: readonly string[] | (() => Promise<readonly FoundTable[]>);
  /** The file, or for bcolz the directory; `-` is the standard output. */
  readonly output: string;
  /** Without it the extension of the output tells. */
  readonly format?: ExportFormat | undefined;
  /** Columns to export, in this order; all without it. */
  readonly columns?: readonly string[] | undefined;
  /** The rows of a chunk to export: a byte a row, 1 for those; null for all. All rows without it. */
  readonly select?: ((table: Table, chunk: number) => Uint8Array | null) | undefined;
  /** Take the place of a file of that name. */
  readonly replace?: boolean | undefined;
  /** What `-` is written to (default: that of the process). */
  readonly standardOutput?: Writable | undefined;
  /** Told after each piece of work of the rows read so far, and of all. */
  readonly onProgress?: ((rows: number, totalRows: number) => void) | undefined;
  /** Aborting it ends the export with CANCELLED and nothing written. */
  readonly signal?: AbortSignal | undefined;
}

/** What an export did. */
export interface ExportSummary {
  readonly rows: number;
  readonly bytes: number;
  readonly seconds: number;
}

/**
 * Exports tables into one file that appears whole when all is written. Memory: a few million values. Throws USAGE,
 * EXISTS, NOT_FOUND, SHARD_UNAVAILABLE, UNKNOWN_COLUMN, UNSUPPORTED_DTYPE, SCHEMA_MISMATCH, CANCELLED, DISK_FULL, IO, and what reading
 * tables throws; after any of them nothing is left.
 */
export async function exportTables(options: ExportOptions): Promise<ExportSummary> {
  const startMs = monotonicMs();
  const format = requireExportFormat(options);
  if (options.output !== "-") requireOutsideTables(options.output);
  const tables = await openAll(options);
  try {
    const columns = agreeOnExport(tables, options.columns);
    const written = format === "bcolz" ? await exportBcolz(tables, columns, options) : await exportFile(tables, columns, format, options);
    return { ...written, seconds: (monotonicMs() - startMs) / 1000 };
  } finally {
    for (const table of tables) table.close();
  }
}

/** Opens the tables, none of which the output may take the place of. */
async function openAll({ tables, output }: ExportOptions): Promise<Table[]> {
  const find = typeof tables === "function" ? tables : async () => tables.map((path) => ({ path }));
  const findOthers = async (): Promise<readonly FoundTable[]> => {
    const found = await find();
    if (output !== "-") requireNoneOf(output, found.map(({ path }) => path));
    return found;
  };
  // A long export may outlive the generation it reads.
  return takeOneSet(findOthers, { take: (path) => openTable(path, { pin: true }), setOf: ({ footer }) => footer.set, drop: (table) => { table.close(); } });
}

function exportBcolz(tables: readonly Table[], columns: readonly ExportColumn[], { output, select, replace, signal, onProgress }: ExportOptions): Promise<{ rows: number; bytes: number }> {
  if (output === "-") throw new BquerydError("USAGE", "bcolz is a directory and cannot go to standard output; name one");
  return writeBcolz({
    tables, columns: columns.map(({ name }) => name), select, output, replace, signal,
    onProgress: onProgress === undefined ? undefined : (values, total) => onProgress(Math.floor(values / columns.length), Math.floor(total / columns.length)),
  });
}

async function exportFile(tables: readonly Table[], columns: readonly ExportColumn[], format: Exclude<ExportFormat, "bcolz">, options: ExportOptions): Promise<{ rows: number; bytes: number }> {
  const sink = await openSink(options);
  try {
    const encoder = await encoders[format](columns, sink);
    const rows = await copyRows(tables, columns, encoder, options);
    await encoder.finish();
    throwIfAborted(options.signal, "export");
    await sink.commit();
    return { rows, bytes: sink.bytes };
  } catch (cause) {
    // The failure that led here is the one to tell, not what goes wrong in cleaning up after it.
    await sink.abort().catch(() => undefined);
    throw cause;
  }
}

type OpenEncoder = (columns: readonly ExportColumn[], sink: Sink) => Promise<RowEncoder>;

/** Libraries that few exports need are loaded with the first that does. */
const encoders: Readonly<Record<Exclude<ExportFormat, "bcolz">, OpenEncoder>> = {
  csv: async (columns, sink) => (await import("../csv/write.js")).openCsvEncoder(columns, sink, ","),
  tsv: async (columns, sink) => (await import("../csv/write.js")).openCsvEncoder(columns, sink, "\t"),
  ndjson: async (columns, sink) => (await import("../ndjson/write.js")).openNdjsonEncoder(columns, sink),
  parquet: async (columns, sink) => (await import("../parquet/write.js")).openParquetEncoder(columns, sink),
  arrow: async (columns, sink) => (await import("../arrow/write.js")).openArrowEncoder(columns, sink),
};

/** Values that are read at once. */
const valuesMax = 4_000_000;
/** What is handed on at once: texts may be long. */
const pieceLimits: SliceLimits = { rows: chunkRows, bytes: 16 * 1024 * 1024 };

async function copyRows(tables: readonly Table[], columns: readonly ExportColumn[], encoder: RowEncoder, { select, onProgress, signal }: ExportOptions): Promise<number> {
  const names = columns.map(({ name }) => name);
  const sliceRows = Math.max(1, Math.min(chunkRows, Math.floor(valuesMax / Math.max(1, columns.length))));
  const totalRows = tables.reduce((sum, table) => sum + table.rows, 0);
  const decoder = createDecoder();
  let read = 0;
  let written = 0;
  for (const table of tables) {
    for (const { mask, from, to } of slicesOf(table, select, sliceRows)) {
      throwIfAborted(signal, "export");
      let at = 0;
      for (const batches of mask?.includes(1) === false ? [] : piecesOf(table, names, { from, to, decoder })) {
        throwIfAborted(signal, "export");
        const end = at + (batches[0]?.rows ?? 0);
        const kept = mask === null ? batches : keepRows(batches, mask.subarray(at, end));
        await encoder.add(kept);
        written += kept[0]?.rows ?? 0;
        at = end;
      }
      read += to - from;
      onProgress?.(read, totalRows);
    }
  }
  return written;
}

function* piecesOf(table: Table, names: readonly string[], options: ReadOptions): Generator<readonly Batch[]> {
  for (const batches of readBatches(table, names, options)) yield* cutBatches(batches, pieceLimits);
}

interface Slice {
  /** Of the rows of the slice. */
  readonly mask: Uint8Array | null;
  readonly from: number;
  readonly to: number;
}

function* slicesOf(table: Table, select: ExportOptions["select"], sliceRows: number): Generator<Slice> {
  for (let start = 0; start < table.rows; start += chunkRows) {
    const mask = select?.(table, start / chunkRows) ?? null;
    const end = Math.min(table.rows, start + chunkRows);
    for (let from = start; from < end; from += sliceRows) {
      const to = Math.min(end, from + sliceRows);
      yield { mask: mask?.subarray(from - start, to - start) ?? null, from, to };
    }
  }
}

function keepRows(batches: readonly Batch[], mask: Uint8Array): readonly Batch[] {
  const rows = Uint32Array.from(mask.keys()).filter((row) => mask[row] === 1);
  if (rows.length === mask.length) return batches;
  const picks = { count: rows.length, from: new Uint32Array(rows.length), rows };
  return batches.map((batch) => gatherRows([batch], picks));
}
