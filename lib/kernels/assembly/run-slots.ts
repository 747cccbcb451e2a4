/** Runs of equal values in row order, and the slots present in each. */

/** `state`: uint64 value of the first run, uint64 of the last, uint32 how many runs. */
export function countRuns(words: usize, slots: usize, n: u32, state: usize, lastRuns: usize, inFirst: usize, counts: usize): void {
  let last = load<u64>(state, 8);
  let run = load<u32>(state, 16);
  for (let i: u32 = 0; i < n; i++) {
    const word = load<u64>(words + (i << 3));
    if (run == 0) store<u64>(state, word);
    if (run == 0 || word != last) run++;
    last = word;
    const slot = load<u32>(slots + (i << 2));
    if (load<u32>(lastRuns + (slot << 2)) == run) continue;
    store<u32>(lastRuns + (slot << 2), run);
    store<u64>(counts + (slot << 3), load<u64>(counts + (slot << 3)) + 1);
    if (run == 1) store<u8>(inFirst + slot, 1);
  }
  store<u64>(state, last, 8);
  store<u32>(state, run, 16);
}
