/**
 * What moments and comoments are made of where all values of a shard are whole numbers close to each other: exact sums of
 * their distances from the least one, and of the squares and products of these.
 */
import { biasOf, chunkRows, isFloatDtype, isTextDtype } from "../../columns/dtypes.js";
import { keyColumnOf } from "../groups/keys.js";
import type { Arena } from "../memory.js";
import type { ChunkInput, ScanColumn } from "../scan-column.js";
import { setNarrow } from "./valid-rows.js";

/** The distances of a column's values from its least one. */
export interface Distances {
  /** The float64 nearest to the least value. */
  readonly least: number;
  /** Pointer to the uint32 distances of the selected rows; null rows have any. Good until the next call. */
  read(input: ChunkInput): number;
}

/** Distances below this one: sums that float64 does not hold are rare then, as are groups that have one. */
const distanceEnd = 2n ** 16n;
/** Squares of so many of them add up to less than 2^63. */
const rowsMax = 2 ** 31;

/** A reader of distances, over scratch memory of its own; undefined where the column has none, or they are too large. */
export function createDistances(column: ScanColumn, arena: Arena): Distances | undefined {
  if (isFloatDtype(column.dtype) || isTextDtype(column.dtype)) return undefined;
  const { minimum, size } = keyColumnOf(column);
  if (size === undefined || size > distanceEnd || column.rows >= rowsMax) return undefined;
  const target = arena.allocate(chunkRows * 4);
  return {
    least: Number(minimum + biasOf(column.dtype)),
    read(input) {
      const run = input.run(column);
      setNarrow(arena.kernels, run, run.step, run.base - minimum, target);
      return target;
    },
  };
}

/** The int64 words of the cells of kernels, none of which is negative. */
export interface Words {
  /** The float64 nearest to a word. */
  number(at: number): number;
  exact(at: number): bigint;
}

/** The words at a pointer. */
export function wordsAt(memory: ArrayBufferLike, pointer: number): Words {
  const halves = new Uint32Array(memory, pointer);
  const words = new BigInt64Array(memory, pointer);
  return { number: (at) => halves[2 * at + 1]! * 0x1_0000_0000 + halves[2 * at]!, exact: (at) => words[at]! };
}

/** Adds the words of all cells, of so many each, to those of the first, in place: cells of one group are lanes of it. */
export function joinCells(memory: ArrayBufferLike, pointer: number, cells: number, wordsEach: number): void {
  const words = new BigInt64Array(memory, pointer, cells * wordsEach);
  for (let at = wordsEach; at < words.length; at++) words[at % wordsEach]! += words[at]!;
}

/**
 * The sum of the products of the distances of x and y from their means, from places of words: that of the count, of the
 * sums of x and of y, and of the sum of x y. Only what is given is rounded.
 */
export function productsAbout({ number, exact }: Words, count: number, x: number, y: number, xy: number): number {
  const rows = number(count);
  const [all, ofMeans] = [rows * number(xy), number(x) * number(y)];
  if (all <= Number.MAX_SAFE_INTEGER && ofMeans <= Number.MAX_SAFE_INTEGER) return (all - ofMeans) / rows;
  return Number(exact(count) * exact(xy) - exact(x) * exact(y)) / rows;
}
