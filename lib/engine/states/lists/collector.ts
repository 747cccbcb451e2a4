/** All values of each group: rows are put by as they come, and sorted by group at the end. */
import { chunkRows } from "../../../columns/dtypes.js";
import type { Arena } from "../../memory.js";
import { mayBeNull, type ScanColumn } from "../../scan-column.js";
import { takeCounts } from "../count.js";
import { createSlab, zeroFill, type AccumulatorContext } from "../slab.js";
import type { ValidRows } from "../valid-rows.js";

/** Values of so many bytes as were collected in lists, each in row order. */
export interface CollectedLists {
  readonly offsets: Uint32Array;
  readonly values: ArrayBuffer;
}

/** What collects values by slot. */
export interface Collector {
  grow(slots: number): void;
  /** Adds rows whose values are of the collector's width. */
  add(rows: ValidRows): void;
  /** Goes over from values of 4 bytes to values of 8, made of so many by `expand`. */
  widen(expand: (values: number, rows: number, target: number) => void): void;
  /** The lists of the slots in the given order, copied out. Ends the collector. */
  take(order: Uint32Array): CollectedLists;
}

type Width = 4 | 8;

/** Rows put by; `slots` is 0 where there is one group. */
interface Block {
  readonly slots: number;
  values: number;
  rows: number;
}

/** A collector of the values of a column, of so many bytes each, over the arena of a query. */
export function createCollector(column: ScanColumn, initialWidth: Width, { arena, isGrouped, rows: rowCounter }: AccumulatorContext): Collector {
  const { kernels } = arena;
  const blocks: Block[] = [];
  // Where no row is null, the rows of a group have been counted.
  const counts = isGrouped && mayBeNull(column) ? createSlab(arena, 8, zeroFill(arena, 8)) : null;
  let width = initialWidth;
  let slotCount = 0;

  function copyRows({ slots, values }: ValidRows, from: number, count: number, block: Block): void {
    if (isGrouped) kernels.bytes.copyWithin(block.slots + block.rows * 4, slots + from * 4, slots + (from + count) * 4);
    kernels.bytes.copyWithin(block.values + block.rows * width, values + from * width, values + (from + count) * width);
    block.rows += count;
  }

  function openBlock(): Block {
    const last = blocks.at(-1);
    if (last !== undefined && last.rows < chunkRows) return last;
    const block = { slots: isGrouped ? arena.allocate(chunkRows * 4) : 0, values: arena.allocate(chunkRows * width), rows: 0 };
    blocks.push(block);
    return block;
  }

  return {
    grow(slots) {
      slotCount = Math.max(slotCount, slots);
      counts?.grow(slots);
    },
    add(rows) {
      for (let from = 0; from < rows.rows;) {
        const block = openBlock();
        const count = Math.min(rows.rows - from, chunkRows - block.rows);
        copyRows(rows, from, count, block);
        from += count;
      }
      if (counts !== null) kernels.countSlots(rows.slots, rows.rows, counts.pointer());
    },
    widen(expand) {
      width = 8;
      for (const block of blocks) {
        const narrow = block.values;
        block.values = arena.allocate(chunkRows * width);
        expand(narrow, block.rows, block.values);
        arena.free(narrow);
      }
    },
    take(order) {
      if (order.length === 0) return { offsets: new Uint32Array(1), values: new ArrayBuffer(0) };
      if (!isGrouped) return joinBlocks(blocks, width, arena);
      const rows = counts === null ? rowCounter.take(order) : takeCounts(kernels.memory.buffer, counts.pointer(), order);
      return sortBlocks(blocks, { width, order, offsets: offsetsOf(rows), slotCount }, arena);
    },
  };
}

function offsetsOf(rows: Float64Array): Uint32Array {
  const offsets = new Uint32Array(rows.length + 1);
  for (let k = 0; k < rows.length; k++) offsets[k + 1] = offsets[k]! + rows[k]!;
  return offsets;
}

/** How the slots of blocks become lists. */
interface Sorting {
  readonly width: Width;
  readonly order: Uint32Array;
  /** Of the lists, in that order. */
  readonly offsets: Uint32Array;
  readonly slotCount: number;
}

/** The second half of a counting sort by slot; the blocks are freed. */
function sortBlocks(blocks: readonly Block[], { width, order, offsets, slotCount }: Sorting, arena: Arena): CollectedLists {
  const { kernels } = arena;
  const places = arena.allocate(slotCount * 4);
  const placeOf = new Uint32Array(kernels.memory.buffer, places, slotCount);
  for (let k = 0; k < order.length; k++) placeOf[order[k]!] = offsets[k]!;
  const bytes = offsets[order.length]! * width;
  const target = arena.allocate(bytes);
  for (const block of blocks) {
    kernels[`scatterSlots${width}`](block.slots, block.values, block.rows, places, target);
    arena.free(block.slots);
    arena.free(block.values);
  }
  const values = kernels.bytes.slice(target, target + bytes).buffer;
  arena.free(target);
  arena.free(places);
  return { offsets, values };
}

function joinBlocks(blocks: readonly Block[], width: Width, { kernels }: Arena): CollectedLists {
  const rows = blocks.reduce((sum, block) => sum + block.rows, 0);
  const values = new Uint8Array(rows * width);
  let at = 0;
  for (const block of blocks) {
    values.set(kernels.bytes.subarray(block.values, block.values + block.rows * width), at);
    at += block.rows * width;
  }
  return { offsets: Uint32Array.of(0, rows), values: values.buffer };
}
