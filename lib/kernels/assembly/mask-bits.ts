/** Masks of a byte a row from bitmaps of a bit a row, and back. */
import { spreadBits16, isSet } from "./bitmaps";

/** 1 where the bit of the row is set; turned round with `negate` 1. Without a bitmap no bit is. */
export function maskFromBits(bits: usize, n: u32, negate: u32, mask: usize): void {
  if (bits == 0) {
    memory.fill(mask, <u8>negate, n);
    return;
  }
  const one = i8x16.splat(1), flip = i8x16.splat(<i8>negate);
  const whole = n & ~15;
  for (let i: u32 = 0; i < whole; i += 16) v128.store(mask + i, v128.xor(v128.and(spreadBits16(load<u16>(bits + (i >> 3))), one), flip));
  for (let i = whole; i < n; i++) store<u8>(mask + i, <u8>(<u32>isSet(bits, i) ^ negate));
}

/** A bit for each selected row, the last byte padded with 0. */
export function bitsFromMask(mask: usize, n: u32, bits: usize): void {
  const whole = n & ~15;
  for (let i: u32 = 0; i < whole; i += 16) store<u16>(bits + (i >> 3), <u16>i8x16.bitmask(i8x16.neg(v128.load(mask + i))));
  for (let i = whole; i < n; i += 8) {
    let byte: u32 = 0;
    const rows = min<u32>(8, n - i);
    for (let row: u32 = 0; row < rows; row++) byte |= <u32>load<u8>(mask + i + row) << row;
    store<u8>(bits + (i >> 3), <u8>byte);
  }
}
