/** All values of each group: rows are put by as they come, and sorted by group at the end. */
import { chunkRows } from "../../../columns/dtypes.js";
import type { Arena } from "../../memory.js";
import type { AccumulatorContext } from "../slab.js";
import type { ValidRows } from "../valid-rows.js";

/** Values of 8 bytes in lists, each in row order. */
export interface CollectedLists {
  readonly offsets: Uint32Array;
  readonly words: ArrayBuffer;
}

/** What collects values by slot. */
export interface Collector {
  grow(slots: number): void;
  /** Adds rows whose values are of 8 bytes. */
  add(rows: ValidRows): void;
  /** The lists of the slots in the given order, copied out. Ends the collector. */
  take(order: Uint32Array): CollectedLists;
}

/** Rows put by; `slots` is 0 where there is one group. */
interface Block {
  readonly slots: number;
  readonly values: number;
  rows: number;
}

/** A collector over the arena of a query. */
export function createCollector({ arena, isGrouped }: AccumulatorContext): Collector {
  const { kernels } = arena;
  const blocks: Block[] = [];
  let slotCount = 0;

  function copyRows({ slots, values }: ValidRows, from: number, count: number, block: Block): void {
    if (isGrouped) kernels.bytes.copyWithin(block.slots + block.rows * 4, slots + from * 4, slots + (from + count) * 4);
    kernels.bytes.copyWithin(block.values + block.rows * 8, values + from * 8, values + (from + count) * 8);
    block.rows += count;
  }

  function openBlock(): Block {
    const last = blocks.at(-1);
    if (last !== undefined && last.rows < chunkRows) return last;
    const block = { slots: isGrouped ? arena.allocate(chunkRows * 4) : 0, values: arena.allocate(chunkRows * 8), rows: 0 };
    blocks.push(block);
    return block;
  }

  return {
    grow(slots) {
      slotCount = Math.max(slotCount, slots);
    },
    add(rows) {
      for (let from = 0; from < rows.rows;) {
        const block = openBlock();
        const count = Math.min(rows.rows - from, chunkRows - block.rows);
        copyRows(rows, from, count, block);
        from += count;
      }
    },
    take(order) {
      if (order.length === 0) return { offsets: new Uint32Array(1), words: new ArrayBuffer(0) };
      return isGrouped ? sortBlocks(blocks, order, slotCount, arena) : joinBlocks(blocks, arena);
    },
  };
}

/** A counting sort by slot; the blocks are freed. */
function sortBlocks(blocks: readonly Block[], order: Uint32Array, slotCount: number, arena: Arena): CollectedLists {
  const { kernels } = arena;
  const offsets = countRows(blocks, order, slotCount, arena);
  const places = arena.allocate(slotCount * 4);
  const placeOf = new Uint32Array(kernels.memory.buffer, places, slotCount);
  for (let k = 0; k < order.length; k++) placeOf[order[k]!] = offsets[k]!;
  const bytes = offsets[order.length]! * 8;
  const target = arena.allocate(bytes);
  for (const block of blocks) {
    kernels.scatterSlots8(block.slots, block.values, block.rows, places, target);
    arena.free(block.slots);
    arena.free(block.values);
  }
  const words = kernels.bytes.slice(target, target + bytes).buffer;
  arena.free(target);
  arena.free(places);
  return { offsets, words };
}

function countRows(blocks: readonly Block[], order: Uint32Array, slotCount: number, arena: Arena): Uint32Array {
  const { kernels } = arena;
  const counts = arena.allocateZeroed(slotCount * 8);
  for (const block of blocks) kernels.countSlots(block.slots, block.rows, counts);
  // A shard has fewer than 2^32 rows: the lower halves hold the counts.
  const halves = new Uint32Array(kernels.memory.buffer, counts, slotCount * 2);
  const offsets = new Uint32Array(order.length + 1);
  for (let k = 0; k < order.length; k++) offsets[k + 1] = offsets[k]! + halves[2 * order[k]!]!;
  arena.free(counts);
  return offsets;
}

function joinBlocks(blocks: readonly Block[], { kernels }: Arena): CollectedLists {
  const rows = blocks.reduce((sum, block) => sum + block.rows, 0);
  const words = new Uint8Array(rows * 8);
  let at = 0;
  for (const block of blocks) {
    words.set(kernels.bytes.subarray(block.values, block.values + block.rows * 8), at);
    at += block.rows * 8;
  }
  return { offsets: Uint32Array.of(0, rows), words: words.buffer };
}
