/** The table of powers of ten that the kernel csvFloats multiplies with. */

const leastPower = -348;
const greatestPower = 347;
const mask64 = (1n << 64n) - 1n;
/** Bits enough that a quotient by the largest power still has 128. */
const quotientBits = 2_048n;

/** For each power of ten from -348 to 347 the lower and the upper word of its first 128 bits; what follows is cut. */
export const powersOfTen = makePowers();

function makePowers(): BigUint64Array {
  const table = new BigUint64Array(2 * (greatestPower - leastPower + 1));
  for (let power = leastPower; power <= greatestPower; power++) {
    const bits = firstBits(power < 0 ? (1n << quotientBits) / 10n ** BigInt(-power) : 10n ** BigInt(power));
    table[2 * (power - leastPower)] = bits & mask64;
    table[2 * (power - leastPower) + 1] = bits >> 64n;
  }
  return table;
}

/** The first 128 bits, zeros behind if there are fewer. */
function firstBits(value: bigint): bigint {
  const spare = BigInt(value.toString(2).length) - 128n;
  return spare < 0n ? value << -spare : value >> spare;
}
