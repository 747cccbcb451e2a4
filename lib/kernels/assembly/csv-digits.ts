/** Reads numbers from text: whole ones exactly, others to the nearest float64. A reader leaves its result in variables. */

const minus: u32 = 45, plus: u32 = 43, point: u32 = 46, zero: u32 = 48;
const zeros: u64 = 0x3030303030303030;
const notDigits: u64 = ~(<u64>0);
/** Digits that any uint64 can hold. */
const safeDigits: u32 = 19;

/** What readWhole and readFloat read last. */
export let magnitude: u64 = 0;
export let isNegative: bool = false;
export let floatValue: f64 = 0;

/** What readFloat found: nothing, a number, what may be a number and needs more than 64 bits to find out, or NaN. */
export const noFloat: u32 = 0, someFloat: u32 = 1, hardFloat: u32 = 2, notANumber: u32 = 3;

const tens = memory.data<f64>([1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22]);
const wholeTens = memory.data<u64>([1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000]);
/** Powers of ten up to this one are exact as float64. */
const exactTen: i32 = 22;
/** Exponents in the table of powers. */
const leastPower: i32 = -348, greatestPower: i32 = 347;

/** Tells whether a byte is a blank. */
@inline
export function isBlank(byte: u32): bool {
  return byte == 32 || byte == 9;
}

/** One to eight digits that end at `end`, or notDigits. Eight bytes before `end` are read. */
@inline
function readEight(end: usize, count: u32): u64 {
  const kept = notDigits << ((8 - count) << 3);
  const word = (load<u64>(end - 8) & kept) | (zeros & ~kept);
  const nibbles: u64 = 0xf0f0f0f0f0f0f0f0;
  if (((word & nibbles) | (((word + 0x0606060606060606) & nibbles) >> 4)) != 0x3333333333333333) return notDigits;
  const pairs = (word - zeros) * 10 + ((word - zeros) >> 8);
  const mask: u64 = 0x000000ff000000ff;
  return ((pairs & mask) * 0x000f424000000064 + ((pairs >> 16) & mask) * 0x0000271000000001) >> 32;
}

/** One to nineteen digits that end at `end`, or notDigits. */
@inline
function readDigits(end: usize, count: u32): u64 {
  if (count <= 8) return readEight(end, count);
  const low = readEight(end, 8);
  if (count <= 16) {
    const high = readEight(end - 8, count - 8);
    return low == notDigits || high == notDigits ? notDigits : high * 100000000 + low;
  }
  const middle = readEight(end - 8, 8), high = readEight(end - 16, count - 16);
  if (low == notDigits || middle == notDigits || high == notDigits) return notDigits;
  return (high * 100000000 + middle) * 100000000 + low;
}

/**
 * Reads a whole number of at most 64 bits into magnitude and isNegative. Leading zeros and a plus sign are for lenient
 * readers: to others they are letters of a text.
 */
export function readWhole(at: usize, end: usize, lenient: bool): bool {
  isNegative = load<u8>(at) == minus;
  let first = at + <usize>isNegative;
  if (lenient) {
    if (!isNegative && load<u8>(first) == plus) first++;
    while (end > first + 1 && load<u8>(first) == zero) first++;
  }
  const count = <u32>(end - first);
  if (end <= first || count > safeDigits + 1 || (count > 1 && load<u8>(first) == zero)) return false;
  if (count <= safeDigits) {
    magnitude = readDigits(end, count);
    return magnitude != notDigits;
  }
  const high = readDigits(end - 1, safeDigits);
  const last = <u64>load<u8>(end - 1) - zero;
  if (high == notDigits || last > 9 || high > notDigits / 10) return false;
  magnitude = high * 10 + last;
  return magnitude >= last;
}

/** Tells whether some float64 is this number. */
@inline
export function isExact(whole: u64): bool {
  return whole == 0 || 64 - clz<u64>(whole) - ctz<u64>(whole) <= 53;
}

/**
 * Reads a number into floatValue: digits with a point or an exponent or neither, or a word (nan, inf, infinity, in any
 * case). A whole number of int64 or uint64 must be exact as float64, unless the reader is lenient. `powers`: see csvFloats.
 */
export function readFloat(at: usize, end: usize, lenient: bool, powers: usize): u32 {
  isNegative = load<u8>(at) == minus;
  const first = at + <usize>isNegative;
  const count = <u32>(end - first);
  if (end <= first) return noFloat;
  if (count <= 16) {
    const points = <u32>i8x16.bitmask(i8x16.eq(v128.load(first), i8x16.splat(<i8>point))) & ((1 << count) - 1);
    const before = ctz<u32>(points), after = count - 1 - before;
    // Digits, one point, digits: most numbers.
    if (points != 0 && before - 1 < 8 && after - 1 < 8 && (load<u8>(first) != zero || before == 1)) {
      const high = readEight(first + before, before), low = readEight(end, after);
      if (high != notDigits && low != notDigits) return makeFloat(high * load<u64>(wholeTens + (<usize>after << 3)) + low, -<i32>after, powers);
    }
  }
  return readAnyFloat(first, end, lenient, powers);
}

