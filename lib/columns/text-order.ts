/** The order and the bounds of texts. Everywhere in bqueryd text orders by unsigned bytes. */

/** Bytes of an extreme that the statistics of a chunk keep at most. */
export const extremeBytesMax = 64;

/** Orders two ranges of one run of bytes, ends exclusive: negative, 0 or positive. */
export function compareBytes(bytes: Uint8Array, aStart: number, aEnd: number, bStart: number, bEnd: number): number {
  const shared = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < shared; i++) {
    const difference = bytes[aStart + i]! - bytes[bStart + i]!;
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}

/**
 * Bounds of the texts from `least` to `greatest` in at most 64 bytes each, as copies; `truncated` when one is not the
 * extreme itself. The maximum is null where nothing so short lies above: 64 bytes 0xff with more behind them.
 */
export function textBounds(least: Uint8Array, greatest: Uint8Array): { minimum: Uint8Array; maximum: Uint8Array | null; truncated: boolean } {
  // Of a Buffer, slice would give a view.
  const minimum = new Uint8Array(least.subarray(0, extremeBytesMax));
  const isCut = greatest.length > extremeBytesMax;
  const maximum = isCut ? raised(greatest.subarray(0, extremeBytesMax)) : new Uint8Array(greatest);
  return { minimum, maximum, truncated: isCut || least.length > extremeBytesMax };
}

/** The shortest text above all that begin so: cut after the last byte that can be raised by one, which it is. */
function raised(prefix: Uint8Array): Uint8Array | null {
  const length = prefix.findLastIndex((byte) => byte !== 0xff) + 1;
  if (length === 0) return null;
  const bound = new Uint8Array(prefix.subarray(0, length));
  bound[length - 1]! += 1;
  return bound;
}
