/**
 * Compensated float64 sums: 16 bytes, the sum and what rounding took from it. Up to 4,096 values may be added plainly
 * before they are added with compensation: n plain additions are off by at most n * 2^-53 of the sum of magnitudes
 * (Higham, Accuracy and Stability of Numerical Algorithms, 4.2), which then is below 5e-13.
 */
import { isSet, validFrom } from "./bitmaps";
import { copies, findFewSlots } from "./copies";
import { runRows } from "./runs";

/**
 * Adds a value and keeps the rounding error (Knuth's two-sum). Where the sum is not finite the error is NaN, and is
 * dropped: an infinite sum stays infinite.
 */
@inline
function addCompensated(at: usize, value: f64): void {
  const before = load<f64>(at);
  const sum = before + value;
  const part = sum - before;
  const error = (before - (sum - part)) + (value - part);
  store<f64>(at, sum);
  if (error == error) store<f64>(at, load<f64>(at, 8) + error, 8);
}

/** Rows of a block: a quarter of them are added plainly into one copy, an eighth into one lane. */
const blockRows: u32 = 16_384;
export function sumSlotsF64(slots: usize, values: usize, nulls: usize, n: u32, sums: usize): void {
  const slotCount = findFewSlots(slots, n);
  if (slotCount != 0) sumFew(slots, values, nulls, n, slotCount, sums);
  else sumManySlotsF64(slots, values, nulls, n, sums);
}

/** Few slots: plain sums in four copies, row i on copy i % 4, which no addition has to wait for the last of. */
function sumFew(slots: usize, values: usize, nulls: usize, n: u32, slotCount: u32, sums: usize): void {
  for (let block: u32 = 0; block < n; block += blockRows) {
    const end = min<u32>(n, block + blockRows);
    memory.fill(copies, 0, slotCount << 5);
    for (let from = block; from < end; from += 64) {
      let valid = validFrom(nulls, from, end);
      if (valid == ~(<u64>0)) {
        copyWord(slots + (from << 2), values + (from << 3));
      } else {
        for (; valid != 0; valid &= valid - 1) {
          const i = from + <u32>ctz<u64>(valid);
          addPlain(copies + (load<u32>(slots + (i << 2)) << 5) + ((i & 3) << 3), load<f64>(values + (i << 3)));
        }
      }
    }
    for (let slot: u32 = 0; slot < slotCount; slot++) {
      for (let copy: u32 = 0; copy < 32; copy += 8) addCompensated(sums + (slot << 4), load<f64>(copies + (slot << 5) + copy));
    }
  }
}

@inline
function copyWord(slots: usize, values: usize): void {
  const end = slots + 256;
  let value = values;
  for (let slot = slots; slot != end; slot += 16, value += 32) {
    addPlain(copies + (load<u32>(slot) << 5), load<f64>(value));
    addPlain(copies + (load<u32>(slot, 4) << 5) + 8, load<f64>(value, 8));
    addPlain(copies + (load<u32>(slot, 8) << 5) + 16, load<f64>(value, 16));
    addPlain(copies + (load<u32>(slot, 12) << 5) + 24, load<f64>(value, 24));
  }
}

@inline
function addPlain(at: usize, value: f64): void {
  store<f64>(at, load<f64>(at) + value);
}

/**
 * A run of one slot is added up as totalF64 does it. Which rows are a run depends on which slots are equal, and on nothing
 * else of their numbers.
 */
