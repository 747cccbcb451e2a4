/** The float64 nearest to sums of decimals, whole or divided by counts: what is exact is rounded once. */
import { powerOfTen, type DecimalSums } from "./decimal-sums.js";
import { bigintSum, type IntSums } from "./whole-sums.js";

/**
 * The float64 nearest to each group's sum of all the given sums, or to that divided by its count where counts are given;
 * as a new array. Of a group that counts none it is 0.
 */
export function nearestQuotients(decimals: readonly DecimalSums[], groups: number, counts?: Float64Array): Float64Array {
  const quotients = new Float64Array(groups);
  const places = decimals.at(-1)?.places ?? 0;
  const scale = powerOfTen(places);
  const parts = decimals.map((part) => ({ sums: part.sums, factor: powerOfTen(places - part.places) }));
  for (let group = 0; group < groups; group++) {
    const count = counts?.[group] ?? 1;
    if (count === 0) continue;
    const divisor = scale * count;
    const sum = exactSum(parts, group);
    // A power of ten up to the 22nd is exact, and so is a product within 2^53: then the division rounds, and nothing else.
    const isExact = sum !== undefined && (count === 1 || divisor <= Number.MAX_SAFE_INTEGER);
    quotients[group] = isExact ? sum / divisor : nearestQuotient(wholeSum(parts, group), BigInt(scale) * BigInt(count));
  }
  return quotients;
}

/** The float64 nearest to a fraction, ties to even; the denominator is above 0. */
export function nearestQuotient(numerator: bigint, denominator: bigint): number {
  const size = numerator < 0n ? -numerator : numerator;
  // So many bits more than a float64 has that one for all that follow them decides no tie.
  const shift = Math.max(0, bitsOf(denominator) - bitsOf(size) + 64);
  const shifted = size << BigInt(shift);
  const quotient = shifted / denominator;
  const nearest = Number(quotient * denominator === shifted ? quotient : quotient | 1n) / 2 ** shift;
  return numerator < 0n ? -nearest : nearest;
}

/** The sums as pairs of float64: the nearest of each, and nearly all that it leaves out. */
export function quotientPairs({ places, sums }: DecimalSums, groups: number): Float64Array {
  const scale = powerOfTen(places);
  const pairs = new Float64Array(2 * groups);
  for (let group = 0; group < groups; group++) {
    const whole = sums instanceof Float64Array ? sums[group]! : Number(bigintSum(sums, group));
    const rest = sums instanceof Float64Array ? 0 : Number(bigintSum(sums, group) - BigInt(whole));
    const quotient = whole / scale;
    pairs[2 * group] = quotient;
    pairs[2 * group + 1] = (remainderOf(whole, quotient, scale) + rest) / scale;
  }
  return pairs;
}

/** What a quotient leaves of its dividend, exactly: by the two halves of each factor (Dekker 1971). */
function remainderOf(dividend: number, quotient: number, divisor: number): number {
  const product = quotient * divisor;
  const [q, d] = [upperHalf(quotient), upperHalf(divisor)];
  const [qRest, dRest] = [quotient - q, divisor - d];
  const lost = ((q * d - product) + q * dRest + qRest * d) + qRest * dRest;
  return dividend - product - lost;
}

/** The upper 26 bits of a number far below 2^996. */
function upperHalf(value: number): number {
  const spread = value * (2 ** 27 + 1);
  return spread - (spread - value);
}

/** Sums of which each counts as many of the last place of all. */
interface Part {
  readonly sums: IntSums;
  readonly factor: number;
}

/** The sum of a group in the last place; undefined unless everything on the way is within 2^53. */
function exactSum(parts: readonly Part[], group: number): number | undefined {
  let sum = 0;
  for (const { sums, factor } of parts) {
    if (!(sums instanceof Float64Array)) return undefined;
    const part = sums[group]! * factor;
    sum += part;
    if (Math.abs(part) > Number.MAX_SAFE_INTEGER || Math.abs(sum) > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return sum;
}

function wholeSum(parts: readonly Part[], group: number): bigint {
  return parts.reduce((sum, { sums, factor }) => sum + (sums instanceof Float64Array ? BigInt(sums[group]!) : bigintSum(sums, group)) * BigInt(factor), 0n);
}

function bitsOf(value: bigint): number {
  return 4 * value.toString(16).length;
}
