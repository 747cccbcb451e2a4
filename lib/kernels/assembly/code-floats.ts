/** Codes as the float64 nearest to what they stand for. */

export function floatsOfU8(codes: usize, n: u32, base: i64, step: i64, biased: u32, target: usize): void {
  floatsOf<u8>(codes, n, base, step, biased, target);
}

export function floatsOfU16(codes: usize, n: u32, base: i64, step: i64, biased: u32, target: usize): void {
  floatsOf<u16>(codes, n, base, step, biased, target);
}

export function floatsOfU32(codes: usize, n: u32, base: i64, step: i64, biased: u32, target: usize): void {
  floatsOf<u32>(codes, n, base, step, biased, target);
}

@inline
function floatsOf<T>(codes: usize, n: u32, base: i64, step: i64, biased: u32, target: usize): void {
  if (biased != 0) {
    // Adding 2^63 modulo 2^64 gives the uint64 itself.
    for (let i: u32 = 0; i < n; i++) store<f64>(target + (i << 3), <f64>(<u64>valueOf<T>(codes, i, base, step) + (<u64>1 << 63)));
  } else {
    for (let i: u32 = 0; i < n; i++) store<f64>(target + (i << 3), <f64>valueOf<T>(codes, i, base, step));
  }
}

@inline
function valueOf<T>(codes: usize, i: u32, base: i64, step: i64): i64 {
  return base + step * <i64>load<T>(codes + i * sizeof<T>());
}
