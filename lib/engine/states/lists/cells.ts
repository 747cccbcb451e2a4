/** Pairs of a slot and a code as cells of an array: a bit each, or a count each. */
import { chunkRows } from "../../../columns/dtypes.js";
import type { Arena } from "../../memory.js";
import { createSlab, zeroFill } from "../slab.js";
import type { ValidRows } from "../valid-rows.js";

/** Cells of all rows added: cell slot * stride + code. */
export interface Cells {
  grow(slots: number): void;
  add(rows: ValidRows): void;
  /** The cells that some row was in, ascending, with the rows of each where they are counted. */
  used(): UsedCells;
  /** The lists of the slots in the given order. */
  take(order: Uint32Array): CodeLists;
  release(): void;
}

/** For each group its codes (or their ranks) in ascending order, and how many rows had each where that is counted. */
export interface CodeLists {
  readonly offsets: Uint32Array;
  readonly codes: Uint32Array;
  readonly counts: Float64Array | null;
}

/** Cells with rows in them. */
export interface UsedCells {
  readonly cells: Uint32Array;
  readonly counts: Float64Array | null;
}

/** Cells of a bit each; `stride` is a power of two, 64 or more. */
export function createBitCells(stride: number, arena: Arena): Cells {
  const { kernels } = arena;
  const slab = createSlab(arena, stride / 8, zeroFill(arena, stride / 8));
  const wordsEach = stride / 32;
  let slotCount = 0;
  const wordsOf = (): Uint32Array => new Uint32Array(kernels.memory.buffer, slab.pointer(), slotCount * wordsEach);
  return {
    grow(slots) {
      slab.grow(slots);
      slotCount = slots;
    },
    add: ({ rows, slots, values }) => kernels.markCells(slots, values, rows, stride, slab.pointer()),
    used() {
      const words = wordsOf();
      const cells = new Uint32Array(countBits(words, 0, words.length));
      listBits(words, 0, words.length, cells, 0);
      return { cells, counts: null };
    },
    take(order) {
      const words = wordsOf();
      const offsets = new Uint32Array(order.length + 1);
      for (let group = 0; group < order.length; group++) {
        const first = order[group]! * wordsEach;
        offsets[group + 1] = offsets[group]! + countBits(words, first, first + wordsEach);
      }
      const codes = new Uint32Array(offsets[order.length]!);
      order.forEach((slot, group) => listBits(words, slot * wordsEach, (slot + 1) * wordsEach, codes, offsets[group]!));
      return { offsets, codes, counts: null };
    },
    release() {
      if (slotCount > 0) arena.free(slab.pointer());
    },
  };
}

function countBits(words: Uint32Array, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end; at++) for (let word = words[at]!; word !== 0; word &= word - 1) count += 1;
  return count;
}

/** Writes the numbers of the bits set, counted from the first word. */
function listBits(words: Uint32Array, start: number, end: number, target: Uint32Array, from: number): void {
  let next = from;
  for (let at = start; at < end; at++) {
    for (let word = words[at]!; word !== 0; word &= word - 1) target[next++] = (at - start) * 32 + 31 - Math.clz32(word & -word);
  }
}

/** Cells of an int64 each. */
export function createCountCells(stride: number, arena: Arena): Cells {
  const { kernels } = arena;
  const slab = createSlab(arena, 8, zeroFill(arena, 8));
  let cellCount = 0;
  let cellOfRow = 0;
  const halvesOf = (): Uint32Array => new Uint32Array(kernels.memory.buffer, slab.pointer(), cellCount * 2);
  return {
    grow(slots) {
      slab.grow(slots * stride);
      cellCount = slots * stride;
    },
    add({ rows, slots, values }) {
      if (cellOfRow === 0) cellOfRow = arena.allocate(chunkRows * 4);
      kernels.slotsSetU32(slots, rows, stride, 0, cellOfRow);
      kernels.slotsAddU32(values, rows, 1, 0, cellOfRow);
      kernels.countSlots(cellOfRow, rows, slab.pointer());
    },
    used() {
      const { codes, counts } = sweepCounts(halvesOf(), cellCount, Uint32Array.of(0));
      return { cells: codes, counts };
    },
    take: (order) => sweepCounts(halvesOf(), stride, order),
    release() {
      if (cellCount > 0) arena.free(slab.pointer());
    },
  };
}

/** The codes below `stride` that were counted, slot after slot. */
function sweepCounts(halves: Uint32Array, stride: number, order: Uint32Array): CodeLists {
  const offsets = new Uint32Array(order.length + 1);
  for (let group = 0; group < order.length; group++) {
    const first = order[group]! * stride;
    let found = offsets[group]!;
    for (let cell = first; cell < first + stride; cell++) if ((halves[2 * cell]! | halves[2 * cell + 1]!) !== 0) found += 1;
    offsets[group + 1] = found;
  }
  const [codes, counts] = [new Uint32Array(offsets[order.length]!), new Float64Array(offsets[order.length]!)];
  let next = 0;
  for (const slot of order) {
    for (let code = 0; code < stride; code++) {
      const at = 2 * (slot * stride + code);
      if ((halves[at]! | halves[at + 1]!) === 0) continue;
      codes[next] = code;
      counts[next++] = halves[at + 1]! * 0x1_0000_0000 + halves[at]!;
    }
  }
  return { offsets, codes, counts };
}
