/** Parquet files as a source of batches, one row group at a time. The reader is loaded when the first file is opened. */
import type { FileMetaData, RowGroup } from "hyparquet";
import { BquerydError, toBquerydError } from "../base/errors.js";
import type { Batch } from "../columns/dtypes.js";
import { throwIfAborted } from "./abort.js";
import { describeParquetColumn, withPlainTimestamps } from "./parquet-columns.js";
import type { ParquetColumn, RefusedColumn } from "./parquet-columns.js";
import { openParquetFile } from "./parquet-file.js";
import type { ParquetFile } from "./parquet-file.js";
import { gatherBatch } from "./parquet-values.js";
import type { Piece } from "./parquet-values.js";
import type { Source } from "./source.js";

interface OpenParquet {
  readonly path: string;
  readonly file: ParquetFile;
  readonly metadata: FileMetaData;
  readonly columns: readonly (ParquetColumn | RefusedColumn)[];
}

/**
 * Opens a Parquet file and reads its metadata; reading it later takes the memory of one row group of the columns read.
 * Throws NOT_FOUND for a missing file and BAD_INPUT for one that is not a whole and sound Parquet file.
 */
export async function openParquet(path: string): Promise<Source> {
  const file = await openParquetFile(path);
  try {
    const opened = await readMetadata(path, file);
    return {
      path,
      rows: Number(opened.metadata.num_rows),
      columns: opened.columns,
      read: (names, signal) => readRowGroups(opened, names, signal),
      close: () => file.close(),
    };
  } catch (cause) {
    await file.close();
    throw readFailure(path, "its metadata", cause);
  }
}

async function readMetadata(path: string, file: ParquetFile): Promise<OpenParquet> {
  const { parquetMetadataAsync, parquetSchema } = await import("hyparquet");
  // Statistics are not used, and those of texts may be cut inside a character.
  const metadata = await parquetMetadataAsync(file, { geoparquet: false, parsers: { stringFromBytes: () => "" } });
  const columns = parquetSchema(metadata).children.map(describeParquetColumn);
  checkMetadata(path, metadata, columns);
  return { path, file, metadata: withPlainTimestamps(metadata), columns };
}

function checkMetadata(path: string, { num_rows: rows, row_groups: groups }: FileMetaData, columns: OpenParquet["columns"]): void {
  const names = new Set(columns.map(({ name }) => name));
  if (names.size === 0) throw new BquerydError("BAD_INPUT", `${path} has no columns; nothing can be imported from it`, { details: { path } });
  if (names.size < columns.length) {
    throw new BquerydError("BAD_INPUT", `${path} has two columns of one name; rename one of them`, { details: { path } });
  }
  const groupRows = groups.reduce((sum, group) => sum + group.num_rows, 0n);
  if (groupRows !== rows || groups.some((group) => group.num_rows < 0n) || rows > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new BquerydError("BAD_INPUT", `${path} claims ${rows} rows and its row groups ${groupRows}; write it again`, { details: { path } });
  }
}

async function* readRowGroups(opened: OpenParquet, names: readonly string[], signal: AbortSignal | undefined): AsyncGenerator<readonly Batch[]> {
  const columns = names.map((name) => requireColumn(opened, name));
  for (const group of opened.metadata.row_groups) {
    if (group.num_rows === 0n) continue;
    const batches: Batch[] = [];
    for (const column of columns) {
      throwIfAborted(signal);
      batches.push(await readColumn(opened, group, column));
    }
    yield batches;
  }
}

function requireColumn({ path, columns }: OpenParquet, name: string): ParquetColumn {
  const column = columns.find((candidate) => candidate.name === name);
  if (column === undefined || !("dtype" in column)) throw new BquerydError("INTERNAL", `column '${name}' of ${path} is read but not held`);
  return column;
}

/** One column of one row group: only one is ever held as the objects that the reader makes of nullable values. */
async function readColumn({ path, file, metadata }: OpenParquet, group: RowGroup, column: ParquetColumn): Promise<Batch> {
  const [{ parquetRead }, { compressors }] = await Promise.all([import("hyparquet"), import("hyparquet-compressors")]);
  const pieces: Piece[] = [];
  try {
    await parquetRead({
      file,
      metadata: { ...metadata, row_groups: [group], num_rows: group.num_rows },
      columns: [column.name],
      compressors,
      parsers: { stringFromBytes: decodeUtf8, jsonFromBytes: decodeUtf8, timestampFromNanoseconds: (ns: bigint) => ns },
      onChunk: ({ columnData }) => pieces.push(columnData),
    });
    const batch = gatherBatch({ ...column, path }, pieces);
    if (BigInt(batch.rows) !== group.num_rows) throw new Error(`${batch.rows} values for ${group.num_rows} rows`);
    return batch;
  } catch (cause) {
    throw readFailure(path, `column '${column.name}'`, cause);
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeUtf8(bytes: Uint8Array): string {
  return utf8.decode(bytes);
}

/** The reader throws plain errors for damaged files; failures of the disk and our own stay what they are. */
function readFailure(path: string, place: string, cause: unknown): BquerydError {
  const known = toBquerydError(cause, `read ${path}`);
  if (known.code !== "INTERNAL") return known;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BquerydError("BAD_INPUT", `cannot read ${place} of ${path} (${reason}); write or copy the file again`, { details: { path }, cause });
}
