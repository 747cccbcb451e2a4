/** An open table: one pinned generation of a table directory, read-only. */
import type { Heap } from "../../kernels/heap.js";
import type { Dtype } from "../dtypes.js";
import type { Dictionary } from "../files/dictionary.js";
import type { Footer } from "../files/footer.js";
import type { Vector } from "../vector.js";

/** Statistics of one chunk, from the index. Extremes are null when every row is null or, for text, unknown. */
export interface ChunkStatistics {
  readonly rows: number;
  readonly nullCount: number;
  /** Floats as number, texts as their bytes, all else as bigint: bool 0n or 1n, uint64 v - 2^63, date days, timestamp ns. */
  readonly minimum: bigint | number | Uint8Array | null;
  readonly maximum: bigint | number | Uint8Array | null;
  /** For texts: an extreme was cut; it prunes (minimum is a lower bound, maximum an upper bound), and answers nothing. */
  readonly truncated: boolean;
  /** Of float64: the vector of the chunk has an exponent, or all its rows are null. */
  readonly isDecimal?: boolean;
  /** Bytes on disk. */
  readonly storedBytes: number;
}

/** One column of an open table. What looks at chunks reads the index first and throws CORRUPT_FOOTER, GENERATION_GONE. */
export interface TableColumn {
  readonly name: string;
  readonly dtype: Dtype;
  readonly nullable: boolean;
  readonly rows: number;
  readonly chunkCount: number;
  /** Stable content key of a chunk, for caches: equal keys are equal chunks, in whatever table or generation. */
  chunkKey(chunk: number): string;
  statistics(chunk: number): ChunkStatistics;
  /** The dictionary, read and verified once; null for a column without one. Throws CORRUPT_DICTIONARY. */
  dictionary(): Dictionary | null;
  /**
   * Reads, verifies and decodes a chunk into the heap. With a dictionary every chunk gives `code`; a column of
   * texts without gives `text`. `allocate` gives memory or throws MEMORY_LIMIT. Throws CORRUPT_CHUNK, GENERATION_GONE.
   */
  decode(chunk: number, heap: Heap, allocate: (bytes: number) => number): Vector;
}

/** A column that is there and cannot be read. */
export interface RefusedColumn {
  readonly name: string;
  /** What it is, as words that follow "is": `of Python objects`. */
  readonly reason: string;
}

/** An open table; close() lets its generation go. */
export interface Table {
  /** As in the directory name: `taxi.bcolz`, `taxi-3.bcolzs`. */
  readonly name: string;
  readonly path: string;
  readonly generation: string;
  readonly footer: Footer;
  readonly rows: number;
  readonly columns: readonly TableColumn[];
  /** Columns besides these that no dtype can hold; absent when there are none. */
  readonly refused?: readonly RefusedColumn[] | undefined;
  /** The column of that name; throws UNKNOWN_COLUMN naming the nearest, UNSUPPORTED_DTYPE for one that is refused. */
  column(name: string): TableColumn;
  close(): void;
}

/** Tells by the statistics whether some row of a column is null. */
export function hasNullRows(column: TableColumn): boolean {
  if (!column.nullable) return false;
  for (let chunk = 0; chunk < column.chunkCount; chunk++) if (column.statistics(chunk).nullCount > 0) return true;
  return false;
}
