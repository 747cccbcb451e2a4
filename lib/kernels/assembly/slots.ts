/** Dense slots and packed keys: what each key adds to the number of a row's group. */
import { bitsFrom } from "./bitmaps";

export function slotsSetU8(values: usize, n: u32, multiplier: u32, offset: u32, slots: usize): void {
  addSlots<u8>(false, values, n, multiplier, offset, slots);
}

export function slotsSetU16(values: usize, n: u32, multiplier: u32, offset: u32, slots: usize): void {
  addSlots<u16>(false, values, n, multiplier, offset, slots);
}

export function slotsSetU32(values: usize, n: u32, multiplier: u32, offset: u32, slots: usize): void {
  addSlots<u32>(false, values, n, multiplier, offset, slots);
}

export function slotsSetI64(values: usize, n: u32, multiplier: u64, offset: u64, slots: usize): void {
  addSlots<u64>(false, values, n, <u32>multiplier, <u32>offset, slots);
}

export function slotsAddU8(values: usize, n: u32, multiplier: u32, offset: u32, slots: usize): void {
  addSlots<u8>(true, values, n, multiplier, offset, slots);
}

export function slotsAddU16(values: usize, n: u32, multiplier: u32, offset: u32, slots: usize): void {
  addSlots<u16>(true, values, n, multiplier, offset, slots);
}

export function slotsAddU32(values: usize, n: u32, multiplier: u32, offset: u32, slots: usize): void {
  addSlots<u32>(true, values, n, multiplier, offset, slots);
}

export function slotsAddI64(values: usize, n: u32, multiplier: u64, offset: u64, slots: usize): void {
  addSlots<u64>(true, values, n, <u32>multiplier, <u32>offset, slots);
}

/** Four rows at a time; modulo 2^32 only the low half of a 64-bit value counts. */
@inline
function addSlots<T>(add: bool, values: usize, n: u32, multiplier: u32, offset: u32, slots: usize): void {
  const factors = i32x4.splat(multiplier), offsets = i32x4.splat(offset);
  const whole = n & ~3;
  for (let i: u32 = 0; i < whole; i += 4) {
    const at = slots + (i << 2);
    const term = i32x4.add(i32x4.mul(loadFour<T>(values + i * sizeof<T>()), factors), offsets);
    v128.store(at, add ? i32x4.add(v128.load(at), term) : term);
  }
  for (let i = whole; i < n; i++) {
    const at = slots + (i << 2);
    const term = <u32>load<T>(values + i * sizeof<T>()) * multiplier + offset;
    store<u32>(at, add ? load<u32>(at) + term : term);
  }
}

/** Four values as 32-bit lanes. */
@inline
function loadFour<T>(at: usize): v128 {
  if (sizeof<T>() == 1) return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at)));
  if (sizeof<T>() == 2) return i32x4.extend_low_i16x8_u(v128.load64_zero(at));
  if (sizeof<T>() == 4) return v128.load(at);
  return v128.shuffle<i32>(v128.load(at), v128.load(at, 16), 0, 2, 4, 6);
}

export function slotsNulls(nulls: usize, n: u32, delta: u32, slots: usize): void {
  addNulls<u32>(nulls, n, delta, slots);
}

export function packNulls(nulls: usize, n: u32, delta: u64, keys: usize): void {
  addNulls<u64>(nulls, n, delta, keys);
}

@inline
function addNulls<T>(nulls: usize, n: u32, delta: T, target: usize): void {
  if (nulls == 0) return;
  for (let from: u32 = 0; from < n; from += 64) {
    for (let bits = bitsFrom(nulls, from, n); bits != 0; bits &= bits - 1) {
      const at = target + (from + <u32>ctz<u64>(bits)) * sizeof<T>();
      store<T>(at, load<T>(at) + delta);
    }
  }
}

export function packSetU8(values: usize, n: u32, multiplier: u64, offset: u64, keys: usize): void {
  addKeys<u8>(false, values, n, multiplier, offset, keys);
}

export function packSetU16(values: usize, n: u32, multiplier: u64, offset: u64, keys: usize): void {
  addKeys<u16>(false, values, n, multiplier, offset, keys);
}

export function packSetU32(values: usize, n: u32, multiplier: u64, offset: u64, keys: usize): void {
  addKeys<u32>(false, values, n, multiplier, offset, keys);
}

export function packSetI64(values: usize, n: u32, multiplier: u64, offset: u64, keys: usize): void {
  addKeys<u64>(false, values, n, multiplier, offset, keys);
}

export function packAddU8(values: usize, n: u32, multiplier: u64, offset: u64, keys: usize): void {
  addKeys<u8>(true, values, n, multiplier, offset, keys);
}

export function packAddU16(values: usize, n: u32, multiplier: u64, offset: u64, keys: usize): void {
  addKeys<u16>(true, values, n, multiplier, offset, keys);
}

export function packAddU32(values: usize, n: u32, multiplier: u64, offset: u64, keys: usize): void {
  addKeys<u32>(true, values, n, multiplier, offset, keys);
}

export function packAddI64(values: usize, n: u32, multiplier: u64, offset: u64, keys: usize): void {
  addKeys<u64>(true, values, n, multiplier, offset, keys);
}

@inline
function addKeys<T>(add: bool, values: usize, n: u32, multiplier: u64, offset: u64, keys: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const at = keys + (i << 3);
    const term = <u64>load<T>(values + i * sizeof<T>()) * multiplier + offset;
    store<u64>(at, add ? load<u64>(at) + term : term);
  }
}
