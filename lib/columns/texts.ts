/** Runs of texts as bytes: what strings and bytes are outside WebAssembly memory. */
import { isBitSet } from "./bits.js";

/**
 * A run of texts. Entry e is `bytes[offsets[e]]` up to `bytes[offsets[e + 1]]` (end exclusive); offsets ascend and need
 * not start at 0. Row i is entry `codes[i]`, or entry i where `codes` is null. Entries may be equal or unused. For dtype
 * string every entry is valid UTF-8.
 */
export interface Texts {
  readonly offsets: Uint32Array;
  readonly bytes: Uint8Array;
  readonly codes: Uint32Array | null;
}

/** Rows of a run. */
export function countTexts({ offsets, codes }: Texts): number {
  return codes === null ? offsets.length - 1 : codes.length;
}

/** The bytes of a row: a view, not a copy. */
export function bytesAt(texts: Texts, row: number): Uint8Array {
  const entry = texts.codes === null ? row : texts.codes[row]!;
  return texts.bytes.subarray(texts.offsets[entry], texts.offsets[entry + 1]);
}

/** Strings as UTF-8, one entry a row; null and undefined are empty. Lone surrogates become U+FFFD. */
export function packStrings(strings: readonly (string | null | undefined)[]): Texts {
  const offsets = new Uint32Array(strings.length + 1);
  let total = 0;
  strings.forEach((text, row) => {
    total += text === null || text === undefined ? 0 : Buffer.byteLength(text);
    offsets[row + 1] = total;
  });
  const bytes = Buffer.allocUnsafeSlow(total);
  strings.forEach((text, row) => { if (text !== null && text !== undefined && text !== "") bytes.write(text, offsets[row]!); });
  return { offsets, bytes, codes: null };
}

/** Byte strings, one entry a row; null and undefined are empty. */
export function packBytes(values: readonly (Uint8Array | null | undefined)[]): Texts {
  const offsets = new Uint32Array(values.length + 1);
  values.forEach((value, row) => { offsets[row + 1] = offsets[row]! + (value?.length ?? 0); });
  const bytes = new Uint8Array(offsets.at(-1)!);
  values.forEach((value, row) => { if (value !== null && value !== undefined) bytes.set(value, offsets[row]); });
  return { offsets, bytes, codes: null };
}

/** The strings of a run; null where the bit of `nulls` is set. Each entry that several rows share is decoded once. */
export function unpackStrings(texts: Texts, nulls: Uint8Array | null): (string | null)[] {
  const known: (string | undefined)[] = [];
  const buffer = Buffer.from(texts.bytes.buffer, texts.bytes.byteOffset, texts.bytes.length);
  return Array.from({ length: countTexts(texts) }, (_, row) => {
    if (isBitSet(nulls, row)) return null;
    const entry = texts.codes === null ? row : texts.codes[row]!;
    return (known[entry] ??= buffer.toString("utf8", texts.offsets[entry], texts.offsets[entry + 1]));
  });
}

/** Rows `start` to `end` (exclusive) as views on the same memory. */
export function sliceTexts({ offsets, bytes, codes }: Texts, start: number, end: number): Texts {
  if (codes !== null) return { offsets, bytes, codes: codes.subarray(start, end) };
  return { offsets: offsets.subarray(start, end + 1), bytes, codes: null };
}
