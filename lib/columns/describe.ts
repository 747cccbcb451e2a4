/** A table in short, as other processes need to know it. */
import { statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { readCurrent } from "./current.js";
import type { Dtype } from "./dtypes.js";
import { currentName, type SetPlace } from "./footer.js";
import { readFooter } from "./open.js";

/** The current generation of a table. */
export interface TableDescription {
  /** Directory name. */
  readonly name: string;
  readonly generation: string;
  readonly rows: number;
  /** Of the files that its footer names. */
  readonly bytes: number;
  readonly set: SetPlace | null;
  readonly columns: { readonly name: string; readonly dtype: Dtype }[];
  /** When CURRENT was last replaced, ms since 1970 by this machine's clock. */
  readonly changedMs: number;
}

/**
 * Describes the table in a directory from CURRENT and the footer alone. Blocks shortly. Throws NOT_FOUND where there is
 * no table, CORRUPT_FOOTER, UNSUPPORTED_FORMAT, UNSUPPORTED_DTYPE.
 */
export function describeTable(path: string): TableDescription {
  const directory = resolve(path);
  const name = basename(directory);
  const generation = readCurrent(directory, name)[0]!;
  const footer = readFooter(directory, name, generation);
  return {
    name, generation, rows: footer.rows, set: footer.set,
    bytes: footer.files.reduce((sum, file) => sum + file.bytes, 0),
    columns: footer.columns.map((column) => ({ name: column.name, dtype: column.dtype })),
    changedMs: statSync(join(directory, currentName)).mtimeMs,
  };
}
