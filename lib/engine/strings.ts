/**
 * Columns of strings and bytes of a shard as codes: those of the column's dictionary, or, for a column stored plain, of a
 * pool that the query fills with the distinct values it meets. A string here is its bytes, whatever they mean.
 */
import type { Dictionary } from "../columns/files/dictionary.js";
import type { Vector } from "../columns/vector.js";
import type { Arena } from "./memory.js";
import type { ScanColumn } from "./scan-column.js";
import { upTo, type PackedTexts } from "./values.js";

/** Distinct strings of a plain column, in order of first appearance; "" is always code 0, as null rows hold it. */
export interface TextPool {
  readonly count: number;
  readonly offsets: number;
  readonly bytes: number;
  /** Writes the uint32 code of each selected row to `target`; `index` 0 stands for all rows. */
  intern(vector: Pick<Vector, "values" | "text">, index: number, rows: number, target: number): void;
}

/** The strings of one shard's columns, for one query. */
export interface ShardStrings {
  /** The pool of a plain column, made at the first call. */
  pool(column: ScanColumn): TextPool;
  /** Rank of each code of a string column, by UTF-8 bytes; a pool's as it stands now. */
  ranks(column: ScanColumn): Uint32Array;
  /** The strings of the given codes, in the given order. */
  texts(column: ScanColumn, codes: Uint32Array): PackedTexts;
}

/** The strings of a shard over the arena of its query. */
export function createShardStrings(arena: Arena): ShardStrings {
  const pools = new Map<ScanColumn, TextPool>();
  function pool(column: ScanColumn): TextPool {
    let found = pools.get(column);
    if (found === undefined) {
      found = createPool(arena);
      pools.set(column, found);
    }
    return found;
  }
  function source(column: ScanColumn): PackedTexts {
    const dictionary = column.dictionary();
    return dictionary ?? poolArrays(arena, pool(column));
  }
  const ranked = new Map<TextPool, Uint32Array>();
  function poolRanks(texts: TextPool): Uint32Array {
    let ranks = ranked.get(texts);
    // A pool only grows: the ranks of as many strings are still right.
    if (ranks?.length !== texts.count) {
      ranks = rankTexts(poolArrays(arena, texts));
      ranked.set(texts, ranks);
    }
    return ranks;
  }
  return {
    pool,
    ranks: (column) => column.dictionary()?.ranks ?? poolRanks(pool(column)),
    texts: (column, codes) => pickTexts(source(column), codes),
  };
}

/** The texts of the given ranks of a dictionary, which ascend. Those of all ranks are shared by all who ask. */
export function textsOfRanks(dictionary: Dictionary, ranks: Uint32Array): PackedTexts {
  const { count, bytes } = dictionary;
  if (2 * ranks.length < count || bytes.length > orderedBytesMax) return pickTexts(dictionary, gatherCodes(codesByRank(dictionary), ranks));
  let ordered = orderedTexts.get(dictionary);
  if (ordered === undefined) {
    ordered = pickTexts(dictionary, codesByRank(dictionary));
    orderedTexts.set(dictionary, ordered);
  }
  return ranks.length === count ? ordered : pickRuns(ordered, ranks);
}

/** Dictionaries of more bytes are not kept in order besides. */
const orderedBytesMax = 16 * 1024 * 1024;
const orderedTexts = new WeakMap<Dictionary, PackedTexts>();

/** Code of each rank of a dictionary, kept as long as the dictionary. */
export function codesByRank(dictionary: Dictionary): Uint32Array {
  let codes = inverses.get(dictionary);
  if (codes === undefined) {
    codes = new Uint32Array(dictionary.count);
    for (let code = 0; code < dictionary.count; code++) codes[dictionary.ranks[code]!] = code;
    inverses.set(dictionary, codes);
  }
  return codes;
}

const inverses = new WeakMap<Dictionary, Uint32Array>();
const entryBytes = 16;

