/** Sums in 128 bits: accumulators of 16 bytes, two's complement, little-endian. */
import { bitsFrom, validFrom } from "./bitmaps";
import { valueAt } from "./sums";

export function sumWideSlotsU8(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, sums: usize): void {
  sumWideRows<u8>(slots, values, nulls, n, base, step, sums);
}

export function sumWideSlotsU16(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, sums: usize): void {
  sumWideRows<u16>(slots, values, nulls, n, base, step, sums);
}

export function sumWideSlotsU32(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, sums: usize): void {
  sumWideRows<u32>(slots, values, nulls, n, base, step, sums);
}

export function sumWideSlotsI64(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, sums: usize): void {
  sumWideRows<i64>(slots, values, nulls, n, base, step, sums);
}

@inline
function sumWideRows<T>(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, sums: usize): void {
  for (let from: u32 = 0; from < n; from += 64) {
    for (let valid = validFrom(nulls, from, n); valid != 0; valid &= valid - 1) {
      const i = from + <u32>ctz<u64>(valid);
      addWide(sums + (load<u32>(slots + (i << 2)) << 4), valueAt<T>(values, i, base, step));
    }
  }
}

/** Adds an int64 to 128 bits in two's complement: the sign is the upper word, and a low sum that got smaller carries. */
@inline
function addWide(at: usize, value: i64): void {
  const low = load<u64>(at) + <u64>value;
  store<u64>(at, low);
  store<i64>(at, load<i64>(at, 8) + (value >> 63) + <i64>(low < <u64>value), 8);
}

/** Upper and lower halves add up apart, neither of which can overflow in 2^31 rows, and meet in 128 bits at the end. */
export function totalWideI64(values: usize, nulls: usize, n: u32, sum: usize): void {
  let lower: u64 = 0;
  let upper: i64 = 0;
  for (let from: u32 = 0; from < n; from += 64) {
    const bits = nulls == 0 ? 0 : bitsFrom(nulls, from, n);
    const end = min<u32>(from + 64, n);
    if (bits == 0) {
      for (let i = from; i < end; i++) {
        const value = load<i64>(values + (i << 3));
        lower += <u64>value & 0xffffffff;
        upper += value >> 32;
      }
    } else {
      for (let i = from; i < end; i++) {
        const value = (bits >> (i & 63)) & 1 ? 0 : load<i64>(values + (i << 3));
        lower += <u64>value & 0xffffffff;
        upper += value >> 32;
      }
    }
  }
  addWide(sum, <i64>lower);
  const low = load<u64>(sum) + (<u64>upper << 32);
  store<i64>(sum, load<i64>(sum, 8) + (upper >> 32) + <i64>(low < <u64>upper << 32), 8);
  store<u64>(sum, low);
}
