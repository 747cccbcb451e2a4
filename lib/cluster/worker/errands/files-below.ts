/** Files below the data directory, by paths that came from outside. */
import { constants } from "node:fs";
import { open, readlink, realpath, type FileHandle } from "node:fs/promises";
import { isAbsolute, join, sep } from "node:path";
import { BquerydError, toBquerydError } from "../../../base/errors.js";
import { isSystemError } from "../../../base/files.js";
import { formatBytes } from "../../../base/quantities.js";

/** What one read may cost. */
export interface ReadLimits {
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

/**
 * The content of a regular file below a directory. Throws FORBIDDEN for a path that leaves it, by its names or by a link,
 * and for what is no file; NOT_FOUND; MEMORY_LIMIT for more than `bytesMax` bytes.
 */
export async function readFileBelow(directory: string, path: string, { bytesMax, signal }: ReadLimits): Promise<Uint8Array> {
  const file = await openBelow(directory, path);
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw forbidden(path, "is no regular file; name a file");
    if (facts.size > bytesMax) throw tooLarge(path, facts.size, bytesMax);
    const bytes = new Uint8Array(facts.size);
    let length = 0;
    // One that grows meanwhile is read as it was.
    while (length < bytes.length) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(bytes, length, Math.min(bytes.length - length, sliceBytes), length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}

const sliceBytes = 4 * 2 ** 20;

/** Checked twice: before, so that nothing outside is opened, and then where the file that was opened is in truth. */
async function openBelow(directory: string, path: string): Promise<FileHandle> {
  if (path.includes("\0") || isAbsolute(path) || path.split(sep).includes("..")) throw forbidden(path, "does not stay below data_dir; give a path relative to it, without '..'");
  const root = await realpath(directory);
  const target = await followLinks(join(root, path), path);
  requireBelow(root, target, path);
  // A pipe would be waited for, and a link that was put there meanwhile would be followed.
  const file = await open(target, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch((cause: unknown) => { throw problemOf(path, cause); });
  try {
    requireBelow(root, await readlink(`/proc/self/fd/${file.fd}`), path);
    return file;
  } catch (cause) {
    await file.close();
    throw cause;
  }
}

async function followLinks(target: string, path: string): Promise<string> {
  try {
    return await realpath(target);
  } catch (cause) {
    throw problemOf(path, cause);
  }
}

function requireBelow(root: string, target: string, path: string): void {
  const prefix = root.endsWith(sep) ? root : root + sep;
  if (!target.startsWith(prefix)) throw forbidden(path, "leads out of data_dir; name a file below it");
}

/** The path as it was asked for, without what is above data_dir. */
function problemOf(path: string, cause: unknown): BquerydError {
  const { code } = toBquerydError(cause);
  if (code === "NOT_FOUND") return new BquerydError("NOT_FOUND", `there is no file '${path}' below data_dir; rpc.files() lists the tables, and each is a folder`, { details: { path }, cause });
  if (isSystemError(cause, "ELOOP")) return forbidden(path, "is a link; name the file itself");
  return new BquerydError("FORBIDDEN", `'${path}' cannot be read by the worker; change its permissions`, { details: { path }, cause });
}

function forbidden(path: string, problem: string): BquerydError {
  return new BquerydError("FORBIDDEN", `'${path}' ${problem}`, { details: { path } });
}

function tooLarge(path: string, bytes: number, bytesMax: number): BquerydError {
  return new BquerydError("MEMORY_LIMIT", `'${path}' has ${formatBytes(bytes)}, more than the ${formatBytes(bytesMax)} that readfile sends; copy it another way`, { details: { path, bytes, bytesMax } });
}
