/** Values of narrow dtypes as int64 and float64, which is what encoding works on, and back to what a reader asks for. */

export function widenI8(source: usize, n: u32, target: usize): void {
  widen<i8>(source, n, target);
}

export function widenI16(source: usize, n: u32, target: usize): void {
  widen<i16>(source, n, target);
}

export function widenI32(source: usize, n: u32, target: usize): void {
  widen<i32>(source, n, target);
}

export function widenU8(source: usize, n: u32, target: usize): void {
  widen<u8>(source, n, target);
}

export function widenU16(source: usize, n: u32, target: usize): void {
  widen<u16>(source, n, target);
}

export function widenU32(source: usize, n: u32, target: usize): void {
  widen<u32>(source, n, target);
}

@inline
function widen<T>(source: usize, n: u32, target: usize): void {
  for (let i: u32 = 0; i < n; i++) store<i64>(target + (i << 3), <i64>load<T>(source + i * sizeof<T>()));
}

/** Turns the highest bit of each uint64 round, which gives the int64 of the same order, and back. */
export function flipSigns(values: usize, n: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    const at = values + (i << 3);
    store<u64>(at, load<u64>(at) ^ 0x8000000000000000);
  }
}

/** float32 to float64, exact. */
export function widenF32(source: usize, n: u32, target: usize): void {
  for (let i: u32 = 0; i < n; i++) store<f64>(target + (i << 3), <f64>load<f32>(source + (i << 2)));
}

/** float64 to float32, rounded. */
export function narrowF32(source: usize, n: u32, target: usize): void {
  for (let i: u32 = 0; i < n; i++) store<f32>(target + (i << 2), <f32>load<f64>(source + (i << 3)));
}

export function expandU8(codes: usize, n: u32, base: i64, step: i64, width: u32, target: usize): void {
  expand<u8>(codes, n, base, step, width, target);
}

export function expandU16(codes: usize, n: u32, base: i64, step: i64, width: u32, target: usize): void {
  expand<u16>(codes, n, base, step, width, target);
}

export function expandU32(codes: usize, n: u32, base: i64, step: i64, width: u32, target: usize): void {
  expand<u32>(codes, n, base, step, width, target);
}

export function expandI64(values: usize, n: u32, base: i64, step: i64, width: u32, target: usize): void {
  expand<i64>(values, n, base, step, width, target);
}

@inline
function expand<T>(codes: usize, n: u32, base: i64, step: i64, width: u32, target: usize): void {
  if (width == 1) expandTo<T, u8>(codes, n, base, step, target);
  else if (width == 2) expandTo<T, u16>(codes, n, base, step, target);
  else if (width == 4) expandTo<T, u32>(codes, n, base, step, target);
  else if (width == 8) expandTo<T, u64>(codes, n, base, step, target);
}

@inline
function expandTo<T, U>(codes: usize, n: u32, base: i64, step: i64, target: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    store<U>(target + i * sizeof<U>(), <U>(base + step * <i64>load<T>(codes + i * sizeof<T>())));
  }
}
