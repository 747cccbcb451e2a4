/**
 * The bytes of a chunk before its codec. All little-endian; a chunk whose rows are all null has none.
 *
 *   nulls        ceil(rows / 8) bytes, bit i % 8 of byte i >> 3 set where row i is null; absent without nulls
 *   parameters   constant: 8 bytes, the int64, the float64 or the dictionary code
 *                narrowed: int64 base, int64 step, u8 width, 7 zero bytes
 *                decimal: int64 base, int64 step, u8 width, u8 exponent, u8 4 or 8 for float32 or float64, 5 zero bytes
 *                dictionary: u8 width, 7 zero bytes
 *   values       narrowed, decimal, dictionary: unsigned codes of that width
 *                plain: numbers of the dtype's own width; texts as rows + 1 u32 offsets, then the bytes
 *
 * Whole numbers are taken as int64: bool 0 or 1, date days, timestamp nanoseconds, uint64 v - 2^63, which orders as v
 * does and is how plain uint64 is kept too. A decimal is (base + step * code) / 10^exponent, rounded to float64, and then
 * to float32 for that dtype. The shuffle filter turns the values (of texts the offsets alone) into byte planes: all
 * first bytes, all second bytes, and so on. A null row holds code 0, a plain whole number the chunk's minimum, a plain
 * float 0.0, an empty text.
 */

/** Bytes of the parameters of a constant chunk. */
export const constantBytes = 8;
/** Bytes of the parameters of narrowed integers and decimals. */
export const narrowedParameterBytes = 24;
/** Bytes of the parameters of dictionary codes. */
export const dictionaryParameterBytes = 8;

/** The greatest exponent of a decimal: 10^18 and all below are exact in float64. */
export const decimalExponentMax = 18;
/** Decimals have a magnitude of at most 2^52 before the division, so that base, step and code stay exact in float64. */
export const decimalMax = 1n << 52n;

/** The least exponent of a decimal of less than 2^51 that a value is, bit for bit; undefined where it is none. */
export function decimalExponent(value: number): number | undefined {
  for (let exponent = 0, scale = 1; exponent <= decimalExponentMax; exponent++, scale *= 10) {
    const key = Math.round(value * scale);
    if (!(Math.abs(key) < 2 ** 51)) return undefined;
    if (key / scale === value) return exponent;
  }
  return undefined;
}

/** Bytes of the null bitmap of a chunk: none when no row is null. */
export function bitmapBytes(nullCount: number, rows: number): number {
  return nullCount === 0 ? 0 : Math.ceil(rows / 8);
}

/** The width of codes of which `rows` fill `bytes` bytes; undefined when there is none. */
export function codeWidth(bytes: number, rows: number): 1 | 2 | 4 | undefined {
  const width = bytes / rows;
  return width === 1 || width === 2 || width === 4 ? width : undefined;
}
