/** Opening a table that Python's bcolz 1.x wrote: read-only, wherever a table is expected. */
import { resolve } from "node:path";
import { BquerydError } from "../../base/errors.js";
import { suggestion } from "../../base/nearest.js";
import { isTextDtype } from "../dtypes.js";
import type { Footer } from "../files/footer.js";
import type { RefusedColumn, Table, TableColumn } from "../read/table.js";
import { createContext } from "./context.js";
import { readBcolzDirectory, type BcolzDirectory } from "./directory.js";
import { openNumberColumn } from "./number-column.js";
import { openTextColumn } from "./text-column.js";
import { unitOf } from "./stored-dtype.js";

/**
 * Opens the table of bcolz in a directory as it is now. Blocks; for threads that may. A file that is changed while the
 * table is open makes reading it GENERATION_GONE. Throws GENERATION_GONE when another generation is asked for,
 * CORRUPT_FOOTER, UNSUPPORTED_FORMAT for a bare array.
 */
export function openBcolz(path: string, options: { generation?: string | undefined } = {}): Table {
  const directory = readBcolzDirectory(resolve(path));
  const { name, generation } = directory;
  if (options.generation !== undefined && options.generation !== generation) throw new BquerydError("GENERATION_GONE", `${name} has changed since generation ${options.generation}; ask again to use it as it is now`, { details: { table: name, generation: options.generation } });
  const closers: (() => void)[] = [];
  const columns = directory.columns.map((column) => {
    const context = createContext(directory, column);
    return isTextDtype(column.dtype) ? openTextColumn(context, (close) => closers.push(close)) : openNumberColumn(context);
  });
  const byName = new Map(columns.map((column) => [column.name, column]));
  return {
    name, path: resolve(path), generation, footer: footerOf(directory, columns), rows: directory.rows, columns,
    refused: directory.refused.length === 0 ? undefined : directory.refused,
    column(wanted) {
      const column = byName.get(wanted);
      if (column !== undefined) return column;
      const refused = directory.refused.find((candidate) => candidate.name === wanted);
      throw refused === undefined ? unknownColumn(directory, wanted) : refuseColumn(name, refused);
    },
    close() {
      for (const close of closers.splice(0)) close();
    },
  };
}

/** The error for a column that cannot be read. */
export function refuseColumn(table: string, { name, reason }: RefusedColumn): BquerydError {
  return new BquerydError("UNSUPPORTED_DTYPE", `column '${name}' of ${table} is ${reason}, which no dtype holds; leave it out, or convert it in Python`, { details: { table, column: name } });
}

function unknownColumn({ name, columns }: BcolzDirectory, wanted: string): BquerydError {
  const known = columns.map((column) => column.name);
  const shown = known.slice(0, 10).join(", ") + (known.length > 10 ? `, and ${known.length - 10} more` : "");
  return new BquerydError("UNKNOWN_COLUMN", `${name} has no column '${wanted}'${suggestion(wanted, known, `its columns are ${shown}`)}`, { details: { table: name, column: wanted } });
}

/** What a footer would say: a schema without files. */
function footerOf({ rows, columns }: BcolzDirectory, open: readonly TableColumn[]): Footer {
  return {
    format: "bqueryd", version: 1, rows, chunk_rows: 65_536, set: null, sort: null, dictionaries: [], files: [],
    columns: columns.map((column, at) => ({ name: column.name, dtype: column.dtype, nullable: open[at]!.nullable, unit: unitOf(column.stored), segments: [], dictionary: null })),
  };
}
