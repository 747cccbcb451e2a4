/** Keeps the list of holdings in step with a data directory. */
import { watch, type FSWatcher } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { monotonicMs } from "../../../base/clock.js";
import { toBquerydError } from "../../../base/errors.js";
import type { Log } from "../../../base/log.js";
import type { BrokenTable, Holding } from "../../../wire/messages.js";
import { compareScans, hasSetInMotion, listBroken, scanHoldings, type Scan, type ScanDifference } from "./holdings.js";

/** A watched data directory. */
export interface HoldingsWatch {
  /** Scans now, or again after the scan under way; resolves when what was there at the call has been told. */
  rescan(): Promise<void>;
  /** Stops watching and waits for a scan under way, which tells nothing more. */
  close(): Promise<void>;
}

/** What a watch is told to do. */
export interface HoldingsWatchOptions {
  readonly dataDir: string;
  readonly log: Log;
  /** Told of every difference that concerns readable tables; a replaced table is among `added`. */
  readonly onChange: (added: readonly Holding[], removed: readonly string[]) => void;
  /** Told of all the tables that cannot be opened, whenever they are others than before or for another reason. */
  readonly onBroken?: (tables: readonly BrokenTable[]) => void;
}

/** Directory events come in bursts; one scan answers those of this time. */
const settleMs = 50;
/** The rescan finds what raises no event in the directory itself: a CURRENT replaced inside a table. */
const rescanMinMs = 500;
const rescanMaxMs = 5_000;
/** How soon a set that is being replaced is looked at again, and for how long at most before it is told of as it is. */
const motionMs = 10;
const motionMaxMs = 1_000;
/** Scanning takes at most this part of the time, so that an idle worker with many tables stays idle. */
const scanShare = 1 / 200;

/**
 * Scans a data directory, then tells of its tables and of every change until closed. The tables already there are told
 * of before it resolves. A directory that cannot be read later on counts as empty until it can.
 */
export async function watchHoldings({ dataDir, log, onChange, onBroken }: HoldingsWatchOptions): Promise<HoldingsWatch> {
  let scan: Scan = new Map();
  let running: Promise<void> | undefined;
  let following: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let lastProblem = "";
  let eventPending = false;
  let closed = false;

  async function readDirectory(): Promise<Scan> {
    try {
      const found = await scanHoldings(dataDir, scan);
      lastProblem = "";
      return found;
    } catch (cause) {
      const { code, message } = toBquerydError(cause, `read the data directory ${dataDir}`);
      if (message !== lastProblem) log.error({ event: "data_dir.lost", code, message });
      lastProblem = message;
      return new Map();
    }
  }

  async function scanOnce(isFirst: boolean): Promise<void> {
    const [startMs, isAfterEvent] = [monotonicMs(), eventPending];
    eventPending = false;
    const found = await readStill(readDirectory, scan, () => closed);
    if (closed) return;
    const difference = compareScans(scan, found);
    if (!isDeepStrictEqual(listBroken(scan), listBroken(found))) onBroken?.(listBroken(found));
    scan = found;
    logDifference(log, difference, isFirst ? "debug" : "info");
    const added = [...difference.added, ...difference.changed];
    const isChanged = added.length > 0 || difference.removed.length > 0;
    if (isChanged) onChange(added, difference.removed);
    if (!eventPending) schedule(restMs(isChanged || isAfterEvent, monotonicMs() - startMs));
  }

  function rescan(isFirst = false): Promise<void> {
    if (running === undefined) {
      running = scanOnce(isFirst).finally(() => { running = undefined; });
      return running;
    }
    following ??= running.then(() => {
      following = undefined;
      return closed ? undefined : rescan();
    });
    return following;
  }

  function schedule(delayMs: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => void rescan(), delayMs);
  }

  const watcher = watchDirectory(dataDir, log, () => {
    if (eventPending || closed) return;
    eventPending = true;
    schedule(settleMs);
  });
  await rescan(true);
  return {
    rescan: () => rescan(),
    async close() {
      closed = true;
      clearTimeout(timer);
      watcher?.close();
      await (following ?? running);
    },
  };
}

/** What is there once no set is half replaced: an import takes a moment for that, a copy by hand longer than is waited. */
async function readStill(read: () => Promise<Scan>, before: Scan, isOver: () => boolean): Promise<Scan> {
  const startMs = monotonicMs();
  let found = await read();
  while (!isOver() && hasSetInMotion(before, found) && monotonicMs() - startMs < motionMaxMs) {
    await delay(motionMs);
    found = await read();
  }
  return found;
}

/**
 * How long to wait after a scan. Changes come in company: an import puts shard after shard in place, and a directory that
 * came may be filled yet, of which no event tells.
 */
function restMs(isMoving: boolean, scanMs: number): number {
  return isMoving ? rescanMinMs : Math.min(rescanMaxMs, Math.max(rescanMinMs, scanMs / scanShare));
}

/** Events of the directory, or undefined where the system has no more watches to give: the rescan serves alone. */
function watchDirectory(dataDir: string, log: Log, onEvent: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(dataDir, onEvent);
    watcher.on("error", () => { watcher.close(); });
    return watcher;
  } catch (cause) {
    log.warn({ event: "data_dir.unwatched", message: toBquerydError(cause, `watch ${dataDir}`).message });
    return undefined;
  }
}

function logDifference(log: Log, { added, changed, removed, broken }: ScanDifference, level: "debug" | "info"): void {
  for (const { name, generation, rows } of added) log[level]({ event: "table.added", table: name, generation, rows });
  for (const { name, generation, rows } of changed) log.info({ event: "table.changed", table: name, generation, rows });
  for (const name of removed) log.info({ event: "table.removed", table: name });
  for (const { name, problem } of broken) log.warn({ event: "table.broken", table: name, code: problem.code, message: problem.message });
}
