/** Fills values, all of them or those of null rows. */
import { bitsFrom } from "./bitmaps";

/** Fills n float64 with one value. */
export function fillF64(target: usize, n: u32, value: f64): void {
  const pair = f64x2.splat(value);
  const even = n & ~1;
  for (let i: u32 = 0; i < even; i += 2) v128.store(target + (i << 3), pair);
  if (n != even) store<f64>(target + (even << 3), value);
}

/** Overwrites the int64 values of null rows. */
export function fillNullsI64(values: usize, nulls: usize, n: u32, value: i64): void {
  fillNulls<i64>(values, nulls, n, value);
}

/** Overwrites the float64 values of null rows. */
export function fillNullsF64(values: usize, nulls: usize, n: u32, value: f64): void {
  fillNulls<f64>(values, nulls, n, value);
}

/** Overwrites the uint32 codes of null rows. */
export function fillNullsU32(codes: usize, nulls: usize, n: u32, value: u32): void {
  fillNulls<u32>(codes, nulls, n, value);
}

@inline
function fillNulls<T>(values: usize, nulls: usize, n: u32, value: T): void {
  if (nulls == 0) return;
  for (let from: u32 = 0; from < n; from += 64) {
    for (let bits = bitsFrom(nulls, from, n); bits != 0; bits &= bits - 1) {
      store<T>(values + (from + <u32>ctz<u64>(bits)) * sizeof<T>(), value);
    }
  }
}
