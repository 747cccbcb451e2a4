/** The dictionary of a string or bytes column while a table is written: shared by all shards of one import. */
import { isBitSet } from "../bits.js";
import { chunkRows, type TextDtype } from "../dtypes.js";
import { encodeDictionary } from "../files/dictionary.js";
import { createPool, createPoolMemory, type PoolMemory, type TextPool } from "./text-pool.js";
import { rankTexts } from "./rank-texts.js";
import type { Dictionary } from "../files/dictionary.js";
import type { Texts } from "../texts.js";
import { requireUtf8 } from "../utf8.js";

/** Texts in order of first appearance, distinct by their bytes. */
export interface DictionaryBuilder {
  count(): number;
  /** What it began with. */
  readonly start: Dictionary | undefined;
  /**
   * The codes of rows [from, from + count), at most 65,536; null rows get 0. Undefined when a limit is passed: then the
   * column has too many distinct values for a dictionary, and this one still answers `texts`. Throws BAD_INPUT for a string that
   * is not UTF-8.
   */
  encode(texts: Texts, nulls: Uint8Array | null, from: number, count: number): Uint32Array | undefined;
  /** Its texts, entry c that of code c: views, good until the next `encode`. */
  texts(): Texts;
  /** The file of the dictionary, its count and the bytes of its texts. */
  finish(): { file: Uint8Array<ArrayBuffer>; count: number; bytes: number };
  /** Gives its memory back; nothing else may be asked of it after. */
  release(): void;
}

/** Where a dictionary is built. */
export interface DictionaryOptions {
  /** Of a `string`, texts are checked to be UTF-8. */
  readonly dtype?: TextDtype | undefined;
  /** Distinct values at most. */
  readonly valuesMax: number;
  /** Bytes of distinct values at most. */
  readonly bytesMax: number;
  /** Memory that dictionaries of one write share, its own without it; when it is used up, that is a limit passed. */
  readonly memory?: PoolMemory | undefined;
  /** A dictionary to begin with, whose texts keep their codes. */
  readonly start?: Dictionary | undefined;
}

/** A map from entries to codes costs a little for every entry, used or not; without one a look-up is made for every row. */
const mappedEntriesPerRow = 32;

/** A dictionary that is empty, or begins with another one. Throws MEMORY_LIMIT. */
export function createDictionaryBuilder({ dtype, valuesMax, bytesMax, memory = createPoolMemory(), start }: DictionaryOptions): DictionaryBuilder {
  const pool = createPool(memory, { textsMax: valuesMax, bytesMax }, start);
  return {
    count: pool.count,
    start,
    texts: pool.texts,
    encode(texts, nulls, from, count) {
      if (count > chunkRows) throw new Error(`${count} rows at once`);
      const known = pool.count();
      const rowEntries = texts.offsets.length < mappedEntriesPerRow * count ? texts.codes : null;
      const codes = rowEntries === null ? encodeEach(pool, texts, nulls, from, count) : encodeMapped(pool, { ...texts, rowEntries }, nulls, from, count);
      if (dtype === "string") {
        const { offsets, bytes } = pool.texts();
        requireUtf8(offsets.subarray(known), bytes);
      }
      return codes;
    },
    finish() {
      const { offsets, bytes } = pool.texts();
      return { file: encodeDictionary(offsets, bytes, rankTexts(offsets, bytes, start?.ranks)), count: pool.count(), bytes: bytes.length };
    },
    release: pool.release,
  };
}

/** Looks each row up. */
function encodeEach(pool: TextPool, texts: Texts, nulls: Uint8Array | null, from: number, count: number): Uint32Array | undefined {
  if (nulls === null && texts.codes === null) return pool.intern(texts.offsets.subarray(from, from + count + 1), texts.bytes);
  const entries = new Uint32Array(count);
  let found = 0;
  for (let i = 0; i < count; i++) if (!isBitSet(nulls, from + i)) entries[found++] = texts.codes === null ? from + i : texts.codes[from + i]!;
  const known = internEntries(pool, texts, entries.subarray(0, found));
  if (known === undefined) return undefined;
  const codes = new Uint32Array(count);
  found = 0;
  for (let i = 0; i < count; i++) if (!isBitSet(nulls, from + i)) codes[i] = known[found++]!;
  return codes;
}

/** Looks each entry up once, however many rows have it. */
function encodeMapped(pool: TextPool, texts: Texts & { rowEntries: Uint32Array }, nulls: Uint8Array | null, from: number, count: number): Uint32Array | undefined {
  const { rowEntries } = texts;
  // 0: no row has the entry. Otherwise its place in `entries`, from 1 on.
  const places = new Uint32Array(texts.offsets.length);
  const entries = new Uint32Array(count);
  const rowPlaces = new Uint32Array(count);
  let found = 0;
  for (let i = 0; i < count; i++) {
    if (nulls !== null && isBitSet(nulls, from + i)) continue;
    const entry = rowEntries[from + i]!;
    let place = places[entry]!;
    if (place === 0) {
      entries[found++] = entry;
      place = places[entry] = found;
    }
    rowPlaces[i] = place;
  }
  const known = internEntries(pool, texts, entries.subarray(0, found));
  if (known === undefined) return undefined;
  for (let i = 0; i < count; i++) rowPlaces[i] = rowPlaces[i] === 0 ? 0 : known[rowPlaces[i]! - 1]!;
  return rowPlaces;
}

/** The codes of entries, which need not follow one another: they are first put side by side. */
function internEntries(pool: TextPool, texts: Texts, entries: Uint32Array): Uint32Array | undefined {
  const offsets = new Uint32Array(entries.length + 1);
  let total = 0;
  entries.forEach((entry, i) => {
    total += texts.offsets[entry + 1]! - texts.offsets[entry]!;
    offsets[i + 1] = total;
  });
  return pool.intern(offsets, packEntries(texts, entries, total));
}

/** Above so many bytes one copy at a time is faster than one byte at a time. */
const shortBytes = 32;

function packEntries({ offsets, bytes }: Texts, entries: Uint32Array, total: number): Uint8Array {
  // A Buffer is another kind of array to the loop below, and halves its speed.
  const source = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  const packed = new Uint8Array(total);
  let target = 0;
  for (const entry of entries) {
    const end = offsets[entry + 1]!;
    let at = offsets[entry]!;
    if (end - at > shortBytes) {
      packed.set(source.subarray(at, end), target);
      target += end - at;
    } else {
      while (at < end) packed[target++] = source[at++]!;
    }
  }
  return packed;
}
