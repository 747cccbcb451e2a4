/** Tests of texts: over plain texts by kernels, over a dictionary or a pool once an entry. */
import type { Dictionary } from "../../columns/files/dictionary.js";
import type { Arena } from "../memory.js";
import { limitOf, type TextPool } from "../strings.js";
import type { PackedTexts } from "../values.js";
import type { LikePattern } from "./like.js";
import type { ValueTest } from "./literals.js";

/** What is asked of a text. */
export type TextTest =
  | Extract<ValueTest, { kind: "text-compare" | "text-set" }>
  | { readonly kind: "like"; readonly pattern: LikePattern; readonly negate: boolean };

/** Writes the mask of `n` texts in kernel memory: `offsets` points at n + 1 uint32 offsets into `bytes`. */
export type TextMasker = (offsets: number, bytes: number, n: number, mask: number) => void;

/** A masker of plain texts; what it needs of memory it takes when it is first used. Now and then `stop` is called, which may throw. */
export function createTextMasker(test: TextTest, arena: Arena, stop: () => void): TextMasker {
  let made: TextMasker | undefined;
  return (offsets, bytes, n, mask) => {
    made ??= makeMasker(test, arena, stop);
    made(offsets, bytes, n, mask);
  };
}

function makeMasker(test: TextTest, arena: Arena, stop: () => void): TextMasker {
  switch (test.kind) {
    case "text-compare": return createCompareMasker(test, arena);
    case "text-set": return createSetMasker(test, arena);
    case "like": return inSlices(createLikeMasker(test, arena), arena, stop);
  }
}

function createCompareMasker({ literal, accept }: Extract<TextTest, { kind: "text-compare" }>, arena: Arena): TextMasker {
  const { kernels } = arena;
  const pointer = arena.allocate(Math.max(1, literal.length));
  kernels.bytes.set(literal, pointer);
  return (offsets, bytes, n, mask) => kernels.maskTextCompare(offsets, bytes, n, pointer, literal.length, accept, mask);
}

function createSetMasker({ values, negate }: Extract<TextTest, { kind: "text-set" }>, arena: Arena): TextMasker {
  const { kernels } = arena;
  const count = values.offsets.length - 1;
  const [setOffsets, setBytes] = [arena.allocate(4 * (count + 1)), arena.allocate(Math.max(1, values.bytes.length))];
  new Uint32Array(kernels.memory.buffer, setOffsets, count + 1).set(values.offsets);
  kernels.bytes.set(values.bytes, setBytes);
  let capacity = 64;
  while (limitOf(capacity) < count + 1) capacity *= 2;
  const table = arena.allocateZeroed(capacity * 16);
  kernels.internRebuild(setOffsets, setBytes, count, table, capacity);
  return (offsets, bytes, n, mask) => kernels.maskTextSet(offsets, bytes, n, table, capacity, setOffsets, setBytes, negate ? 1 : 0, mask);
}

function createLikeMasker({ pattern, negate }: Extract<TextTest, { kind: "like" }>, arena: Arena): TextMasker {
  const { kernels } = arena;
  const { tokens, borders, tables, ends } = pattern;
  const [tokensAt, bordersAt, endsAt] = [arena.allocate(Math.max(2, tokens.byteLength)), arena.allocate(Math.max(4, borders.byteLength)), arena.allocate(ends.byteLength)];
  new Uint32Array(kernels.memory.buffer, bordersAt, borders.length).set(borders);
  new Uint16Array(kernels.memory.buffer, tokensAt, tokens.length).set(tokens);
  new Uint32Array(kernels.memory.buffer, endsAt, ends.length).set(ends);
  const tablesAt = arena.allocateZeroed(tables.length * 4);
  tables.forEach((table, part) => { if (table !== null) new Uint32Array(kernels.memory.buffer, tablesAt, tables.length)[part] = placeTable(table, arena); });
  return (offsets, bytes, n, mask) => kernels.maskLike(offsets, bytes, n, tokensAt, bordersAt, endsAt, ends.length - 1, tablesAt, negate ? 1 : 0, mask);
}

/** Bytes of texts between two calls of `stop`: a pattern may take a hundred steps a byte. */
const stopBytes = 1 << 22;

