/** The directory of a table before and after a write: made ready under its lock, or put back as it was. */
import { basename, dirname, join } from "node:path";
import { randomId } from "../../base/clock.js";
import { BquerydError } from "../../base/errors.js";
import { isSystemError, type Files } from "../../base/files.js";
import { isBcolz } from "../bcolz/directory.js";
import { decodeCurrent, notATable } from "../files/current.js";
import { currentName } from "../files/footer.js";
import { acquireLock, lockName, type Lock } from "./lock.js";
import { findTableName } from "../names.js";

/** A directory that this process may write a generation into. */
export interface PreparedTable {
  readonly path: string;
  readonly name: string;
  readonly lock: Lock;
  /** The first directory that had to be created, undefined when all were there. */
  readonly created: string | undefined;
  /** Generations kept so far, the current one first; none for a new table. */
  readonly generations: readonly string[];
  /** Names that were there before. */
  readonly before: ReadonlySet<string>;
}

/** What a write does to a table: makes a new one, makes one anew whether it is there or not, or goes on from one. */
export type WriteMode = "create" | "replace" | "extend";

const ownNames = /^(?:[0-9a-f]{64}\.(?:col|idx|dict|json)|[0-9a-f]{32}\.tmp|CURRENT|LOCK(?:\.[0-9a-f]{32})?|PIN\.[0-9a-f]{32})$/;

/** A name for a file that is not yet whole: 128 random bits and `.tmp`. Only who holds the lock of a table has such files. */
export function temporaryName(): string {
  return `${randomId()}.tmp`;
}

function isTemporaryName(name: string): boolean {
  return /^[0-9a-f]{32}\.tmp$/.test(name);
}

/** Tells whether a name in a table's directory is one that bqueryd gives. */
export function isOwnName(name: string): boolean {
  return ownNames.test(name);
}

/**
 * Locks the directory of a table, created when absent unless it is to be extended, and removes what dead writers left
 * half written. Throws BUSY, NOT_FOUND for a table to
 * extend that is not there, and EXISTS for one to create that is, and for anything there that is not a table.
 */
export async function prepareTable(files: Files, path: string, mode: WriteMode): Promise<PreparedTable> {
  const name = basename(path);
  if (mode === "extend") await requireTable(files, path);
  const found = await files.find(path);
  if (found !== undefined && !found.isDirectory) throw exists(path, "is not a table; use another name");
  const created = await files.makeDirectory(path);
  let lock: Lock | undefined;
  try {
    lock = await acquireLock(files, path, name);
    const before = new Set(await files.list(path));
    if (mode !== "extend" && ![...before].every(isOwnName)) throw exists(path, "holds other files; use another name");
    if (mode === "create" && before.has(currentName)) throw exists(path, "is a table already; use --replace to replace it, --append to add to it, or another name");
    await removeTemporaries(files, path, before);
    const generations = before.has(currentName) ? readGenerations(await files.read(join(path, currentName)), name, mode) : [];
    return { path, name, lock, created, generations, before };
  } catch (cause) {
    await lock?.release();
    await removeCreated(files, path, created);
    throw cause;
  }
}

/** Removes the files of a write that came to nothing, the directories made for it, and the lock. */
export async function discardTable(files: Files, table: PreparedTable): Promise<void> {
  // Whoever took the lock over owns the files there now; what is left of this write is collected later.
  if (!await table.lock.isHeld()) return;
  for (const name of await files.list(table.path)) {
    if (!table.before.has(name) && isOwnName(name) && !name.startsWith(lockName)) await files.remove(join(table.path, name));
  }
  await table.lock.release();
  await removeCreated(files, table.path, table.created);
}

/**
 * Tables in the same folder that hold shards of the same name, and are none of the given ones: what is left of a set
 * with more shards.
 */
export async function findOtherShards(files: Files, paths: readonly string[]): Promise<string[]> {
  const given = new Set(paths);
  const bases = new Set(paths.map((path) => findTableName(basename(path))?.base));
  const folders = new Set(paths.map((path) => dirname(path)));
  const found: string[] = [];
  for (const folder of folders) {
    for (const entry of await listIfThere(files, folder)) {
      const name = findTableName(entry);
      const path = join(folder, entry);
      if (name === undefined || name.shard === null || !bases.has(name.base) || given.has(path)) continue;
      if (await files.find(join(path, currentName)) !== undefined) found.push(path);
    }
  }
  return found;
}

/** Removes a table: first its CURRENT, with which it is gone, then its files. */
export async function removeTable(files: Files, table: PreparedTable): Promise<void> {
  await files.remove(join(table.path, currentName));
  await files.syncDirectory(table.path);
  for (const name of await files.list(table.path)) {
    if (isOwnName(name) && name !== lockName) await files.remove(join(table.path, name));
  }
  await table.lock.release();
  await removeDirectoryIfEmpty(files, table.path);
}

/** Only who holds the lock has temporary files, so those of the time before are of writers that are dead. */
async function removeTemporaries(files: Files, path: string, names: Set<string>): Promise<void> {
  for (const name of names) {
    if (!isTemporaryName(name)) continue;
    await files.remove(join(path, name));
    names.delete(name);
  }
}

async function requireTable(files: Files, path: string): Promise<void> {
  const found = await files.find(join(path, currentName)).catch((cause: unknown) => {
    if (isSystemError(cause, "ENOTDIR")) return undefined;
    throw cause;
  });
  if (found !== undefined) return;
  requireNotBcolz(path);
  throw notATable(path);
}

/** Throws UNSUPPORTED_FORMAT for a directory that Python's bcolz wrote. */
export function requireNotBcolz(path: string): void {
  if (!isBcolz(path)) return;
  throw new BquerydError("UNSUPPORTED_FORMAT", `${path} was written by Python's bcolz, which is only read; import it into a table of its own first`, { details: { path } });
}

/** None when CURRENT is damaged and the table is replaced: that is how to mend it. */
function readGenerations(current: Uint8Array, table: string, mode: WriteMode): string[] {
  try {
    return decodeCurrent(current, table);
  } catch (cause) {
    if (mode === "replace" && cause instanceof BquerydError && cause.code === "CORRUPT_FOOTER") return [];
    throw cause;
  }
}

function exists(path: string, wrong: string): BquerydError {
  return new BquerydError("EXISTS", `${path} ${wrong}`, { details: { path } });
}

async function listIfThere(files: Files, path: string): Promise<string[]> {
  return await files.find(path) === undefined ? [] : files.list(path);
}

async function removeCreated(files: Files, path: string, created: string | undefined): Promise<void> {
  if (created === undefined) return;
  for (let directory = path; directory.length >= created.length; directory = dirname(directory)) {
    if (!await removeDirectoryIfEmpty(files, directory)) return;
  }
}

async function removeDirectoryIfEmpty(files: Files, path: string): Promise<boolean> {
  try {
    await files.removeDirectory(path);
    return true;
  } catch (cause) {
    if (isSystemError(cause, "ENOTEMPTY") || isSystemError(cause, "EEXIST")) return false;
    throw cause;
  }
}
