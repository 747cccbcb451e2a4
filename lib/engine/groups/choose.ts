/** Choosing the cheapest exact way to find the group of every selected row of a shard. */
import type { Arena } from "../memory.js";
import { createDenseGrouper } from "./dense.js";
import { bitsFor, type Grouper } from "./grouper.js";
import { fieldsOf, type KeyColumn } from "./keys.js";
import { createPackedGrouper } from "./packed.js";
import { createWordsGrouper } from "./words.js";

/** Most slots of a dense grouper; each takes 8 to 16 bytes a state. */
const denseSlotsMax = 1n << 22n;

/** The grouper for the keys of a shard, or of a part of it, with about that many rows. */
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
