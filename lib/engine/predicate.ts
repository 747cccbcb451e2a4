/** A where term over the chunks of one shard: ruled by statistics where they decide, else a mask over the rows. */
import { chunkRows } from "../columns/dtypes.js";
import type { Dictionary } from "../columns/files/dictionary.js";
import type { ChunkStatistics, TableColumn } from "../columns/read/table.js";
import type { Vector } from "../columns/vector.js";
import { conditionOf, type Condition } from "./literals.js";
import type { Arena } from "./memory.js";
import type { Term } from "./query.js";
import { widthNames } from "./states/slab.js";
import { codesByRank, limitOf } from "./strings.js";

/** What statistics say of a chunk: no row matches, every row does, or the rows must be looked at. */
export type Verdict = "none" | "all" | "some";

/** A term made ready for one shard. */
export interface Predicate {
  readonly column: TableColumn;
  judge(statistics: ChunkStatistics): Verdict;
  /** Writes the mask of a decoded chunk: 1 where the term is true, 0 where it is false or the value null. */
  mask(vector: Vector, mask: number): void;
}

/** The predicate of a term on a shard's column. Throws DTYPE_MISMATCH. */
export function createPredicate(term: Term, column: TableColumn, arena: Arena): Predicate {
  const condition = conditionOf(term, column.dtype);
  const dictionary = column.dictionary();
  const masker = dictionary === null ? createMasker(condition, arena) : createCodeMasker(condition, dictionary, arena);
  return {
    column,
    judge: (statistics) => judge(condition, statistics),
    mask(vector, mask) {
      masker(vector, mask);
      if (vector.nulls !== 0) arena.kernels.maskNulls(vector.nulls, vector.rows, mask);
    },
  };
}

type Masker = (vector: Vector, mask: number) => void;

function createMasker(condition: Condition, arena: Arena): Masker {
  const { kernels } = arena;
  switch (condition.kind) {
    case "int-range": return (vector, mask) => maskIntRange(condition, vector, mask, arena);
    case "int-set": return createIntSetMasker(condition, arena);
    case "float-range": return (vector, mask) => kernels.maskRangeF64(vector.values, vector.rows, condition.lo, condition.hi, flag(condition.negate), mask);
    case "float-set": return createFloatSetMasker(condition, arena);
    case "text-compare": return createTextCompareMasker(condition, arena);
    case "text-set": return createTextSetMasker(condition, arena);
  }
}

/** Turns the range of values into one of codes, so that the chunk is compared as narrow as it is. */
function maskIntRange({ lo, hi, negate }: Extract<Condition, { kind: "int-range" }>, vector: Vector, mask: number, arena: Arena): void {
  const { kernels } = arena;
  if (vector.width === 8) {
    kernels.maskRangeI64(vector.values, vector.rows, lo, hi, flag(negate), mask);
    return;
  }
  const most = 2n ** BigInt(8 * vector.width) - 1n;
  const { base } = vector;
  const step = vector.step === 0n ? 1n : vector.step;
  const codeLow = lo <= base ? 0n : (lo - base + step - 1n) / step;
  const codeHigh = hi < base ? -1n : (hi - base) / step;
  const isEmpty = codeLow > most || codeHigh < codeLow;
  const [low, high] = isEmpty ? [1, 0] : [Number(codeLow), Number(codeHigh < most ? codeHigh : most)];
  kernels[`maskRange${widthNames[vector.width]}`](vector.values, vector.rows, low, high, flag(negate), mask);
}

function createIntSetMasker({ values, negate }: Extract<Condition, { kind: "int-set" }>, arena: Arena): Masker {
  const { kernels } = arena;
  const set = buildSet(values, arena);
  const lut = arena.allocate(chunkRows);
  return (vector, mask) => {
    const { base, step, rows, width } = vector;
    if (width === 8) kernels.maskSetI64(vector.values, rows, set.pointer, set.capacity, flag(negate), mask);
    else if (width === 4) kernels.maskSetU32(vector.values, rows, base, step, set.pointer, set.capacity, flag(negate), mask);
    else {
      kernels.lutFromSet(base, step, width === 1 ? 256 : 65_536, set.pointer, set.capacity, flag(negate), lut);
      kernels[`maskLut${widthNames[width]}`](vector.values, rows, lut, mask);
    }
  };
}

function createFloatSetMasker({ values, negate }: Extract<Condition, { kind: "float-set" }>, arena: Arena): Masker {
  const set = buildSet(new BigInt64Array(values.buffer), arena);
  return (vector, mask) => arena.kernels.maskSetI64(vector.values, vector.rows, set.pointer, set.capacity, flag(negate), mask);
}

function buildSet(values: BigInt64Array, arena: Arena): { pointer: number; capacity: number } {
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(16, values.length * 2)));
  const pointer = arena.allocateZeroed(capacity * 16);
  const list = arena.allocate(Math.max(8, values.byteLength));
  new BigInt64Array(arena.kernels.memory.buffer, list, values.length).set(values);
  arena.kernels.setBuild(list, values.length, pointer, capacity);
  arena.free(list);
  return { pointer, capacity };
}

/** The term asked once of every string of the dictionary; chunks then look their codes up. */
function createCodeMasker(condition: Condition, dictionary: Dictionary, arena: Arena): Masker {
  const { kernels } = arena;
  const lut = arena.allocateZeroed(Math.max(dictionary.count, chunkRows));
  kernels.bytes.set(matchDictionary(condition, dictionary), lut);
  return (vector, mask) => {
    if (vector.width === 8) throw new Error("codes are at most 4 bytes wide");
    kernels[`maskLut${widthNames[vector.width]}`](vector.values, vector.rows, lut, mask);
  };
}

