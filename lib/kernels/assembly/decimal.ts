/** Floats as whole numbers of a decimal place: value = k / 10^exponent, where that division gives back every bit. */

const exponentMax: u32 = 18;
/** Up to here k, and the distance of two of them, are exact in float64. */
const keyMax: f64 = 4503599627370496;

const powers = memory.data(19 << 3, 16);
/** 10^i is a product of exact factors, and so exact, up to 10^22. */
let power: f64 = 1;
for (let i: u32 = 0; i <= exponentMax; i++, power *= 10) store<f64>(powers + (i << 3), power);

/** 10^exponent. */
@inline
export function powerOf(exponent: u32): f64 {
  return load<f64>(powers + (exponent << 3));
}

/**
 * Writes k of each value as an int64, and gives the exponent: the least that a pass over the values arrives at. -1 when
 * no exponent brings every value back bit for bit; then the target means nothing.
 */
export function decimalKeys(values: usize, n: u32, single: u32, target: usize): i32 {
  let exponent: u32 = 0;
  let raisedAt: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    while (!storeKey(values, i, exponent, single, target)) {
      if (exponent == exponentMax) return -1;
      exponent++;
      raisedAt = i;
    }
  }
  for (let i: u32 = 0; i < raisedAt; i++) if (!storeKey(values, i, exponent, single, target)) return -1;
  return exponent;
}

/** Infinities and NaN fail the bound; no -0.0 is among the values. */
@inline
function storeKey(values: usize, i: u32, exponent: u32, single: u32, target: usize): bool {
  const value = load<f64>(values + (i << 3));
  const scale = load<f64>(powers + (exponent << 3));
  const key = nearest<f64>(value * scale);
  if (!(abs<f64>(key) <= keyMax)) return false;
  const quotient = key / scale;
  if (reinterpret<u64>(single == 0 ? quotient : <f64>(<f32>quotient)) != reinterpret<u64>(value)) return false;
  store<i64>(target + (i << 3), <i64>key);
  return true;
}

export function decimalU8(codes: usize, n: u32, base: i64, step: i64, exponent: u32, single: u32, target: usize): void {
  decimals<u8>(codes, n, base, step, exponent, single, target);
}

export function decimalU16(codes: usize, n: u32, base: i64, step: i64, exponent: u32, single: u32, target: usize): void {
  decimals<u16>(codes, n, base, step, exponent, single, target);
}

export function decimalU32(codes: usize, n: u32, base: i64, step: i64, exponent: u32, single: u32, target: usize): void {
  decimals<u32>(codes, n, base, step, exponent, single, target);
}

@inline
function decimals<T>(codes: usize, n: u32, base: i64, step: i64, exponent: u32, single: u32, target: usize): void {
  const scale = load<f64>(powers + (exponent << 3));
  const even = n & ~1;
  const bases = f64x2.splat(<f64>base), steps = f64x2.splat(<f64>step), scales = f64x2.splat(scale);
  if (single == 0) {
    for (let i: u32 = 0; i < even; i += 2) {
      v128.store(target + (i << 3), f64x2.div(f64x2.add(bases, f64x2.mul(steps, loadPair<T>(codes, i))), scales));
    }
  } else {
    for (let i: u32 = 0; i < even; i += 2) {
      const quotients = f64x2.div(f64x2.add(bases, f64x2.mul(steps, loadPair<T>(codes, i))), scales);
      v128.store(target + (i << 3), f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(quotients)));
    }
  }
  if (even != n) {
    const quotient = (<f64>base + <f64>step * <f64>load<T>(codes + even * sizeof<T>())) / scale;
    store<f64>(target + (even << 3), single == 0 ? quotient : <f64>(<f32>quotient));
  }
}

/** Two codes as float64. */
@inline
function loadPair<T>(codes: usize, i: u32): v128 {
  const at = codes + i * sizeof<T>();
  if (sizeof<T>() == 4) return f64x2.convert_low_i32x4_u(v128.load64_zero(at));
  if (sizeof<T>() == 2) return f64x2.convert_low_i32x4_u(i32x4.extend_low_i16x8_u(v128.load32_zero(at)));
  return f64x2.convert_low_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(i16x8.splat(load<i16>(at)))));
}
