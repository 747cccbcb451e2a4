/** Integer sums of a whole run of values, without slots: sixteen rows at a time. */
import { isSet, spreadBits16 } from "./bitmaps";

export function totalU8(codes: usize, nulls: usize, n: u32): u64 {
  return total<u8>(codes, nulls, n);
}

export function totalU16(codes: usize, nulls: usize, n: u32): u64 {
  return total<u16>(codes, nulls, n);
}

export function totalU32(codes: usize, nulls: usize, n: u32): u64 {
  return total<u32>(codes, nulls, n);
}

/** The sum of codes, or of int64 values modulo 2^64, that are not null. */
@inline
export function total<T>(codes: usize, nulls: usize, n: u32): u64 {
  const whole = n & ~15;
  let sums = i64x2.splat(0);
  for (let i: u32 = 0; i < whole; i += 16) {
    const isNull = nulls == 0 ? i64x2.splat(0) : spreadBits16(load<u16>(nulls + (i >> 3)));
    sums = i64x2.add(sums, sumSixteen<T>(codes + i * sizeof<T>(), isNull));
  }
  let sum = <u64>i64x2.extract_lane(sums, 0) + <u64>i64x2.extract_lane(sums, 1);
  for (let i = whole; i < n; i++) if (!isSet(nulls, i)) sum += <u64>load<T>(codes + i * sizeof<T>());
  return sum;
}

/** Two partial sums of sixteen codes, those of null rows left out; `isNull` is a byte a row, all ones for null. */
@inline
function sumSixteen<T>(at: usize, isNull: v128): v128 {
  if (sizeof<T>() == 1) return widen(i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(v128.andnot(v128.load(at), isNull))));
  const low = i16x8.extend_low_i8x16_s(isNull), high = i16x8.extend_high_i8x16_s(isNull);
  if (sizeof<T>() == 2) {
    const a = i32x4.extadd_pairwise_i16x8_u(v128.andnot(v128.load(at), low));
    return widen(i32x4.add(a, i32x4.extadd_pairwise_i16x8_u(v128.andnot(v128.load(at, 16), high))));
  }
  const first = i32x4.extend_low_i16x8_s(low), second = i32x4.extend_high_i16x8_s(low);
  const third = i32x4.extend_low_i16x8_s(high), fourth = i32x4.extend_high_i16x8_s(high);
  const a = sumFour<T>(at, first), b = sumFour<T>(at + 4 * sizeof<T>(), second);
  const c = sumFour<T>(at + 8 * sizeof<T>(), third), d = sumFour<T>(at + 12 * sizeof<T>(), fourth);
  return i64x2.add(i64x2.add(a, b), i64x2.add(c, d));
}

/** The same of four codes of 4 or 8 bytes; `isNull` is four bytes a row. */
@inline
function sumFour<T>(at: usize, isNull: v128): v128 {
  if (sizeof<T>() == 4) return widen(v128.andnot(v128.load(at), isNull));
  const a = v128.andnot(v128.load(at), i64x2.extend_low_i32x4_s(isNull));
  return i64x2.add(a, v128.andnot(v128.load(at, 16), i64x2.extend_high_i32x4_s(isNull)));
}

/** Four uint32 added up into two uint64. */
@inline
function widen(four: v128): v128 {
  return i64x2.add(i64x2.extend_low_i32x4_u(four), i64x2.extend_high_i32x4_u(four));
}
