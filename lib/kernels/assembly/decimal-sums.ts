/**
 * Exact sums of floats that are whole multiples of 1 / 10^places: value * 10^places is off the whole number k by less than a
 * half up to |k| = 2^51, and adding 1.5 * 2^52 leaves it in the lowest bits.
 */
import { copies, findFewSlots } from "./copies";
import { runRows } from "./runs";

const shift: f64 = 6755399441055744;

@inline
function keysOf(values: v128, scales: v128): v128 {
  const shifts = f64x2.splat(shift);
  return i64x2.sub(f64x2.add(f64x2.mul(values, scales), shifts), shifts);
}

@inline
function keyOf(value: f64, scale: f64): i64 {
  return reinterpret<i64>(value * scale + shift) - reinterpret<i64>(shift);
}

/** Any |k| up to 2^52, as the kernel that made the decimals found it. */
export function decimalKeysAt(values: usize, n: u32, scale: f64, target: usize): void {
  for (let i: u32 = 0; i < n; i++) store<i64>(target + (i << 3), <i64>nearest<f64>(load<f64>(values + (i << 3)) * scale));
}

export function totalDecimals(values: usize, n: u32, scale: f64, sum: usize): void {
  add(sum, totalOf(values, n, scale));
}

export function sumDecimalSlots(slots: usize, values: usize, n: u32, scale: f64, sums: usize): void {
  const slotCount = findFewSlots(slots, n);
  if (slotCount != 0) sumFew(slots, values, n, scale, slotCount, sums);
  else sumMany(slots, values, n, scale, sums);
}

function sumMany(slots: usize, values: usize, n: u32, scale: f64, sums: usize): void {
  for (let from: u32 = 0; from < n;) {
    const run = runRows(slots, from, n);
    if (run != 0) {
      add(sums + (load<u32>(slots + (from << 2)) << 3), totalOf(values + (from << 3), run, scale));
      from += run;
      continue;
    }
    const end = min<u32>(from + 64, n);
    addRows(slots, values, from, end, scale, sums);
    from = end;
  }
}

@inline
function addRows(slots: usize, values: usize, from: u32, end: u32, scale: f64, sums: usize): void {
  const whole = end & ~3;
  const scales = f64x2.splat(scale);
  let i = from;
  for (; i < whole; i += 4) {
    const slot = slots + (i << 2), value = values + (i << 3);
    const first = keysOf(v128.load(value), scales), second = keysOf(v128.load(value, 16), scales);
    add(sums + (load<u32>(slot) << 3), i64x2.extract_lane(first, 0));
    add(sums + (load<u32>(slot, 4) << 3), i64x2.extract_lane(first, 1));
    add(sums + (load<u32>(slot, 8) << 3), i64x2.extract_lane(second, 0));
    add(sums + (load<u32>(slot, 12) << 3), i64x2.extract_lane(second, 1));
  }
  for (; i < end; i++) add(sums + (load<u32>(slots + (i << 2)) << 3), keyOf(load<f64>(values + (i << 3)), scale));
}

/** Four copies, row i on copy i % 4, which no addition has to wait for the last of. */
function sumFew(slots: usize, values: usize, n: u32, scale: f64, slotCount: u32, sums: usize): void {
  memory.fill(copies, 0, slotCount << 5);
  const whole = n & ~3;
  const scales = f64x2.splat(scale);
  for (let i: u32 = 0; i < whole; i += 4) {
    const slot = slots + (i << 2), value = values + (i << 3);
    const first = keysOf(v128.load(value), scales), second = keysOf(v128.load(value, 16), scales);
    add(copies + (load<u32>(slot) << 5), i64x2.extract_lane(first, 0));
    add(copies + (load<u32>(slot, 4) << 5) + 8, i64x2.extract_lane(first, 1));
    add(copies + (load<u32>(slot, 8) << 5) + 16, i64x2.extract_lane(second, 0));
    add(copies + (load<u32>(slot, 12) << 5) + 24, i64x2.extract_lane(second, 1));
  }
  for (let i = whole; i < n; i++) add(copies + (load<u32>(slots + (i << 2)) << 5), keyOf(load<f64>(values + (i << 3)), scale));
  for (let slot: u32 = 0; slot < slotCount; slot++) {
    for (let copy: u32 = 0; copy < 32; copy += 8) add(sums + (slot << 3), load<i64>(copies + (slot << 5) + copy));
  }
}

@inline
function totalOf(values: usize, n: u32, scale: f64): i64 {
  const whole = n & ~3;
  const scales = f64x2.splat(scale);
  let a = i64x2.splat(0), b = a;
  for (let i: u32 = 0; i < whole; i += 4) {
    a = i64x2.add(a, keysOf(v128.load(values + (i << 3)), scales));
    b = i64x2.add(b, keysOf(v128.load(values + (i << 3), 16), scales));
  }
  const both = i64x2.add(a, b);
  let sum = i64x2.extract_lane(both, 0) + i64x2.extract_lane(both, 1);
  for (let i = whole; i < n; i++) sum += keyOf(load<f64>(values + (i << 3)), scale);
  return sum;
}

@inline
function add(at: usize, key: i64): void {
  store<i64>(at, load<i64>(at) + key);
}
