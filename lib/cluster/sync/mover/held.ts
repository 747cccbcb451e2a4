/** Which generations of the tables that pointers name lie on a node, read again where something has changed. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { monotonicMs, wallMs } from "../../../base/clock.js";
import type { Pointers } from "../../../registry/pointers.js";
import { generationsOf, marksOf } from "./disk.js";

/** What lies on a node's disk. */
export interface HeldTables {
  /** Something was done to tables. */
  noteChanged(): void;
  /** Whether there may be something new to be read. */
  isDue(pointers: Pointers): boolean;
  /** By table of a pointer: what CURRENT lists and what is prepared; of a table of bcolz its one. */
  read(pointers: Pointers): ReadonlyMap<string, readonly string[]>;
}

/** Others write tables as well: all of them are looked at so often. */
const lookEveryMs = 60_000;
/** A directory that changed so short a time ago may change again without its time telling. */
const settledMs = 2_000;

interface Known {
  readonly stamp: string;
  readonly generations: readonly string[];
}

/** Nothing known yet of the tables in `dataDir`. A table whose directory has not changed is not read again. */
export function createHeldTables(dataDir: string): HeldTables {
  const known = new Map<string, Known>();
  let held: ReadonlyMap<string, readonly string[]> = new Map();
  let [folderStamp, readMs]: [string, number] = ["", -Infinity];
  let seen: Pointers | undefined;
  const isDue = (pointers: Pointers): boolean => pointers !== seen || monotonicMs() - readMs >= lookEveryMs || stampOf(dataDir).text !== folderStamp;
  return {
    isDue,
    noteChanged() { readMs = -Infinity; },
    read(pointers) {
      if (!isDue(pointers)) return held;
      [folderStamp, readMs, seen] = [stampOf(dataDir).text, monotonicMs(), pointers];
      const next = new Map<string, readonly string[]>();
      for (const [table, { generation }] of pointers.tables) if (generation !== null) {
        const found = readTable(dataDir, table, known.get(table));
        if (found === undefined) known.delete(table);
        else known.set(table, found);
        if (found !== undefined) next.set(table, found.generations);
      }
      return held = next;
    },
  };
}

/** Undefined where there is nothing. */
function readTable(dataDir: string, table: string, before: Known | undefined): Known | undefined {
  const path = join(dataDir, table);
  const { text, changedMs } = stampOf(path);
  if (text === "") return undefined;
  if (before?.stamp === text) return before;
  const generations = [...new Set([...generationsOf(path, table), ...marksOf(dataDir, table).map(({ generation }) => generation)])];
  // Its time may stay the same when it changes right now.
  const isSettled = Math.abs(wallMs() - changedMs) > settledMs;
  return { stamp: isSettled ? text : "unsettled", generations };
}

/** What tells a directory from how it was; empty where there is none. */
function stampOf(path: string): { readonly text: string; readonly changedMs: number } {
  const facts = statSync(path, { throwIfNoEntry: false });
  return facts === undefined ? { text: "", changedMs: 0 } : { text: `${facts.ino} ${facts.mtimeMs} ${facts.ctimeMs}`, changedMs: facts.ctimeMs };
}
