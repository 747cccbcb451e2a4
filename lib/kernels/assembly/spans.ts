/** Copies of literals and matches, which decoders of the LZ77 family share: whole vectors where both ranges have room. */

/**
 * For each match offset d below 16: sixteen bytes i % d, which repeat the last d bytes over a vector; and in the
 * unused row 0, at d, the greatest multiple of d up to 16: how far one such vector carries the pattern.
 */
const patterns = memory.data(256, 16);
for (let d: u32 = 1; d < 16; d++) {
  store<u8>(patterns + d, <u8>(16 - (16 % d)));
  for (let i: u32 = 0; i < 16; i++) store<u8>(patterns + (d << 4) + i, <u8>(i % d));
}

/** Copies `count` bytes; the rooms are the bytes that may be read and written from there on, at least `count`. */
@inline
export function copyLiterals(from: usize, fromRoom: usize, to: usize, toRoom: usize, count: usize): void {
  if (fromRoom - count >= 16 && toRoom - count >= 16) {
    for (let i: usize = 0; i < count; i += 16) v128.store(to + i, v128.load(from + i));
  } else {
    memory.copy(to, from, count);
  }
}

/**
 * Repeats `length` bytes, at least 1, from `offset` before `to`; the two may overlap, each byte then being written
 * before it is read. `room` is the bytes that may be written, at least `length`.
 */
@inline
export function copyMatch(to: usize, room: usize, offset: usize, length: usize): void {
  if (room - length >= 16) copyMatchWide(to, offset, length);
  else for (let i: usize = 0; i < length; i++) store<u8>(to + i, load<u8>(to - offset + i));
}

/** The same where the 15 bytes after the match may be written too. */
@inline
export function copyMatchWide(to: usize, offset: usize, length: usize): void {
  const match = to - offset;
  let i: usize = 0;
  if (offset >= 16) {
    do {
      v128.store(to + i, v128.load(match + i));
      i += 16;
    } while (i < length);
  } else {
    const pattern = i8x16.swizzle(v128.load(match), v128.load(patterns + (offset << 4)));
    const stride = <usize>load<u8>(patterns + offset);
    do {
      v128.store(to + i, pattern);
      i += stride;
    } while (i < length);
  }
}
