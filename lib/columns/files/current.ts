/**
 * CURRENT: the generations a table keeps, one id of 64 hexadecimal digits a line, the one in use first. Replacing it is
 * the one commit point of a table.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError } from "../../base/files.js";
import { isBcolz } from "../bcolz/directory.js";
import { limits } from "../../base/limits.js";
import { corruptFooter, currentName } from "./footer.js";

const idLength = 64;

/** The bytes of CURRENT for generations, the one in use first. */
export function encodeCurrent(generations: readonly string[]): Uint8Array {
  return Buffer.from(generations.map((id) => `${id}\n`).join(""));
}

/** The generations in the bytes of CURRENT, at least one. Throws CORRUPT_FOOTER. */
export function decodeCurrent(bytes: Uint8Array, table: string): string[] {
  if (bytes.length > limits.generationsMax * (idLength + 1)) throw corruptFooter(table, "CURRENT is too long");
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  if (!/^(?:[0-9a-f]{64}\n)+$/.test(text)) throw corruptFooter(table, "CURRENT is damaged");
  return Array.from({ length: text.length / (idLength + 1) }, (_, line) => text.slice(line * (idLength + 1), line * (idLength + 1) + idLength));
}

/** The generations of the table in a directory. Throws NOT_FOUND where there is no table, CORRUPT_FOOTER. */
export function readCurrent(path: string, table: string): string[] {
  try {
    return decodeCurrent(readFileSync(join(path, currentName)), table);
  } catch (cause) {
    if (isSystemError(cause, "ENOENT") || isSystemError(cause, "ENOTDIR")) {
      throw notATable(path, cause);
    }
    throw toBquerydError(cause, `read ${table}`);
  }
}

/** A NOT_FOUND error about a path without a table; for one of bcolz TABLE_NOT_MANAGED, as it can only be read. */
export function notATable(path: string, cause?: unknown): BquerydError {
  if (isBcolz(path)) return new BquerydError("TABLE_NOT_MANAGED", `${path} is a table of bcolz, which can be queried, exported and imported, and nothing else; import it first`, { details: { path }, cause });
  return new BquerydError("NOT_FOUND", `${path} is not a table; check the path, or import the table first`, { details: { path }, cause });
}
