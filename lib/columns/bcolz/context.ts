/** What the columns of an open bcolz table have in common: their rows as raw bytes, cut as our chunks are. */
import { wallMs } from "../../base/clock.js";
import { BquerydError } from "../../base/errors.js";
import { chunkRows } from "../dtypes.js";
import { forEachRun } from "./chunk-reader.js";
import { dropDerived, type DerivedPlace } from "./derived-files.js";
import type { BcolzColumn, BcolzDirectory } from "./directory.js";
import type { RunReader } from "./runs.js";

/** One column in its table. */
export interface ColumnContext {
  readonly column: BcolzColumn;
  /** Chunks of 65,536 rows. */
  readonly chunkCount: number;
  readonly place: DerivedPlace;
  rowsOf(chunk: number): number;
  /** Reads the rows of a chunk. The reader throws CORRUPT_CHUNK, GENERATION_GONE, MEMORY_LIMIT, IO. */
  reader(chunk: number): RunReader;
  chunkKey(chunk: number): string;
  /** Bytes of the files whose rows begin in a chunk. */
  storedBytes(chunk: number): number;
  /** Whether what is derived is worth keeping, and sure to be of these files. */
  mayKeep(): boolean;
  /** Drops what was kept, and gives the error for a column that is not what it was. */
  changed(chunk: number): BquerydError;
  /** The error for a chunk that is wrong in the way the words say. */
  corrupt(chunk: number, wrong: string): BquerydError;
}

/** With fewer rows it takes no longer to derive it than to read it. */
const keptRowsMin = 32_768;
/** Times of files are no finer than this everywhere: a file so young may yet change and look the same, ms. */
const settledMs = 2_000;

/** The context of a column of a table. */
export function createContext(directory: BcolzDirectory, column: BcolzColumn): ColumnContext {
  const { name: table, generation } = directory;
  const place: DerivedPlace = { table: directory.path, generation, ordinal: column.ordinal, fingerprint: column.fingerprint };
  const isSettled = wallMs() - directory.changedMs >= settledMs;
  const rowsOf = (chunk: number) => Math.min(chunkRows, column.rows - chunk * chunkRows);
  return {
    column, place, rowsOf,
    chunkCount: Math.ceil(column.rows / chunkRows),
    reader: (chunk) => (use) => { forEachRun(directory, column, { start: chunk * chunkRows, end: chunk * chunkRows + rowsOf(chunk) }, use); },
    chunkKey: (chunk) => `bcolz/${directory.path}/${generation}/${column.ordinal}/${column.fingerprint}/${chunk}`,
    storedBytes(chunk) {
      const fileAt = (row: number) => Math.ceil(row / column.chunkLength);
      return column.chunks.slice(fileAt(chunk * chunkRows), fileAt((chunk + 1) * chunkRows)).reduce((sum, { bytes }) => sum + bytes, 0);
    },
    mayKeep: () => isSettled && column.rows >= keptRowsMin,
    changed(chunk) {
      dropDerived(place);
      return new BquerydError("GENERATION_GONE", `column '${column.name}' of ${table} is no longer what it was; ask again`, { details: { table, column: column.name, chunk } });
    },
    corrupt: (chunk, wrong) => new BquerydError("CORRUPT_CHUNK", `rows from ${chunk * chunkRows} on of column '${column.name}' in ${table} are damaged: ${wrong}; copy the table again from a good holder`, { details: { table, column: column.name, chunk } }),
  };
}
