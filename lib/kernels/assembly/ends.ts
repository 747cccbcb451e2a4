/** First and last values by slot: as int64 what was narrowed, any 64 bits as they are. */
import { validFrom } from "./bitmaps";
import { valueAt } from "./sums";

export function firstSlotsU8(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, seen: usize, kept: usize): void {
  keepFirst<u8>(slots, values, nulls, n, base, step, seen, kept);
}

export function firstSlotsU16(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, seen: usize, kept: usize): void {
  keepFirst<u16>(slots, values, nulls, n, base, step, seen, kept);
}

export function firstSlotsU32(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, seen: usize, kept: usize): void {
  keepFirst<u32>(slots, values, nulls, n, base, step, seen, kept);
}

export function firstSlotsI64(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, seen: usize, kept: usize): void {
  keepFirst<i64>(slots, values, nulls, n, base, step, seen, kept);
}

export function lastSlotsU8(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, seen: usize, kept: usize): void {
  keepLast<u8>(slots, values, nulls, n, base, step, seen, kept);
}

export function lastSlotsU16(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, seen: usize, kept: usize): void {
  keepLast<u16>(slots, values, nulls, n, base, step, seen, kept);
}

export function lastSlotsU32(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, seen: usize, kept: usize): void {
  keepLast<u32>(slots, values, nulls, n, base, step, seen, kept);
}

export function lastSlotsI64(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, seen: usize, kept: usize): void {
  keepLast<i64>(slots, values, nulls, n, base, step, seen, kept);
}

@inline
function keepFirst<T>(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, seen: usize, kept: usize): void {
  for (let from: u32 = 0; from < n; from += 64) {
    for (let valid = validFrom(nulls, from, n); valid != 0; valid &= valid - 1) {
      const i = from + <u32>ctz<u64>(valid);
      const slot = load<u32>(slots + (i << 2));
      if (load<u8>(seen + slot) == 0) keep<T>(slot, values, i, base, step, seen, kept);
    }
  }
}

@inline
function keepLast<T>(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, seen: usize, kept: usize): void {
  for (let from: u32 = 0; from < n; from += 64) {
    for (let valid = validFrom(nulls, from, n); valid != 0; valid &= valid - 1) {
      const i = from + <u32>ctz<u64>(valid);
      keep<T>(load<u32>(slots + (i << 2)), values, i, base, step, seen, kept);
    }
  }
}

@inline
function keep<T>(slot: u32, values: usize, i: u32, base: i64, step: i64, seen: usize, kept: usize): void {
  store<u8>(seen + slot, 1);
  store<i64>(kept + (slot << 3), valueAt<T>(values, i, base, step));
}
