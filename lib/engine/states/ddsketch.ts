/**
 * The ddsketch state: counts of values in bins of relative width, from which quantiles are read within a relative error
 * (Masson and others, DDSketch, 2019). Counts add up, so no order of merging changes anything, and no bins are ever joined.
 */
import { biasOf, chunkRows, isFloatDtype } from "../../columns/dtypes.js";
import { bitsFor } from "../groups/grouper.js";
import type { Arena } from "../memory.js";
import type { ScanColumn } from "../scan-column.js";
import { readTallies, writeTallies } from "./lists/bytes.js";
import { noItems } from "./lists/items.js";
import { mergeTallies, type Tallies } from "./lists/lists.js";
import { cellBytesFor, createPairSet } from "./lists/pair-set.js";
import { namingMemory } from "./memory-naming.js";
import { slotsOr, type Accumulator, type AccumulatorContext } from "./slab.js";
import type { StateDefinition } from "./state.js";
import { createValidRows, type ValidRows } from "./valid-rows.js";

/** Tallies of signed bins, as Bins numbers them. */
export interface DdsketchState extends Tallies {
  readonly kind: "ddsketch";
}

/** The relative error of quantiles where none is asked for. */
export const usualError = 0.01;

/** Of one input of numbers; `error` is relative. */
export const ddsketchState: StateDefinition<DdsketchState> = {
  accumulate({ error }, [column], context) {
    return namingMemory("approx_quantile", column!.name, createDdsketch(column!, binsOf(typeof error === "number" ? error : usualError), context));
  },
  merge: (left, right, plan) => ({ kind: "ddsketch", ...mergeTallies(left, right, plan) }),
  empty: (_like, groups) => ({ kind: "ddsketch", offsets: new Uint32Array(groups + 1), items: noItems("int64"), counts: new Float64Array(0) }),
  dtypes: () => [],
  widen: (state) => state,
  write: writeTallies,
  read(description, groups, reader) {
    const tallies = readTallies(description, groups, reader);
    if (tallies.items.form !== "numbers" || tallies.items.dtype !== "int64" || tallies.counts === null) throw new TypeError("bins are counted whole numbers");
    return { kind: "ddsketch", ...tallies };
  },
};

/**
 * Bins of the numbers around 0: bin 0 is 0, others have the sign of their numbers and grow with the magnitude, that of
 * infinity being `reach`.
 */
export interface Bins {
  readonly reach: number;
  /** Bins in which magnitudes double. */
  readonly perDoubling: number;
  /** Bins below those of the least magnitude. */
  readonly least: number;
}

/** The bins in which the middle of each is within a relative error of all its numbers. */
export function binsOf(error: number): Bins {
  const perDoubling = 1 / Math.log((1 + error) / (1 - error));
  const least = Math.floor(-1_074 * perDoubling);
  return { perDoubling, least, reach: Math.floor(1_024 * perDoubling) - least + 2 };
}

/** The number that stands for all of a bin. */
export function middleOf(bin: number, { reach, perDoubling, least }: Bins): number {
  if (bin === 0) return 0;
  const distance = Math.abs(bin);
  if (distance >= reach) return Math.sign(bin) * Infinity;
  const [low, high] = [(distance - 1 + least) / perDoubling, (distance + least) / perDoubling];
  const exponent = Math.floor(low);
  const start = 1 + (low - exponent);
  const end = (1 + (high - Math.floor(high))) * 2 ** (Math.floor(high) - exponent);
  // The harmonic mean is as far from the one end as from the other, relatively; halving the exponent keeps both factors normal.
  const half = Math.trunc(exponent / 2);
  const middle = ((2 * start * end) / (start + end)) * 2 ** half * 2 ** (exponent - half);
  return Math.sign(bin) * Math.min(middle, Number.MAX_VALUE);
}

function createDdsketch(column: ScanColumn, bins: Bins, context: AccumulatorContext): Accumulator<DdsketchState> {
  const { arena } = context;
  const { kernels } = arena;
  const set = createPairSet({ codeBits: bitsFor(BigInt(2 * bins.reach + 1)), isCounted: true, cellBytesMax: cellBytesFor(column.rows) }, arena);
  const valid = createValidRows(arena);
  const toFloats = floatsMaker(column, arena);
  const codes = arena.allocate(chunkRows * 4);
  return {
    grow: set.grow,
    add(input, slots) {
      const found = valid.wide(input.run(column), slotsOr(slots, context));
      kernels.binsF64(toFloats(found), found.rows, bins.perDoubling, bins.least, bins.reach, codes);
      set.add({ ...found, values: codes });
    },
    take(order) {
      const { offsets, codes: taken, counts } = set.take(order);
      const array = new Float64Array(taken.length);
      for (let k = 0; k < array.length; k++) array[k] = taken[k]! - bins.reach;
      return { kind: "ddsketch", offsets, counts, items: { form: "numbers", dtype: "int64", array } };
    },
  };
}

/** What gives a pointer to the values of rows as float64. */
function floatsMaker({ dtype }: ScanColumn, arena: Arena): (rows: ValidRows) => number {
  if (isFloatDtype(dtype)) return ({ values }) => values;
  const { kernels } = arena;
  const floats = arena.allocate(chunkRows * 8);
  const convert = biasOf(dtype) === 0n ? kernels.floatsOfI64 : kernels.floatsOfU64;
  return ({ rows, values }) => {
    convert(values, rows, floats);
    return floats;
  };
}
