/** Whole numbers of 1, 2 or 4 bytes as unsigned codes: their distances to the least of them. */

export function rebaseU8(values: usize, n: u32, least: u32): void {
  rebase<u8>(values, n, least);
}

export function rebaseU16(values: usize, n: u32, least: u32): void {
  rebase<u16>(values, n, least);
}

export function rebaseU32(values: usize, n: u32, least: u32): void {
  rebase<u32>(values, n, least);
}

/** In place; wraps round, which is right for signed and unsigned values alike. */
@inline
function rebase<T>(values: usize, n: u32, least: u32): void {
  const lanes: u32 = 16 / sizeof<T>();
  const whole = n & ~(lanes - 1);
  const leasts = v128.splat<T>(<T>least);
  for (let i: u32 = 0; i < whole; i += lanes) {
    const at = values + i * sizeof<T>();
    v128.store(at, v128.sub<T>(v128.load(at), leasts));
  }
  for (let i = whole; i < n; i++) {
    const at = values + i * sizeof<T>();
    store<T>(at, <T>(load<T>(at) - <T>least));
  }
}
