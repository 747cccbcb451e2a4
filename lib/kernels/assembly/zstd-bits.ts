/** Bit strings of Zstandard: tables are read forwards from the lowest bit of the first byte, streams backwards from an end mark. */

/** `count` bits, at most 16, from a bit place on; bits past the end read as 0. */
export function bitsAt(source: usize, sourceBytes: u32, place: u32, count: u32): u32 {
  const first = place >> 3;
  let word: u32 = 0;
  for (let i: u32 = 0; i < 3 && first + i < sourceBytes; i++) word |= <u32>load<u8>(source + first + i) << (i << 3);
  return (word >> (place & 7)) & ((1 << count) - 1);
}

/** Bits of a backward stream before its end mark, the highest bit set in the last byte; -1 without one. */
@inline
export function findStreamBits(stream: usize, bytes: u32): i32 {
  if (bytes == 0) return -1;
  const last = <u32>load<u8>(stream + bytes - 1);
  return last == 0 ? -1 : <i32>((bytes << 3) - 8 + (31 - clz<u32>(last)));
}

/**
 * Sixty-four bits of a backward stream of which `left` > 0 bits are unread, those first and from the top on. What lies
 * before the stream, at least 8 bytes that may be read, follows its first bit.
 */
@inline
export function topBits(stream: usize, left: i32): u64 {
  const ahead = (left + 7) >> 3;
  return load<u64>(stream + ahead - 8) << <u64>((ahead << 3) - left);
}
