/** Selections: a mask of a byte a row (1 selected, 0 not), and the uint16 index of the selected rows. */
import { spreadBits16, bitsFrom } from "./bitmaps";

export function maskRangeU8(values: usize, n: u32, lo: u32, hi: u32, negate: u32, mask: usize): void {
  maskRangeUnsigned<u8>(values, n, lo, hi, negate, mask);
}

export function maskRangeU16(values: usize, n: u32, lo: u32, hi: u32, negate: u32, mask: usize): void {
  maskRangeUnsigned<u16>(values, n, lo, hi, negate, mask);
}

export function maskRangeU32(values: usize, n: u32, lo: u32, hi: u32, negate: u32, mask: usize): void {
  maskRangeUnsigned<u32>(values, n, lo, hi, negate, mask);
}

export function maskRangeI64(values: usize, n: u32, lo: i64, hi: i64, negate: u32, mask: usize): void {
  maskRangeWide<i64>(values, n, lo, hi, negate, mask);
}

export function maskRangeF64(values: usize, n: u32, lo: f64, hi: f64, negate: u32, mask: usize): void {
  maskRangeWide<f64>(values, n, lo, hi, negate, mask);
}

/** In range is one comparison: value - lo, which wraps below lo, is at most hi - lo. */
@inline
function maskRangeUnsigned<T>(values: usize, n: u32, lo: u32, hi: u32, negate: u32, mask: usize): void {
  const top = min<u32>(hi, <u32>(<T>-1));
  if (lo > top) {
    memory.fill(mask, <u8>negate, n);
    return;
  }
  const least = v128.splat<T>(<T>lo), span = v128.splat<T>(<T>(top - lo));
  const one = i8x16.splat(1), flip = i8x16.splat(<i8>negate);
  const whole = n & ~15;
  for (let i: u32 = 0; i < whole; i += 16) {
    const inside = insideSixteen<T>(values + i * sizeof<T>(), least, span);
    v128.store(mask + i, v128.xor(v128.and(inside, one), flip));
  }
  for (let i = whole; i < n; i++) {
    const inside = <u32>load<T>(values + i * sizeof<T>()) - lo <= top - lo;
    store<u8>(mask + i, <u8>(<u32>inside ^ negate));
  }
}

/** All ones for each of sixteen values in range. */
@inline
function insideSixteen<T>(at: usize, least: v128, span: v128): v128 {
  const first = insideVector<T>(at, least, span);
  if (sizeof<T>() == 1) return first;
  const second = insideVector<T>(at + 16, least, span);
  if (sizeof<T>() == 2) return i8x16.narrow_i16x8_s(first, second);
  const third = insideVector<T>(at + 32, least, span), fourth = insideVector<T>(at + 48, least, span);
  return i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(first, second), i16x8.narrow_i32x4_s(third, fourth));
}

@inline
function insideVector<T>(at: usize, least: v128, span: v128): v128 {
  return v128.le<T>(v128.sub<T>(v128.load(at), least), span);
}

