/** Floats as int32 codes, value = code / 10^exponent, and back. */
import { powerOf } from "./decimal";

/** Pairs between two looks at whether all went well so far. */
const pairsEach: u32 = 128;

/** Writes the code of each value; 1 where every value is its code / 10^exponent, else 0, and the target means nothing. -0 counts as 0. */
export function narrowDecimals(values: usize, n: u32, exponent: u32, target: usize): u32 {
  const power = powerOf(exponent);
  const powers = f64x2.splat(power);
  const pairs = n >> 1;
  for (let from: u32 = 0; from < pairs; from += pairsEach) {
    const end = min<u32>(from + pairsEach, pairs);
    let exact = i64x2.splat(-1);
    for (let pair = from; pair < end; pair++) {
      const value = v128.load(values + (pair << 4));
      // What is out of range becomes the end of the range, which is not the value.
      const codes = i32x4.trunc_sat_f64x2_s_zero(f64x2.nearest(f64x2.mul(value, powers)));
      exact = v128.and(exact, f64x2.eq(f64x2.div(f64x2.convert_low_i32x4_s(codes), powers), value));
      v128.store64_lane(target + (pair << 3), codes, 0);
    }
    if (!i64x2.all_true(exact)) return 0;
  }
  if (n & 1) {
    const value = load<f64>(values + ((n - 1) << 3));
    const code = i32x4.extract_lane(i32x4.trunc_sat_f64x2_s_zero(f64x2.splat(nearest<f64>(value * power))), 0);
    store<i32>(target + ((n - 1) << 2), code);
    return <u32>(<f64>code / power == value);
  }
  return 1;
}

/** The values of such codes. */
export function widenDecimals(codes: usize, n: u32, exponent: u32, target: usize): void {
  const power = powerOf(exponent);
  for (let i: u32 = 0; i < n; i++) store<f64>(target + (i << 3), <f64>load<i32>(codes + (i << 2)) / power);
}
