/**
 * Distinct pairs of a slot and a code of at most 32 bits, with how many rows had each: a cell a pair while there are few
 * slots and codes, else a hash table of both in one word.
 */
import { chunkRows } from "../../../columns/dtypes.js";
import type { Arena } from "../../memory.js";
import { limitOf } from "../../strings.js";
import { createSlab, zeroFill } from "../slab.js";
import type { ValidRows } from "../valid-rows.js";
import { createBitCells, createCountCells, type CodeLists, type UsedCells } from "./cells.js";
import { offsetsOf, placesOf, sortWords } from "./sorter.js";

/** Pairs of all rows added. */
export interface PairSet {
  /** Makes room for `slots` slots. */
  grow(slots: number): void;
  /** Adds rows whose values are uint32 codes. */
  add(rows: ValidRows): void;
  /** The lists of the slots in the given order. Ends the set. */
  take(order: Uint32Array): CodeLists;
}

/** What a set of pairs is to hold. */
export interface PairSetPlan {
  /** Codes are below 2^codeBits, from 6 to 32. */
  readonly codeBits: number;
  readonly isCounted: boolean;
  /** Most bytes of cells. */
  readonly cellBytesMax: number;
  /** How codes order where it is not by themselves; asked for once, when all rows have been added. */
  readonly ranks?: () => Uint32Array;
}

/** Bytes of cells that are worth their clearing and sweeping for a column of that many rows. */
export function cellBytesFor(rows: number): number {
  return Math.min(2 ** 25, Math.max(2 ** 19, 16 * rows));
}

/** A set over the arena of a query. */
export function createPairSet(plan: PairSetPlan, arena: Arena): PairSet {
  const stride = 2 ** plan.codeBits;
  const cells = plan.isCounted ? createCountCells(stride, arena) : createBitCells(stride, arena);
  const slotBytes = plan.isCounted ? stride * 8 : stride / 8;
  // The order of cells is that of codes.
  let table = plan.ranks === undefined ? undefined : createTable(plan, arena);
  let slotCount = 0;
  return {
    grow(slots) {
      if (slots <= slotCount) return;
      if (table === undefined && slots * slotBytes > plan.cellBytesMax) {
        table = createTable(plan, arena);
        table.addCells(cells.used());
        cells.release();
      }
      if (table === undefined) cells.grow(slots);
      slotCount = slots;
    },
    add(rows) {
      (table ?? cells).add(rows);
    },
    take: (order) => (table === undefined ? cells.take(order) : table.take(order, slotCount)),
  };
}

interface PairTable {
  add(rows: ValidRows): void;
  addCells(used: UsedCells): void;
  take(order: Uint32Array, slotCount: number): CodeLists;
}

const entryBytes = 16;

function createTable({ codeBits, isCounted, ranks }: PairSetPlan, arena: Arena): PairTable {
  const { kernels } = arena;
  const stride = 1n << BigInt(codeBits);
  const [words, pairOfRow] = [arena.allocate(chunkRows * 8), arena.allocate(chunkRows * 4)];
  const state = arena.allocateZeroed(4);
  const count = new Uint32Array(kernels.memory.buffer, state, 1);
  const counts = createSlab(arena, 8, zeroFill(arena, 8));
  let capacity = 8_192;
  let table = arena.allocateZeroed(capacity * entryBytes);
  let pairs = arena.allocate(capacity * 8);

  function grow(): void {
    arena.free(table);
    capacity *= 2;
    table = arena.allocateZeroed(capacity * entryBytes);
    pairs = arena.enlarge(pairs, count[0]! * 8, capacity * 8);
    kernels.hashRebuild1(pairs, count[0]!, table, capacity);
  }

  function addWords(rows: number): void {
    let row = 0;
    while ((row = kernels.hashGroup1(words, rows, row, table, capacity, pairs, limitOf(capacity), state, pairOfRow)) < rows) grow();
    if (isCounted) counts.grow(capacity);
  }

  return {
    add({ rows, slots, values }) {
      kernels.packSetU32(slots, rows, stride, 0n, words);
      kernels.packAddU32(values, rows, 1n, 0n, words);
      addWords(rows);
      if (isCounted) kernels.countSlots(pairOfRow, rows, counts.pointer());
    },
    addCells(used) {
      for (let from = 0; from < used.cells.length; from += chunkRows) {
        const cells = used.cells.subarray(from, from + chunkRows);
        const halves = new Uint32Array(kernels.memory.buffer, words, cells.length * 2).fill(0);
        cells.forEach((cell, k) => (halves[2 * k] = cell));
        addWords(cells.length);
        if (used.counts === null) continue;
        const pairOf = new Uint32Array(kernels.memory.buffer, pairOfRow, cells.length);
        const totals = new BigInt64Array(kernels.memory.buffer, counts.pointer());
        for (let k = 0; k < cells.length; k++) totals[pairOf[k]!]! += BigInt(used.counts[from + k]!);
      }
    },
    take(order, slotCount) {
      arena.free(table);
      const found = new Uint32Array(kernels.memory.buffer, pairs, count[0]! * 2);
      const tallied = isCounted ? new Uint32Array(kernels.memory.buffer, counts.pointer(), count[0]! * 2) : null;
      const { places, codes } = unpack(found, codeBits, placesOf(order, slotCount), ranks?.() ?? null);
      return sortPairs(places, codes, tallied, order.length, arena);
    },
  };
}

/** The place of the slot and the code, or its rank, of each pair. */
function unpack(halves: Uint32Array, codeBits: number, placeOfSlot: Uint32Array, ranks: Uint32Array | null): { places: Uint32Array; codes: Uint32Array } {
  const places = new Uint32Array(halves.length / 2);
  const codes = new Uint32Array(halves.length / 2);
  for (let k = 0; k < codes.length; k++) {
    const low = halves[2 * k]!;
    const high = halves[2 * k + 1]!;
    const code = codeBits === 32 ? low : low & (2 ** codeBits - 1);
    const slot = codeBits === 32 ? high : ((low >>> codeBits) | (high << (32 - codeBits))) >>> 0;
    codes[k] = ranks === null ? code : ranks[code]!;
    places[k] = placeOfSlot[slot]!;
  }
  return { places, codes };
}

function sortPairs(places: Uint32Array, codes: Uint32Array, tallied: Uint32Array | null, groups: number, arena: Arena): CodeLists {
  const { halves, entries, release } = sortWords(arena, codes, places);
  const sorted = new Uint32Array(codes.length);
  const counts = tallied === null ? null : new Float64Array(codes.length);
  for (let k = 0; k < sorted.length; k++) {
    sorted[k] = halves[2 * k]!;
    if (counts !== null) counts[k] = tallied![2 * entries[k]! + 1]! * 0x1_0000_0000 + tallied![2 * entries[k]!]!;
  }
  release();
  return { offsets: offsetsOf(groups, places), codes: sorted, counts };
}
