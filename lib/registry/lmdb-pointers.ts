/** Pointers in an LMDB database (entries.ts). Writes are part of the transaction they are called in. */
import type { RootDatabase } from "lmdb";
import { wallMs } from "../base/clock.js";
import { changedPointer, decodeEpoch, decodePointer, encodePointer, epochMoved, joinPointers, lacks, nextEpoch } from "./entries.js";
import { rangeOf } from "./lmdb-range.js";
import type { PointerChange, Pointers } from "./pointers.js";

/** The pointers of a cluster. */
export interface LmdbPointers {
  epoch(): number;
  read(): Pointers;
  /** The new epoch; given no changes, the one there is. Throws STALE before it writes. */
  move(changes: readonly PointerChange[], expectedEpoch: number): number;
  /** Puts back what is lost, as Registry.restorePointers says. */
  restore(known: Pointers): void;
}

/** The pointers under the keys `PREFIXpointers:TABLE`, and their epoch under `PREFIXepoch`. */
export function keepLmdbPointers(database: () => RootDatabase<string, string>, prefix: string): LmdbPointers {
  const epochKey = `${prefix}epoch`;
  const start = `${prefix}pointers:`;

  function epoch(): number {
    return decodeEpoch(epochKey, database().get(epochKey));
  }
  function read(): Pointers {
    const entries = [...rangeOf(database(), start)];
    return { epoch: epoch(), tables: new Map(entries.map(({ key, value }) => [key.slice(start.length), decodePointer(key, value)])) };
  }
  return {
    epoch,
    read,
    move(changes, expectedEpoch) {
      const before = epoch();
      if (before !== expectedEpoch) throw epochMoved(expectedEpoch, before);
      if (changes.length === 0) return before;
      const moved = nextEpoch(before, wallMs());
      for (const change of changes) {
        const key = start + change.table;
        const text = database().get(key);
        database().putSync(key, encodePointer(changedPointer(text === undefined ? undefined : decodePointer(key, text), change, moved)));
      }
      database().putSync(epochKey, String(moved));
      return moved;
    },
    restore(known) {
      const before = read();
      if (!lacks(before, known)) return;
      const { tables } = joinPointers(before, known);
      for (const [table, pointer] of tables) if (before.tables.get(table) !== pointer) database().putSync(start + table, encodePointer(pointer));
      database().putSync(epochKey, String(Math.max(known.epoch, before.epoch + 1)));
    },
  };
}
