/**
 * Least and greatest by slot of values close to each other: distances from a least value, in 2 bytes a slot, so that many
 * slots stay in the cache. A distance is code * step + offset modulo 2^32, and below 65,535.
 */
import { validFrom } from "./bitmaps";

export function minNarrowU8(slots: usize, values: usize, nulls: usize, n: u32, step: u32, offset: u32, least: usize): void {
  keepRows<u8>(false, slots, values, nulls, n, step, offset, least);
}

export function minNarrowU16(slots: usize, values: usize, nulls: usize, n: u32, step: u32, offset: u32, least: usize): void {
  keepRows<u16>(false, slots, values, nulls, n, step, offset, least);
}

export function minNarrowU32(slots: usize, values: usize, nulls: usize, n: u32, step: u32, offset: u32, least: usize): void {
  keepRows<u32>(false, slots, values, nulls, n, step, offset, least);
}

export function minNarrowI64(slots: usize, values: usize, nulls: usize, n: u32, step: u32, offset: u32, least: usize): void {
  keepRows<u64>(false, slots, values, nulls, n, step, offset, least);
}

export function maxNarrowU8(slots: usize, values: usize, nulls: usize, n: u32, step: u32, offset: u32, greatest: usize): void {
  keepRows<u8>(true, slots, values, nulls, n, step, offset + 1, greatest);
}

export function maxNarrowU16(slots: usize, values: usize, nulls: usize, n: u32, step: u32, offset: u32, greatest: usize): void {
  keepRows<u16>(true, slots, values, nulls, n, step, offset + 1, greatest);
}

export function maxNarrowU32(slots: usize, values: usize, nulls: usize, n: u32, step: u32, offset: u32, greatest: usize): void {
  keepRows<u32>(true, slots, values, nulls, n, step, offset + 1, greatest);
}

export function maxNarrowI64(slots: usize, values: usize, nulls: usize, n: u32, step: u32, offset: u32, greatest: usize): void {
  keepRows<u64>(true, slots, values, nulls, n, step, offset + 1, greatest);
}

@inline
function keepRows<T>(greatest: bool, slots: usize, values: usize, nulls: usize, n: u32, step: u32, offset: u32, extremes: usize): void {
  for (let from: u32 = 0; from < n; from += 64) {
    let valid = validFrom(nulls, from, n);
    if (valid == ~(<u64>0)) {
      keepWord<T>(greatest, slots + (from << 2), values + from * sizeof<T>(), step, offset, extremes);
    } else {
      for (; valid != 0; valid &= valid - 1) {
        const i = from + <u32>ctz<u64>(valid);
        keepRow<T>(greatest, extremes + (load<u32>(slots + (i << 2)) << 1), values + i * sizeof<T>(), step, offset);
      }
    }
  }
}

/** Takes 64 rows, four to a turn. */
@inline
function keepWord<T>(greatest: bool, slots: usize, values: usize, step: u32, offset: u32, extremes: usize): void {
  const end = slots + 256;
  let value = values;
  for (let slot = slots; slot != end; slot += 16, value += 4 * sizeof<T>()) {
    keepRow<T>(greatest, extremes + (load<u32>(slot) << 1), value, step, offset);
    keepRow<T>(greatest, extremes + (load<u32>(slot, 4) << 1), value + sizeof<T>(), step, offset);
    keepRow<T>(greatest, extremes + (load<u32>(slot, 8) << 1), value + 2 * sizeof<T>(), step, offset);
    keepRow<T>(greatest, extremes + (load<u32>(slot, 12) << 1), value + 3 * sizeof<T>(), step, offset);
  }
}

/** Stores only what changes: the branch is soon foreseen. */
@inline
function keepRow<T>(greatest: bool, at: usize, value: usize, step: u32, offset: u32): void {
  const distance = <u32>load<T>(value) * step + offset, kept = <u32>load<u16>(at);
  if (greatest ? distance > kept : distance < kept) store<u16>(at, <u16>distance);
}
