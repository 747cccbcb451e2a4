/** What sketches make of values: hashes, HyperLogLog registers, and bins of relative width. */
import { xxh64 } from "./xxhash";

/** Registers of a slot are 2^14 bytes: the upper 14 bits of a hash choose one, the others count. */
const indexBits: u32 = 14;

/** Words are multiplied and then flipped first, so that equal values of several dtypes are equal words. */
export function hashWords(words: usize, n: u32, factor: u64, flip: u64, target: usize): void {
  for (let i: u32 = 0; i < n; i++) store<u64>(target + (i << 3), mixWell((load<u64>(words + (i << 3)) * factor) ^ flip));
}

/** Whole numbers hash as int64, or as uint64 where they are beyond it. */
export function hashFloats(values: usize, n: u32, target: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const value = load<f64>(values + (i << 3));
    const isWhole = value == trunc<f64>(value) && value >= -9223372036854775808.0 && value < 18446744073709551616.0;
    const word = !isWhole ? reinterpret<u64>(value) : value < 9223372036854775808.0 ? <u64>(<i64>value) : <u64>value;
    store<u64>(target + (i << 3), mixWell(word));
  }
}

/** Every bit of the hash depends on all of the word (SplitMix64, Steele and others, 2014). */
@inline
function mixWell(word: u64): u64 {
  let hash = word + 0x9e3779b97f4a7c15;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  return hash ^ (hash >> 31);
}

export function hashTexts(offsets: usize, bytes: usize, n: u32, target: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const start = load<u32>(offsets + (i << 2));
    store<u64>(target + (i << 3), xxh64(bytes + start, load<u32>(offsets + (i << 2), 4) - start));
  }
}

/** target[i] = table[codes[i]] over uint64 entries. */
export function translateWords(codes: usize, n: u32, table: usize, target: usize): void {
  for (let i: u32 = 0; i < n; i++) store<u64>(target + (i << 3), load<u64>(table + (<usize>load<u32>(codes + (i << 2)) << 3)));
}

@inline
function rankOf(hash: u64): u32 {
  return <u32>clz<u64>((hash << indexBits) | (1 << (indexBits - 1))) + 1;
}

export function raiseRegisters(slots: usize, hashes: usize, n: u32, registers: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const hash = load<u64>(hashes + (i << 3));
    const at = registers + (<usize>load<u32>(slots + (i << 2)) << indexBits) + <usize>(hash >> (64 - indexBits));
    const rank = rankOf(hash);
    if (rank > load<u8>(at)) store<u8>(at, <u8>rank);
  }
}

export function registerCodes(hashes: usize, n: u32, codes: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const hash = load<u64>(hashes + (i << 3));
    store<u32>(codes + (i << 2), (<u32>(hash >> (64 - indexBits)) << 6) | rankOf(hash));
  }
}

/**
 * The logarithm is taken as linear between powers of two, which needs no logarithm at all and makes bins no wider than
 * they may be (Masson and others, DDSketch, 2019, section 4).
 */
export function binsF64(values: usize, n: u32, binsEach: f64, least: i32, centre: i32, bins: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const value = load<f64>(values + (i << 3));
    store<i32>(bins + (i << 2), value == 0 ? centre : value < 0 ? centre - distance(-value, binsEach, least) : centre + distance(value, binsEach, least));
  }
}

/** How far from the centre the bin of a number above 0 is, at least 1; infinity has the one behind all others. */
@inline
function distance(value: f64, binsEach: f64, least: i32): i32 {
  const isTiny = value < 2.2250738585072014e-308;
  const bits = reinterpret<u64>(isTiny ? value * 18014398509481984.0 : value);
  const exponent = <i32>(bits >> 52) - (isTiny ? 1077 : 1023);
  const fraction = reinterpret<f64>((bits & 0xfffffffffffff) | 0x3ff0000000000000) - 1;
  return <i32>Math.floor((<f64>exponent + fraction) * binsEach) - least + 1 + <i32>(exponent == 1024);
}

export function floatsOfI64(values: usize, n: u32, target: usize): void {
  for (let i: u32 = 0; i < n; i++) store<f64>(target + (i << 3), <f64>load<i64>(values + (i << 3)));
}

/** The same of uint64 kept as v - 2^63. */
export function floatsOfU64(values: usize, n: u32, target: usize): void {
  for (let i: u32 = 0; i < n; i++) store<f64>(target + (i << 3), <f64>(load<u64>(values + (i << 3)) ^ (<u64>1 << 63)));
}
