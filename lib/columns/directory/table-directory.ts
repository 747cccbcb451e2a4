/** The directory of a table before and after a write: made ready under its lock, or put back as it was. */
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { randomId } from "../../base/clock.js";
import { BquerydError } from "../../base/errors.js";
import { isSystemError, type Files } from "../../base/files.js";
import { currentBytesMax, decodeCurrent } from "../files/current.js";
import { currentName } from "../files/footer.js";
import { notATable } from "./current.js";
import { acquireLock, lockName, type Lock } from "./lock.js";
import { isPinName } from "./pins.js";
import { removeDirectoryIfEmpty, removeIfThere } from "./remove.js";

/** A directory that this process may write a generation into. */
export interface PreparedTable {
  /** Where it is; of a path that is a link, what the link leads to. */
  readonly path: string;
  /** As in the path that was asked for. */
  readonly name: string;
  /** The link that was asked for; undefined where it was none. */
  readonly link: string | undefined;
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

const ownNames = /^(?:[0-9a-f]{64}\.(?:col|idx|dict|json)|[0-9a-f]{32}\.tmp|CURRENT|PREPARED|LOCK(?:\.[0-9a-f]{32})?|PIN\.[0-9a-f]{32})$/;

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
 * half written. A symbolic link to a directory stands for that directory. Throws BUSY, NOT_FOUND for a table to extend
 * that is not there, and EXISTS for one to create that is, and for anything there that is not a table.
 */
export async function prepareTable(files: Files, asked: string, mode: WriteMode): Promise<PreparedTable> {
  const name = basename(asked);
  if (mode === "extend") await requireTable(files, asked);
  const path = await requireDirectory(files, asked);
  const link = path === asked ? undefined : asked;
  const created = await files.makeDirectory(path);
  let lock: Lock | undefined;
  try {
    lock = await acquireLock(files, path, name);
    const before = new Set(await files.list(path));
    if (mode !== "extend" && ![...before].every(isOwnName)) throw exists(path, "holds other files; use another name");
    if (mode === "create" && before.has(currentName)) throw exists(path, "is a table already; use --replace to replace it, --append to add to it, or another name");
    await removeTemporaries(files, path, before);
    const generations = before.has(currentName) ? readGenerations(await files.read(join(path, currentName), { bytesMax: currentBytesMax + 1 }), name, mode) : [];
    return { path, name, link, lock, created, generations, before };
  } catch (cause) {
    // The failure that led here is the one to tell, not what goes wrong in cleaning up after it.
    await lock?.release().catch(() => undefined);
    await removeCreated(files, path, created).catch(() => undefined);
    throw cause;
  }
}

/** Removes the files of a write that came to nothing, the directories made for it, and the lock. Pins are of readers, and stay. */
export async function discardTable(files: Files, table: PreparedTable): Promise<void> {
  // Whoever took the lock over owns the files there now; what is left of this write is collected later.
  if (!await table.lock.isHeld()) return;
  for (const name of await files.list(table.path)) {
    if (!table.before.has(name) && isOwnName(name) && !name.startsWith(lockName) && !isPinName(name)) await removeIfThere(files, join(table.path, name));
  }
  await table.lock.release();
  await removeCreated(files, table.path, table.created);
}

/** The path of a directory, or of nothing yet, without a link at its end. Throws EXISTS for anything else. */
async function requireDirectory(files: Files, path: string): Promise<string> {
  const found = await files.find(path);
  if (found === undefined || found.isDirectory) return path;
  const target = await realpath(path).catch(() => undefined);
  if (target === undefined) throw exists(path, "is a link that leads to nothing; remove it, or use another name");
  const isDirectory = target !== path && (await files.find(target))?.isDirectory === true;
  if (!isDirectory) throw exists(path, "is not a table; use another name");
  return target;
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
  throw notATable(path);
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

async function removeCreated(files: Files, path: string, created: string | undefined): Promise<void> {
  if (created === undefined) return;
  for (let directory = path; directory.length >= created.length; directory = dirname(directory)) {
    if (!await removeDirectoryIfEmpty(files, directory)) return;
  }
}