/** An empty pool in the memory of a query. */
export function createPool(arena: Arena): TextPool {
  const { kernels } = arena;
  const state = arena.allocateZeroed(4);
  const count = new Uint32Array(kernels.memory.buffer, state, 1);
  let capacity = 4_096;
  let bytesMax = 1 << 16;
  let table = arena.allocateZeroed(capacity * entryBytes);
  let offsets = arena.allocateZeroed(4 * capacity);
  let bytes = arena.allocate(bytesMax);

  function growCodes(): void {
    arena.free(table);
    capacity *= 2;
    table = arena.allocateZeroed(capacity * entryBytes);
    offsets = arena.enlarge(offsets, (count[0]! + 1) * 4, 4 * capacity);
    kernels.internRebuild(offsets, bytes, count[0]!, table, capacity);
  }
  function growBytes(): void {
    const used = new Uint32Array(kernels.memory.buffer, offsets, count[0]! + 1)[count[0]!]!;
    bytes = arena.enlarge(bytes, used, bytesMax * 2);
    bytesMax *= 2;
  }
  function internRun(textOffsets: number, text: number, index: number, rows: number, target: number): void {
    let row = 0;
    for (;;) {
      const limit = limitOf(capacity);
      row = kernels.internText(textOffsets, text, index, rows, row, table, capacity, offsets, bytes, bytesMax, limit, state, target);
      if (row === rows) return;
      if (count[0]! >= limit) growCodes();
      else growBytes();
    }
  }

  const emptyText = arena.allocateZeroed(16);
  internRun(emptyText, emptyText, 0, 1, emptyText + 8);
  return {
    get count() { return count[0]!; },
    get offsets() { return offsets; },
    get bytes() { return bytes; },
    intern: (vector, index, rows, target) => internRun(vector.values, vector.text, index, rows, target),
  };
}

/** Groups a hash table of a capacity may hold: at most 5/8 full. */
export function limitOf(capacity: number): number {
  return (capacity >> 3) * 5;
}

function poolArrays(arena: Arena, pool: TextPool): PackedTexts {
  const { buffer } = arena.kernels.memory;
  const offsets = new Uint32Array(buffer, pool.offsets, pool.count + 1);
  return { offsets, bytes: new Uint8Array(buffer, pool.bytes, offsets[pool.count]) };
}

function rankTexts(texts: PackedTexts): Uint32Array {
  const count = texts.offsets.length - 1;
  const all = Buffer.from(texts.bytes.buffer, texts.bytes.byteOffset, texts.bytes.length);
  const order = upTo(count);
  order.sort((a, b) => all.compare(all, texts.offsets[b], texts.offsets[b + 1], texts.offsets[a], texts.offsets[a + 1]));
  const ranks = new Uint32Array(count);
  for (let rank = 0; rank < count; rank++) ranks[order[rank]!] = rank;
  return ranks;
}

function pickTexts(source: PackedTexts, codes: Uint32Array): PackedTexts {
  const offsets = new Uint32Array(codes.length + 1);
  for (let k = 0; k < codes.length; k++) offsets[k + 1] = offsets[k]! + source.offsets[codes[k]! + 1]! - source.offsets[codes[k]!]!;
  const bytes = new Uint8Array(offsets[codes.length]!);
  for (let k = 0; k < codes.length; k++) {
    let from = source.offsets[codes[k]!]!;
    for (let at = offsets[k]!; at < offsets[k + 1]!; at++) bytes[at] = source.bytes[from++]!;
  }
  return { offsets, bytes };
}

/** The same for many of the texts in their order: neighbours are copied together. */
function pickRuns(source: PackedTexts, places: Uint32Array): PackedTexts {
  const offsets = new Uint32Array(places.length + 1);
  for (let k = 0; k < places.length; k++) offsets[k + 1] = offsets[k]! + source.offsets[places[k]! + 1]! - source.offsets[places[k]!]!;
  const bytes = new Uint8Array(offsets[places.length]!);
  for (let start = 0; start < places.length;) {
    let end = start + 1;
    while (end < places.length && places[end]! === places[end - 1]! + 1) end += 1;
    bytes.set(source.bytes.subarray(source.offsets[places[start]!], source.offsets[places[end - 1]! + 1]), offsets[start]);
    start = end;
  }
  return { offsets, bytes };
}

function gatherCodes(codes: Uint32Array, ranks: Uint32Array): Uint32Array {
  const gathered = new Uint32Array(ranks.length);
  for (let k = 0; k < ranks.length; k++) gathered[k] = codes[ranks[k]!]!;
  return gathered;
}
