/**
 * The bytes of a chunk before its codec. All little-endian; a chunk whose rows are all null has none.
 *
 *   nulls        ceil(rows / 8) bytes, bit i % 8 of byte i >> 3 set where row i is null; absent without nulls
 *   parameters   constant: 8 bytes, the int64, the float64 or the dictionary code
 *                narrowed: int64 base, int64 step, u8 width, u8 exponent (0), 6 zero bytes
 *                dictionary: u8 width, 7 zero bytes
 *   values       narrowed, dictionary: unsigned codes of that width
 *                plain: int64 or float64; strings as rows + 1 u32 offsets, then the UTF-8 bytes
 *
 * The shuffle filter turns the values (of strings, the offsets alone) into byte planes: all first bytes, all second
 * bytes, and so on. A null row holds code 0, int64 the chunk's minimum, float64 0.0, an empty string.
 */

/** Bytes of the parameters of a constant chunk. */
export const constantBytes = 8;
/** Bytes of the parameters of narrowed integers. */
export const narrowedParameterBytes = 24;
/** Bytes of the parameters of dictionary codes. */
export const dictionaryParameterBytes = 8;

/** Bytes of the null bitmap of a chunk: none when no row is null. */
export function bitmapBytes(nullCount: number, rows: number): number {
  return nullCount === 0 ? 0 : Math.ceil(rows / 8);
}

/** The width of codes of which `rows` fill `bytes` bytes; undefined when there is none. */
export function codeWidth(bytes: number, rows: number): 1 | 2 | 4 | undefined {
  const width = bytes / rows;
  return width === 1 || width === 2 || width === 4 ? width : undefined;
}
