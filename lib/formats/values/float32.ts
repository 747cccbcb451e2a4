/** Decimal numbers rounded to float32 once, not by way of float64, which errs where the float64 is half way between two. */

/** Digits past these are not worth the time: the text lies so near the middle that either neighbour is right to 2,000 digits. */
const charactersMax = 2_000;

/** The float32 nearest to a decimal number in text, whose nearest float64 is `near`; infinity where that is nearest. */
export function roundToFloat32(text: string, near: number): number {
  const rounded = Math.fround(near);
  const other = neighbourOf(rounded, near);
  if (text.length > charactersMax || rounded === near || !Number.isFinite(rounded) || near - rounded !== other - near) return rounded;
  const side = compareDecimal(text, near);
  if (side === 0) return rounded;
  return (side > 0) === (other > rounded) ? other : rounded;
}

/** The next float32 from one in the direction of a number. */
function neighbourOf(value: number, towards: number): number {
  const bits = new Int32Array(Float32Array.of(value).buffer);
  if (value === 0) bits[0] = towards < 0 ? -0x7fff_ffff : 1;
  else bits[0]! += towards > value === value > 0 ? 1 : -1;
  return new Float32Array(bits.buffer)[0]!;
}

/** Orders a decimal number in text and a float64, exactly: negative, 0 or positive. */
function compareDecimal(text: string, value: number): number {
  const [, sign, whole = "", fraction = "", exponent = "0"] = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const digits = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  const tens = Number(exponent) - fraction.length;
  const { mantissa, power } = partsOf(value);
  const left = scale(digits, 10n, tens) * (power < 0 ? 1n << BigInt(-power) : 1n);
  const right = mantissa * (power < 0 ? 1n : 1n << BigInt(power)) * scale(1n, 10n, -tens);
  return left < right ? -1 : left > right ? 1 : 0;
}

function scale(value: bigint, base: bigint, power: number): bigint {
  return power > 0 ? value * base ** BigInt(power) : value;
}

/** A finite float64 as mantissa * 2^power. */
function partsOf(value: number): { mantissa: bigint; power: number } {
  const bits = new BigUint64Array(Float64Array.of(value).buffer)[0]!;
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const mantissa = exponent === 0 ? fraction : fraction | (1n << 52n);
  return { mantissa: value < 0 ? -mantissa : mantissa, power: Math.max(exponent, 1) - 1_075 };
}
