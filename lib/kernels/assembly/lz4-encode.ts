/** Encodes LZ4 blocks (lz4/lz4, doc/lz4_Block_format.md): the first match found is taken, found by a table of recent places. */

const tableBits: u32 = 12;
/** For each hash of five bytes, where bytes with it were last seen, from the start of the source. */
const table = memory.data(4 << 12, 16);
/** The last match begins 12 bytes before the end at the latest, and the last 5 bytes are literals. */
const matchMargin: usize = 12;
const literalMargin: usize = 5;
const offsetMax: usize = 65_535;

/** Writes a block of at most `targetBytes`; gives its length, or -1 when it would be longer. */
export function lz4Encode(source: usize, sourceBytes: usize, target: usize, targetBytes: usize): i32 {
  const end = source + sourceBytes;
  const targetEnd = target + targetBytes;
  let to = target;
  let anchor = source;
  if (sourceBytes > matchMargin) {
    memory.fill(table, 0, 4 << tableBits);
    const lastMatch = end - matchMargin;
    let at = source + 1;
    // The longer nothing is found, the larger the steps: what does not repeat is soon passed.
    let misses: usize = 64;
    while (at <= lastMatch) {
      const slot = slotOf(at);
      let match = source + load<u32>(slot);
      store<u32>(slot, <u32>(at - source));
      if (at - match > offsetMax || load<u32>(match) != load<u32>(at)) {
        const step = misses++ >> 6;
        // The sum might pass 4 GB.
        if (step > lastMatch - at) break;
        at += step;
        continue;
      }
      misses = 64;
      while (at > anchor && match > source && load<u8>(at - 1) == load<u8>(match - 1)) {
        at--;
        match--;
      }
      const length = countEqual(at + 4, match + 4, end - literalMargin) + <usize>4;
      const literals = at - anchor;
      // Token, offset and the longest form of both counts.
      if (targetEnd - to < literals + literals / 255 + (length / 255) + 6) return -1;
      to = putLiterals(to, targetEnd, anchor, literals, end, length - 4);
      store<u16>(to, <u16>(at - match));
      to += 2;
      if (length - 4 >= 15) to = putCount(to, length - 4 - 15);
      at += length;
      anchor = at;
      if (at <= lastMatch) store<u32>(slotOf(at - 2), <u32>(at - 2 - source));
    }
  }
  const literals = end - anchor;
  if (targetEnd - to < literals + literals / 255 + 2) return -1;
  return <i32>(putLiterals(to, targetEnd, anchor, literals, end, 0) - target);
}

/** The place in the table for five bytes. */
@inline
function slotOf(at: usize): usize {
  return table + (<usize>(((load<u64>(at) << 24) * 0x9fb21c651e98df25) >> (64 - tableBits)) << 2);
}

/** Number of equal bytes from two places on, the later one ending at `end`. */
@inline
function countEqual(at: usize, match: usize, end: usize): usize {
  const start = at;
  while (end - at >= 8) {
    const difference = load<u64>(at) ^ load<u64>(match);
    if (difference != 0) return at - start + (<usize>ctz<u64>(difference) >> 3);
    at += 8;
    match += 8;
  }
  while (at < end && load<u8>(at) == load<u8>(match)) {
    at++;
    match++;
  }
  return at - start;
}

/** Writes the token and the literals; whole vectors are copied where both ranges have room. */
@inline
function putLiterals(to: usize, targetEnd: usize, from: usize, literals: usize, end: usize, matchCode: usize): usize {
  const short = min<usize>(literals, 15);
  store<u8>(to++, <u8>((short << 4) | min<usize>(matchCode, 15)));
  if (short == 15) to = putCount(to, literals - 15);
  if (literals <= 16 && targetEnd - to >= 16 && end - from >= 16) v128.store(to, v128.load(from));
  else memory.copy(to, from, literals);
  return to + literals;
}

/** Writes what a count has past its four bits. */
@inline
function putCount(to: usize, rest: usize): usize {
  while (rest >= 255) {
    store<u8>(to++, 255);
    rest -= 255;
  }
  store<u8>(to++, <u8>rest);
  return to;
}
