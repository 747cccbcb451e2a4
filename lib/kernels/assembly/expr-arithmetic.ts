/**
 * Arithmetic of two columns of 8 byte values. A step is 8 where an operand has a value a row, 0 where one stands for all.
 * Whole numbers are exact: the first row that is not null and whose result does not fit is given, n where all fit; what
 * is written from there on means nothing. op: 0 +, 1 -, 2 *, 3 %, 4 /, 5 power.
 */
import { isSet } from "./bitmaps";

export function exprI64(op: u32, a: usize, aStep: u32, b: usize, bStep: u32, nulls: usize, n: u32, target: usize): u32 {
  switch (op) {
    case 0: return addI64(a, aStep, b, bStep, nulls, n, target);
    case 1: return subtractI64(a, aStep, b, bStep, nulls, n, target);
    case 2: return multiplyI64(a, aStep, b, bStep, nulls, n, target);
    default: return remainderI64(a, aStep, b, bStep, n, target);
  }
}

/** uint64 less 2^63, operands and results. */
export function exprU64(op: u32, a: usize, aStep: u32, b: usize, bStep: u32, nulls: usize, n: u32, target: usize): u32 {
  for (let i: u32 = 0; i < n; i++) {
    const x = <u64>(load<i64>(a + i * aStep) ^ i64.MIN_VALUE), y = <u64>(load<i64>(b + i * bStep) ^ i64.MIN_VALUE);
    let result: u64 = 0;
    let fits = true;
    if (op == 0) {
      result = x + y;
      fits = result >= x;
    } else if (op == 1) {
      result = x - y;
      fits = x >= y;
    } else if (op == 2) {
      result = x * y;
      fits = ((x | y) >> 32) == 0 || x == 0 || result / x == y;
    } else if (y != 0) result = x % y;
    if (!fits && !isSet(nulls, i)) return i;
    store<i64>(target + (i << 3), <i64>result ^ i64.MIN_VALUE);
  }
  return n;
}

export function exprF64(op: u32, a: usize, aStep: u32, b: usize, bStep: u32, n: u32, target: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const x = load<f64>(a + i * aStep), y = load<f64>(b + i * bStep);
    let result: f64;
    switch (op) {
      case 0: result = x + y; break;
      case 1: result = x - y; break;
      case 2: result = x * y; break;
      case 3: result = x % y; break;
      case 4: result = x / y; break;
      default: result = NativeMath.pow(x, y);
    }
    store<f64>(target + (i << 3), result);
  }
}

/** Sets the null bit of each row whose int64 is 0, or with `float` 1 whose float64 is. */
export function exprZeroNulls(values: usize, step: u32, float: u32, n: u32, nulls: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const at = values + i * step;
    const isZero = float ? load<f64>(at) == 0.0 : load<i64>(at) == 0;
    if (isZero) store<u8>(nulls + (i >> 3), load<u8>(nulls + (i >> 3)) | <u8>(<u32>1 << (i & 7)));
  }
}

function addI64(a: usize, aStep: u32, b: usize, bStep: u32, nulls: usize, n: u32, target: usize): u32 {
  let i: u32 = 0;
  for (; i < n; i++) {
    const x = load<i64>(a + i * aStep), y = load<i64>(b + i * bStep), sum = x + y;
    // The sign differs from that of both operands only where the sum has wrapped round.
    if (((x ^ sum) & (y ^ sum)) < 0 && !isSet(nulls, i)) break;
    store<i64>(target + (i << 3), sum);
  }
  return i;
}

function subtractI64(a: usize, aStep: u32, b: usize, bStep: u32, nulls: usize, n: u32, target: usize): u32 {
  let i: u32 = 0;
  for (; i < n; i++) {
    const x = load<i64>(a + i * aStep), y = load<i64>(b + i * bStep), difference = x - y;
    if (((x ^ y) & (x ^ difference)) < 0 && !isSet(nulls, i)) break;
    store<i64>(target + (i << 3), difference);
  }
  return i;
}

function multiplyI64(a: usize, aStep: u32, b: usize, bStep: u32, nulls: usize, n: u32, target: usize): u32 {
  let i: u32 = 0;
  for (; i < n; i++) {
    const x = load<i64>(a + i * aStep), y = load<i64>(b + i * bStep), product = x * y;
    if (!fitsProduct(x, y, product) && !isSet(nulls, i)) break;
    store<i64>(target + (i << 3), product);
  }
  return i;
}

@inline
function fitsProduct(x: i64, y: i64, product: i64): bool {
  if (x == <i64>(<i32>x) && y == <i64>(<i32>y)) return true;
  if (y == 0) return true;
  // The division itself traps for the least int64 by -1.
  if (y == -1) return x != i64.MIN_VALUE;
  return product / y == x;
}

/** The sign of the dividend; of 0 where the divisor is 0, which the caller makes null. */
function remainderI64(a: usize, aStep: u32, b: usize, bStep: u32, n: u32, target: usize): u32 {
  for (let i: u32 = 0; i < n; i++) {
    const y = load<i64>(b + i * bStep);
    store<i64>(target + (i << 3), y == 0 || y == -1 ? 0 : load<i64>(a + i * aStep) % y);
  }
  return n;
}
