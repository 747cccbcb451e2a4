/**
 * The writer's lock of a table: the file LOCK with process id, start time of the process and a random token. A lock
 * whose process is gone is taken over.
 */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { BquerydError } from "../../base/errors.js";
import { isSystemError, type Files } from "../../base/files.js";
import { randomId } from "../../base/clock.js";

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

/** What tells this process from every other of this machine: its id and its start time. */
export function ownMark(): string {
  return `${process.pid} ${findStartTime(process.pid) ?? "0"}`;
}

/** Tells whether the process whose mark a text begins with is running. A process id alone is not enough: ids are used again. */
export function isMarkAlive(text: string): boolean {
  const [pid, startTime] = text.trim().split(" ");
  // A mark that a crash has cut short is of no process.
  return /^[0-9]{1,10}$/.test(pid ?? "") && startTime !== undefined && findStartTime(Number(pid)) === startTime;
}

/** Tells whether a text is the whole content of a lock or pin, of a process that is gone. */
export function isMarkDead(text: string): boolean {
  return text.endsWith("\n") && !isMarkAlive(text);
}

/** Locks the table in a directory. Throws BUSY naming the process that writes it. */
export async function acquireLock(files: Files, directory: string, table: string): Promise<Lock> {
  const path = join(directory, lockName);
  const content = `${ownMark()} ${randomId()}\n`;
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
  throw busy(table, "another process");
}

function asideName(directory: string): string {
  return join(directory, `${lockName}.${randomId()}`);
}

function createLock(files: Files, path: string, content: string): Lock {
  const isHeld = async () => (await readText(files, path)) === content;
  return {
    isHeld,
    async release() {
      if (await isHeld()) await files.remove(path);
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
  const content = await readText(files, path);
  if (content === undefined) return;
  if (isMarkAlive(content)) throw busy(table, `process ${content.split(" ")[0]}`);
  const moved = asideName(dirname(path));
  try {
    await files.rename(path, moved);
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) return;
    throw cause;
  }
  if ((await readText(files, moved)) !== content) await tryLink(files, moved, path);
  await files.remove(moved);
}

async function readText(files: Files, path: string): Promise<string | undefined> {
  try {
    return Buffer.from(await files.read(path)).toString("latin1");
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) return undefined;
    throw cause;
  }
}

/** Start time of a process in clock ticks since boot, field 22 of its stat; undefined when there is no such process. */
function findStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field, the command in parentheses, may itself hold spaces and parentheses.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch (cause) {
    if (isSystemError(cause, "ENOENT") || isSystemError(cause, "ESRCH")) return undefined;
    throw cause;
  }
}

function busy(table: string, holder: string): BquerydError {
  return new BquerydError("BUSY", `${table} is being written by ${holder}; try again when it has ended`, { details: { table } });
}
