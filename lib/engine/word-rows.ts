/** Distinct rows of 64-bit words: equal hashes are settled by comparing all words. */
import type { Arena } from "./memory.js";
import { limitOf } from "./strings.js";

/** A growing hash table of rows of as many words, numbered in order of appearance. */
export interface WordRows {
  /** Distinct rows met so far. */
  count(): number;
  /** Writes the number of each of `rows` rows to `slots` (uint32); the words of a place are at the pointer (uint32) of that place. */
  number(pointers: number, rows: number, slots: number): void;
  /** The words of all distinct rows as halves, the low one first; a view, good until the next call. */
  halves(): Uint32Array;
}

const entryBytes = 16;

/** A table with room for `capacity` entries (a power of two) in the arena, whose it stays. */
export function createWordRows(width: number, capacity: number, arena: Arena): WordRows {
  const { kernels } = arena;
  const state = arena.allocateZeroed(4);
  const count = new Uint32Array(kernels.memory.buffer, state, 1);
  let entries = capacity;
  let table = arena.allocateZeroed(entries * entryBytes);
  let words = arena.allocate(entries * 8 * width);

  function grow(): void {
    arena.free(table);
    entries *= 2;
    table = arena.allocateZeroed(entries * entryBytes);
    words = arena.enlarge(words, count[0]! * 8 * width, entries * 8 * width);
    kernels.hashRebuildN(words, width, count[0]!, table, entries);
  }

  return {
    count: () => count[0]!,
    number(pointers, rows, slots) {
      let row = 0;
      while ((row = kernels.hashGroupN(pointers, width, rows, row, table, entries, words, limitOf(entries), state, slots)) < rows) grow();
    },
    halves: () => new Uint32Array(kernels.memory.buffer, words, count[0]! * 2 * width),
  };
}
