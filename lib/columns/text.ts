/** The order and the bounds of texts. Everywhere in bqueryd text orders by the unsigned bytes of its UTF-8. */

/** Bytes of an extreme that the statistics of a chunk keep at most. */
export const extremeBytesMax = 64;

const surrogate = /[\ud800-\udfff]/;

/** The text as UTF-8 can hold it: lone surrogates become U+FFFD, so that distinct texts have distinct bytes. */
export function wellFormed(text: string): string {
  return surrogate.test(text) ? Buffer.from(text).toString() : text;
}

/** Orders two well-formed texts as their UTF-8 bytes: negative, 0 or positive. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return codePointOrder(left) - codePointOrder(right);
  }
  return a.length - b.length;
}

/** UTF-16 puts surrogates (U+10000 and up) below U+E000 to U+FFFF; UTF-8 puts them above. */
function codePointOrder(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** Bounds of the texts from `least` to `greatest` in at most 64 bytes each; `truncated` when one is not the extreme itself. */
export function textBounds(least: string, greatest: string): { minimum: Uint8Array; maximum: Uint8Array; truncated: boolean } {
  const low = Buffer.from(least);
  const high = Buffer.from(greatest);
  const minimum = new Uint8Array(low.subarray(0, extremeBytesMax));
  const maximum = new Uint8Array(high.subarray(0, extremeBytesMax));
  // A prefix sorts below what it was cut from; with its last byte raised, above. UTF-8 has no byte past 0xf4 to overflow.
  if (high.length > extremeBytesMax) maximum[extremeBytesMax - 1]! += 1;
  return { minimum, maximum, truncated: low.length > extremeBytesMax || high.length > extremeBytesMax };
}
