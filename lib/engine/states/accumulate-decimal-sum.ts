/** Exact sums of decimals: of the whole numbers k of values k / 10^places, in 64 bits as long as these surely hold them, else in 128. */
import { chunkRows } from "../../columns/dtypes.js";
import type { Run, ScanColumn } from "../scan-column.js";
import { powerOfTen, type DecimalSums } from "./decimal-sums.js";
import { createSlab, slotsOr, zeroFill, type AccumulatorContext } from "./slab.js";
import { narrowLimbs, takeNarrowSums, takeWideSums } from "./whole-sums.js";

/** Sums of chunks of decimals, by their decimal places. */
export interface DecimalSum {
  grow(groups: number): void;
  add(run: Run, chunk: number, slots: number): void;
  take(order: Uint32Array): readonly DecimalSums[];
}

/** Sums of decimals of one number of places. */
interface PlacesSum {
  grow(groups: number): void;
  /** Adds decimals that are at most `magnitude` in size. */
  add(run: Run, magnitude: number, slots: number): void;
  take(order: Uint32Array): DecimalSums;
}

/** Places that chunks are brought to, so that those of one column have the same, though some happen to need fewer. */
const commonPlaces = [2, 4, 6, 9, 12, 15, 18];
/** Whole numbers below it the kernel adds up in one pass. */
const smallMax = 2 ** 51;
/** Sums up to here fit 64 bits with room for what rounding does to the bounds. */
const narrowMax = 2 ** 62;

/** Sums of the decimals of a column, of which `statistics` says which chunks are such. */
export function createDecimalSum(column: ScanColumn, context: AccumulatorContext): DecimalSum {
  const sums = new Map<number, PlacesSum>();
  let groups = 0;
  function sumOf(places: number): PlacesSum {
    const found = sums.get(places) ?? createPlacesSum(places, context);
    if (!sums.has(places)) found.grow(groups);
    sums.set(places, found);
    return found;
  }
  return {
    grow(wanted) {
      groups = Math.max(groups, wanted);
      for (const sum of sums.values()) sum.grow(groups);
    },
    add(run, chunk, slots) {
      const { minimum, maximum } = column.statistics(chunk);
      // All rows are null.
      if (run.exponent === undefined || typeof minimum !== "number" || typeof maximum !== "number") return;
      const magnitude = Math.max(-minimum, maximum);
      sumOf(placesFor(run.exponent, magnitude)).add(run, magnitude, slots);
    },
    take: (order) => [...sums].sort(([a], [b]) => a - b).map(([, sum]) => sum.take(order)),
  };
}

function placesFor(exponent: number, magnitude: number): number {
  return commonPlaces.find((places) => places >= exponent && magnitude * powerOfTen(places) < smallMax) ?? exponent;
}

function createPlacesSum(places: number, context: AccumulatorContext): PlacesSum {
  const { arena, isGrouped } = context;
  const { kernels } = arena;
  const scale = powerOfTen(places);
  const narrow = createSlab(arena, 8, zeroFill(arena, 8));
  let groups = 0;
  /** No sum in 64 bits is greater. */
  let bound = 0;
  let wide: ReturnType<typeof createSlab> | null = null;
  let keys = 0;

  function widePointer(): number {
    wide ??= createSlab(arena, 16, zeroFill(arena, 16));
    wide.grow(groups);
    return wide.pointer();
  }
  /** Moves what is in 64 bits to 128. */
  function settle(): void {
    if (bound === 0) return;
    const identity = arena.allocate(groups * 4);
    const slots = new Uint32Array(kernels.memory.buffer, identity, groups);
    for (let slot = 0; slot < groups; slot++) slots[slot] = slot;
    kernels.sumWideSlotsI64(identity, narrow.pointer(), 0, groups, 0n, 1n, widePointer());
    kernels.bytes.fill(0, narrow.pointer(), narrow.pointer() + groups * 8);
    arena.free(identity);
    bound = 0;
  }
  function addWide({ values, rows }: Run, slots: number): void {
    if (keys === 0) keys = arena.allocate(chunkRows * 8);
    kernels.decimalKeysAt(values, rows, scale, keys);
    kernels.sumWideSlotsI64(slotsOr(slots, context), keys, 0, rows, 0n, 1n, widePointer());
  }

  return {
    grow(wanted) {
      groups = Math.max(groups, wanted);
      narrow.grow(groups);
    },
    add(run, magnitude, slots) {
      const key = magnitude * scale;
      const most = key * run.rows;
      if (key >= smallMax || most >= narrowMax) {
        addWide(run, slots);
        return;
      }
      if (bound + most >= narrowMax) settle();
      // Zeros too are something added.
      bound += Math.max(most, 1);
      if (isGrouped) kernels.sumDecimalSlots(slots, run.values, run.rows, scale, narrow.pointer());
      else kernels.totalDecimals(run.values, run.rows, scale, narrow.pointer());
    },
    take(order) {
      if (wide === null) return { places, sums: takeNarrowSums(kernels.memory.buffer, narrow.pointer(), order) };
      settle();
      return { places, sums: narrowLimbs(takeWideSums(kernels.memory.buffer, widePointer(), order)) };
    },
  };
}
