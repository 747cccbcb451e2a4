/** The second half of a counting sort by slot. */

/** Writes each value of 8 bytes to the next place of its slot; rows of one slot keep their order. */
export function scatterSlots8(slots: usize, values: usize, n: u32, places: usize, target: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const at = places + (load<u32>(slots + (i << 2)) << 2);
    const place = load<u32>(at);
    store<u32>(at, place + 1);
    store<u64>(target + (<usize>place << 3), load<u64>(values + (i << 3)));
  }
}
