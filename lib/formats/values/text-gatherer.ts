/** Texts put together one row after another: as codes into a dictionary while all rows have one, else as their bytes. */
import type { Texts } from "../../columns/texts.js";

/** Gathers rows; used for one run of texts. */
export interface TextGatherer {
  /** Adds a row with the bytes `from` to `to` (exclusive), which are copied. */
  add(bytes: Uint8Array, from: number, to: number): void;
  /** Adds a row without bytes. */
  addEmpty(): void;
  /**
   * Adds `count` rows of a dictionary, which is kept: the next code where `present` is 1 or null, an empty one or any
   * where it is 0.
   */
  addCodes(dictionary: Texts, codes: Uint32Array, present: Uint32Array | null, count: number): void;
  /** What was gathered; the gatherer is used no more. */
  finish(): Texts;
}

/** A gatherer of exactly `rows` rows. `reserve` is told of bytes before they are allocated and throws where they are too many. */
export function createTextGatherer(rows: number, reserve: (bytes: number) => void): TextGatherer {
  const offsets = new Uint32Array(rows + 1);
  let bytes = new Uint8Array(0);
  let used = 0;
  let row = 0;
  let coded: { readonly dictionary: Texts; readonly codes: Uint32Array } | null = null;

  function ensure(more: number): void {
    if (used + more <= bytes.length) return;
    const size = Math.max(64 * 1024, 2 * bytes.length, used + more);
    reserve(size);
    const larger = new Uint8Array(size);
    larger.set(bytes.subarray(0, used));
    bytes = larger;
  }

  function add(source: Uint8Array, from: number, to: number): void {
    if (coded !== null) spellOut();
    ensure(to - from);
    // A call to copy costs more than a few bytes.
    if (to - from > 24) bytes.set(source.subarray(from, to), used);
    else for (let i = from, at = used; i < to; i++, at++) bytes[at] = source[i]!;
    used += to - from;
    offsets[++row] = used;
  }

  /** Turns the rows so far, which are codes, into bytes. */
  function spellOut(): void {
    const { dictionary, codes } = coded!;
    const count = row;
    coded = null;
    row = 0;
    for (let i = 0; i < count; i++) addEntry(dictionary, codes[i]!);
  }

  function addEntry(dictionary: Texts, code: number): void {
    add(dictionary.bytes, dictionary.offsets[code]!, dictionary.offsets[code + 1]!);
  }

  function addCodes(dictionary: Texts, codes: Uint32Array, present: Uint32Array | null, count: number): void {
    if (coded === null && row === 0 && dictionary.offsets.length > 1) coded = { dictionary, codes: new Uint32Array(rows) };
    if (coded?.dictionary === dictionary) {
      placeCodes(codes, present, coded.codes.subarray(row, row + count));
      row += count;
      return;
    }
    for (let i = 0, next = 0; i < count; i++) {
      if (present === null || present[i] === 1) addEntry(dictionary, codes[next++]!);
      else add(bytes, 0, 0);
    }
  }

  function addEmpty(): void {
    // Any code will do for a row that is null.
    if (coded !== null) row += 1;
    else offsets[++row] = used;
  }

  return {
    add, addEmpty, addCodes,
    finish() {
      if (row !== rows) throw new Error(`${row} texts gathered for ${rows} rows`);
      return coded !== null ? { ...coded.dictionary, codes: coded.codes } : { offsets, bytes: bytes.subarray(0, used), codes: null };
    },
  };
}

function placeCodes(codes: Uint32Array, present: Uint32Array | null, target: Uint32Array): void {
  if (present === null) {
    target.set(codes.subarray(0, target.length));
    return;
  }
  for (let i = 0, next = 0; i < target.length; i++) if (present[i] === 1) target[i] = codes[next++]!;
}
