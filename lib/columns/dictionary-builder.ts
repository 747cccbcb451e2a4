/** The dictionary of a string column while a table is written: shared by all shards of one import. */
import { isBitSet } from "./dtypes.js";
import { encodeDictionary } from "./dictionary-file.js";
import { compareText, wellFormed } from "./text.js";

/** Strings in order of first appearance. */
export interface DictionaryBuilder {
  count(): number;
  /**
   * The codes of values [from, from + count); null rows get 0. Undefined when a limit is passed: then the column has
   * too many distinct values for a dictionary, and this one still answers `textOf`.
   */
  encode(values: readonly string[], nulls: Uint8Array | null, from: number, count: number): Uint32Array | undefined;
  textOf(code: number): string;
  /** The file of the dictionary, its count and the bytes of its strings. */
  finish(): { file: Uint8Array; count: number; bytes: number };
}

/** An empty dictionary that holds at most so many strings and bytes. */
export function createDictionaryBuilder({ valuesMax, bytesMax }: { valuesMax: number; bytesMax: number }): DictionaryBuilder {
  const codes = new Map<string, number>();
  const texts: string[] = [];
  let bytes = 0;
  function intern(value: string): number {
    const text = wellFormed(value);
    const known = codes.get(text);
    if (known !== undefined) return known;
    codes.set(text, texts.length);
    bytes += Buffer.byteLength(text);
    return texts.push(text) - 1;
  }
  return {
    count: () => texts.length,
    textOf: (code) => texts[code]!,
    encode(values, nulls, from, count) {
      const result = new Uint32Array(count);
      for (let i = 0; i < count; i++) {
        if (isBitSet(nulls, from + i)) continue;
        const value = values[from + i]!;
        result[i] = codes.get(value) ?? intern(value);
        if (texts.length > valuesMax || bytes > bytesMax) return undefined;
      }
      return result;
    },
    finish: () => ({ file: encodeTexts(texts, bytes), count: texts.length, bytes }),
  };
}

function encodeTexts(texts: readonly string[], byteCount: number): Uint8Array {
  const offsets = new Uint32Array(texts.length + 1);
  const bytes = Buffer.alloc(byteCount);
  texts.forEach((text, code) => { offsets[code + 1] = offsets[code]! + bytes.write(text, offsets[code]!); });
  const order = Uint32Array.from(texts.keys()).sort((a, b) => compareText(texts[a]!, texts[b]!));
  const ranks = new Uint32Array(texts.length);
  order.forEach((code, rank) => { ranks[code] = rank; });
  return encodeDictionary(offsets, bytes, ranks);
}
