/** What every way of grouping has in common: rows in, groups and the fields of their keys out. */
import type { ChunkInput } from "../scan-column.js";
import type { RowCounter } from "../states/slab.js";

/** One key's field of every group, as two halves of 64 bits, in the order of the group numbers handed out with them. */
export interface Fields {
  readonly low: Uint32Array;
  readonly high: Uint32Array;
  /** 1 where the key is null; null when no group has a null. */
  readonly isNull: Uint8Array | null;
}

/** Groups found: `slots[g]` is where group g's accumulators are. */
export interface Groups {
  readonly slots: Uint32Array;
  readonly fields: readonly Fields[];
}

/** Gives rows their groups, chunk by chunk. */
export interface Grouper {
  /** How many groups there can be, where that is known beforehand. */
  readonly slotCount?: number;
  /** Pointer to the uint32 group of each selected row; good until the next call. */
  assign(input: ChunkInput): number;
  /** Groups that accumulators must have room for, now. */
  capacity(): number;
  /** The groups that some row was in, as the row counter saw them. */
  groups(rows: RowCounter): Groups;
}

/** Groups that accumulators make room for while there are `count`: a state may be large, and its memory is to be moved seldom. */
export function roomFor(count: number): number {
  return count <= 8 ? 8 : 2 ** (32 - Math.clz32(count - 1));
}

/** Bits that hold any number in [0, fields). */
export function bitsFor(fields: bigint): number {
  return fields <= 1n ? 0 : (fields - 1n).toString(2).length;
}
