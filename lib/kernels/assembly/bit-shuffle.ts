/**
 * Bit planes (kiyo-masui/bitshuffle): bit 0 of the first byte of all values, eight values a byte and the first in the
 * lowest bit, then bit 1 and so on, then those of the second byte.
 */
import { unshuffle, zipHigh, zipLow } from "./shuffle";

/** Values at a time: sixteen bytes of each bit plane. */
const tile: u32 = 128;
const widthMax: u32 = 255;

/** Byte planes of a tile. */
const planes = memory.data(widthMax * tile, 16);

/** The n values, a multiple of 8, of 1 to 255 bytes whose bit planes are given. */
export function bitUnshuffle(source: usize, target: usize, n: u32, width: u32): void {
  const rowBytes = n >> 3;
  for (let from: u32 = 0; from < n; from += tile) {
    const count = min(tile, n - from);
    for (let b: u32 = 0; b < width; b++) {
      const rows = source + (<usize>b * rowBytes << 3) + (from >> 3);
      if (count == tile) joinTile(rows, rowBytes, planes + b * count);
      else for (let i: u32 = 0; i < count; i += 8) joinEight(rows + (i >> 3), rowBytes, planes + b * count + i);
    }
    unshuffle(planes, target + <usize>from * width, count, width);
  }
}

/** Eight bytes from one byte of each of eight rows. */
function joinEight(rows: usize, rowBytes: u32, target: usize): void {
  let word: u64 = 0;
  for (let b: u32 = 0; b < 8; b++) word |= <u64>load<u8>(rows + b * rowBytes) << (b << 3);
  store<u64>(target, v128.extract_lane<u64>(transpose(i64x2.splat(word)), 0));
}

/** 128 bytes from sixteen of each of eight rows: bytes of the rows zipped into words of eight, each then transposed. */
function joinTile(rows: usize, rowBytes: u32, target: usize): void {
  const a = v128.load(rows), b = v128.load(rows + rowBytes), c = v128.load(rows + rowBytes * 2), d = v128.load(rows + rowBytes * 3);
  const e = v128.load(rows + rowBytes * 4), f = v128.load(rows + rowBytes * 5), g = v128.load(rows + rowBytes * 6), h = v128.load(rows + rowBytes * 7);
  joinHalf(target, zipLow(a, b), zipLow(c, d), zipLow(e, f), zipLow(g, h));
  joinHalf(target + 64, zipHigh(a, b), zipHigh(c, d), zipHigh(e, f), zipHigh(g, h));
}

@inline
function joinHalf(target: usize, ab: v128, cd: v128, ef: v128, gh: v128): void {
  const low = zipLow16(ab, cd), lowAfter = zipLow16(ef, gh), high = zipHigh16(ab, cd), highAfter = zipHigh16(ef, gh);
  v128.store(target, transpose(zipLow32(low, lowAfter)));
  v128.store(target, transpose(zipHigh32(low, lowAfter)), 16);
  v128.store(target, transpose(zipLow32(high, highAfter)), 32);
  v128.store(target, transpose(zipHigh32(high, highAfter)), 48);
}

/** Two 8 x 8 matrices of bits, turned about the diagonal in three steps (Hacker's Delight, 7-3). */
@inline
function transpose(words: v128): v128 {
  return swapBits(swapBits(swapBits(words, 7, 0x00aa00aa00aa00aa), 14, 0x0000cccc0000cccc), 28, 0x00000000f0f0f0f0);
}

/** Swaps the bits of a mask with those that lie `distance` higher. */
@inline
function swapBits(words: v128, distance: i32, mask: i64): v128 {
  const differing = v128.and(v128.xor(words, i64x2.shr_u(words, distance)), i64x2.splat(mask));
  return v128.xor(v128.xor(words, differing), i64x2.shl(differing, distance));
}

@inline
function zipLow16(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

@inline
function zipHigh16(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

@inline
function zipLow32(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 0, 4, 1, 5);
}

@inline
function zipHigh32(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 2, 6, 3, 7);
}
