/** Counting rows and adding up codes in one pass. */
import { copies, findFewSlots } from "./copies";
import { countSlots, sumSlotsU16, sumSlotsU8 } from "./sums";

export function tallySlotsU8(slots: usize, values: usize, n: u32, base: i64, step: i64, counts: usize, sums: usize): void {
  tallyRows<u8>(slots, values, n, base, step, counts, sums);
}

export function tallySlotsU16(slots: usize, values: usize, n: u32, base: i64, step: i64, counts: usize, sums: usize): void {
  tallyRows<u16>(slots, values, n, base, step, counts, sums);
}

@inline
function tallyRows<T>(slots: usize, values: usize, n: u32, base: i64, step: i64, counts: usize, sums: usize): void {
  const slotCount = findFewSlots(slots, n);
  if (slotCount != 0) {
    tallyFew<T>(slots, values, n, slotCount, base, step, counts, sums);
  } else {
    countSlots(slots, n, counts);
    if (sizeof<T>() == 1) sumSlotsU8(slots, values, 0, n, base, step, sums);
    else sumSlotsU16(slots, values, 0, n, base, step, sums);
  }
}

/** A copy holds rows in its upper and codes in its lower half: 65,536 codes of 16 bits fit 32. */
@inline
function tallyFew<T>(slots: usize, values: usize, n: u32, slotCount: u32, base: i64, step: i64, counts: usize, sums: usize): void {
  memory.fill(copies, 0, slotCount << 5);
  const whole = n & ~3;
  const end = slots + (whole << 2);
  let value = values;
  for (let slot = slots; slot != end; slot += 16, value += 4 * sizeof<T>()) {
    tally(copies + (load<u32>(slot) << 5), <u64>load<T>(value));
    tally(copies + (load<u32>(slot, 4) << 5) + 8, <u64>load<T>(value, sizeof<T>()));
    tally(copies + (load<u32>(slot, 8) << 5) + 16, <u64>load<T>(value, 2 * sizeof<T>()));
    tally(copies + (load<u32>(slot, 12) << 5) + 24, <u64>load<T>(value, 3 * sizeof<T>()));
  }
  for (let i = whole; i < n; i++) tally(copies + (load<u32>(slots + (i << 2)) << 5), <u64>load<T>(values + i * sizeof<T>()));
  for (let slot: u32 = 0; slot < slotCount; slot++) {
    const at = copies + (slot << 5);
    addTally(load<u64>(at), base, step, counts + (slot << 3), sums + (slot << 3));
    addTally(load<u64>(at, 8), base, step, counts + (slot << 3), sums + (slot << 3));
    addTally(load<u64>(at, 16), base, step, counts + (slot << 3), sums + (slot << 3));
    addTally(load<u64>(at, 24), base, step, counts + (slot << 3), sums + (slot << 3));
  }
}

@inline
function tally(at: usize, code: u64): void {
  store<u64>(at, load<u64>(at) + (<u64>1 << 32) + code);
}

@inline
function addTally(tallied: u64, base: i64, step: i64, count: usize, sum: usize): void {
  const rows = <i64>(tallied >> 32);
  store<i64>(count, load<i64>(count) + rows);
  store<i64>(sum, load<i64>(sum) + base * rows + step * <i64>(tallied & 0xffff_ffff));
}

/** Many slots: rows in the upper and codes in the lower half of one word a slot, which stays in the cache where two would not. */
export function tallyWordsU8(slots: usize, values: usize, n: u32, words: usize): void {
  const whole = n & ~3;
  const end = slots + (whole << 2);
  let value = values;
  for (let slot = slots; slot != end; slot += 16, value += 4) {
    tally(words + (load<u32>(slot) << 3), <u64>load<u8>(value));
    tally(words + (load<u32>(slot, 4) << 3), <u64>load<u8>(value, 1));
    tally(words + (load<u32>(slot, 8) << 3), <u64>load<u8>(value, 2));
    tally(words + (load<u32>(slot, 12) << 3), <u64>load<u8>(value, 3));
  }
  for (let i = whole; i < n; i++) tally(words + (load<u32>(slots + (i << 2)) << 3), <u64>load<u8>(values + i));
}

export function settleTallies(words: usize, n: u32, base: i64, step: i64, counts: usize, sums: usize): void {
  for (let slot: u32 = 0; slot < n; slot++) {
    const at = words + (slot << 3);
    addTally(load<u64>(at), base, step, counts + (slot << 3), sums + (slot << 3));
    store<u64>(at, 0);
  }
}
