/** One column chunk of a Parquet file read from start to end, some rows at a time: pages in, physical values out. */
import type { Texts } from "../../columns/texts.js";
import { readPages } from "./pages.js";
import type { ChunkPlace, Page, PageTools } from "./pages.js";
import { createRuns } from "./runs.js";
import type { Runs } from "./runs.js";
import { openTextValues, readTextDictionary } from "./texts.js";
import type { TextValues } from "./texts.js";
import { openFixedValues, readFixedDictionary, wordsOf } from "./values.js";
import type { FixedType, FixedValues } from "./values.js";
import { damaged } from "./varint.js";
import { createTextGatherer } from "../values/text-gatherer.js";
import type { TextGatherer } from "../values/text-gatherer.js";

/** A physical type: of fixed width, or of bytes, whose length may be fixed. */
export type PhysicalType = { readonly kind: "fixed"; readonly type: FixedType } | { readonly kind: "text"; readonly lengthBytes: number | null };

/** Rows of a column as the file stores them. `nulls` is a bitmap as in Batch. */
export interface PhysicalRows {
  readonly nulls: Uint8Array | null;
  /** For fixed types: one or two words a row, zeros where it is null; else null. */
  readonly words: Int32Array | null;
  /** For texts; else null. Runs from one dictionary page share its arrays. */
  readonly texts: Texts | null;
}

/** A column chunk that is being read. */
export interface ChunkReader {
  /** The next rows; throws plain errors for damaged pages and a chunk with fewer. */
  read(rows: number): PhysicalRows;
  /** Throws when the chunk has more values than were read. */
  finish(): void;
  /** Bytes of the file used up so far. */
  storedBytes(): number;
}

/** What is left of the page at hand. */
interface OpenPage {
  left: number;
  readonly levels: Runs | null;
  readonly fixed: FixedValues | null;
  readonly texts: TextValues | null;
}

type Dictionary = { readonly words: Int32Array } | { readonly texts: Texts };

/** Opens a column chunk; nothing is read before the first rows. `reserve` of the tools is told of all that the chunk holds. */
export function openChunk(place: ChunkPlace, type: PhysicalType, tools: PageTools): ChunkReader {
  const held = { page: 0, dictionary: 0, rows: 0 };
  const reserve = (part: keyof typeof held, bytes: number): void => {
    held[part] = bytes;
    tools.reserve(held.page + held.dictionary + held.rows);
  };
  const pages = readPages(place, { ...tools, reserve: (bytes) => reserve("page", bytes) });
  let page: OpenPage = { left: 0, levels: null, fixed: null, texts: null };
  let dictionary: Dictionary | null = null;
  let storedBytes = 0;

  function nextPage(): boolean {
    for (;;) {
      const next = pages.next();
      if (next.done === true) return false;
      storedBytes += next.value.storedBytes;
      if (next.value.kind === "data") {
        page = openPage(next.value, type, dictionary);
        return true;
      }
      if (dictionary !== null) throw damaged("two dictionaries");
      dictionary = readDictionary(next.value, type, (bytes) => reserve("dictionary", bytes));
    }
  }

  function eachPart(rows: number, take: (part: OpenPage, count: number) => void): void {
    for (let left = rows; left > 0;) {
      while (page.left === 0) if (!nextPage()) throw damaged(`${left} rows less than it claims`);
      const count = Math.min(left, page.left);
      take(page, count);
      page.left -= count;
      left -= count;
    }
  }

  return {
    storedBytes: () => storedBytes,
    read: (rows) => (type.kind === "fixed" ? readFixed(wordsOf(type.type), rows, eachPart) : readTexts(rows, eachPart, (bytes) => reserve("rows", bytes))),
    finish() {
      do if (page.left > 0) throw damaged("more rows than it claims");
      while (nextPage());
    },
  };
}

function readDictionary(page: Page, type: PhysicalType, reserve: (bytes: number) => void): Dictionary {
  reserve(2 * page.values.length);
  if (type.kind === "fixed") return { words: readFixedDictionary(type.type, page) };
  return { texts: readTextDictionary(type.lengthBytes, page, (rows) => createTextGatherer(rows, reserve)) };
}

function openPage(page: Page, type: PhysicalType, dictionary: Dictionary | null): OpenPage {
  const levels = page.levels === null ? null : createRuns(page.levels, 0, page.levels.length, 1);
  if (type.kind === "fixed") {
    const words = dictionary !== null && "words" in dictionary ? dictionary.words : null;
    return { left: page.count, levels, fixed: openFixedValues(type.type, page, words), texts: null };
  }
  const texts = dictionary !== null && "texts" in dictionary ? dictionary.texts : null;
  return { left: page.count, levels, fixed: null, texts: openTextValues(type.lengthBytes, page, texts) };
}

type EachPart = (rows: number, take: (part: OpenPage, count: number) => void) => void;

function readFixed(wordsEach: 1 | 2, rows: number, eachPart: EachPart): PhysicalRows {
  const words = new Int32Array(rows * wordsEach);
  const presence = createPresence(rows);
  let row = 0;
  eachPart(rows, ({ levels, fixed }, count) => {
    const present = presence.read(levels, row, count);
    fixed!.read(words, row, present);
    if (present < count) spread(words.subarray(row * wordsEach), wordsEach, { flags: presence.flags, present, count });
    row += count;
  });
  return { words, texts: null, nulls: presence.nulls() };
}

/** Moves values that lie close together to the rows that have one, and clears the others. */
function spread(words: Int32Array, wordsEach: 1 | 2, { flags, present, count }: { flags: Uint32Array; present: number; count: number }): void {
  for (let i = count - 1, from = present - 1; i >= 0; i--) {
    const isPresent = flags[i] === 1;
    if (wordsEach === 1) {
      words[i] = isPresent ? words[from]! : 0;
    } else {
      words[2 * i] = isPresent ? words[2 * from]! : 0;
      words[2 * i + 1] = isPresent ? words[2 * from + 1]! : 0;
    }
    if (isPresent) from -= 1;
  }
}

function readTexts(rows: number, eachPart: EachPart, reserve: (bytes: number) => void): PhysicalRows {
  const gatherer: TextGatherer = createTextGatherer(rows, reserve);
  const presence = createPresence(rows);
  let row = 0;
  eachPart(rows, ({ levels, texts }, count) => {
    const present = presence.read(levels, row, count);
    texts!.read(gatherer, present < count ? presence.flags : null, count);
    row += count;
  });
  return { words: null, texts: gatherer.finish(), nulls: presence.nulls() };
}

/** Which rows have a value. */
interface Presence {
  /** 1 for each row of the last part that has a value. */
  readonly flags: Uint32Array;
  /** Reads the levels of a part that begins at `row`; gives how many of its rows have a value. */
  read(levels: Runs | null, row: number, count: number): number;
  nulls(): Uint8Array | null;
}

function createPresence(rows: number): Presence {
  const flags = new Uint32Array(rows);
  let nulls: Uint8Array | null = null;
  return {
    flags,
    read(levels, row, count) {
      if (levels === null) return count;
      levels.read(flags, count);
      let present = 0;
      for (let i = 0; i < count; i++) present += flags[i]!;
      if (present === count) return count;
      nulls ??= new Uint8Array((rows + 7) >> 3);
      for (let i = 0, at = row; i < count; i++, at++) if (flags[i] === 0) nulls[at >> 3]! |= 1 << (at & 7);
      return present;
    },
    nulls: () => nulls,
  };
}
