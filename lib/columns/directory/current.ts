/** Which generation a directory holds, and whether it is that of a table at all. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError, readAtMost } from "../../base/files.js";
import { isBcolz } from "../bcolz/directory.js";
import { currentBytesMax, decodeCurrent } from "../files/current.js";
import { currentName } from "../files/footer.js";

/** The generations of the table in a directory. Throws NOT_FOUND where there is no table, CORRUPT_FOOTER. */
export function readCurrent(path: string, table: string): string[] {
  try {
    return decodeCurrent(readAtMost(join(path, currentName), currentBytesMax + 1), table);
  } catch (cause) {
    if (isSystemError(cause, "ENOENT") || isSystemError(cause, "ENOTDIR")) {
      throw notATable(path, cause);
    }
    throw toBquerydError(cause, `read ${table}`);
  }
}

/** Tells whether a directory is that of a table, ours or of bcolz, whatever state it is in. */
export function holdsTable(path: string): boolean {
  try {
    return statSync(join(path, currentName), { throwIfNoEntry: false })?.isFile() === true || isBcolz(path);
  } catch {
    // Whoever cannot look into a directory cannot write into it either, and is told so then.
    return false;
  }
}

/** A NOT_FOUND error about a path without a table; for one of bcolz TABLE_NOT_MANAGED, as it can only be read. */
export function notATable(path: string, cause?: unknown): BquerydError {
  if (isBcolz(path)) return new BquerydError("TABLE_NOT_MANAGED", `${path} is a table of bcolz, which can be queried, exported and imported, and nothing else; import it first`, { details: { path }, cause });
  return new BquerydError("NOT_FOUND", `${path} is not a table; check the path, or import the table first`, { details: { path }, cause });
}
