/** A table in short, as other processes need to know it. */
import { statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { wallMs } from "../../base/clock.js";
import { isBcolz, readBcolzDirectory, stampBcolz } from "../bcolz/directory.js";
import { notATable, readCurrent } from "../directory/current.js";
import type { Dtype } from "../dtypes.js";
import { currentName, type Footer, type SetPlace } from "../files/footer.js";
import { preparedName } from "../files/prepared.js";
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
 * Describes the table in a directory from CURRENT and the footer alone, one of bcolz from a look at its files. Blocks
 * shortly. Throws NOT_FOUND where there is no table, CORRUPT_FOOTER, UNSUPPORTED_FORMAT, UNSUPPORTED_DTYPE.
 */
export function describeTable(path: string): TableDescription {
  if (isBcolz(path)) return describeBcolz(path);
  const directory = resolve(path);
  const name = basename(directory);
  const generation = readCurrent(directory, name)[0]!;
  return { name, generation, ...describeFooter(readFooter(directory, name, generation)), changedMs: changedMsOf(directory) };
}

/** What a footer says of a table, in short. */
export function describeFooter(footer: Footer): Pick<TableDescription, "rows" | "bytes" | "set" | "columns"> {
  return {
    rows: footer.rows, set: footer.set, bytes: footer.files.reduce((sum, file) => sum + file.bytes, 0),
    columns: footer.columns.map((column) => ({ name: column.name, dtype: column.dtype })),
  };
}

/** When CURRENT was last replaced. Throws NOT_FOUND where there is none. */
export function changedMsOf(directory: string): number {
  const current = statSync(join(directory, currentName), { throwIfNoEntry: false });
  if (current === undefined) throw notATable(directory);
  return current.mtimeMs;
}

/** Bcolz may overwrite a chunk and change nothing else, which only a look at every file shows: one a minute, ms. */
const bcolzLookMs = 60_000;

/**
 * A text that changes when the table in a directory may have changed, had with a few looks at its files; empty when only
 * describing it tells. Undefined where there is no table. Throws what the system says of the directory.
 */
export function stampTable(path: string): string | undefined {
  const [current, prepared] = [stampFile(join(path, currentName)), stampFile(join(path, preparedName))];
  if (current !== undefined) return prepared === undefined ? current : `${current} ${prepared}`;
  if (!isBcolz(path)) return prepared === undefined ? undefined : `- ${prepared}`;
  const stamp = stampBcolz(path);
  return stamp === undefined ? "" : `${Math.floor(wallMs() / bcolzLookMs)} ${stamp}`;
}

function stampFile(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? undefined : `${found.mtimeNs}:${found.ino}:${found.size}`;
}

function describeBcolz(path: string): TableDescription {
  const { name, generation, rows, storedBytes, columns, changedMs } = readBcolzDirectory(path);
  return { name, generation, rows, set: null, bytes: storedBytes, columns: columns.map((column) => ({ name: column.name, dtype: column.dtype })), changedMs };
}
