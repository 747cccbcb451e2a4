/** Finding the group of every selected row of a shard, by the cheapest way that is exact. */
import type { ChunkInput } from "../input.js";
import type { Arena } from "../memory.js";
import type { RowCounter } from "../states/slab.js";
import { createDenseGrouper } from "./dense.js";
import { createPackedGrouper } from "./packed.js";
import { createWordsGrouper } from "./words.js";
import { fieldsOf, type KeyColumn } from "./keys.js";

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
  /** Pointer to the uint32 group of each selected row; good until the next call. */
  assign(input: ChunkInput): number;
  /** Groups that accumulators must have room for, now. */
  capacity(): number;
  /** The groups that some row was in, as the row counter saw them. */
  groups(rows: RowCounter): Groups;
}

/** Most slots of a dense grouper; each takes 8 to 16 bytes a state. */
const denseSlotsMax = 1n << 22n;

/** The grouper for the keys of a shard with that many rows. */
export function createGrouper(keys: readonly KeyColumn[], rows: number, arena: Arena): Grouper {
  let product: bigint | undefined = 1n;
  let bits = 0;
  for (const key of keys) {
    const fields = fieldsOf(key);
    product = product === undefined || fields === undefined ? undefined : product * (fields || 1n);
    bits += fields === undefined ? 64 + (key.hasNulls ? 1 : 0) : bitsFor(fields);
  }
  // Beyond twice the rows, clearing and sweeping empty slots costs more than hashing.
  const denseMost = BigInt(Math.max(65_536, 2 * rows));
  if (product !== undefined && product <= denseMost && product <= denseSlotsMax) return createDenseGrouper(keys, Number(product), arena);
  return bits <= 64 ? createPackedGrouper(keys, arena) : createWordsGrouper(keys, arena);
}

/** Bits that hold any number in [0, fields). */
export function bitsFor(fields: bigint): number {
  return fields <= 1n ? 0 : (fields - 1n).toString(2).length;
}
