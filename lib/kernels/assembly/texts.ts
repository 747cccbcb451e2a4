/** Order and equality of byte strings. */

/** Tells whether two places hold the same bytes. */
@inline
export function equalBytes(a: usize, b: usize, bytes: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= bytes; i += 8) if (load<u64>(a + i) != load<u64>(b + i)) return false;
  for (; i < bytes; i++) if (load<u8>(a + i) != load<u8>(b + i)) return false;
  return true;
}

/** 0, 1 or 2 as the first string is below, equal to or above the second: by the first byte that differs, unsigned, else by length. */
export function orderOf(a: usize, aBytes: u32, b: usize, bBytes: u32): u32 {
  const shared = min<u32>(aBytes, bBytes);
  let i: u32 = 0;
  for (; i + 8 <= shared; i += 8) {
    const left = load<u64>(a + i), right = load<u64>(b + i);
    if (left != right) return bswap<u64>(left) < bswap<u64>(right) ? 0 : 2;
  }
  for (; i < shared; i++) {
    const left = load<u8>(a + i), right = load<u8>(b + i);
    if (left != right) return left < right ? 0 : 2;
  }
  return aBytes == bBytes ? 1 : aBytes < bBytes ? 0 : 2;
}
