/** Counts and sums by slot. */
import { countBits, validFrom } from "./bitmaps";
import { runRows } from "./runs";
import { total } from "./totals";

export function countSlots(slots: usize, n: u32, counts: usize): void {
  countRows(slots, 0, n, counts);
}

export function countSlotsNonNull(slots: usize, nulls: usize, n: u32, counts: usize): void {
  countRows(slots, nulls, n, counts);
}

@inline
function countRows(slots: usize, nulls: usize, n: u32, counts: usize): void {
  for (let from: u32 = 0; from < n;) {
    const run = runRows(slots, from, n);
    if (run != 0) {
      addI64(counts + (load<u32>(slots + (from << 2)) << 3), countValid(nulls, from, run));
      from += run;
      continue;
    }
    let valid = validFrom(nulls, from, n);
    if (valid == ~(<u64>0)) {
      countWord(slots + (from << 2), counts);
    } else {
      for (; valid != 0; valid &= valid - 1) addI64(counts + (load<u32>(slots + ((from + <u32>ctz<u64>(valid)) << 2)) << 3), 1);
    }
    from += 64;
  }
}

/** Counts 64 rows, four to a turn. */
@inline
function countWord(slots: usize, counts: usize): void {
  const end = slots + 256;
  for (let slot = slots; slot != end; slot += 16) {
    addI64(counts + (load<u32>(slot) << 3), 1);
    addI64(counts + (load<u32>(slot, 4) << 3), 1);
    addI64(counts + (load<u32>(slot, 8) << 3), 1);
    addI64(counts + (load<u32>(slot, 12) << 3), 1);
  }
}

/** How many of `rows` rows from a multiple of 64 on are not null. */
@inline
function countValid(nulls: usize, from: u32, rows: u32): i64 {
  return nulls == 0 ? rows : rows - countBits(nulls + (from >> 3), rows);
}

@inline
function addI64(at: usize, value: i64): void {
  store<i64>(at, load<i64>(at) + value);
}

export function sumSlotsU8(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, sums: usize): void {
  sumRows<u8>(slots, values, nulls, n, base, step, sums);
}

export function sumSlotsU16(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, sums: usize): void {
  sumRows<u16>(slots, values, nulls, n, base, step, sums);
}

export function sumSlotsU32(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, sums: usize): void {
  sumRows<u32>(slots, values, nulls, n, base, step, sums);
}

export function sumSlotsI64(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, sums: usize): void {
  sumRows<i64>(slots, values, nulls, n, base, step, sums);
}

@inline
function sumRows<T>(slots: usize, values: usize, nulls: usize, n: u32, base: i64, step: i64, sums: usize): void {
  for (let from: u32 = 0; from < n;) {
    const run = runRows(slots, from, n);
    if (run != 0) {
      addI64(sums + (load<u32>(slots + (from << 2)) << 3), sumRun<T>(values, nulls, from, run, base, step));
      from += run;
      continue;
    }
    let valid = validFrom(nulls, from, n);
    if (valid == ~(<u64>0)) {
      addWord<T>(slots + (from << 2), values + from * sizeof<T>(), base, step, sums);
    } else {
      for (; valid != 0; valid &= valid - 1) {
        const i = from + <u32>ctz<u64>(valid);
        addI64(sums + (load<u32>(slots + (i << 2)) << 3), valueAt<T>(values, i, base, step));
      }
    }
    from += 64;
  }
}

/** Adds 64 rows, four to a turn. */
@inline
function addWord<T>(slots: usize, values: usize, base: i64, step: i64, sums: usize): void {
  const end = slots + 256;
  let value = values;
  for (let slot = slots; slot != end; slot += 16, value += 4 * sizeof<T>()) {
    addI64(sums + (load<u32>(slot) << 3), valueAt<T>(value, 0, base, step));
    addI64(sums + (load<u32>(slot, 4) << 3), valueAt<T>(value, 1, base, step));
    addI64(sums + (load<u32>(slot, 8) << 3), valueAt<T>(value, 2, base, step));
    addI64(sums + (load<u32>(slot, 12) << 3), valueAt<T>(value, 3, base, step));
  }
}

/** The sum of whole words of rows, modulo 2^64. */
@inline
function sumRun<T>(values: usize, nulls: usize, from: u32, rows: u32, base: i64, step: i64): i64 {
  const codes = <i64>total<T>(values + from * sizeof<T>(), nulls == 0 ? 0 : nulls + (from >> 3), rows);
  return sizeof<T>() == 8 ? codes : base * countValid(nulls, from, rows) + step * codes;
}

/** The int64 of row i; one of 64 bits stands for itself. */
@inline
export function valueAt<T>(values: usize, i: u32, base: i64, step: i64): i64 {
  const code = load<T>(values + i * sizeof<T>());
  return sizeof<T>() == 8 ? <i64>code : base + step * <i64>code;
}
