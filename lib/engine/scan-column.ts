/** A column as the scan of one shard sees it: one of the table's, or one computed from them chunk by chunk; and the runs of its values. */
import { chunkRows } from "../columns/dtypes.js";
import type { TableColumn } from "../columns/read/table.js";

/** What is known of a column before its rows are: of a computed one statistics are bounds, as narrow as they come cheap. */
export type ColumnFacts = Pick<TableColumn, "name" | "dtype" | "nullable" | "rows" | "chunkCount" | "statistics" | "dictionary">;

/** A column whose runs come from those of other columns. `name` is the text of its expression. */
export interface ComputedColumn extends ColumnFacts {
  /** The values of the selected rows of a chunk; good until the next chunk. */
  compute(input: ChunkInput): Run;
  /** Whether computing some row of a chunk may throw OVERFLOW. */
  mayFail(chunk: number): boolean;
}

export type ScanColumn = TableColumn | ComputedColumn;

/** The selected rows of the chunk at hand. */
export interface ChunkInput {
  /** Rows selected, at least 1. */
  readonly rows: number;
  readonly chunk: number;
  /** The column's selected values; decoded and gathered, or computed, at the first call of a chunk. */
  run(column: ScanColumn): Run;
}

/** A run of selected values of a column in kernel memory; `width` 8 ints are the int64 themselves, as in Vector. */
export interface Run {
  readonly kind: "int" | "float" | "code";
  readonly rows: number;
  readonly width: 1 | 2 | 4 | 8;
  readonly values: number;
  readonly base: bigint;
  readonly step: bigint;
  /** Of floats, as in Vector. */
  readonly exponent?: number | undefined;
  /** Bitmap of null rows, or 0. */
  readonly nulls: number;
  /** The int64 or code that null rows hold; their float is 0. */
  readonly nullValue: bigint;
}

/** Tells whether a column is computed. */
export function isComputed(column: ScanColumn): column is ComputedColumn {
  return "compute" in column;
}

/** Tells whether the values of some row of a chunk may be an error. */
export function mayFail(column: ScanColumn, chunk: number): boolean {
  return isComputed(column) && column.mayFail(chunk);
}

/** Chunks of a column: start inclusive, end exclusive. */
export interface ChunkRange {
  readonly start: number;
  readonly end: number;
}

/** Tells by the statistics whether some row of the chunks may be null; of a table's own column some row then is. */
export function mayBeNull(column: ScanColumn, { start, end }: ChunkRange = { start: 0, end: column.chunkCount }): boolean {
  if (!column.nullable) return false;
  for (let chunk = start; chunk < end; chunk++) if (column.statistics(chunk).nullCount > 0) return true;
  return false;
}

/** How rows are cut into chunks. */
export interface ChunkCut {
  readonly count: number;
  rowsOf(chunk: number): number;
}

/** The cut of a table: chunks of 65,536 rows, the last one shorter, unless it says otherwise. */
export function chunksOf({ rows, chunks }: { readonly rows: number; readonly chunks?: ChunkCut }): ChunkCut {
  return chunks ?? { count: Math.ceil(rows / chunkRows), rowsOf: (chunk) => Math.min(chunkRows, rows - chunk * chunkRows) };
}
