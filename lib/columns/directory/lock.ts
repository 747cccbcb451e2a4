/**
 * The writer's lock of a table: the file LOCK with the mark of its process and a random token. A lock whose process is
 * gone is taken over; one of another PID namespace never is, as nobody here can tell whether its process runs.
 */
import { dirname, join } from "node:path";
import { BquerydError } from "../../base/errors.js";
import { isSystemError, type Files } from "../../base/files.js";
import { randomId } from "../../base/clock.js";
import { formatMark, parseMark, readMark } from "./marks.js";
import { removeIfThere } from "./remove.js";

/** Name of the lock file in a table's directory, and the beginning of the names of locks about to be. */
export const lockName = "LOCK";

/** A lock that is held. */
export interface Lock {
  /** False when another writer took the lock over, believing this process gone. */
  isHeld(): Promise<boolean>;
  /** Gives the lock back, if it is still held. */
  release(): Promise<void>;
}

const attemptsMax = 10;

/** Locks the table in a directory. Throws BUSY naming the process that writes it. */
export async function acquireLock(files: Files, directory: string, table: string): Promise<Lock> {
  const path = join(directory, lockName);
  const content = formatMark(randomId());
  const aside = asideName(directory);
  const lock = createLock(files, path, content);
  try {
    await files.create(aside, Buffer.from(content));
    await linkLock(files, { aside, path, table });
    await files.remove(aside);
    return lock;
  } catch (cause) {
    // The failure that led here is the one to tell, not what goes wrong in cleaning up after it.
    await files.remove(aside).catch(() => undefined);
    await lock.release().catch(() => undefined);
    throw cause;
  }
}

async function linkLock(files: Files, { aside, path, table }: { aside: string; path: string; table: string }): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (await tryLink(files, aside, path)) return;
    await removeIfStale(files, path, table);
  }
  throw busy(table, "another process", tryLater);
}

function asideName(directory: string): string {
  return join(directory, `${lockName}.${randomId()}`);
}

function createLock(files: Files, path: string, content: string): Lock {
  const isHeld = async () => (await readMark(files, path)) === content;
  return {
    isHeld,
    async release() {
      if (await isHeld()) await removeIfThere(files, path);
    },
  };
}

/** A link appears with its content or not at all, which opening a new file would not give. */
async function tryLink(files: Files, aside: string, path: string): Promise<boolean> {
  try {
    await files.link(aside, path);
    return true;
  } catch (cause) {
    if (isSystemError(cause, "EEXIST")) return false;
    throw cause;
  }
}

/**
 * Moves the lock of a process that is gone out of the way. Of two that try, the later may move away the new lock of the
 * earlier one, so what was moved is looked at again; whoever loses a lock all the same finds out before committing.
 */
async function removeIfStale(files: Files, path: string, table: string): Promise<void> {
  const content = await readMark(files, path);
  if (content === undefined) return;
  const { state, pid } = parseMark(content);
  if (state === "alive") throw busy(table, `process ${pid}`, tryLater);
  if (state === "foreign") throw busy(table, `process ${pid} of another container`, `try again when it has ended, or remove ${path} if it has, which cannot be seen from here`);
  const moved = asideName(dirname(path));
  try {
    await files.rename(path, moved);
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) return;
    throw cause;
  }
  if ((await readMark(files, moved)) !== content) await tryLink(files, moved, path);
  await removeIfThere(files, moved);
}

const tryLater = "try again when it has ended";

function busy(table: string, holder: string, advice: string): BquerydError {
  return new BquerydError("BUSY", `${table} is being written by ${holder}; ${advice}`, { details: { table } });
}
