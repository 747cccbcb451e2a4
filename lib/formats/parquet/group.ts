/** A row group of a Parquet file, read some rows at a time: memory is that of a page and a dictionary a column. */
import { BquerydError, toBquerydError } from "../../base/errors.js";
import type { Dtype } from "../../columns/dtypes.js";
import type { Converted } from "../values/convert.js";
import { openChunk } from "./chunk.js";
import type { ChunkReader } from "./chunk.js";
import type { ParquetColumn } from "./columns.js";
import { createInterpreter, timeOutOfRange } from "./meaning.js";
import type { Interpreter } from "./meaning.js";
import type { ChunkPlace } from "./pages.js";
import { TimeOutOfRange } from "./values.js";
import { siftRows } from "../values/rejecting.js";
import type { Sifted } from "../values/rejecting.js";

/** A column of a row group as it is to be read. */
export interface PlannedColumn {
  readonly column: ParquetColumn;
  /** What its values are to become. */
  readonly dtype: Dtype;
  readonly place: ChunkPlace;
}

/** What is to be read of a row group. It can be sent to another thread. */
export interface GroupPlan {
  readonly path: string;
  /** Number of the row group, from 0. */
  readonly index: number;
  /** Number of its first row in the file, from 0. */
  readonly firstRow: number;
  readonly rows: number;
  /** Bytes of its columns before compression, as the file claims. */
  readonly rawBytes: number;
  /** Rows of a part; the last one may have fewer. */
  readonly partRows: number;
  readonly columns: readonly PlannedColumn[];
}

/** The most that the pages, dictionaries and texts at hand may take. */
export const groupBytesMax = 512 * 1024 * 1024;

const windowBytesMax = 1024 * 1024;
const windowBytesMin = 16 * 1024;
const windowsBytesMax = 64 * 1024 * 1024;

/** Parts of a row group. */
export function countParts({ rows, partRows }: GroupPlan): number {
  return Math.ceil(rows / partRows);
}

/** A row group that is being read. */
export interface GroupReader {
  /** The next part. Throws BAD_INPUT for damaged content, OVERFLOW, MEMORY_LIMIT. */
  read(): Sifted;
  /** The most that pages, dictionaries and texts took so far, bytes. */
  heldBytes(): number;
}

/** Opens a row group to read its parts in order; `read` gives exactly those bytes of the file. */
export function openGroup(plan: GroupPlan, read: (start: number, bytes: number) => Uint8Array): GroupReader {
  const { reserve, heldBytes } = createBudget(plan);
  const windowBytes = Math.max(windowBytesMin, Math.min(windowBytesMax, Math.floor(windowsBytesMax / plan.columns.length)));
  const readers = plan.columns.map((planned, at) => openColumn(planned, { read, windowBytes, reserve: (bytes) => reserve(at, bytes) }));
  const names = plan.columns.map(({ column }) => column.name);
  let row = 0;
  return {
    heldBytes,
    read() {
      const rows = Math.min(plan.partRows, plan.rows - row);
      const columns = readers.map(({ reader, interpret }, at) => orFail(plan, at, () => {
        const converted = interpret(reader.read(rows), rows);
        if (row + rows === plan.rows) reader.finish();
        return converted;
      }));
      const sifted = siftRows(names, columns, rows, plan.firstRow + row + 1);
      row += rows;
      return sifted;
    },
  };
}

function openColumn({ column, dtype, place }: PlannedColumn, tools: Parameters<typeof openChunk>[2]): { reader: ChunkReader; interpret: Interpreter } {
  return { reader: openChunk(place, column.type, tools), interpret: createInterpreter(column, dtype) };
}

function createBudget({ path, index, columns }: GroupPlan): { reserve: (column: number, bytes: number) => void; heldBytes: () => number } {
  const held = new Float64Array(columns.length);
  let total = 0;
  let most = 0;
  return {
    heldBytes: () => most,
    reserve(column, bytes) {
      total += bytes - held[column]!;
      held[column] = bytes;
      most = Math.max(most, total);
      if (total > groupBytesMax) throw tooLarge(path, index, total);
    },
  };
}

/** The error for a row group that takes more memory than there is for it. */
export function tooLarge(path: string, index: number, bytes: number): BquerydError {
  const message = `row group ${index} of ${path} takes ${bytes} bytes of memory; write it with smaller row groups, or import fewer columns at once`;
  return new BquerydError("MEMORY_LIMIT", message, { details: { path, rowGroup: index, bytes } });
}

function orFail(plan: GroupPlan, at: number, read: () => Converted): Converted {
  try {
    return read();
  } catch (cause) {
    throw columnFailure(plan, plan.columns[at]!.column.name, cause);
  }
}

/** What reads bytes throws plain errors for damaged ones; failures of the disk and our own stay what they are. */
function columnFailure({ path, index }: GroupPlan, column: string, cause: unknown): BquerydError {
  if (cause instanceof TimeOutOfRange) return timeOutOfRange(path, column);
  const known = toBquerydError(cause, `read ${path}`);
  if (known.code !== "INTERNAL") return known;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `column '${column}' of ${path} is damaged in row group ${index} (${reason}); write or copy the file again`;
  return new BquerydError("BAD_INPUT", message, { details: { path, column, rowGroup: index }, cause });
}
