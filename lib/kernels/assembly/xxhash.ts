/** XXH64 with seed 0, after the specification (Cyan4973/xxHash, doc/xxhash_spec.md). */

const prime1: u64 = 0x9e3779b185ebca87;
const prime2: u64 = 0xc2b2ae3d27d4eb4f;
const prime3: u64 = 0x165667b19e3779f9;
const prime4: u64 = 0x85ebca77c2b2ae63;
const prime5: u64 = 0x27d4eb2f165667c5;

/** The hash of `bytes` bytes. */
export function xxh64(pointer: usize, bytes: u32): u64 {
  let at = pointer;
  let left = bytes;
  let hash = prime5;
  if (bytes >= 32) {
    let a = prime1 + prime2, b = prime2, c: u64 = 0, d = -prime1;
    for (; left >= 32; left -= 32, at += 32) {
      a = round(a, load<u64>(at));
      b = round(b, load<u64>(at, 8));
      c = round(c, load<u64>(at, 16));
      d = round(d, load<u64>(at, 24));
    }
    hash = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
    hash = joinLane(joinLane(joinLane(joinLane(hash, a), b), c), d);
  }
  return finish(hash + bytes, at, left);
}

@inline
function round(lane: u64, input: u64): u64 {
  return rotl<u64>(lane + input * prime2, 31) * prime1;
}

@inline
function joinLane(hash: u64, lane: u64): u64 {
  return (hash ^ round(0, lane)) * prime1 + prime4;
}

/** Folds in the last bytes, fewer than 32, and spreads every bit. */
@inline
function finish(start: u64, pointer: usize, bytes: u32): u64 {
  let hash = start;
  let at = pointer;
  let left = bytes;
  for (; left >= 8; left -= 8, at += 8) hash = rotl<u64>(hash ^ round(0, load<u64>(at)), 27) * prime1 + prime4;
  if (left >= 4) {
    hash = rotl<u64>(hash ^ (<u64>load<u32>(at) * prime1), 23) * prime2 + prime3;
    at += 4;
    left -= 4;
  }
  for (; left > 0; left--, at++) hash = rotl<u64>(hash ^ (<u64>load<u8>(at) * prime5), 11) * prime1;
  hash = (hash ^ (hash >> 33)) * prime2;
  hash = (hash ^ (hash >> 29)) * prime3;
  return hash ^ (hash >> 32);
}
