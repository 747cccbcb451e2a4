/** Opening a table: one generation pinned, its columns read on demand with blocking calls. */
import { basename, join, resolve } from "node:path";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError, readAtMost } from "../../base/files.js";
import { limits } from "../../base/limits.js";
import { suggestion } from "../../base/nearest.js";
import { isBcolz } from "../bcolz/directory.js";
import { openBcolz } from "../bcolz/open.js";
import { readCurrent } from "../directory/current.js";
import { decodeFooter, corruptFooter, type Footer } from "../files/footer.js";
import { readPrepared } from "../files/prepared.js";
import { openColumn, type OpenColumn } from "./open-column.js";
import { pinGeneration } from "../directory/pins.js";
import { openTableFiles } from "./table-files.js";
import type { Table } from "./table.js";

/** An open table with what inspection looks at besides. */
export interface OpenTable extends Table {
  readonly columns: readonly OpenColumn[];
}

/** How to open a table. */
export interface OpenOptions {
  /** The generation to read; the current one without it. */
  readonly generation?: string | undefined;
  /**
   * Whether collection is to spare the files of the generation until the table is closed: for readers that may take
   * longer than two minutes. Costs a small file in the directory.
   */
  readonly pin?: boolean | undefined;
}

/**
 * Opens the table in a directory, at its current generation or a given one; also one that Python's bcolz wrote. Blocks;
 * for threads that may. Throws NOT_FOUND where there is no table, GENERATION_GONE when a generation that is asked for is
 * neither kept nor waiting, or not there any more, CORRUPT_FOOTER, UNSUPPORTED_FORMAT.
 */
export function openTable(path: string, options: OpenOptions = {}): Table {
  return isBcolz(path) ? openBcolz(path, options) : openOwnTable(path, options);
}

/** Opens a table of our own format; one of bcolz is TABLE_NOT_MANAGED. Else as `openTable`. */
export function openOwnTable(path: string, options: OpenOptions = {}): OpenTable {
  const directory = resolve(path);
  const name = basename(directory);
  const generation = findGeneration(directory, name, options.generation);
  const footer = readKeptFooter(directory, name, generation);
  const files = openTableFiles({ directory, table: name, generation }, footer);
  const pin = options.pin === true ? pinGeneration(directory, generation) : undefined;
  const columns = footer.columns.map((column) => openColumn(footer, column, files));
  const byName = new Map(columns.map((column) => [column.name, column]));
  return {
    name, path: directory, generation, footer, rows: footer.rows, columns,
    column(wanted) {
      const column = byName.get(wanted);
      if (column !== undefined) return column;
      throw new BquerydError("UNKNOWN_COLUMN", `${name} has no column '${wanted}'${suggestion(wanted, byName.keys(), `its columns are ${listSome([...byName.keys()])}`)}`, { details: { table: name, column: wanted } });
    },
    close() {
      files.close();
      pin?.release();
    },
  };
}

/** The generation asked for, if it is kept or waits, else the current one. */
function findGeneration(directory: string, table: string, wanted: string | undefined): string {
  if (wanted === undefined) return readCurrent(directory, table)[0]!;
  if (hasGeneration(directory, table, wanted)) return wanted;
  throw generationGone(table, wanted);
}

/** CURRENT once more after PREPARED: what has left that since is there. */
function hasGeneration(directory: string, table: string, generation: string): boolean {
  const isCurrent = (): boolean => keptGenerations(directory, table).includes(generation);
  return isCurrent() || readPrepared(directory).some((one) => one.generation === generation) || isCurrent();
}

/** A table that is gone has taken its generations with it, and one that only waits has none yet. */
function keptGenerations(directory: string, table: string): string[] {
  try {
    return readCurrent(directory, table);
  } catch (cause) {
    if (cause instanceof BquerydError && cause.code === "NOT_FOUND") return [];
    throw cause;
  }
}

/** The footer of a generation; when it is missing, CURRENT and PREPARED are asked again, which may have moved on meanwhile. */
function readKeptFooter(directory: string, table: string, generation: string): Footer {
  try {
    return readFooter(directory, table, generation);
  } catch (cause) {
    if (!hasGeneration(directory, table, generation)) throw generationGone(table, generation);
    throw cause;
  }
}

/** The footer of a generation that CURRENT or PREPARED names. Throws CORRUPT_FOOTER, UNSUPPORTED_FORMAT, UNSUPPORTED_DTYPE. */
export function readFooter(directory: string, table: string, generation: string): Footer {
  let bytes: Uint8Array;
  try {
    bytes = readAtMost(join(directory, `${generation}.json`), limits.footerBytesMax);
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) throw corruptFooter(table, `CURRENT names generation ${generation}, which has no footer`, cause);
    throw toBquerydError(cause, `read the footer of ${table}`);
  }
  return decodeFooter(bytes, generation, table);
}

function generationGone(table: string, generation: string): BquerydError {
  return new BquerydError("GENERATION_GONE", `${table} no longer keeps generation ${generation}; ask again to use the current one`, { details: { table, generation } });
}

function listSome(names: readonly string[]): string {
  const most = 10;
  return names.slice(0, most).join(", ") + (names.length > most ? `, and ${names.length - most} more` : "");
}
