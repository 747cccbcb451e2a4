/**
 * Texts against a pattern of like. The pattern comes cut at its % signs: a first part that a text must begin with, a last
 * one that it must end with, and parts between that follow each other anywhere. Taking each at its leftmost place never
 * spoils a later one. A long part without _ is searched for by its borders (Knuth, Morris and Pratt), in steps as many as
 * the text has bytes; a long one with _ by the set of its prefixes that end at a byte, 64 to a word (Baeza-Yates and Gonnet);
 * short ones cost at most the length of the text times theirs.
 */

/** A token of a pattern: a byte, or this for any one code point. */
const anyOne: u32 = 256;
const nowhere: u32 = 0xffff_ffff;

/**
 * `ends`: parts + 1 uint32, part p is tokens[ends[p], ends[p + 1]). One part alone must be the whole text. `tables`: a
 * pointer a part, 0 where it is not searched for by prefixes, else to words of 64 of its tokens each: for every byte those
 * that it may be the first or next byte of, then those that are _, then room for as many.
 */
export function maskLike(offsets: usize, bytes: usize, n: u32, tokens: usize, borders: usize, ends: usize, parts: u32, tables: usize, negate: u32, mask: usize): void {
  for (let row: u32 = 0; row < n; row++) {
    const start = load<u32>(offsets + (row << 2)), end = load<u32>(offsets + (row << 2), 4);
    store<u8>(mask + row, <u8>(<u32>isLike(bytes, start, end, tokens, borders, ends, parts, tables) ^ negate));
  }
}

function isLike(text: usize, start: u32, end: u32, tokens: usize, borders: usize, ends: usize, parts: u32, tables: usize): bool {
  let at = matchAt(text, start, end, tokens, load<u32>(ends), load<u32>(ends, 4));
  if (at == nowhere) return false;
  if (parts == 1) return at == end;
  const last = ends + ((parts - 1) << 2);
  const stop = matchBack(text, at, end, tokens, load<u32>(last), load<u32>(last, 4));
  if (stop == nowhere) return false;
  for (let part: u32 = 1; part < parts - 1; part++) {
    const own = ends + (part << 2);
    const from = load<u32>(own), to = load<u32>(own, 4);
    const table = <usize>load<u32>(tables + (part << 2));
    if (table != 0) at = findPrefixes(text, at, stop, table, to - from);
    else if (load<u32>(borders + (from << 2)) != nowhere) at = findLong(text, at, stop, tokens, borders, from, to);
    else at = findPart(text, at, stop, tokens, from, to);
    if (at == nowhere) return false;
  }
  return true;
}

/** Where a part that begins at a place ends; nowhere if it does not match within [at, end). */
@inline
function matchAt(text: usize, at: u32, end: u32, tokens: usize, from: u32, to: u32): u32 {
  for (let t = from; t < to; t++) {
    if (at >= end) return nowhere;
    const token = <u32>load<u16>(tokens + (t << 1));
    if (token == anyOne) {
      at = nextPoint(text, at, end);
    } else {
      if (<u32>load<u8>(text + at) != token) return nowhere;
      at++;
    }
  }
  return at;
}

/** Where a part that ends at `end` begins; nowhere if that is before `start`. */
function matchBack(text: usize, start: u32, end: u32, tokens: usize, from: u32, to: u32): u32 {
  let at = end;
  for (let t = to; t > from; t--) {
    if (at <= start) return nowhere;
    at--;
    const token = <u32>load<u16>(tokens + ((t - 1) << 1));
    if (token == anyOne) {
      while (at > start && isInner(text + at)) at--;
    } else if (<u32>load<u8>(text + at) != token) {
      return nowhere;
    }
  }
  return at;
}

/** Where the leftmost match of a part within [at, end) ends. */
function findPart(text: usize, at: u32, end: u32, tokens: usize, from: u32, to: u32): u32 {
  const first = <u32>load<u16>(tokens + (from << 1));
  while (at < end) {
    if (first != anyOne) {
      at = findByte(text, at, end, <u8>first);
      if (at == end) return nowhere;
    }
    const stop = matchAt(text, at, end, tokens, from, to);
    if (stop != nowhere) return stop;
    at = nextPoint(text, at, end);
  }
  return nowhere;
}

/**
 * The same for a part of bytes alone, in which `borders` has for each token how many of the first tokens of the part end
 * there once more. A part begins with a code point, so that a match does.
 */
function findLong(text: usize, start: u32, end: u32, tokens: usize, borders: usize, from: u32, to: u32): u32 {
  const count = to - from;
  const own = tokens + (from << 1), back = borders + (from << 2);
  const first = <u8>load<u16>(own);
  let matched: u32 = 0;
  for (let at = start; at < end; at++) {
    if (matched == 0) {
      at = findByte(text, at, end, first);
      if (at == end) return nowhere;
      matched = 1;
    } else {
      const byte = <u32>load<u8>(text + at);
      while (matched > 0 && <u32>load<u16>(own + (matched << 1)) != byte) matched = load<u32>(back + ((matched - 1) << 2));
      matched += <u32>(<u32>load<u16>(own + (matched << 1)) == byte);
    }
    if (matched == count) return at + 1;
  }
  return nowhere;
}

/** The same for a part by its table: bit i of the state is set when the tokens to i match what ends here. */
function findPrefixes(text: usize, start: u32, end: u32, table: usize, count: u32): u32 {
  const words = (count + 63) >> 6, bytes = <usize>words << 3;
  const any = table + 256 * bytes, state = any + bytes;
  const last = state + bytes - 8, goal = <u64>1 << ((count - 1) & 63);
  memory.fill(state, 0, bytes);
  for (let at = start; at < end; at++) {
    const inner = isInner(text + at);
    const own = table + <usize>load<u8>(text + at) * bytes;
    // A match begins with a code point, and a code point that _ stands for goes on with its later bytes.
    let carry = <u64>!inner;
    for (let word: usize = 0; word < bytes; word += 8) {
      const before = load<u64>(state + word);
      const stays = inner ? before & load<u64>(any + word) : 0;
      store<u64>(state + word, ((before << 1 | carry) & load<u64>(own + word)) | stays);
      carry = before >> 63;
    }
    if ((load<u64>(last) & goal) != 0) return nextPoint(text, at, end);
  }
  return nowhere;
}

function findByte(text: usize, at: u32, end: u32, byte: u8): u32 {
  const wanted = i8x16.splat(byte);
  for (; at + 16 <= end; at += 16) {
    const hits = i8x16.bitmask(i8x16.eq(v128.load(text + at), wanted));
    if (hits != 0) return at + ctz<i32>(hits);
  }
  while (at < end && load<u8>(text + at) != byte) at++;
  return at;
}

@inline
function nextPoint(text: usize, at: u32, end: u32): u32 {
  at++;
  while (at < end && isInner(text + at)) at++;
  return at;
}

/** Tells whether a byte goes on with a code point that began before it. */
@inline
function isInner(at: usize): bool {
  return (load<u8>(at) & 0xc0) == 0x80;
}
