/** New batches of rows picked from several batches of one column. */
import { isBitSet } from "../../columns/bits.js";
import { isTextDtype } from "../../columns/dtypes.js";
import type { Batch, TextDtype } from "../../columns/dtypes.js";
import { widthOf } from "../../columns/files/encodings.js";
import type { Texts } from "../../columns/texts.js";
import { fixedBatch, isTextBatch } from "./batches.js";
import type { TextBatch } from "./batches.js";

/** Rows by where they are: row `rows[i]` of batch `from[i]`, for i below `count`. */
export interface Picks {
  readonly count: number;
  readonly from: Uint32Array;
  readonly rows: Uint32Array;
}

/** Picks rows of one column. */
export type Gatherer = (picks: Picks) => Batch;

/** Where counting begins anew, so that counts fit a Uint32Array. */
const countsMax = 2 ** 32;

/** The picked rows of one column, whose batches are all of one dtype, in memory of their own. */
export function gatherRows(batches: readonly Batch[], picks: Picks): Batch {
  return createGatherer(batches)(picks);
}

/** Picks rows of one column, whose batches are all of one dtype, again and again, into batches with memory of their own. */
export function createGatherer(batches: readonly Batch[]): Gatherer {
  const { dtype } = batches[0]!;
  if (isTextDtype(dtype)) return createTextPicker(dtype, batches.map(requireTexts));
  const gatherValues = createValueGatherer(widthOf(dtype), batches);
  return (picks) => fixedBatch(dtype, { rows: picks.count, nulls: gatherNulls(batches, picks) }, gatherValues(picks));
}

function createValueGatherer(width: 1 | 2 | 4 | 8, batches: readonly Batch[]): (picks: Picks) => ArrayBuffer {
  switch (width) {
    case 1: {
      const sources = batches.map(bytesOf);
      return (picks) => gatherBytes(sources, picks, new Uint8Array(picks.count));
    }
    case 2: {
      const sources = batches.map(halvesOf);
      return (picks) => gatherHalves(sources, picks, new Uint16Array(picks.count));
    }
    case 4: {
      const sources = batches.map(wordsOf);
      return (picks) => gatherWords(sources, picks, new Uint32Array(picks.count));
    }
    case 8: {
      const sources = batches.map(wordsOf);
      return (picks) => gatherPairs(sources, picks, new Uint32Array(picks.count * 2));
    }
  }
}

function gatherNulls(batches: readonly Batch[], { count, from, rows }: Picks): Uint8Array | null {
  if (batches.every((batch) => batch.nulls === null)) return null;
  const nulls = new Uint8Array((count + 7) >> 3);
  let found = false;
  for (let i = 0; i < count; i++) {
    if (!isBitSet(batches[from[i]!]!.nulls, rows[i]!)) continue;
    nulls[i >> 3]! |= 1 << (i & 7);
    found = true;
  }
  return found ? nulls : null;
}

// One loop a width: a loop that meets several kinds of typed arrays is several times slower.

function gatherBytes(sources: readonly Uint8Array[], { count, from, rows }: Picks, target: Uint8Array<ArrayBuffer>): ArrayBuffer {
  for (let i = 0; i < count; i++) target[i] = sources[from[i]!]![rows[i]!]!;
  return target.buffer;
}

function gatherHalves(sources: readonly Uint16Array[], { count, from, rows }: Picks, target: Uint16Array<ArrayBuffer>): ArrayBuffer {
  for (let i = 0; i < count; i++) target[i] = sources[from[i]!]![rows[i]!]!;
  return target.buffer;
}

function gatherWords(sources: readonly Uint32Array[], { count, from, rows }: Picks, target: Uint32Array<ArrayBuffer>): ArrayBuffer {
  for (let i = 0; i < count; i++) target[i] = sources[from[i]!]![rows[i]!]!;
  return target.buffer;
}

/** As two words each: a float64 that holds the bits of another dtype might not keep them. */
function gatherPairs(sources: readonly Uint32Array[], { count, from, rows }: Picks, target: Uint32Array<ArrayBuffer>): ArrayBuffer {
  for (let i = 0; i < count; i++) {
    const source = sources[from[i]!]!;
    const row = rows[i]!;
    target[2 * i] = source[2 * row]!;
    target[2 * i + 1] = source[2 * row + 1]!;
  }
  return target.buffer;
}

