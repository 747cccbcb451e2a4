/**
 * Moments by slot of small whole numbers: exact sums of them, of their squares and of their products, whatever the order
 * of rows. Numbers are uint32; the caller knows that no sum leaves int64.
 */
import { validFrom } from "./bitmaps";

/** A cell: int64 count, sum, sum of squares. */
const momentsBytes: u32 = 24;

export function wholeMoments(slots: usize, values: usize, nulls: usize, n: u32, cells: usize): void {
  for (let from: u32 = 0; from < n; from += 64) {
    for (let valid = validFrom(nulls, from, n); valid != 0; valid &= valid - 1) {
      const i = from + <u32>ctz<u64>(valid);
      const cell = cells + load<u32>(slots + (i << 2)) * momentsBytes, value = <u64>load<u32>(values + (i << 2));
      store<u64>(cell, load<u64>(cell) + 1);
      store<u64>(cell, load<u64>(cell, 8) + value, 8);
      store<u64>(cell, load<u64>(cell, 16) + value * value, 16);
    }
  }
}

/** A cell of two columns: int64 count, sum of x y, sums of x and y, sums of their squares. */
const comomentsBytes: u32 = 48;

export function wholeComoments(slots: usize, x: usize, y: usize, nulls: usize, n: u32, cells: usize): void {
  const ones = i32x4.splat(1);
  for (let from: u32 = 0; from < n; from += 64) {
    for (let valid = validFrom(nulls, from, n); valid != 0; valid &= valid - 1) {
      const i = (from + <u32>ctz<u64>(valid)) << 2;
      const cell = cells + load<u32>(slots + i) * comomentsBytes;
      // 1 and x times 1 and y are the count and the product.
      const withX = v128.load32_lane(x + i, ones, 1), withY = v128.load32_lane(y + i, ones, 1);
      const pair = v128.load32_lane(y + i, v128.load32_zero(x + i), 1);
      v128.store(cell, i64x2.add(v128.load(cell), i64x2.extmul_low_i32x4_u(withX, withY)));
      v128.store(cell, i64x2.add(v128.load(cell, 16), i64x2.extend_low_i32x4_u(pair)), 16);
      v128.store(cell, i64x2.add(v128.load(cell, 32), i64x2.extmul_low_i32x4_u(pair, pair)), 32);
    }
  }
}
