/** Bitmaps, 64 rows at a time: bit i%8 of byte i>>3 belongs to row i. */

/** A word with the low `count` bits set, count from 0 to 64. */
@inline
export function lowBits(count: u32): u64 {
  return count >= 64 ? ~(<u64>0) : (<u64>1 << count) - 1;
}

/** The bits of rows [from, from + 64), `from` a multiple of 64; rows from n on read as 0, and no byte past theirs is read. */
@inline
export function bitsFrom(bits: usize, from: u32, n: u32): u64 {
  const at = bits + (from >> 3);
  return n - from >= 64 ? load<u64>(at) : lastBits(at, n - from);
}

/** The first `count` bits at a place, fewer than 64. */
function lastBits(at: usize, count: u32): u64 {
  let word: u64 = 0;
  const bytes = (count + 7) >> 3;
  for (let i: u32 = 0; i < bytes; i++) word |= <u64>load<u8>(at + i) << (i << 3);
  return word & lowBits(count);
}

/** A bit for each row of [from, min(from + 64, n)) that is not null. */
@inline
export function validFrom(nulls: usize, from: u32, n: u32): u64 {
  const rows = lowBits(min<u32>(n - from, 64));
  return nulls == 0 ? rows : rows & ~bitsFrom(nulls, from, n);
}

/** Tells whether the bit of a row is set; no bit of a missing bitmap is. */
@inline
export function isSet(bits: usize, row: u32): bool {
  return bits != 0 && ((<u32>load<u8>(bits + (row >> 3)) >> (row & 7)) & 1) != 0;
}

/** Sixteen bytes of all ones where the bit of the row is set, from the low 16 bits of a word. */
@inline
export function spreadBits16(word: u32): v128 {
  const bit = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  const bytes = i8x16.swizzle(i16x8.splat(<i16>word), i8x16(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
  return i8x16.eq(v128.and(bytes, bit), bit);
}

/** Number of bits set in the first n. */
export function countBits(bits: usize, n: u32): u32 {
  let count: u64 = 0;
  for (let from: u32 = 0; from < n; from += 64) count += popcnt<u64>(bitsFrom(bits, from, n));
  return <u32>count;
}
