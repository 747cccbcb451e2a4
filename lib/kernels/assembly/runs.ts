/**
 * Runs of one slot, as a sorted key or a single group makes them. Row by row, each addition would wait for the store of
 * the one before; a run is added up apart and stored once.
 */

/** How many rows from `from` on have one slot, in whole words of 64: 0 where the next 64 differ or are not there. */
@inline
export function runRows(slots: usize, from: u32, n: u32): u32 {
  // Unequal ends settle it for nearly every word of unsorted slots.
  return hasEqualEnds(slots, from, n) ? measureRun(slots, from, n) : 0;
}

function measureRun(slots: usize, from: u32, n: u32): u32 {
  const slot = load<u32>(slots + (from << 2));
  let end = from;
  while (hasEqualEnds(slots, end, n) && isAll(slots + (end << 2), slot)) end += 64;
  return end - from;
}

@inline
function hasEqualEnds(slots: usize, from: u32, n: u32): bool {
  return n - from >= 64 && load<u32>(slots + (from << 2)) == load<u32>(slots + (from << 2), 252);
}

/** Tells whether 64 entries are all one slot. */
@inline
function isAll(at: usize, slot: u32): bool {
  const pattern = i32x4.splat(slot);
  let differing = i32x4.splat(0);
  for (let i: u32 = 0; i < 256; i += 16) differing = v128.or(differing, v128.xor(v128.load(at + i), pattern));
  return !v128.any_true(differing);
}