/** Texts with codes where the batches have them, so that a text that many rows share is copied once. */
function createTextPicker(dtype: TextDtype, batches: readonly TextBatch[]): Gatherer {
  const texts = batches.map(({ values }) => values);
  // Batches may share a dictionary, of which each entry is then copied once.
  const dictionaries = [...new Set(texts.map(({ offsets }) => offsets))];
  const dictionaryOf = texts.map(({ offsets }) => dictionaries.indexOf(offsets));
  /** For each entry of a dictionary, how many distinct ones had been found when it last was one; the picks at hand begin after `before`. */
  const known: (Uint32Array | undefined)[] = [];
  let before = 0;
  return (picks) => {
    const { count, from, rows } = picks;
    const nulls = gatherNulls(batches, picks);
    const codes = new Uint32Array(count);
    const found = { from: new Uint32Array(count), entries: new Uint32Array(count), lengths: new Uint32Array(count), count: 0 };
    if (before + count >= countsMax) {
      known.length = 0;
      before = 0;
    }
    for (let i = 0; i < count; i++) {
      const source = from[i]!;
      const { offsets, codes: sourceCodes } = texts[source]!;
      // What a null row holds is not looked at: its code may be any.
      const isNull = isBitSet(nulls, i);
      const isCoded = sourceCodes !== null && !isNull;
      const entry = isNull ? 0 : isCoded ? sourceCodes[rows[i]!]! : rows[i]!;
      const seen = isCoded ? known[dictionaryOf[source]!] ??= new Uint32Array(offsets.length - 1) : null;
      const place = seen === null ? 0 : seen[entry]! - before;
      codes[i] = place > 0 ? place - 1 : found.count;
      if (place > 0) continue;
      found.from[found.count] = source;
      found.entries[found.count] = entry;
      found.lengths[found.count] = isNull ? 0 : offsets[entry + 1]! - offsets[entry]!;
      found.count++;
      if (seen !== null) seen[entry] = before + found.count;
    }
    before += found.count;
    return { dtype, rows: count, nulls, values: { ...copyEntries(texts, found), codes: found.count === count ? null : codes } };
  };
}

/** Distinct texts to copy: their batch, their entry there, their length. */
interface Entries {
  readonly from: Uint32Array;
  readonly entries: Uint32Array;
  readonly lengths: Uint32Array;
  readonly count: number;
}

function copyEntries(texts: readonly Texts[], { from, entries, lengths, count }: Entries): { offsets: Uint32Array; bytes: Uint8Array } {
  const offsets = new Uint32Array(count + 1);
  for (let entry = 0; entry < count; entry++) offsets[entry + 1] = offsets[entry]! + lengths[entry]!;
  const target = new Uint8Array(offsets[count]!);
  for (let entry = 0; entry < count; entry++) {
    const { bytes, offsets: starts } = texts[from[entry]!]!;
    copyShort({ source: bytes, start: starts[entries[entry]!]!, length: lengths[entry]! }, target, offsets[entry]!);
  }
  return { offsets, bytes: target };
}

/** A native copy costs two views; texts are mostly shorter than that is worth. */
function copyShort({ source, start, length }: { source: Uint8Array; start: number; length: number }, target: Uint8Array, at: number): void {
  if (length > 48) target.set(source.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) target[at + i] = source[start + i]!;
}

function requireTexts(batch: Batch): TextBatch {
  if (!isTextBatch(batch)) throw new Error(`a batch of ${batch.dtype} among texts`);
  return batch;
}

function bytesOf(batch: Batch): Uint8Array {
  const { buffer, byteOffset } = requireFixed(batch);
  return new Uint8Array(buffer, byteOffset, batch.rows);
}

function halvesOf(batch: Batch): Uint16Array {
  const { buffer, byteOffset } = requireFixed(batch);
  return new Uint16Array(buffer, byteOffset, batch.rows);
}

function wordsOf(batch: Batch): Uint32Array {
  const { buffer, byteOffset, byteLength } = requireFixed(batch);
  return new Uint32Array(buffer, byteOffset, byteLength >> 2);
}

function requireFixed(batch: Batch): { buffer: ArrayBufferLike; byteOffset: number; byteLength: number } {
  if (isTextBatch(batch)) throw new Error(`a batch of ${batch.dtype} among values of fixed width`);
  return batch.values;
}

