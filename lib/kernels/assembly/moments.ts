/**
 * Moments by slot: sums of distances from a shift that is near the mean, so that nothing much cancels. The shift is the
 * first value, and moves to the mean after 16, 64, 256, 1,024 and 4,096 values and then every 4,096: however far off the
 * first values were, they are few by then, and no sum is of more than 4,096 plain additions. With n values in all, s their
 * mean so far and d the distances of the latest from it, the sum of squares about the new mean s + sum(d) / n is greater
 * by sum(d^2) - sum(d)^2 / n (Chan, Golub and LeVeque, 1983).
 */
import { validFrom } from "./bitmaps";

// A cell of moments: uint32 count, uint32 count at which the shift moves; then float64: shift, sum(d), sum(d^2), squares.
const shift = 8, sum = 16, squares = 24, settled = 32;
/** Bytes of a cell. */
const momentsBytes: u32 = 40;

export function momentsSlots(slots: usize, values: usize, nulls: usize, n: u32, cells: usize): void {
  for (let from: u32 = 0; from < n; from += 64) {
    for (let valid = validFrom(nulls, from, n); valid != 0; valid &= valid - 1) {
      const i = from + <u32>ctz<u64>(valid);
      addMoment(cells + load<u32>(slots + (i << 2)) * momentsBytes, load<f64>(values + (i << 3)));
    }
  }
}

@inline
function addMoment(cell: usize, value: f64): void {
  const count = load<u32>(cell);
  if (count == load<u32>(cell, 4)) moveShift(cell, count, value);
  const distance = value - load<f64>(cell, shift);
  store<u32>(cell, count + 1);
  store<f64>(cell, load<f64>(cell, sum) + distance, sum);
  store<f64>(cell, load<f64>(cell, squares) + distance * distance, squares);
}

function moveShift(cell: usize, count: u32, value: f64): void {
  store<u32>(cell, nextMove(count), 4);
  if (count == 0) {
    store<f64>(cell, value, shift);
    return;
  }
  const distances = load<f64>(cell, sum);
  const step = distances / <f64>count;
  store<f64>(cell, load<f64>(cell, shift) + step, shift);
  store<f64>(cell, load<f64>(cell, settled) + (load<f64>(cell, squares) - distances * step), settled);
  store<f64>(cell, 0, sum);
  store<f64>(cell, 0, squares);
}

@inline
function nextMove(count: u32): u32 {
  return count == 0 ? 16 : count < 4096 ? count << 2 : count + 4096;
}

// A cell of two columns: counts as above; then float64: shifts of x and y, sums of dx, dy, dx^2, dy^2, dx dy, settled ones of the last three.
const shiftY = 16, sumX = 24, sumY = 32, squaresX = 40, squaresY = 48, products = 56, settledX = 64, settledY = 72, settledXY = 80;
/** Bytes of a cell of two columns. */
const comomentsBytes: u32 = 88;

export function comomentsSlots(slots: usize, x: usize, y: usize, nulls: usize, n: u32, cells: usize): void {
  for (let from: u32 = 0; from < n; from += 64) {
    for (let valid = validFrom(nulls, from, n); valid != 0; valid &= valid - 1) {
      const i = from + <u32>ctz<u64>(valid);
      addComoment(cells + load<u32>(slots + (i << 2)) * comomentsBytes, load<f64>(x + (i << 3)), load<f64>(y + (i << 3)));
    }
  }
}

@inline
function addComoment(cell: usize, x: f64, y: f64): void {
  const count = load<u32>(cell);
  if (count == load<u32>(cell, 4)) moveShifts(cell, count, x, y);
  // x and y side by side, as their sums and squares are in the cell.
  const distances = f64x2.sub(f64x2.replace_lane(f64x2.splat(x), 1, y), v128.load(cell, shift));
  store<u32>(cell, count + 1);
  v128.store(cell, f64x2.add(v128.load(cell, sumX), distances), sumX);
  v128.store(cell, f64x2.add(v128.load(cell, squaresX), f64x2.mul(distances, distances)), squaresX);
  add(cell, products, f64x2.extract_lane(distances, 0) * f64x2.extract_lane(distances, 1));
}

@inline
function add(cell: usize, offset: usize, value: f64): void {
  store<f64>(cell + offset, load<f64>(cell + offset) + value);
}

function moveShifts(cell: usize, count: u32, x: f64, y: f64): void {
  store<u32>(cell, nextMove(count), 4);
  if (count == 0) {
    store<f64>(cell, x, shift);
    store<f64>(cell, y, shiftY);
    return;
  }
  const distancesX = load<f64>(cell, sumX), distancesY = load<f64>(cell, sumY);
  const stepX = distancesX / <f64>count, stepY = distancesY / <f64>count;
  add(cell, shift, stepX);
  add(cell, shiftY, stepY);
  add(cell, settledX, load<f64>(cell, squaresX) - distancesX * stepX);
  add(cell, settledY, load<f64>(cell, squaresY) - distancesY * stepY);
  add(cell, settledXY, load<f64>(cell, products) - distancesX * stepY);
  memory.fill(cell + sumX, 0, 40);
}
