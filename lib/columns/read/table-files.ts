/** Blocking reads of the files of one table. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError } from "../../base/files.js";
import { readCurrent } from "../directory/current.js";
import { sha256Hex, type Footer } from "../files/footer.js";
import { keepFile, type KeptFile } from "./kept-files.js";

/** A generation of a table, and where its files are. */
export interface GenerationPlace {
  readonly directory: string;
  /** Name of the table. */
  readonly table: string;
  readonly generation: string;
}

/** The files that a footer names. */
export interface TableFiles {
  readonly table: string;
  /** Bytes of a file, as the footer says. */
  sizeOf(name: string): number;
  /**
   * A whole file; calls `fail` when its length or SHA-256 is not that of the footer. Throws GENERATION_GONE for one that
   * was cleared away, CORRUPT_FOOTER for one that is missing though CURRENT names the generation, IO.
   */
  readAll(name: string, fail: (wrong: string) => never): Uint8Array<ArrayBuffer>;
  /** Fills the target from a place in the file; false when the file is too short. Throws as `readAll`. */
  readInto(name: string, offset: number, target: Uint8Array): boolean;
}

/**
 * Files are opened at their first use and stay open where the system allows as many, so that a later clean-up of the
 * directory does not matter to them.
 */
export function openTableFiles(place: GenerationPlace, footer: Footer): TableFiles & { close(): void } {
  const { table } = place;
  const kept = new Map<string, KeptFile>();
  const sizes = new Map(footer.files.map((file) => [file.name, file.bytes]));
  const sizeOf = (name: string) => sizes.get(name)!;
  return {
    table,
    sizeOf,
    readAll(name, fail) {
      const bytes = readWhole(openFile(place, name), sizeOf(name), table);
      if (bytes === undefined) return fail("has another length than the footer says");
      return name.startsWith(sha256Hex(bytes)) ? bytes : fail("is damaged: its SHA-256 differs");
    },
    readInto(name, offset, target) {
      const file = kept.get(name) ?? keepFile(() => openFile(place, name));
      kept.set(name, file);
      return fill(file.use(), offset, target, table);
    },
    close() {
      for (const file of kept.values()) file.close();
      kept.clear();
    },
  };
}

/** The whole file; undefined when its length is another. */
function readWhole(descriptor: number, bytes: number, table: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    if (fstatSync(descriptor).size !== bytes) return undefined;
    const target = new Uint8Array(bytes);
    return fill(descriptor, 0, target, table) ? target : undefined;
  } finally {
    closeSync(descriptor);
  }
}

/** Clearing away spares what CURRENT names: a file that is missing and still named is lost, any other was replaced. */
function openFile(place: GenerationPlace, name: string): number {
  const { table, generation } = place;
  const first = findFile(place, name);
  if (first !== undefined) return first;
  if (!isKept(place)) throw new BquerydError("GENERATION_GONE", `${table} lacks file ${name} of generation ${generation}, which a newer one has replaced; ask again to use that`, { details: { table, generation, file: name } });
  // It may have come back together with the generation, before CURRENT was asked.
  const again = findFile(place, name);
  if (again !== undefined) return again;
  throw new BquerydError("CORRUPT_FOOTER", `the footer of ${table} names file ${name}, which is not there; restore the file, copy the table again from a good holder, or import it again`, { details: { table, file: name } });
}

function findFile({ directory, table }: GenerationPlace, name: string): number | undefined {
  try {
    return openSync(join(directory, name), "r");
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) return undefined;
    throw toBquerydError(cause, `open a file of ${table}`);
  }
}

function isKept({ directory, table, generation }: GenerationPlace): boolean {
  try {
    return readCurrent(directory, table).includes(generation);
  } catch (cause) {
    if (cause instanceof BquerydError && (cause.code === "NOT_FOUND" || cause.code === "TABLE_NOT_MANAGED")) return false;
    throw cause;
  }
}

function fill(descriptor: number, offset: number, target: Uint8Array, table: string): boolean {
  try {
    for (let done = 0; done < target.length;) {
      const read = readSync(descriptor, target, done, target.length - done, offset + done);
      if (read === 0) return false;
      done += read;
    }
    return true;
  } catch (cause) {
    throw toBquerydError(cause, `read ${table}`);
  }
}
