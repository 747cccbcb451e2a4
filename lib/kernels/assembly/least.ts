/** Least and greatest by slot: numbers against accumulators the caller has filled, texts against the pool they are interned in. */
import { validFrom } from "./bitmaps";
import { valueAt } from "./sums";
import { orderOf } from "./texts";

export function minSlotsU8(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, least: usize): void {
  keepRows<u8>(false, slots, values, nulls, n, base, step, least);
}

export function minSlotsU16(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, least: usize): void {
  keepRows<u16>(false, slots, values, nulls, n, base, step, least);
}

export function minSlotsU32(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, least: usize): void {
  keepRows<u32>(false, slots, values, nulls, n, base, step, least);
}

export function minSlotsI64(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, least: usize): void {
  keepRows<i64>(false, slots, values, nulls, n, base, step, least);
}

export function minSlotsF64(slots: usize, values: usize, nulls: usize, n: u32, least: usize): void {
  keepRows<f64>(false, slots, values, nulls, n, 0, 0, least);
}

export function maxSlotsU8(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, greatest: usize): void {
  keepRows<u8>(true, slots, values, nulls, n, base, step, greatest);
}

export function maxSlotsU16(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, greatest: usize): void {
  keepRows<u16>(true, slots, values, nulls, n, base, step, greatest);
}

export function maxSlotsU32(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, greatest: usize): void {
  keepRows<u32>(true, slots, values, nulls, n, base, step, greatest);
}

export function maxSlotsI64(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, greatest: usize): void {
  keepRows<i64>(true, slots, values, nulls, n, base, step, greatest);
}

export function maxSlotsF64(slots: usize, values: usize, nulls: usize, n: u32, greatest: usize): void {
  keepRows<f64>(true, slots, values, nulls, n, 0, 0, greatest);
}

@inline
function keepRows<T>(greatest: bool, slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, extremes: usize): void {
  for (let from: u32 = 0; from < n; from += 64) {
    let valid = validFrom(nulls, from, n);
    if (valid == ~(<u64>0)) {
      keepWord<T>(greatest, slots + (from << 2), values + from * sizeof<T>(), base, step, extremes);
    } else {
      for (; valid != 0; valid &= valid - 1) {
        const i = from + <u32>ctz<u64>(valid);
        keepRow<T>(greatest, extremes + (load<u32>(slots + (i << 2)) << 3), values, i, base, step);
      }
    }
  }
}

/** Takes 64 rows, four to a turn. */
@inline
function keepWord<T>(greatest: bool, slots: usize, values: usize, base: i64, step: i64, extremes: usize): void {
  const end = slots + 256;
  let value = values;
  for (let slot = slots; slot != end; slot += 16, value += 4 * sizeof<T>()) {
    keepRow<T>(greatest, extremes + (load<u32>(slot) << 3), value, 0, base, step);
    keepRow<T>(greatest, extremes + (load<u32>(slot, 4) << 3), value, 1, base, step);
    keepRow<T>(greatest, extremes + (load<u32>(slot, 8) << 3), value, 2, base, step);
    keepRow<T>(greatest, extremes + (load<u32>(slot, 12) << 3), value, 3, base, step);
  }
}

/** Stores only what changes: the branch is soon foreseen, while a store each row would hold up the next row's load. */
@inline
function keepRow<T>(greatest: bool, at: usize, values: usize, i: u32, base: i64, step: i64): void {
  if (isFloat<T>()) {
    const value = load<f64>(values + (i << 3)), kept = load<f64>(at);
    if (greatest ? value > kept : value < kept) store<f64>(at, value);
  } else {
    const value = valueAt<T>(values, i, base, step), kept = load<i64>(at);
    if (greatest ? value > kept : value < kept) store<i64>(at, value);
  }
}

export function minSlotsText(slots: usize, codes: usize, nulls: usize, n: u32, poolOffsets: usize, poolBytes: usize, extreme: usize): void {
  keepTexts(false, slots, codes, nulls, n, poolOffsets, poolBytes, extreme);
}

export function maxSlotsText(slots: usize, codes: usize, nulls: usize, n: u32, poolOffsets: usize, poolBytes: usize, extreme: usize): void {
  keepTexts(true, slots, codes, nulls, n, poolOffsets, poolBytes, extreme);
}

function keepTexts(greatest: bool, slots: usize, codes: usize, nulls: usize, n: u32, poolOffsets: usize, poolBytes: usize, extreme: usize): void {
  for (let from: u32 = 0; from < n; from += 64) {
    for (let valid = validFrom(nulls, from, n); valid != 0; valid &= valid - 1) {
      const i = from + <u32>ctz<u64>(valid);
      const at = extreme + (load<u32>(slots + (i << 2)) << 2);
      const kept = load<u32>(at), code = load<u32>(codes + (i << 2));
      if (kept == code + 1) continue;
      const isBetter = kept == 0 || orderOfCodes(code, kept - 1, poolOffsets, poolBytes) == (greatest ? 2 : 0);
      if (isBetter) store<u32>(at, code + 1);
    }
  }
}

function orderOfCodes(a: u32, b: u32, poolOffsets: usize, poolBytes: usize): u32 {
  const aStart = load<u32>(poolOffsets + (a << 2)), bStart = load<u32>(poolOffsets + (b << 2));
  const aEnd = load<u32>(poolOffsets + (a << 2), 4), bEnd = load<u32>(poolOffsets + (b << 2), 4);
  return orderOf(poolBytes + aStart, aEnd - aStart, poolBytes + bStart, bEnd - bStart);
}
