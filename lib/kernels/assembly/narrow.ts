/** Turns int64 values into codes of fewer bytes: (value - base) / step, differences taken as unsigned 64-bit numbers. */

/** Greatest common divisor of all differences to the base; 0 when there is none. Stops early at 1. */
export function gcdI64(values: usize, n: u32, base: i64): u64 {
  let divisor: u64 = 0, inverse: u64 = 1, largest: u64 = 0, twos: u64 = 0;
  for (let i: u32 = 0; i < n && divisor != 1; i++) {
    const difference = load<u64>(values + (i << 3)) - <u64>base;
    // An exact quotient is a product with the odd part's inverse; of a value that does not divide, that product is too large.
    if (rotr<u64>(difference * inverse, twos) <= largest) continue;
    divisor = gcd(divisor, difference);
    twos = ctz<u64>(divisor);
    inverse = inverseOdd(divisor >> twos);
    largest = ~(<u64>0) / divisor;
  }
  return divisor;
}

export function narrowU8(values: usize, n: u32, base: i64, step: u64, target: usize): void {
  narrow<u8>(values, n, base, step, target);
}

export function narrowU16(values: usize, n: u32, base: i64, step: u64, target: usize): void {
  narrow<u16>(values, n, base, step, target);
}

export function narrowU32(values: usize, n: u32, base: i64, step: u64, target: usize): void {
  narrow<u32>(values, n, base, step, target);
}

/** uint32 codes in one byte each; what does not fit is cut. */
export function packCodesU8(codes: usize, n: u32, target: usize): void {
  packCodes<u8>(codes, n, target);
}

/** uint32 codes in two bytes each; what does not fit is cut. */
export function packCodesU16(codes: usize, n: u32, target: usize): void {
  packCodes<u16>(codes, n, target);
}

@inline
function packCodes<T>(codes: usize, n: u32, target: usize): void {
  for (let i: u32 = 0; i < n; i++) store<T>(target + i * sizeof<T>(), <T>load<u32>(codes + (i << 2)));
}

@inline
function narrow<T>(values: usize, n: u32, base: i64, step: u64, target: usize): void {
  const twos = ctz<u64>(step);
  const inverse = inverseOdd(step >> twos);
  for (let i: u32 = 0; i < n; i++) {
    const difference = load<u64>(values + (i << 3)) - <u64>base;
    store<T>(target + i * sizeof<T>(), <T>((difference >> twos) * inverse));
  }
}

/** The inverse of an odd number modulo 2^64, by Newton's iteration: three right bits at first, twice as many each time. */
@inline
function inverseOdd(odd: u64): u64 {
  let inverse = odd;
  for (let i = 0; i < 5; i++) inverse *= 2 - odd * inverse;
  return inverse;
}

function gcd(a: u64, b: u64): u64 {
  while (b != 0) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}
