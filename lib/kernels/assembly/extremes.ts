/** Least and greatest of n values, n at least 1; nulls are not looked at. */

export function maxU8(values: usize, n: u32): f64 {
  return extreme<u8>(true, values, n);
}

export function maxU16(values: usize, n: u32): f64 {
  return extreme<u16>(true, values, n);
}

/** A float64, because a uint32 would reach JavaScript as a negative number from 2^31 on. */
export function maxU32(values: usize, n: u32): f64 {
  return extreme<u32>(true, values, n);
}

export function minI64(values: usize, n: u32): i64 {
  return extreme<i64>(false, values, n);
}

export function maxI64(values: usize, n: u32): i64 {
  return extreme<i64>(true, values, n);
}

export function minF64(values: usize, n: u32): f64 {
  return extreme<f64>(false, values, n);
}

export function maxF64(values: usize, n: u32): f64 {
  return extreme<f64>(true, values, n);
}

/** Tells whether every value is from `least` to `greatest`: 1 or 0. */
export function areWithinI64(values: usize, n: u32, least: i64, greatest: i64): u32 {
  return areWithin<i64>(values, n, least, greatest);
}

/** Tells whether every value is from `least` to `greatest`, which no NaN is: 1 or 0. */
export function areWithinF64(values: usize, n: u32, least: f64, greatest: f64): u32 {
  return areWithin<f64>(values, n, least, greatest);
}

@inline
function areWithin<T>(values: usize, n: u32, least: T, greatest: T): u32 {
  const leasts = v128.splat<T>(least), greatests = v128.splat<T>(greatest);
  let within = i64x2.splat(-1);
  const even = n & ~1;
  for (let i: u32 = 0; i < even; i += 2) {
    const pair = v128.load(values + (i << 3));
    within = v128.and(within, v128.and(v128.ge<T>(pair, leasts), v128.le<T>(pair, greatests)));
  }
  if (!i64x2.all_true(within)) return 0;
  if (even == n) return 1;
  const last = load<T>(values + (even << 3));
  return <u32>(last >= least && last <= greatest);
}

/** The extreme of all values: two vectors in flight, then their lanes, then the values past the last whole pair. */
@inline
function extreme<T>(greatest: bool, values: usize, n: u32): T {
  const lanes: u32 = 16 / sizeof<T>();
  const whole = n & ~(2 * lanes - 1);
  let found = load<T>(values);
  if (whole != 0) {
    let a = v128.load(values), b = v128.load(values, 16);
    for (let i: u32 = 2 * lanes; i < whole; i += 2 * lanes) {
      const at = values + i * sizeof<T>();
      a = choose<T>(greatest, a, v128.load(at));
      b = choose<T>(greatest, b, v128.load(at, 16));
    }
    v128.store(scratch, choose<T>(greatest, a, b));
    for (let lane: u32 = 0; lane < lanes; lane++) found = better<T>(greatest, found, load<T>(scratch + lane * sizeof<T>()));
  }
  for (let i = whole; i < n; i++) found = better<T>(greatest, found, load<T>(values + i * sizeof<T>()));
  return found;
}

const scratch = memory.data(16, 16);

@inline
function better<T>(greatest: bool, a: T, b: T): T {
  return greatest ? max<T>(a, b) : min<T>(a, b);
}

@inline
function choose<T>(greatest: bool, a: v128, b: v128): v128 {
  if (isFloat<T>()) return greatest ? v128.pmax<T>(a, b) : v128.pmin<T>(a, b);
  if (sizeof<T>() == 8) return v128.bitselect(a, b, greatest ? i64x2.gt_s(a, b) : i64x2.gt_s(b, a));
  return greatest ? v128.max<T>(a, b) : v128.min<T>(a, b);
}
