/** Byte planes: byte 0 of every value, then byte 1 of every value and so on; sixteen values at a time. */

/** Lower and upper half of two vectors zipped byte by byte. */
@inline
export function zipLow(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

@inline
export function zipHigh(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/** The bytes at even and at odd places of two vectors. */
@inline
function evens(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
}

@inline
function odds(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
}

/** Byte plane after byte plane of n values of 1 to 255 bytes; 2, 4 and 8 are fast. */
export function shuffle(source: usize, target: usize, n: u32, width: u32): void {
  const whole = wholeOf(n, width);
  if (width == 2) for (let i: u32 = 0; i < whole; i += 16) shuffle2(source + (i << 1), target + i, n);
  else if (width == 4) for (let i: u32 = 0; i < whole; i += 16) shuffle4(source + (i << 2), target + i, n);
  else if (width == 8) for (let i: u32 = 0; i < whole; i += 16) shuffle8(source + (i << 3), target + i, n);
  for (let i = whole; i < n; i++) {
    for (let b: u32 = 0; b < width; b++) store<u8>(target + b * n + i, load<u8>(source + i * width + b));
  }
}

/** The values whose byte planes are given: the inverse of shuffle. */
export function unshuffle(source: usize, target: usize, n: u32, width: u32): void {
  if (width == 1) {
    memory.copy(target, source, n);
    return;
  }
  const whole = wholeOf(n, width);
  if (width == 2) for (let i: u32 = 0; i < whole; i += 16) unshuffle2(source + i, target + (i << 1), n);
  else if (width == 4) for (let i: u32 = 0; i < whole; i += 16) unshuffle4(source + i, target + (i << 2), n);
  else if (width == 8) for (let i: u32 = 0; i < whole; i += 16) unshuffle8(source + i, target + (i << 3), n);
  for (let i = whole; i < n; i++) {
    for (let b: u32 = 0; b < width; b++) store<u8>(target + i * width + b, load<u8>(source + b * n + i));
  }
}

/** How many values go sixteen at a time. */
@inline
function wholeOf(n: u32, width: u32): u32 {
  return width == 2 || width == 4 || width == 8 ? n & ~15 : 0;
}

@inline
function shuffle2(source: usize, target: usize, plane: u32): void {
  const a = v128.load(source), b = v128.load(source, 16);
  v128.store(target, evens(a, b));
  v128.store(target + plane, odds(a, b));
}

@inline
function shuffle4(source: usize, target: usize, plane: u32): void {
  const a = v128.load(source), b = v128.load(source, 16), c = v128.load(source, 32), d = v128.load(source, 48);
  const even0 = evens(a, b), even1 = evens(c, d), odd0 = odds(a, b), odd1 = odds(c, d);
  v128.store(target, evens(even0, even1));
  v128.store(target + plane, evens(odd0, odd1));
  v128.store(target + plane * 2, odds(even0, even1));
  v128.store(target + plane * 3, odds(odd0, odd1));
}

/** Stores byte planes p and p + 4 of sixteen values from their bytes p + 4 * k in order. */
@inline
function storePlanes(target: usize, plane: u32, p: u32, first: v128, second: v128): void {
  v128.store(target + plane * p, evens(first, second));
  v128.store(target + plane * (p + 4), odds(first, second));
}

@inline
function shuffle8(source: usize, target: usize, plane: u32): void {
  const a = v128.load(source), b = v128.load(source, 16), c = v128.load(source, 32), d = v128.load(source, 48);
  const e = v128.load(source, 64), f = v128.load(source, 80), g = v128.load(source, 96), h = v128.load(source, 112);
  const even0 = evens(a, b), even1 = evens(c, d), even2 = evens(e, f), even3 = evens(g, h);
  const odd0 = odds(a, b), odd1 = odds(c, d), odd2 = odds(e, f), odd3 = odds(g, h);
  storePlanes(target, plane, 0, evens(even0, even1), evens(even2, even3));
  storePlanes(target, plane, 1, evens(odd0, odd1), evens(odd2, odd3));
  storePlanes(target, plane, 2, odds(even0, even1), odds(even2, even3));
  storePlanes(target, plane, 3, odds(odd0, odd1), odds(odd2, odd3));
}

@inline
function unshuffle2(source: usize, target: usize, plane: u32): void {
  const a = v128.load(source), b = v128.load(source + plane);
  v128.store(target, zipLow(a, b));
  v128.store(target, zipHigh(a, b), 16);
}

@inline
function unshuffle4(source: usize, target: usize, plane: u32): void {
  const a = v128.load(source), b = v128.load(source + plane), c = v128.load(source + plane * 2), d = v128.load(source + plane * 3);
  const acLow = zipLow(a, c), bdLow = zipLow(b, d), acHigh = zipHigh(a, c), bdHigh = zipHigh(b, d);
  v128.store(target, zipLow(acLow, bdLow));
  v128.store(target, zipHigh(acLow, bdLow), 16);
  v128.store(target, zipLow(acHigh, bdHigh), 32);
  v128.store(target, zipHigh(acHigh, bdHigh), 48);
}

@inline
function unshuffle8(source: usize, target: usize, plane: u32): void {
  const a = v128.load(source), b = v128.load(source + plane), c = v128.load(source + plane * 2), d = v128.load(source + plane * 3);
  const e = v128.load(source + plane * 4), f = v128.load(source + plane * 5), g = v128.load(source + plane * 6), h = v128.load(source + plane * 7);
  unshuffleHalf(target, zipLow(a, e), zipLow(b, f), zipLow(c, g), zipLow(d, h));
  unshuffleHalf(target + 64, zipHigh(a, e), zipHigh(b, f), zipHigh(c, g), zipHigh(d, h));
}

/** Stores eight values of 8 bytes from pairs of zipped planes. */
@inline
function unshuffleHalf(target: usize, ae: v128, bf: v128, cg: v128, dh: v128): void {
  const acegLow = zipLow(ae, cg), bdfhLow = zipLow(bf, dh), acegHigh = zipHigh(ae, cg), bdfhHigh = zipHigh(bf, dh);
  v128.store(target, zipLow(acegLow, bdfhLow));
  v128.store(target, zipHigh(acegLow, bdfhLow), 16);
  v128.store(target, zipLow(acegHigh, bdfhHigh), 32);
  v128.store(target, zipHigh(acegHigh, bdfhHigh), 48);
}