export function sumManySlotsF64(slots: usize, values: usize, nulls: usize, n: u32, sums: usize): void {
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

/** Adds 64 rows, two to a turn. */
@inline
function addWord(slots: usize, values: usize, sums: usize): void {
  const end = slots + 256;
  let value = values;
  for (let slot = slots; slot != end; slot += 16, value += 32) {
    addPair(sums + (load<u32>(slot) << 4), sums + (load<u32>(slot, 4) << 4), v128.load(value));
    addPair(sums + (load<u32>(slot, 8) << 4), sums + (load<u32>(slot, 12) << 4), v128.load(value, 16));
  }
}

/** Adds two values to two accumulators, which may be one. */
@inline
function addPair(a: usize, b: usize, values: v128): void {
  if (a == b) {
    addCompensated(a, f64x2.extract_lane(values, 0));
    addCompensated(a, f64x2.extract_lane(values, 1));
    return;
  }
  const left = v128.load(a), right = v128.load(b);
  const before = v128.shuffle<f64>(left, right, 0, 2);
  const sum = f64x2.add(before, values);
  const error = errorOf(before, values, sum);
  const kept = f64x2.add(v128.shuffle<f64>(left, right, 1, 3), v128.and(error, f64x2.eq(error, error)));
  v128.store(a, v128.shuffle<f64>(sum, kept, 0, 2));
  v128.store(b, v128.shuffle<f64>(sum, kept, 1, 3));
}

/** Eight plain sums in flight: row i on lane i % 8, the rows past the last eight one by one after them. */
export function totalF64(values: usize, nulls: usize, n: u32, sum: usize): void {
  const whole = n & ~7;
  for (let block: u32 = 0; block < whole; block += blockRows) totalBlock(values, nulls, block, min<u32>(whole, block + blockRows), sum);
  for (let i = whole; i < n; i++) {
    if (!isSet(nulls, i)) addCompensated(sum, load<f64>(values + (i << 3)));
  }
}

function totalBlock(values: usize, nulls: usize, from: u32, end: u32, sum: usize): void {
  let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (let i = from; i < end; i += 8) {
    const at = values + (i << 3);
    let v0 = v128.load(at), v1 = v128.load(at, 16), v2 = v128.load(at, 32), v3 = v128.load(at, 48);
    const bits = nulls == 0 ? 0 : <u32>load<u8>(nulls + (i >> 3));
    if (bits != 0) {
      v0 = zeroNulls(v0, bits);
      v1 = zeroNulls(v1, bits >> 2);
      v2 = zeroNulls(v2, bits >> 4);
      v3 = zeroNulls(v3, bits >> 6);
    }
    s0 = f64x2.add(s0, v0);
    s1 = f64x2.add(s1, v1);
    s2 = f64x2.add(s2, v2);
    s3 = f64x2.add(s3, v3);
  }
  addLanes(sum, s0);
  addLanes(sum, s1);
  addLanes(sum, s2);
  addLanes(sum, s3);
}

@inline
function addLanes(sum: usize, lanes: v128): void {
  addCompensated(sum, f64x2.extract_lane(lanes, 0));
  addCompensated(sum, f64x2.extract_lane(lanes, 1));
}

@inline
function errorOf(before: v128, value: v128, sum: v128): v128 {
  const part = f64x2.sub(sum, before);
  return f64x2.add(f64x2.sub(before, f64x2.sub(sum, part)), f64x2.sub(value, part));
}

/** Two values, each 0 where its bit is set. */
@inline
function zeroNulls(values: v128, bits: u32): v128 {
  const bit = i64x2(1, 2);
  return v128.andnot(values, i64x2.eq(v128.and(i64x2.splat(bits), bit), bit));
}

/** The sums of earlier rows and of later ones become those of all, as two-sum adds them; one that is not finite has no rest. */
export function mergeSumsF64(left: usize, right: usize, n: u32): void {
  for (let at: usize = 0; at < <usize>n << 4; at += 16) {
    const before = load<f64>(left + at), value = load<f64>(right + at);
    const sum = before + value;
    const part = sum - before;
    const rest = load<f64>(left + at, 8) + load<f64>(right + at, 8);
    store<f64>(left + at, sum);
    store<f64>(left + at, sum - sum == 0 ? rest + ((before - (sum - part)) + (value - part)) : 0, 8);
  }
}
