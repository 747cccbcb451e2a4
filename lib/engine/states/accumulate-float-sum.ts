/** Accumulators of sums of floats: exact of chunks of decimals, compensated of all others. */
import type { FloatDtype } from "../../columns/dtypes.js";
import type { Run, ScanColumn } from "../scan-column.js";
import { createDecimalSum } from "./accumulate-decimal-sum.js";
import type { FloatSums } from "./float-sums.js";
import { createLeafSlab } from "./leaf-slab.js";
import { createSlab, fewSlotsMax, zeroFill, type Accumulator, type AccumulatorContext } from "./slab.js";

/** Bytes of a compensated sum. */
const pairBytes = 16;

/** Tells by the statistics whether all sums over a column are exact, whatever its rows are cut into. */
export function isDecimal(column: ScanColumn): boolean {
  for (let chunk = 0; chunk < column.chunkCount; chunk++) if (column.statistics(chunk).isDecimal !== true) return false;
  return true;
}

/** An accumulator of the sums of floats. */
export function createFloatSum(column: ScanColumn, dtype: FloatDtype, context: AccumulatorContext): Accumulator<FloatSums> {
  const decimals = createDecimalSum(column, context);
  const pairs = isDecimal(column) ? null : createPairSum(context);
  return {
    grow(groups) {
      decimals.grow(groups);
      pairs?.grow(groups);
    },
    add(input, slots) {
      const run = input.run(column);
      if (column.statistics(input.chunk).isDecimal === true) decimals.add(run, input.chunk, slots);
      else pairs!.add(run, slots);
    },
    ...(pairs?.endShard === undefined ? {} : { endShard: pairs.endShard }),
    take: (order) => ({ kind: "sum", dtype, decimals: decimals.take(order), pairs: pairs === null ? null : pairs.take(order) }),
  };
}

/** Compensated sums of floats. */
interface PairSum {
  grow(groups: number): void;
  add(run: Run, slots: number): void;
  endShard?(ordinal: number): void;
  take(order: Uint32Array): Float64Array;
}

function createPairSum(context: AccumulatorContext): PairSum {
  const { arena, isGrouped, isSpanning } = context;
  if (isSpanning) return createSpanningSum(context);
  const { kernels } = arena;
  const slab = createSlab(arena, pairBytes, zeroFill(arena, pairBytes));
  // Few slots are added up in another order than many: it must not depend on how the slots of several shards are numbered.
  const add = (context.slotCount ?? 0) > fewSlotsMax ? kernels.sumManySlotsF64 : kernels.sumSlotsF64;
  return {
    grow: slab.grow,
    add({ values, nulls, rows }, slots) {
      if (isGrouped) add(slots, values, nulls, rows, slab.pointer());
      else kernels.totalF64(values, nulls, rows, slab.pointer());
    },
    take: (order) => takePairs(kernels.memory.buffer, slab.pointer(), order),
  };
}

/** Of several shards, each of which has many slots. */
function createSpanningSum({ arena }: AccumulatorContext): PairSum {
  const { kernels } = arena;
  const slab = createLeafSlab(arena, pairBytes, kernels.mergeSumsF64);
  return {
    grow: slab.grow,
    add: ({ values, nulls, rows }, slots) => { kernels.sumManySlotsF64(slots, values, nulls, rows, slab.pointer()); },
    endShard: slab.endShard,
    take: (order) => takePairs(kernels.memory.buffer, slab.merged(), order),
  };
}

function takePairs(memory: ArrayBufferLike, pointer: number, order: Uint32Array): Float64Array {
  const pairs = new Float64Array(order.length * 2);
  const source = new Float64Array(memory, pointer);
  for (let k = 0; k < order.length; k++) {
    const at = 2 * order[k]!;
    pairs[2 * k] = source[at]!;
    // What rounding took before a sum became infinite means nothing, and merging drops it.
    pairs[2 * k + 1] = Number.isFinite(source[at]!) ? source[at + 1]! : 0;
  }
  return pairs;
}
