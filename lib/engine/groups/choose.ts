/** Choosing the cheapest exact way to find the group of every selected row. */
import type { Arena } from "../memory.js";
import { createDenseGrouper } from "./dense.js";
import { bitsFor, type Grouper } from "./grouper.js";
import { fieldsOf, type KeyColumn } from "./keys.js";
import type { Part } from "./parts.js";
import { createPackedGrouper } from "./packed.js";
import { createWordsGrouper } from "./words.js";

/** Most slots of a dense grouper; each takes 8 to 16 bytes a state. */
const denseSlotsMax = 2 ** 22;

/** The grouper for the keys of so many rows; of a part of the groups it has room for no more groups than there are. */
export function createGrouper(keys: readonly KeyColumn[], rows: number, arena: Arena, part: Part | null = null): Grouper {
  const slots = part === null ? findDenseSlots(keys, rows) : undefined;
  if (slots !== undefined) return createDenseGrouper(keys, slots, arena);
  return bitsOf(keys) <= 64 ? createPackedGrouper(keys, arena) : createWordsGrouper(keys, arena);
}

/** The slots of a dense grouper; undefined where hashing so many rows is better. */
export function findDenseSlots(keys: readonly KeyColumn[], rows: number): number | undefined {
  let product = 1n;
  for (const key of keys) {
    const fields = fieldsOf(key);
    if (fields === undefined) return undefined;
    product *= fields || 1n;
  }
  // Beyond twice the rows, clearing and sweeping empty slots costs more than hashing.
  const most = Math.min(Math.max(65_536, 2 * rows), denseSlotsMax);
  return product <= most ? Number(product) : undefined;
}

function bitsOf(keys: readonly KeyColumn[]): number {
  return keys.reduce((bits, key) => {
    const fields = fieldsOf(key);
    return bits + (fields === undefined ? 64 + (key.hasNulls ? 1 : 0) : bitsFor(fields));
  }, 0);
}