function inSlices(masker: TextMasker, { kernels }: Arena, stop: () => void): TextMasker {
  return (offsets, bytes, n, mask) => {
    const ends = new Uint32Array(kernels.memory.buffer, offsets, n + 1);
    for (let row = 0; row < n;) {
      let next = ends[n]! - ends[row]! <= stopBytes ? n : row + 1;
      while (next < n && ends[next + 1]! - ends[row]! <= stopBytes) next += 1;
      masker(offsets + 4 * row, bytes, next - row, mask + row);
      row = next;
      stop();
    }
  };
}

/** A table of a part of a pattern, and room for as many words as it has for a byte. */
function placeTable(table: BigUint64Array, arena: Arena): number {
  const pointer = arena.allocate(table.byteLength + table.byteLength / 257);
  new BigUint64Array(arena.kernels.memory.buffer, pointer, table.length).set(table);
  return pointer;
}

/** What a test says of every entry of a dictionary. */
export interface DictionaryMatches {
  /** 1 for each code that passes. */
  readonly codes: Uint8Array;
  readonly count: number;
}

/** Shards of one import share their dictionary, and all shards of a query its tests. */
const matched = new WeakMap<TextTest, WeakMap<Dictionary, DictionaryMatches>>();

/** The entries of a dictionary that pass a test; found once for each pair of both. */
export function matchDictionary(test: TextTest, dictionary: Dictionary, masker: TextMasker, arena: Arena): DictionaryMatches {
  const ofTest = matched.get(test) ?? new WeakMap<Dictionary, DictionaryMatches>();
  matched.set(test, ofTest);
  let matches = ofTest.get(dictionary);
  if (matches === undefined) {
    const codes = new Uint8Array(dictionary.count);
    for (const [start, end] of slicesOf(dictionary)) matchSlice(dictionary, start, end, codes, masker, arena);
    matches = { codes, count: codes.reduce((sum, code) => sum + code, 0) };
    ofTest.set(dictionary, matches);
  }
  return matches;
}

const sliceBytesMax = 1 << 20;
const sliceEntriesMax = 1 << 16;

/** Stretches of entries of at most so many bytes, unless one alone has more: a dictionary may be larger than query_memory. */
function* slicesOf({ offsets, count }: Dictionary): Iterable<[start: number, end: number]> {
  let start = 0;
  for (let entry = 1; entry <= count; entry++) {
    const isFull = entry === count || offsets[entry + 1]! - offsets[start]! > sliceBytesMax || entry - start === sliceEntriesMax;
    if (!isFull) continue;
    yield [start, entry];
    start = entry;
  }
}

function matchSlice({ offsets, bytes }: PackedTexts, start: number, end: number, codes: Uint8Array, masker: TextMasker, arena: Arena): void {
  const { kernels } = arena;
  const [from, to] = [offsets[start]!, offsets[end]!];
  const [offsetsAt, bytesAt, mask] = [arena.allocate(4 * (end - start + 1)), arena.allocate(Math.max(1, to - from)), arena.allocate(end - start)];
  const own = new Uint32Array(kernels.memory.buffer, offsetsAt, end - start + 1);
  for (let entry = start; entry <= end; entry++) own[entry - start] = offsets[entry]! - from;
  kernels.bytes.set(bytes.subarray(from, to), bytesAt);
  masker(offsetsAt, bytesAt, end - start, mask);
  codes.set(kernels.bytes.subarray(mask, mask + end - start), start);
  for (const pointer of [offsetsAt, bytesAt, mask]) arena.free(pointer);
}

/** A look-up table of a pool, which grows: each text is tested once, when it is there. Gives the pointer to a byte a code. */
export function createPoolTable(masker: TextMasker, arena: Arena): (pool: TextPool) => number {
  let capacity = 4_096;
  let tested = 0;
  let table = arena.allocate(capacity);
  return (pool) => {
    const count = pool.count;
    if (count > capacity) {
      const wanted = 2 ** Math.ceil(Math.log2(count));
      table = arena.enlarge(table, tested, wanted);
      capacity = wanted;
    }
    if (count > tested) masker(pool.offsets + 4 * tested, pool.bytes, count - tested, table + tested);
    tested = count;
    return table;
  };
}
