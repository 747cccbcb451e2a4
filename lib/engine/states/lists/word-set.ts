/** Distinct pairs of a slot and a 64-bit word, with how many rows had each: a hash table of both words. */
import { chunkRows } from "../../../columns/dtypes.js";
import type { Arena } from "../../memory.js";
import { limitOf } from "../../strings.js";
import { createSlab, zeroFill } from "../slab.js";
import type { ValidRows } from "../valid-rows.js";
import { offsetsOf, placesOf, sortWords } from "./sorter.js";

/** For each group its words in ascending order, and how many rows had each where that is counted. */
export interface WordLists {
  readonly offsets: Uint32Array;
  readonly words: ArrayBuffer;
  readonly counts: Float64Array | null;
}

/** Pairs of all rows added. */
export interface WordSet {
  /** Makes room for `slots` slots. */
  grow(slots: number): void;
  /** Adds rows whose values are of 8 bytes. */
  add(rows: ValidRows): void;
  /** The lists of the slots in the given order. Ends the set. */
  take(order: Uint32Array): WordLists;
}

const entryBytes = 16;
/** A pair is two words: the slot, then the value. */
const pairBytes = 16;

/** A set over the arena of a query, of float64 (`isFloat`) or of int64. */
export function createWordSet({ isFloat, isCounted }: { isFloat: boolean; isCounted: boolean }, arena: Arena): WordSet {
  const { kernels } = arena;
  const [slotWords, pairOfRow] = [arena.allocate(chunkRows * 8), arena.allocate(chunkRows * 4)];
  const columns = arena.allocate(8);
  const state = arena.allocateZeroed(4);
  const count = new Uint32Array(kernels.memory.buffer, state, 1);
  const counts = createSlab(arena, 8, zeroFill(arena, 8));
  let slotCount = 0;
  let capacity = 8_192;
  let table = arena.allocateZeroed(capacity * entryBytes);
  let pairs = arena.allocate(capacity * pairBytes);

  function grow(): void {
    arena.free(table);
    capacity *= 2;
    table = arena.allocateZeroed(capacity * entryBytes);
    pairs = arena.enlarge(pairs, count[0]! * pairBytes, capacity * pairBytes);
    kernels.hashRebuildN(pairs, 2, count[0]!, table, capacity);
  }

  return {
    grow(slots) {
      slotCount = Math.max(slotCount, slots);
    },
    add({ rows, slots, values }) {
      kernels.packSetU32(slots, rows, 1n, 0n, slotWords);
      new Uint32Array(kernels.memory.buffer, columns, 2).set([slotWords, values]);
      let row = 0;
      while ((row = kernels.hashGroupN(columns, 2, rows, row, table, capacity, pairs, limitOf(capacity), state, pairOfRow)) < rows) grow();
      if (!isCounted) return;
      counts.grow(capacity);
      kernels.countSlots(pairOfRow, rows, counts.pointer());
    },
    take(order) {
      arena.free(table);
      const found = new Uint32Array(kernels.memory.buffer, pairs, count[0]! * 4);
      const tallied = isCounted ? new Uint32Array(kernels.memory.buffer, counts.pointer(), count[0]! * 2) : null;
      return sortPairs(found, tallied, order, placesOf(order, slotCount), isFloat, arena);
    },
  };
}

/** `found` has four halves a pair: of the slot, then of the value. */
function sortPairs(found: Uint32Array, tallied: Uint32Array | null, order: Uint32Array, places: Uint32Array, isFloat: boolean, arena: Arena): WordLists {
  const count = found.length / 4;
  const [low, high, groups] = [new Uint32Array(count), new Uint32Array(count), new Uint32Array(count)];
  for (let k = 0; k < count; k++) {
    // As unsigned words floats order by their bits, negative ones complemented; int64 with the sign turned round.
    const flip = isFloat && found[4 * k + 3]! >>> 31 === 1 ? 0xffff_ffff : 0;
    low[k] = found[4 * k + 2]! ^ flip;
    high[k] = found[4 * k + 3]! ^ (flip | 0x8000_0000);
    groups[k] = places[found[4 * k]!]!;
  }
  const byValue = sortWords(arena, low, high);
  const byGroup = sortWords(arena, byValue.entries.map((entry) => groups[entry]!), null, byValue.entries);
  const halves = new Uint32Array(count * 2);
  const counts = tallied === null ? null : new Float64Array(count);
  for (let k = 0; k < count; k++) {
    const entry = byGroup.entries[k]!;
    halves[2 * k] = found[4 * entry + 2]!;
    halves[2 * k + 1] = found[4 * entry + 3]!;
    if (counts !== null) counts[k] = tallied![2 * entry + 1]! * 0x1_0000_0000 + tallied![2 * entry]!;
  }
  byValue.release();
  byGroup.release();
  return { offsets: offsetsOf(order.length, groups), words: halves.buffer, counts };
}
