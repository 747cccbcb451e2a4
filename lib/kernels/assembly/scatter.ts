/** The second half of a counting sort by slot: each value goes to the next place of its slot; rows of one slot keep their order. */

export function scatterSlots4(slots: usize, values: usize, n: u32, places: usize, target: usize): void {
  scatter<u32>(slots, values, n, places, target);
}

export function scatterSlots8(slots: usize, values: usize, n: u32, places: usize, target: usize): void {
  scatter<u64>(slots, values, n, places, target);
}

@inline
function scatter<T>(slots: usize, values: usize, n: u32, places: usize, target: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const at = places + (load<u32>(slots + (i << 2)) << 2);
    const place = load<u32>(at);
    store<u32>(at, place + 1);
    store<T>(target + <usize>place * sizeof<T>(), load<T>(values + i * sizeof<T>()));
  }
}
