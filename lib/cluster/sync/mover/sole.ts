/**
 * One mover at work in a data directory: the others wait. Its lock is a file with the mark of its process, touched now and
 * then. The lock of a process that is gone is free at once; one that was not touched for a minute is taken over whatever
 * process it names, as that of another container cannot be looked at.
 */
import { join } from "node:path";
import { monotonicMs, wallMs } from "../../../base/clock.js";
import { BquerydError } from "../../../base/errors.js";
import type { Files } from "../../../base/files.js";
import { acquireLock, lockName, type Lock } from "../../../columns/directory/lock.js";
import { removeIfThere } from "../../../columns/directory/remove.js";
import { openIncoming, type Incoming } from "../incoming.js";
import { incomingFolder } from "../stages.js";

/** The place of the one mover, which this process may have. */
export interface SolePlace {
  /** Tells whether this process has the place, after trying to get it. Throws IO where the data directory is not what it was, the system's error. */
  hold(): Promise<boolean>;
  isHeld(): boolean;
  /** Leaves it to another. */
  release(): Promise<void>;
}

/** How times are told; tests have their own. */
export interface SoleTimes {
  readonly touchMs: number;
  readonly silentMs: number;
  nowMs(): number;
}

const realTimes: SoleTimes = { touchMs: 10_000, silentMs: 60_000, nowMs: monotonicMs };

/** The place in a data directory, not held yet. */
export function createSolePlace(files: Files, dataDir: string, { touchMs, silentMs, nowMs }: SoleTimes = realTimes): SolePlace {
  const path = join(incomingFolder(dataDir), lockName);
  let incoming: Incoming | undefined;
  let lock: Lock | undefined;
  let timer: NodeJS.Timeout | undefined;
  /** What the lock of another was touched at, and since when. */
  let seen: { readonly modifiedMs: number; readonly sinceMs: number } | undefined;

  /** By the steady clock of this process alone: clocks of machines are never compared. */
  async function isSilent(): Promise<boolean> {
    const modifiedMs = (await files.find(path))?.modifiedMs ?? 0;
    if (seen?.modifiedMs !== modifiedMs) seen = { modifiedMs, sinceMs: nowMs() };
    return nowMs() - seen.sinceMs >= silentMs;
  }
  async function take(): Promise<void> {
    lock = await acquireLock(files, incomingFolder(dataDir), "the place of the mover");
    seen = undefined;
    timer = setInterval(() => { files.touch(path, wallMs()).catch(() => undefined); }, touchMs).unref();
  }
  function forget(): void {
    clearInterval(timer);
    lock = undefined;
  }
  return {
    async hold() {
      // A lock that is out of sight for a while is not forgotten: it would keep this very process out when it is back.
      incoming ??= await openIncoming(files, dataDir);
      await incoming.require();
      if (lock !== undefined && await lock.isHeld()) return true;
      forget();
      try {
        await take();
        return true;
      } catch (cause) {
        if (!(cause instanceof BquerydError) || cause.code !== "BUSY") throw cause;
      }
      if (await isSilent()) await removeIfThere(files, path);
      return false;
    },
    isHeld: () => lock !== undefined,
    async release() {
      const held = lock;
      forget();
      await held?.release();
    },
  };
}
