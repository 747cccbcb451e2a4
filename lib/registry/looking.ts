/** When to look at a file that other processes write: when the system tells of a write, and when something is due. */
import { watch, type FSWatcher } from "node:fs";

/** What a look found. */
export interface Look {
  /** What was looked for has been changed since the look before, by a write. */
  readonly isChanged: boolean;
  /** How soon to look again whatever the system tells, ms. */
  readonly dueMs: number;
}

/** How often to look where the system tells nothing. Each look costs little; waking up for it ten times as much. */
const pollMs = 100;

/**
 * Looks now and then until ended by what it returns: soon after every write to the file, and after the time that the look
 * before asked for. Looks every 100 ms where the system has no more watches to give, or turns out to keep writes to itself.
 * Keeps no process alive.
 */
export function keepLooking(path: string, look: () => Look): () => void {
  let timer: NodeJS.Timeout | undefined;
  let watcher: FSWatcher | undefined;
  let isUntold = false;
  let isOver = false;

  function lookNow(isTold: boolean): void {
    clearTimeout(timer);
    const { isChanged, dueMs } = look();
    if (isOver) return;
    // A write just before a look of its own time is told of right after it, not as late as the next one.
    if (isUntold && !isTold) stopWatching();
    isUntold = isChanged && !isTold;
    timer = setTimeout(lookNow, Math.max(1, Math.ceil(watcher === undefined ? Math.min(dueMs, pollMs) : dueMs)), false).unref();
  }
  function stopWatching(): void {
    watcher?.close();
    watcher = undefined;
  }

  watcher = watchFile(path, () => { lookNow(true); }, stopWatching);
  lookNow(false);
  return () => {
    isOver = true;
    clearTimeout(timer);
    stopWatching();
  };
}

/** Undefined where the system has no more watches to give. */
function watchFile(path: string, onWrite: () => void, onLost: () => void): FSWatcher | undefined {
  try {
    return watch(path, { persistent: false }, onWrite).on("error", onLost);
  } catch {
    return undefined;
  }
}
