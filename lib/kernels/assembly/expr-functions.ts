/** Functions of one column of 8 byte values. Of whole numbers the first row that does not fit is given, n where all do. */
import { isSet } from "./bitmaps";

/** op: 0 negative, 1 magnitude, 2 sign. */
export function exprMapI64(op: u32, values: usize, nulls: usize, n: u32, target: usize): u32 {
  for (let i: u32 = 0; i < n; i++) {
    const value = load<i64>(values + (i << 3));
    if (op != 2 && value == i64.MIN_VALUE && !isSet(nulls, i)) return i;
    const result = op == 2 ? <i64>(value > 0) - <i64>(value < 0) : op == 0 || value < 0 ? -value : value;
    store<i64>(target + (i << 3), result);
  }
  return n;
}

/** op: 0 negative, 1 magnitude, 2 sign, 3 floor, 4 ceil, 5 round half away from 0, 6 sqrt, 7 ln, 8 log10, 9 exp; NaN where there is none. */
export function exprMapF64(op: u32, values: usize, n: u32, target: usize): void {
  for (let i: u32 = 0; i < n; i++) store<f64>(target + (i << 3), map(op, load<f64>(values + (i << 3))));
}

@inline
function map(op: u32, value: f64): f64 {
  switch (op) {
    case 0: return -value;
    case 1: return abs<f64>(value);
    case 2: return <f64>(<i32>(value > 0.0) - <i32>(value < 0.0));
    case 3: return floor<f64>(value);
    case 4: return ceil<f64>(value);
    case 5: return roundAway(value);
    case 6: return sqrt<f64>(value);
    case 7: return value > 0.0 ? NativeMath.log(value) : NaN;
    case 8: return value > 0.0 ? NativeMath.log10(value) : NaN;
    default: return NativeMath.exp(value);
  }
}

/** Adding 0.5 first would round the float just below 0.5 up. */
@inline
function roundAway(value: f64): f64 {
  const whole = trunc<f64>(value);
  return abs<f64>(value - whole) >= 0.5 ? whole + copysign<f64>(1.0, value) : whole;
}

/** uint64 less 2^63 as int64. */
export function exprToSigned(values: usize, nulls: usize, n: u32, target: usize): u32 {
  for (let i: u32 = 0; i < n; i++) {
    const kept = load<i64>(values + (i << 3));
    if (kept >= 0 && !isSet(nulls, i)) return i;
    store<i64>(target + (i << 3), kept ^ i64.MIN_VALUE);
  }
  return n;
}

/** The lower edge of the bin of `width` >= 1 that a value lies in; `origin` is an edge. */
export function exprFloorI64(values: usize, nulls: usize, n: u32, width: i64, origin: i64, target: usize): u32 {
  // The distance of an edge from the value is what remains of both: their difference itself might not fit.
  const rest = remainder(origin, width);
  for (let i: u32 = 0; i < n; i++) {
    const value = load<i64>(values + (i << 3));
    let back = remainder(value, width) - rest;
    if (back < 0) back += width;
    const edge = value - back;
    if (edge > value && !isSet(nulls, i)) return i;
    store<i64>(target + (i << 3), edge);
  }
  return n;
}

/** The same of edges (k * width + origin) / scale: the greatest that is not above the value, finite for what is. */
export function exprFloorF64(values: usize, n: u32, width: f64, origin: f64, scale: f64, target: usize): void {
  const scaled = width / scale;
  const from = origin / width;
  for (let i: u32 = 0; i < n; i++) {
    const value = load<f64>(values + (i << 3));
    const place = value / scaled;
    // Infinite ones, and those that lie further apart than the bins are wide, have a bin each.
    const edge = abs<f64>(place) < placeMax ? edgeBelow(value, floor<f64>(place - from), width, origin, scale) : value;
    store<f64>(target + (i << 3), edge);
  }
}

const placeMax: f64 = 9007199254740992.0;
/** Both the place and the edge are rounded; the edge that counts is found within so many steps. */
const stepsMax: i32 = 4;

@inline
function edgeBelow(value: f64, place: f64, width: f64, origin: f64, scale: f64): f64 {
  for (let steps = 0; steps < stepsMax && edgeAt(place + 1.0, width, origin, scale) <= value; steps++) place += 1.0;
  for (let steps = 0; steps < stepsMax && edgeAt(place, width, origin, scale) > value; steps++) place -= 1.0;
  const edge = edgeAt(place, width, origin, scale);
  return edge > value ? value : edge;
}

@inline
function edgeAt(place: f64, width: f64, origin: f64, scale: f64): f64 {
  // Below the least edge there is one more bin.
  return max<f64>((place * width + origin) / scale, -f64.MAX_VALUE);
}

/** The quotient rounded down, divisor >= 1. */
export function exprFloorDivide(values: usize, n: u32, divisor: i64, target: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const value = load<i64>(values + (i << 3));
    store<i64>(target + (i << 3), value / divisor - <i64>(value % divisor < 0));
  }
}

@inline
function remainder(value: i64, width: i64): i64 {
  const rest = value % width;
  return rest < 0 ? rest + width : rest;
}