function matchDictionary(condition: Condition, dictionary: Dictionary): Uint8Array {
  const matches = new Uint8Array(dictionary.count);
  const byRank = codesByRank(dictionary);
  const place = (literal: Uint8Array): { rank: number; isFound: boolean } => findRank(dictionary, byRank, literal);
  if (condition.kind === "text-compare") {
    const { rank, isFound } = place(condition.literal);
    for (let code = 0; code < dictionary.count; code++) {
      const own = dictionary.ranks[code]!;
      const side = own < rank ? 1 : own === rank && isFound ? 2 : 4;
      matches[code] = (condition.accept & side) === 0 ? 0 : 1;
    }
  } else if (condition.kind === "text-set") {
    for (const value of condition.values) {
      const { rank, isFound } = place(value);
      if (isFound) matches[byRank[rank]!] = 1;
    }
    if (condition.negate) for (let code = 0; code < dictionary.count; code++) matches[code] = 1 - matches[code]!;
  }
  return matches;
}

/** The first rank whose string is not below a literal, and whether it is equal. */
function findRank(dictionary: Dictionary, byRank: Uint32Array, literal: Uint8Array): { rank: number; isFound: boolean } {
  const compareAt = (rank: number): number => {
    const code = byRank[rank]!;
    return Buffer.compare(dictionary.bytes.subarray(dictionary.offsets[code], dictionary.offsets[code + 1]), literal);
  };
  let [low, high] = [0, dictionary.count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareAt(middle) < 0) low = middle + 1;
    else high = middle;
  }
  return { rank: low, isFound: low < dictionary.count && compareAt(low) === 0 };
}

function createTextCompareMasker({ literal, accept }: Extract<Condition, { kind: "text-compare" }>, arena: Arena): Masker {
  const { kernels } = arena;
  const pointer = arena.allocate(Math.max(1, literal.length));
  kernels.bytes.set(literal, pointer);
  return (vector, mask) => kernels.maskTextCompare(vector.values, vector.text, vector.rows, pointer, literal.length, accept, mask);
}

function createTextSetMasker({ values, negate }: Extract<Condition, { kind: "text-set" }>, arena: Arena): Masker {
  const { kernels } = arena;
  const bytesTotal = values.reduce((sum, value) => sum + value.length, 0);
  const [offsets, bytes] = [arena.allocateZeroed(4 * (values.length + 1)), arena.allocate(Math.max(1, bytesTotal))];
  const ends = new Uint32Array(kernels.memory.buffer, offsets, values.length + 1);
  values.forEach((value, k) => {
    kernels.bytes.set(value, bytes + ends[k]!);
    ends[k + 1] = ends[k]! + value.length;
  });
  let capacity = 64;
  while (limitOf(capacity) < values.length + 1) capacity *= 2;
  const table = arena.allocateZeroed(capacity * 16);
  kernels.internRebuild(offsets, bytes, values.length, table, capacity);
  return (vector, mask) => kernels.maskTextSet(vector.values, vector.text, vector.rows, table, capacity, offsets, bytes, flag(negate), mask);
}

function judge(condition: Condition, statistics: ChunkStatistics): Verdict {
  const { minimum, maximum, nullCount, rows } = statistics;
  if (nullCount === rows) return "none";
  if (minimum === null || maximum === null) return "some";
  const verdict = judgeValues(condition, minimum, maximum);
  return verdict === "all" && nullCount > 0 ? "some" : verdict;
}

function judgeValues(condition: Condition, minimum: bigint | number | Uint8Array, maximum: bigint | number | Uint8Array): Verdict {
  switch (condition.kind) {
    case "int-range": case "float-range": {
      if (minimum instanceof Uint8Array || maximum instanceof Uint8Array) return "some";
      const inside = condition.lo <= minimum && maximum <= condition.hi;
      const outside = condition.lo > condition.hi || maximum < condition.lo || minimum > condition.hi;
      return turn(inside ? "all" : outside ? "none" : "some", condition.negate);
    }
    case "int-set": case "float-set": {
      if (minimum instanceof Uint8Array || maximum instanceof Uint8Array) return "some";
      const isHit = someBetween(condition.values, minimum, maximum);
      return isHit ? "some" : turn("none", condition.negate);
    }
    case "text-compare": return minimum instanceof Uint8Array && maximum instanceof Uint8Array ? judgeText(condition, minimum, maximum) : "some";
    case "text-set": {
      if (!(minimum instanceof Uint8Array && maximum instanceof Uint8Array)) return "some";
      const isHit = condition.values.some((value) => Buffer.compare(value, minimum) >= 0 && Buffer.compare(value, maximum) <= 0);
      return isHit ? "some" : turn("none", condition.negate);
    }
  }
}

function someBetween(values: BigInt64Array | Float64Array, minimum: bigint | number, maximum: bigint | number): boolean {
  for (const value of values) if (value >= minimum && value <= maximum) return true;
  return false;
}

function judgeText({ literal, accept }: Extract<Condition, { kind: "text-compare" }>, minimum: Uint8Array, maximum: Uint8Array): Verdict {
  const [low, high] = [Buffer.compare(minimum, literal), Buffer.compare(maximum, literal)];
  // Truncated extremes are still bounds, so this holds every side a value may lie on, if not only those.
  const possible = (low < 0 ? 1 : 0) | (low <= 0 && high >= 0 ? 2 : 0) | (high > 0 ? 4 : 0);
  if ((possible & accept) === 0) return "none";
  return (possible & ~accept) === 0 ? "all" : "some";
}

function turn(verdict: Verdict, isNegated: boolean): Verdict {
  if (!isNegated || verdict === "some") return verdict;
  return verdict === "all" ? "none" : "all";
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}
