/**
 * PREPARED: generations that lie in a table's directory beside those of CURRENT, put there by tickets that have not
 * switched yet. A line each: the generation, 64 hexadecimal digits; a space; the id of the ticket, 16 of them. One
 * generation has a line for each ticket that wants it. There is no file where there is no such generation.
 */
import { join } from "node:path";
import { randomId } from "../../base/clock.js";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError, readAtMost, type Files } from "../../base/files.js";
import { limits } from "../../base/limits.js";
import { corruptFooter } from "./footer.js";

/** Name of the file in a table's directory. */
export const preparedName = "PREPARED";

/** A generation that waits, and the ticket that it waits for. */
export interface PreparedGeneration {
  /** 64 hexadecimal digits. */
  readonly generation: string;
  /** 16 hexadecimal digits. */
  readonly ticket: string;
}

const lineBytes = 64 + 1 + 16 + 1;
const bytesMax = limits.generationsMax * lineBytes;
const grammar = /^[0-9a-f]{64} [0-9a-f]{16}$/;

/**
 * The prepared generations of the table in a directory, the one that came last at the end; none where there is no table.
 * Blocks shortly. Throws CORRUPT_FOOTER for a damaged file, IO.
 */
export function readPrepared(path: string): PreparedGeneration[] {
  try {
    return decodePrepared(readAtMost(join(path, preparedName), bytesMax + 1), path);
  } catch (cause) {
    if (isSystemError(cause, "ENOENT") || isSystemError(cause, "ENOTDIR")) return [];
    throw toBquerydError(cause, `read the prepared generations of ${path}`);
  }
}

/**
 * Marks a generation as prepared for a ticket, durably; nothing where it is marked. Its files are there and durable, and
 * the caller holds the lock of the table. Throws CORRUPT_FOOTER, BUSY when there are too many, DISK_FULL, IO.
 */
export async function addPrepared(files: Files, path: string, added: PreparedGeneration): Promise<void> {
  const before = readPrepared(path);
  if (before.some((one) => isSame(one, added))) return;
  if (before.length >= limits.generationsMax) throw new BquerydError("BUSY", `${path} has ${before.length} prepared generations, the most there may be; let tickets end, or delete some`, { details: { path } });
  await replacePrepared(files, path, [...before, added]);
}

/** Takes a mark away, durably; nothing where there is none. The caller holds the lock of the table. Throws as `addPrepared`. */
export async function removePrepared(files: Files, path: string, removed: PreparedGeneration): Promise<void> {
  const before = readPrepared(path);
  const left = before.filter((one) => !isSame(one, removed));
  if (left.length < before.length) await replacePrepared(files, path, left);
}

async function replacePrepared(files: Files, path: string, prepared: readonly PreparedGeneration[]): Promise<void> {
  if (prepared.length === 0) {
    await files.remove(join(path, preparedName));
  } else {
    const aside = join(path, `${randomId()}.tmp`);
    await files.createSynced(aside, Buffer.from(prepared.map(({ generation, ticket }) => `${generation} ${ticket}\n`).join("")));
    await files.rename(aside, join(path, preparedName));
  }
  await files.syncDirectory(path);
}

function decodePrepared(bytes: Uint8Array, path: string): PreparedGeneration[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  const lines = text.split("\n");
  const isWhole = bytes.length <= bytesMax && lines.pop() === "" && lines.every((line) => grammar.test(line));
  if (!isWhole) throw corruptFooter(path, "PREPARED is damaged");
  return lines.map((line) => ({ generation: line.slice(0, 64), ticket: line.slice(65) }));
}

function isSame(left: PreparedGeneration, right: PreparedGeneration): boolean {
  return left.generation === right.generation && left.ticket === right.ticket;
}
