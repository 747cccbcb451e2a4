/** Sets of int64 values, in tables of (value, 1). */
import { mix } from "./mix";
import { findNear, homeOf, insertNew, isLineFull } from "./tables";

export function setBuild(values: usize, n: u32, set: usize, capacity: u32): void {
  for (let i: u32 = 0; i < n; i++) {
    const value = load<u64>(values + (i << 3));
    if (has(value, set, capacity) == 0) insertNew(set, capacity, mix(value), value, 1);
  }
}

export function maskSetI64(values: usize, n: u32, set: usize, capacity: u32, negate: u32, mask: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    store<u8>(mask + i, <u8>(has(load<u64>(values + (i << 3)), set, capacity) ^ negate));
  }
}

export function maskSetU32(codes: usize, n: u32, base: i64, step: i64, set: usize, capacity: u32, negate: u32, mask: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const value = base + step * <i64>load<u32>(codes + (i << 2));
    store<u8>(mask + i, <u8>(has(value, set, capacity) ^ negate));
  }
}

export function lutFromSet(base: i64, step: i64, n: u32, set: usize, capacity: u32, negate: u32, lut: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    store<u8>(lut + i, <u8>(has(base + step * <i64>i, set, capacity) ^ negate));
  }
}

/** 1 when the value is in the set, else 0. */
@inline
function has(value: u64, set: usize, capacity: u32): u32 {
  const home = homeOf(mix(value), capacity);
  const found = findNear(set, home, value);
  return found == 0 && isLineFull(set, home) ? hasBeyond(value, set, capacity, home) : found;
}

function hasBeyond(value: u64, set: usize, capacity: u32, home: u32): u32 {
  let place = home;
  do {
    place = (place + 4) & (capacity - 1);
    const found = findNear(set, place, value);
    if (found != 0) return found;
  } while (isLineFull(set, place));
  return 0;
}
