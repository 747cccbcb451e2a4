/** Choosing between columns row by row, and values of few codes looked up. */
import { isSet } from "./bitmaps";

@inline
function setNull(nulls: usize, row: u32): void {
  store<u8>(nulls + (row >> 3), load<u8>(nulls + (row >> 3)) | <u8>(<u32>1 << (row & 7)));
}

/**
 * The less of both values where neither is null, or with `greatest` 1 the greater one, else the one that is not; a step
 * of 0 stands for one value. Sets the bits of `nulls`, which are 0 at first, where both are null, and gives how many. The target may be `a`.
 */
export function exprExtremeI64(greatest: u32, a: usize, aStep: u32, aNulls: usize, b: usize, bStep: u32, bNulls: usize, n: u32, target: usize, nulls: usize): u32 {
  return extreme<i64>(greatest, a, aStep, aNulls, b, bStep, bNulls, n, target, nulls);
}

export function exprExtremeF64(greatest: u32, a: usize, aStep: u32, aNulls: usize, b: usize, bStep: u32, bNulls: usize, n: u32, target: usize, nulls: usize): u32 {
  return extreme<f64>(greatest, a, aStep, aNulls, b, bStep, bNulls, n, target, nulls);
}

@inline
function extreme<T>(greatest: u32, a: usize, aStep: u32, aNulls: usize, b: usize, bStep: u32, bNulls: usize, n: u32, target: usize, nulls: usize): u32 {
  let count: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const x = load<T>(a + i * aStep), y = load<T>(b + i * bStep);
    const hasFirst = !isSet(aNulls, i), hasSecond = !isSet(bNulls, i);
    const isFirst = hasFirst && (!hasSecond || (greatest ? x >= y : x <= y));
    store<T>(target + (i << 3), isFirst ? x : y);
    if (hasFirst || hasSecond) continue;
    setNull(nulls, i);
    count += 1;
  }
  return count;
}

/** Puts value i, of 4 or 8 bytes, and its null bit into row index[i] of the target; a step of 0 stands for one value. */
export function exprPlace4(values: usize, step: u32, valueNulls: usize, index: usize, n: u32, target: usize, nulls: usize): void {
  place<u32>(values, step, valueNulls, index, n, target, nulls);
}

export function exprPlace8(values: usize, step: u32, valueNulls: usize, index: usize, n: u32, target: usize, nulls: usize): void {
  place<u64>(values, step, valueNulls, index, n, target, nulls);
}

@inline
function place<T>(values: usize, step: u32, valueNulls: usize, index: usize, n: u32, target: usize, nulls: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const row = <u32>load<u16>(index + (i << 1));
    store<T>(target + row * sizeof<T>(), load<T>(values + i * step));
    const at = nulls + (row >> 3), bit = <u8>(<u32>1 << (row & 7));
    store<u8>(at, isSet(valueNulls, i) ? load<u8>(at) | bit : load<u8>(at) & ~bit);
  }
}

/** The uint16 slot of each row: code + 1, 0 where the row is null; used[slot] = 1 for each that occurs. */
export function exprSlotsU8(codes: usize, nulls: usize, n: u32, slots: usize, used: usize): void {
  slotsOf<u8>(codes, nulls, n, slots, used);
}

export function exprSlotsU16(codes: usize, nulls: usize, n: u32, slots: usize, used: usize): void {
  slotsOf<u16>(codes, nulls, n, slots, used);
}

@inline
function slotsOf<T>(codes: usize, nulls: usize, n: u32, slots: usize, used: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const slot = isSet(nulls, i) ? 0 : <u32>load<T>(codes + i * sizeof<T>()) + 1;
    store<u16>(slots + (i << 1), <u16>slot);
    store<u8>(used + slot, 1);
  }
}
