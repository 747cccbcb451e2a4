/** What a table does not hold: NaN becomes a null, -0.0 becomes 0.0. */

/** Sets the null bit of each NaN, turns -0.0 into 0.0 in place, and gives the number of null rows. The bitmap ends in zeros. */
export function cleanF64(values: usize, n: u32, nulls: usize): u32 {
  let count: u32 = 0;
  for (let from: u32 = 0; from < n; from += 8) {
    const rows = min<u32>(n - from, 8);
    let byte = <u32>load<u8>(nulls + (from >> 3));
    for (let i: u32 = 0; i < rows; i++) {
      const at = values + ((from + i) << 3);
      const value = load<f64>(at);
      byte |= <u32>(value != value) << i;
      // Adding 0 turns -0.0 into 0.0 and leaves every other value as it is.
      store<f64>(at, value + 0);
    }
    store<u8>(nulls + (from >> 3), <u8>byte);
    count += popcnt<u32>(byte);
  }
  return count;
}
