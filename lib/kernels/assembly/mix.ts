/** Mixing for hash tables: two rounds of multiply and xor-shift, so that sequences and strides spread over the low bits. */

/** A well mixed hash of one word. */
@inline
export function mix(word: u64): u64 {
  let hash = word * 0x9e3779b97f4a7c15;
  hash = (hash ^ (hash >> 32)) * 0xd6e8feb86659fd93;
  return hash ^ (hash >> 32);
}

/** The hash of a sequence that goes on with one more word. */
@inline
export function mixNext(hash: u64, word: u64): u64 {
  return mix(rotl<u64>(hash, 23) + word);
}

/** The hash of bytes of any length. */
export function mixBytes(pointer: usize, bytes: u32): u64 {
  let hash = <u64>bytes;
  let at = pointer;
  let left = bytes;
  for (; left >= 8; left -= 8, at += 8) hash = mixNext(hash, load<u64>(at));
  return left == 0 ? mix(hash) : mixNext(hash, lastWord(at, left));
}

/** One to seven bytes as a word, without reading past them. */
@inline
function lastWord(at: usize, count: u32): u64 {
  if (count >= 4) return <u64>load<u32>(at) | (<u64>load<u32>(at + count - 4) << 32);
  return <u64>load<u8>(at) | (<u64>load<u8>(at + (count >> 1)) << 8) | (<u64>load<u8>(at + count - 1) << 16);
}