@inline
function maskRangeWide<T>(values: usize, n: u32, lo: T, hi: T, negate: u32, mask: usize): void {
  const least = v128.splat<T>(lo), most = v128.splat<T>(hi);
  const one = i8x16.splat(1), flip = i8x16.splat(<i8>negate);
  const whole = n & ~15;
  for (let i: u32 = 0; i < whole; i += 16) {
    const at = values + (i << 3);
    const a = insideFour<T>(at, least, most), b = insideFour<T>(at + 32, least, most);
    const c = insideFour<T>(at + 64, least, most), d = insideFour<T>(at + 96, least, most);
    const inside = i8x16.narrow_i16x8_s(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
    v128.store(mask + i, v128.xor(v128.and(inside, one), flip));
  }
  for (let i = whole; i < n; i++) {
    const value = load<T>(values + (i << 3));
    const inside = value >= lo && value <= hi;
    store<u8>(mask + i, <u8>(<u32>inside ^ negate));
  }
}

/** All ones, 32 bits wide, for each of four 64-bit values in range. */
@inline
function insideFour<T>(at: usize, least: v128, most: v128): v128 {
  const a = v128.load(at), b = v128.load(at, 16);
  const low = v128.and(v128.ge<T>(a, least), v128.le<T>(a, most));
  const high = v128.and(v128.ge<T>(b, least), v128.le<T>(b, most));
  return v128.shuffle<i32>(low, high, 0, 2, 4, 6);
}

export function maskLutU8(codes: usize, n: u32, lut: usize, mask: usize): void {
  maskLut<u8>(codes, n, lut, mask);
}

export function maskLutU16(codes: usize, n: u32, lut: usize, mask: usize): void {
  maskLut<u16>(codes, n, lut, mask);
}

export function maskLutU32(codes: usize, n: u32, lut: usize, mask: usize): void {
  maskLut<u32>(codes, n, lut, mask);
}

@inline
function maskLut<T>(codes: usize, n: u32, lut: usize, mask: usize): void {
  const whole = n & ~3;
  for (let i: u32 = 0; i < whole; i += 4) {
    const at = codes + i * sizeof<T>();
    const a = <u32>load<u8>(lut + <usize>load<T>(at)), b = <u32>load<u8>(lut + <usize>load<T>(at, sizeof<T>()));
    const c = <u32>load<u8>(lut + <usize>load<T>(at, 2 * sizeof<T>())), d = <u32>load<u8>(lut + <usize>load<T>(at, 3 * sizeof<T>()));
    store<u32>(mask + i, a | (b << 8) | (c << 16) | (d << 24));
  }
  for (let i = whole; i < n; i++) store<u8>(mask + i, load<u8>(lut + <usize>load<T>(codes + i * sizeof<T>())));
}

/** Clears the mask of null rows. */
export function maskNulls(nulls: usize, n: u32, mask: usize): void {
  if (nulls == 0) return;
  const whole = n & ~15;
  for (let i: u32 = 0; i < whole; i += 16) {
    const isNull = spreadBits16(load<u16>(nulls + (i >> 3)));
    v128.store(mask + i, v128.andnot(v128.load(mask + i), isNull));
  }
  for (let i = whole; i < n; i++) {
    const bit = (<u32>load<u8>(nulls + (i >> 3)) >> (i & 7)) & 1;
    store<u8>(mask + i, load<u8>(mask + i) & <u8>(bit ^ 1));
  }
}

export function maskAnd(mask: usize, other: usize, n: u32): void {
  const whole = n & ~15;
  for (let i: u32 = 0; i < whole; i += 16) v128.store(mask + i, v128.and(v128.load(mask + i), v128.load(other + i)));
  for (let i = whole; i < n; i++) store<u8>(mask + i, load<u8>(mask + i) & load<u8>(other + i));
}

export function maskOr(mask: usize, other: usize, n: u32): void {
  const whole = n & ~15;
  for (let i: u32 = 0; i < whole; i += 16) v128.store(mask + i, v128.or(v128.load(mask + i), v128.load(other + i)));
  for (let i = whole; i < n; i++) store<u8>(mask + i, load<u8>(mask + i) | load<u8>(other + i));
}

export function maskCount(mask: usize, n: u32): u32 {
  const whole = n & ~15;
  let sums = i32x4.splat(0);
  for (let i: u32 = 0; i < whole; i += 16) {
    const pairs = i16x8.extadd_pairwise_i8x16_u(v128.load(mask + i));
    sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(pairs));
  }
  let count: u32 = i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums, 2) + i32x4.extract_lane(sums, 3);
  for (let i = whole; i < n; i++) count += load<u8>(mask + i);
  return count;
}

/** Writes the rows selected, in order, and nothing past them; gives how many. */
export function maskIndex(mask: usize, n: u32, index: usize): u32 {
  const iota = i16x8(0, 1, 2, 3, 4, 5, 6, 7);
  const whole = n & ~15;
  let to = index;
  for (let i: u32 = 0; i < whole; i += 16) {
    let bits = <u32>i8x16.bitmask(i8x16.neg(v128.load(mask + i)));
    if (bits == 0xffff) {
      const rows = i16x8.add(iota, i16x8.splat(<i16>i));
      v128.store(to, rows);
      v128.store(to, i16x8.add(rows, i16x8.splat(8)), 16);
      to += 32;
    } else {
      for (; bits != 0; bits &= bits - 1, to += 2) store<u16>(to, <u16>(i + ctz<u32>(bits)));
    }
  }
  for (let i = whole; i < n; i++) {
    if (load<u8>(mask + i) == 0) continue;
    store<u16>(to, <u16>i);
    to += 2;
  }
  return <u32>(to - index) >> 1;
}

export function placeMask(source: usize, index: usize, n: u32, mask: usize): void {
  for (let i: u32 = 0; i < n; i++) store<u8>(mask + load<u16>(index + (i << 1)), load<u8>(source + i));
}
