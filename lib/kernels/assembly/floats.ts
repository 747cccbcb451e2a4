/** Compensated float64 sums: 16 bytes, the sum and what rounding took from it. */
import { isSet, validFrom } from "./bitmaps";
import { runRows } from "./runs";

/**
 * Adds a value and keeps the rounding error (Knuth's two-sum). Where the sum is not finite the error is NaN, and is
 * dropped: an infinite sum stays infinite.
 */
// @ts-ignore: decorator
@inline
function addCompensated(at: usize, value: f64): void {
  const before = load<f64>(at);
  const sum = before + value;
  const part = sum - before;
  const error = (before - (sum - part)) + (value - part);
  store<f64>(at, sum);
  if (error == error) store<f64>(at, load<f64>(at, 8) + error, 8);
}

/** Adds one accumulator to another. */
// @ts-ignore: decorator
@inline
function addAccumulator(at: usize, sum: f64, compensation: f64): void {
  addCompensated(at, sum);
  store<f64>(at, load<f64>(at, 8) + compensation, 8);
}

/** A run of one slot is added up as totalF64 does it; which rows are a run depends on the slots alone. */
export function sumSlotsF64(slots: usize, values: usize, nulls: usize, n: u32, sums: usize): void {
  for (let from: u32 = 0; from < n;) {
    const run = runRows(slots, from, n);
    if (run != 0) {
      totalF64(values + (from << 3), nulls == 0 ? 0 : nulls + (from >> 3), run, sums + (load<u32>(slots + (from << 2)) << 4));
      from += run;
      continue;
    }
    let valid = validFrom(nulls, from, n);
    if (valid == ~(<u64>0)) {
      addWord(slots + (from << 2), values + (from << 3), sums);
    } else {
      for (; valid != 0; valid &= valid - 1) {
        const i = from + <u32>ctz<u64>(valid);
        addCompensated(sums + (load<u32>(slots + (i << 2)) << 4), load<f64>(values + (i << 3)));
      }
    }
    from += 64;
  }
}

/** Adds 64 rows, four to a turn. */
// @ts-ignore: decorator
@inline
function addWord(slots: usize, values: usize, sums: usize): void {
  const end = slots + 256;
  let value = values;
  for (let slot = slots; slot != end; slot += 16, value += 32) {
    addCompensated(sums + (load<u32>(slot) << 4), load<f64>(value));
    addCompensated(sums + (load<u32>(slot, 4) << 4), load<f64>(value, 8));
    addCompensated(sums + (load<u32>(slot, 8) << 4), load<f64>(value, 16));
    addCompensated(sums + (load<u32>(slot, 12) << 4), load<f64>(value, 24));
  }
}

/** Eight sums in flight: row i on lane i % 8, the rows past the last eight one by one after them. */
export function totalF64(values: usize, nulls: usize, n: u32, sum: usize): void {
  const whole = n & ~7;
  let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0, c0 = s0, c1 = s0, c2 = s0, c3 = s0;
  for (let i: u32 = 0; i < whole; i += 8) {
    const at = values + (i << 3);
    let v0 = v128.load(at), v1 = v128.load(at, 16), v2 = v128.load(at, 32), v3 = v128.load(at, 48);
    const bits = nulls == 0 ? 0 : <u32>load<u8>(nulls + (i >> 3));
    if (bits != 0) {
      v0 = zeroNulls(v0, bits);
      v1 = zeroNulls(v1, bits >> 2);
      v2 = zeroNulls(v2, bits >> 4);
      v3 = zeroNulls(v3, bits >> 6);
    }
    const t0 = f64x2.add(s0, v0), t1 = f64x2.add(s1, v1), t2 = f64x2.add(s2, v2), t3 = f64x2.add(s3, v3);
    c0 = f64x2.add(c0, errorOf(s0, v0, t0));
    c1 = f64x2.add(c1, errorOf(s1, v1, t1));
    c2 = f64x2.add(c2, errorOf(s2, v2, t2));
    c3 = f64x2.add(c3, errorOf(s3, v3, t3));
    s0 = t0;
    s1 = t1;
    s2 = t2;
    s3 = t3;
  }
  const errors = f64x2.add(f64x2.add(c0, c1), f64x2.add(c2, c3));
  const error = f64x2.extract_lane(errors, 0) + f64x2.extract_lane(errors, 1);
  // A lane that met an infinity has a NaN for its error: then every row is added alone, which drops such errors.
  const settled = error == error ? whole : 0;
  if (settled != 0) {
    addLanes(sum, s0, c0);
    addLanes(sum, s1, c1);
    addLanes(sum, s2, c2);
    addLanes(sum, s3, c3);
  }
  addRows(values, nulls, settled, n, sum);
}

// @ts-ignore: decorator
@inline
function addLanes(sum: usize, sums: v128, errors: v128): void {
  addAccumulator(sum, f64x2.extract_lane(sums, 0), f64x2.extract_lane(errors, 0));
  addAccumulator(sum, f64x2.extract_lane(sums, 1), f64x2.extract_lane(errors, 1));
}

function addRows(values: usize, nulls: usize, from: u32, n: u32, sum: usize): void {
  for (let i = from; i < n; i++) {
    if (!isSet(nulls, i)) addCompensated(sum, load<f64>(values + (i << 3)));
  }
}

// @ts-ignore: decorator
@inline
function errorOf(before: v128, value: v128, sum: v128): v128 {
  const part = f64x2.sub(sum, before);
  return f64x2.add(f64x2.sub(before, f64x2.sub(sum, part)), f64x2.sub(value, part));
}

/** Two values, each 0 where its bit is set. */
// @ts-ignore: decorator
@inline
function zeroNulls(values: v128, bits: u32): v128 {
  const bit = i64x2(1, 2);
  return v128.andnot(values, i64x2.eq(v128.and(i64x2.splat(bits), bit), bit));
}
