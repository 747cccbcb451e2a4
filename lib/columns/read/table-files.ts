/** Blocking reads of the files of one table. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError } from "../../base/files.js";
import { sha256Hex, type Footer } from "../files/footer.js";
import { keepFile, type KeptFile } from "./kept-files.js";

/** The files that a footer names. */
export interface TableFiles {
  readonly table: string;
  /** Bytes of a file, as the footer says. */
  sizeOf(name: string): number;
  /** A whole file; calls `fail` when its length or SHA-256 is not that of the footer. Throws GENERATION_GONE, IO. */
  readAll(name: string, fail: (wrong: string) => never): Uint8Array<ArrayBuffer>;
  /** Fills the target from a place in the file; false when the file is too short. */
  readInto(name: string, offset: number, target: Uint8Array): boolean;
}

/**
 * Files are opened at their first use and stay open where the system allows as many, so that a later clean-up of the
 * directory does not matter to them.
 */
export function openTableFiles(directory: string, table: string, footer: Footer): TableFiles & { close(): void } {
  const kept = new Map<string, KeptFile>();
  const sizes = new Map(footer.files.map((file) => [file.name, file.bytes]));
  const sizeOf = (name: string) => sizes.get(name)!;
  return {
    table,
    sizeOf,
    readAll(name, fail) {
      const bytes = readWhole(openFile(directory, table, name), sizeOf(name), table);
      if (bytes === undefined) return fail("has another length than the footer says");
      return name.startsWith(sha256Hex(bytes)) ? bytes : fail("is damaged: its SHA-256 differs");
    },
    readInto(name, offset, target) {
      const file = kept.get(name) ?? keepFile(() => openFile(directory, table, name));
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

function openFile(directory: string, table: string, name: string): number {
  try {
    return openSync(join(directory, name), "r");
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) throw new BquerydError("GENERATION_GONE", `${table} lacks file ${name}, which a newer generation may have replaced; ask again, and copy the table again if it stays so`, { details: { table, file: name }, cause });
    throw toBquerydError(cause, `open a file of ${table}`);
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