function readAnyFloat(first: usize, end: usize, lenient: bool, powers: usize): u32 {
  const isBelowZero = isNegative;
  let at = first;
  if (lenient && !isNegative && load<u8>(at) == plus) at++;
  const digitsStart = at;
  let mantissa: u64 = 0, digits: u32 = 0, exponent: i32 = 0, places: i32 = 0;
  let isWhole = true, isHard = false;
  let hasPoint = false;
  for (; at < end; at++) {
    const byte = <u32>load<u8>(at);
    if (byte == point && !hasPoint) {
      hasPoint = true;
      isWhole = false;
      continue;
    }
    const digit = byte - zero;
    if (digit > 9) break;
    places++;
    if (digits == safeDigits) isHard = true;
    else {
      mantissa = mantissa * 10 + digit;
      if (mantissa != 0) digits++;
    }
    if (hasPoint) exponent--;
  }
  if (places == 0) return digitsStart == first ? readWord(first, end) : noFloat;
  if (!lenient && load<u8>(digitsStart) == zero && end > digitsStart + 1 && <u32>load<u8>(digitsStart, 1) - zero < 10) return noFloat;
  if (at < end) {
    if ((load<u8>(at) | 32) != 101) return noFloat;
    isWhole = false;
    at++;
    const isBelow = at < end && load<u8>(at) == minus;
    if (at < end && (isBelow || load<u8>(at) == plus)) at++;
    if (at == end) return noFloat;
    let power: i32 = 0;
    for (; at < end; at++) {
      const digit = <u32>load<u8>(at) - zero;
      if (digit > 9) return noFloat;
      // Far beyond any float64 whatever the digits before it, yet no overflow.
      power = min<i32>(power * 10 + <i32>digit, 100000000);
    }
    exponent += isBelow ? -power : power;
  }
  if (isWhole && !lenient) {
    if (!readWhole(digitsStart, end, false)) return hardFloat;
    // Below int64 it may be a float64 as JavaScript writes it.
    if (!isExact(magnitude)) return isBelowZero && magnitude > 1 << 63 ? hardFloat : noFloat;
    isNegative = isBelowZero;
  }
  return isHard ? hardFloat : makeFloat(mantissa, exponent, powers);
}

/** Nan, inf and infinity. */
function readWord(at: usize, end: usize): u32 {
  const count = <u32>(end - at);
  if (count != 3 && count != 8) return noFloat;
  // A set bit 5 makes letters small; byte 3 is not part of the word.
  const start = (load<u32>(at) | 0x20202020) & 0xffffff;
  if (count == 3 && start == 0x6e616e) return notANumber;
  if (start != 0x666e69 || (count == 8 && (load<u64>(at) | 0x2020202020202020) != 0x7974696e69666e69)) return noFloat;
  floatValue = isNegative ? -Infinity : Infinity;
  return someFloat;
}

/** The float64 nearest to mantissa * 10^exponent, in floatValue; the sign is isNegative, but there is no -0. */
function makeFloat(mantissa: u64, exponent: i32, powers: usize): u32 {
  if (mantissa > 1 << 53 || exponent > exactTen || exponent < -exactTen) return makeFarFloat(mantissa, exponent, powers);
  // Both numbers are exact, so that the one rounding is right (Clinger 1990).
  const whole = <f64>mantissa;
  const size = exponent < 0 ? whole / load<f64>(tens + (<usize>(-exponent) << 3)) : whole * load<f64>(tens + (<usize>exponent << 3));
  floatValue = isNegative && mantissa != 0 ? -size : size;
  return someFloat;
}

/** The same by 128-bit products (Eisel and Lemire, "Number Parsing at a Gigabyte per Second", 2021), where these settle it. */
function makeFarFloat(whole: u64, exponent: i32, powers: usize): u32 {
  if (whole == 0) {
    floatValue = 0;
    return someFloat;
  }
  if (exponent < leastPower || exponent > greatestPower) return hardFloat;
  const power = powers + (<usize>(exponent - leastPower) << 4);
  const shift = clz<u64>(whole);
  const mantissa = whole << shift;
  let high = highProduct(mantissa, load<u64>(power, 8)), low = mantissa * load<u64>(power, 8);
  if ((high & 0x1ff) == 0x1ff && low + mantissa < mantissa) {
    const finer = highProduct(mantissa, load<u64>(power)), finest = mantissa * load<u64>(power);
    const sum = low + finer;
    if (sum < low) high++;
    low = sum;
    if ((high & 0x1ff) == 0x1ff && low + 1 == 0 && finest + mantissa < mantissa) return hardFloat;
  }
  const top = high >> 63;
  let bits = high >> (top + 9);
  // Half way between two.
  if (low == 0 && (high & 0x1ff) == 0 && (bits & 3) == 1) return hardFloat;
  const binaryOfTen: i32 = (217706 * exponent) >> 16;
  let binary = <u64>(binaryOfTen + 64 + 1023) - shift - (1 ^ top);
  bits = (bits + (bits & 1)) >> 1;
  if (bits >> 53 != 0) {
    bits >>= 1;
    binary++;
  }
  // Too small for all its digits, or too large.
  if (binary - 1 >= 0x7fe) return hardFloat;
  floatValue = reinterpret<f64>((<u64>isNegative << 63) | (binary << 52) | (bits & 0xfffffffffffff));
  return someFloat;
}

/** The upper half of the product of two words. */
@inline
function highProduct(a: u64, b: u64): u64 {
  const aLow = a & 0xffffffff, aHigh = a >> 32, bLow = b & 0xffffffff, bHigh = b >> 32;
  const middle = aHigh * bLow + ((aLow * bLow) >> 32);
  const other = aLow * bHigh + (middle & 0xffffffff);
  return aHigh * bHigh + (middle >> 32) + (other >> 32);
}
