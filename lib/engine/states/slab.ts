/** What accumulators share: their interface, and growing blocks of equal cells in kernel memory. */
import type { Arena } from "../memory.js";
import type { ChunkInput } from "../scan-column.js";
import type { ShardStrings } from "../strings.js";

/** What an accumulator is made from. */
export interface AccumulatorContext {
  readonly arena: Arena;
  readonly strings: ShardStrings;
  /** False when the query has no keys: everything is group 0 and slots are not given. */
  readonly isGrouped: boolean;
  /** A page of 65,536 zero slots, for kernels that need slots where there is one group. */
  readonly zeroSlots: () => number;
  /** Rows of each group, all of them added when states are taken. */
  readonly rows: RowCounter;
  /** How many slots there are, where the keys of the one shard say so beforehand. */
  readonly slotCount: number | null;
  /** Whether the rows are of several shards, each of which is ended. */
  readonly isSpanning: boolean;
}

/** Rows of each group: what a column without nulls need not count again. */
export interface RowCounter {
  /** The int64 counts by slot, for whoever counts along. */
  pointer(): number;
  take(order: Uint32Array): Float64Array;
  /** The slots below `slotCount` in which there are rows, ascending. */
  usedSlots(slotCount: number): Uint32Array;
}

/** One state over all groups of a shard, or of several. */
export interface Accumulator<S> {
  /** Makes room for `groups` groups, new ones empty. */
  grow(groups: number): void;
  /** Adds the selected rows of a chunk; `slots` points at their uint32 groups, 0 without keys. */
  add(input: ChunkInput, slots: number): void;
  /** The same and counts the rows into `counts` in one pass, at the latest when it is asked to settle; false when it cannot, and has done nothing. */
  addAndCount?(input: ChunkInput, slots: number, counts: number): boolean;
  /** Brings up to date the counts that addAndCount was given; before any are read. */
  settle?(): void;
  /** Of several shards: all rows of one have been added. */
  endShard?(ordinal: number): void;
  /** The states of the groups in the given order, copied out. */
  take(order: Uint32Array): S;
}

/** The widths of integer and code kernels by the width of a run. */
export const widthNames = { 1: "U8", 2: "U16", 4: "U32", 8: "I64" } as const;

/** Slots up to which a shard has few: kernels add them up in copies. */
export const fewSlotsMax = 512;

/** A block of equal accumulators that grows; `fill` writes a new, empty stretch. */
export function createSlab(arena: Arena, bytesEach: number, fill: (pointer: number, groups: number) => void): { pointer(): number; grow(groups: number): void } {
  let groups = 0;
  let pointer = 0;
  return {
    pointer: () => pointer,
    grow(wanted) {
      if (wanted <= groups) return;
      pointer = groups === 0 ? arena.allocate(wanted * bytesEach) : arena.enlarge(pointer, groups * bytesEach, wanted * bytesEach);
      fill(pointer + groups * bytesEach, wanted - groups);
      groups = wanted;
    },
  };
}

/** Pointer to the slots of a chunk, also where there are no keys. */
export function slotsOr(slots: number, context: AccumulatorContext): number {
  return slots === 0 ? context.zeroSlots() : slots;
}

/** A fill with zero bytes. */
export function zeroFill(arena: Arena, bytesEach: number): (pointer: number, groups: number) => void {
  return (pointer, groups) => void arena.kernels.bytes.fill(0, pointer, pointer + groups * bytesEach);
}

/** The words of 8 bytes of the slots in the given order, copied out: by halves, as bigints would be allocated one by one. */
export function takeWords(memory: ArrayBufferLike, pointer: number, order: Uint32Array): ArrayBuffer {
  const source = new Int32Array(memory, pointer);
  const halves = new Int32Array(order.length * 2);
  for (let k = 0; k < order.length; k++) {
    halves[2 * k] = source[2 * order[k]!]!;
    halves[2 * k + 1] = source[2 * order[k]! + 1]!;
  }
  return halves.buffer;
}
