/**
 * Scratch for few slots: four copies of 8 bytes a slot, row i on copy i % 4, so that no addition waits for the store of
 * the one before. They fit the first cache.
 */
import { maxU32 } from "./extremes";

const slotsMax: u32 = 512;
/** Rows below which clearing and adding up the copies costs more than it saves. */
const rowsMin: u32 = 2_048;

export const copies: usize = memory.data(512 << 5, 16);

/** How many slots the copies are needed for; 0 when slots are many or rows few, and copies do not pay. */
export function findFewSlots(slots: usize, n: u32): u32 {
  if (n < rowsMin) return 0;
  const highest = <u32>maxU32(slots, n);
  return highest < slotsMax ? highest + 1 : 0;
}
