/**
 * Two columns compared row by row, exactly, whatever the dtypes of both. `accept`: bit 0 for left below right, bit 1 for
 * equal, bit 2 for left above.
 */
import { orderOf } from "./texts";

export function maskRelateI64(left: usize, right: usize, n: u32, accept: u32, mask: usize): void {
  for (let i: u32 = 0; i < n; i++) write(mask + i, accept, order<i64>(load<i64>(left + (i << 3)), load<i64>(right + (i << 3))));
}

export function maskRelateF64(left: usize, right: usize, n: u32, accept: u32, mask: usize): void {
  for (let i: u32 = 0; i < n; i++) write(mask + i, accept, order<f64>(load<f64>(left + (i << 3)), load<f64>(right + (i << 3))));
}

/** int64 with uint64, which is kept less 2^63. */
export function maskRelateI64U64(left: usize, right: usize, n: u32, accept: u32, mask: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const value = load<i64>(left + (i << 3));
    write(mask + i, accept, value < 0 ? 0 : order<i64>(value ^ i64.MIN_VALUE, load<i64>(right + (i << 3))));
  }
}

export function maskRelateI64F64(left: usize, right: usize, n: u32, accept: u32, mask: usize): void {
  for (let i: u32 = 0; i < n; i++) write(mask + i, accept, orderOfI64(load<i64>(left + (i << 3)), load<f64>(right + (i << 3))));
}

export function maskRelateU64F64(left: usize, right: usize, n: u32, accept: u32, mask: usize): void {
  for (let i: u32 = 0; i < n; i++) write(mask + i, accept, orderOfU64(<u64>(load<i64>(left + (i << 3)) ^ i64.MIN_VALUE), load<f64>(right + (i << 3))));
}

/** Days with instants in nanoseconds; a day is its first instant, which an int64 may not hold. */
export function maskRelateDays(days: usize, instants: usize, n: u32, accept: u32, mask: usize): void {
  const dayNs: i64 = 86_400_000_000_000;
  for (let i: u32 = 0; i < n; i++) {
    const instant = load<i64>(instants + (i << 3));
    const rest = instant % dayNs;
    const byDay = order<i64>(load<i64>(days + (i << 3)), instant / dayNs - <i64>(rest < 0));
    write(mask + i, accept, byDay == 1 && rest != 0 ? 0 : byDay);
  }
}

/** Texts by unsigned bytes; where `codes` is 0 row i is text i, else text codes[i] (uint32). */
export function maskRelateTexts(leftCodes: usize, leftOffsets: usize, leftBytes: usize, rightCodes: usize, rightOffsets: usize, rightBytes: usize, n: u32, accept: u32, mask: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const a = leftOffsets + (entry(leftCodes, i) << 2), b = rightOffsets + (entry(rightCodes, i) << 2);
    const aStart = load<u32>(a), bStart = load<u32>(b);
    write(mask + i, accept, orderOf(leftBytes + aStart, load<u32>(a, 4) - aStart, rightBytes + bStart, load<u32>(b, 4) - bStart));
  }
}

@inline
function entry(codes: usize, row: u32): u32 {
  return codes == 0 ? row : load<u32>(codes + (row << 2));
}

@inline
function write(at: usize, accept: u32, order: u32): void {
  store<u8>(at, <u8>((accept >> order) & 1));
}

@inline
function order<T>(left: T, right: T): u32 {
  return 1 + <u32>(left > right) - <u32>(left < right);
}

/** By whole parts first, which are exact; a float between two whole numbers is above its whole part, or below it. */
function orderOfI64(left: i64, right: f64): u32 {
  if (right >= 9_223_372_036_854_775_808.0) return 0;
  if (right < -9_223_372_036_854_775_808.0) return 2;
  const whole = trunc<f64>(right);
  const byWhole = order<i64>(left, <i64>whole);
  return byWhole == 1 ? order<f64>(whole, right) : byWhole;
}

function orderOfU64(left: u64, right: f64): u32 {
  if (right >= 18_446_744_073_709_551_616.0) return 0;
  if (right < 0.0) return 2;
  const whole = trunc<f64>(right);
  const byWhole = order<u64>(left, <u64>whole);
  return byWhole == 1 ? order<f64>(whole, right) : byWhole;
}
