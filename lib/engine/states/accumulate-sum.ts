/** Accumulators of sums of whole numbers: in 64 bits where statistics say that they hold them, else in 128. */
import { biasOf, chunkRows, type WholeDtype } from "../../columns/dtypes.js";
import type { Arena } from "../memory.js";
import type { Run, ScanColumn } from "../scan-column.js";
import { createNonNullCounter } from "./count.js";
import { createSlab, fewSlotsMax, widthNames, zeroFill, type Accumulator, type AccumulatorContext } from "./slab.js";
import { addBiases, limbsOf, narrowLimbs, takeNarrowSums, takeWideSums, type WholeSums } from "./whole-sums.js";

/** An accumulator of the sums of whole numbers. */
export function createWholeSum(column: ScanColumn, dtype: WholeDtype, context: AccumulatorContext): Accumulator<WholeSums> {
  if (!context.isGrouped) return createTotal(column, dtype, context);
  return sumsFitInt64(column, dtype) ? createNarrowSum(column, dtype, context) : createWideSum(column, dtype, context);
}

function createNarrowSum(column: ScanColumn, dtype: WholeDtype, context: AccumulatorContext): Accumulator<WholeSums> {
  const { arena, slotCount } = context;
  const { kernels } = arena;
  const slab = createSlab(arena, 8, zeroFill(arena, 8));
  const valuesOf = createUnbiaser(dtype, arena);
  const words = slotCount === null || slotCount <= fewSlotsMax ? null : createTallyWords(slotCount, slab.pointer, context);
  return {
    grow: slab.grow,
    add(input, slots) {
      const run = valuesOf(input.run(column));
      kernels[`sumSlots${widthNames[run.width]}`](slots, run.values, run.nulls, run.rows, run.base, run.step, slab.pointer());
    },
    addAndCount(input, slots, counts) {
      const run = input.run(column);
      if (run.nulls !== 0 || run.width > 2) return false;
      const codes = valuesOf(run);
      const { values, rows, base, step, width } = codes;
      if (width === 1 && words !== null) words.add(codes, slots);
      else kernels[width === 1 ? "tallySlotsU8" : "tallySlotsU16"](slots, values, rows, base, step, counts, slab.pointer());
      return true;
    },
    settle: () => { words?.settle(); },
    take: (order) => ({ kind: "sum", dtype, sums: takeNarrowSums(kernels.memory.buffer, slab.pointer(), order) }),
  };
}

/** Codes that no half of a word is full of: of a byte each. */
const tallyRowsMax = 2 ** 24;

/** Rows and codes of many slots counted and added up in one word each, until the codes come to mean something else. */
function createTallyWords(slotCount: number, sums: () => number, { arena, rows: counts }: AccumulatorContext): { add(run: Run, slots: number): void; settle(): void } {
  const { kernels } = arena;
  let words = 0;
  let kept = { rows: 0, base: 0n, step: 0n };
  function settle(): void {
    if (kept.rows > 0) kernels.settleTallies(words, slotCount, kept.base, kept.step, counts.pointer(), sums());
    kept = { ...kept, rows: 0 };
  }
  return {
    settle,
    add({ values, rows, base, step }, slots) {
      if (words === 0) words = arena.allocateZeroed(slotCount * 8);
      if (base !== kept.base || step !== kept.step || kept.rows + rows > tallyRowsMax) settle();
      kept = { rows: kept.rows + rows, base, step };
      kernels.tallyWordsU8(slots, values, rows, words);
    },
  };
}

/** Of uint64 the values as they are kept are added up, and what they lack is added at the end. */
function createWideSum(column: ScanColumn, dtype: WholeDtype, context: AccumulatorContext): Accumulator<WholeSums> {
  const { arena } = context;
  const { kernels } = arena;
  const slab = createSlab(arena, 16, zeroFill(arena, 16));
  const counter = biasOf(dtype) === 0n ? null : createNonNullCounter(column, context);
  return {
    grow(groups) {
      slab.grow(groups);
      counter?.grow(groups);
    },
    add(input, slots) {
      const run = input.run(column);
      kernels[`sumWideSlots${widthNames[run.width]}`](slots, run.values, run.nulls, run.rows, run.base, run.step, slab.pointer());
      counter?.add(input, slots);
    },
    take(order) {
      const sums = takeWideSums(kernels.memory.buffer, slab.pointer(), order);
      return { kind: "sum", dtype, sums: narrowLimbs(counter === null ? sums : addBiases(sums, counter.take(order))) };
    },
  };
}

function createTotal(column: ScanColumn, dtype: WholeDtype, { arena }: AccumulatorContext): Accumulator<WholeSums> {
  const { kernels } = arena;
  const wide = arena.allocateZeroed(16);
  const bias = biasOf(dtype);
  let total = 0n;
  function codesTotal(run: Run): bigint {
    if (run.width === 8) throw new Error("a run of int64 has no codes");
    return BigInt.asUintN(64, kernels[`total${widthNames[run.width]}`](run.values, run.nulls, run.rows));
  }
  return {
    grow: () => undefined,
    add(input) {
      const run = input.run(column);
      const count = BigInt(run.rows - (run.nulls === 0 ? 0 : kernels.countBits(run.nulls, run.rows)));
      total += (run.base + bias) * count;
      if (run.width === 8) kernels.totalWideI64(run.values, run.nulls, run.rows, wide);
      else total += run.step * codesTotal(run);
    },
    take: (order) => {
      const [low, high] = new BigInt64Array(kernels.memory.buffer, wide, 2);
      const sum = total + (high! << 64n) + BigInt.asUintN(64, low!);
      return { kind: "sum", dtype, sums: narrowLimbs(order.length === 0 ? new Uint32Array(0) : limbsOf(sum)) };
    },
  };
}

/** Turns runs of values as they are kept into runs of the values themselves, which fit int64; they live to the next one. */
function createUnbiaser(dtype: WholeDtype, arena: Arena): (run: Run) => Run {
  const bias = biasOf(dtype);
  if (bias === 0n) return (run) => run;
  const { kernels } = arena;
  let scratch = 0;
  return (run) => {
    if (run.width !== 8) return { ...run, base: run.base + bias };
    if (scratch === 0) scratch = arena.allocate(chunkRows * 8);
    kernels.bytes.copyWithin(scratch, run.values, run.values + run.rows * 8);
    kernels.flipSigns(scratch, run.rows);
    return { ...run, values: scratch };
  };
}

/** Tells by the column's statistics whether no sum over its rows can leave int64. */
function sumsFitInt64(column: ScanColumn, dtype: WholeDtype): boolean {
  const bias = biasOf(dtype);
  let bound = 0n;
  for (let chunk = 0; chunk < column.chunkCount; chunk++) {
    const { minimum, maximum, rows } = column.statistics(chunk);
    // Without extremes no row of the chunk has a value.
    if (typeof minimum !== "bigint" || typeof maximum !== "bigint") continue;
    const [least, greatest] = [minimum + bias, maximum + bias];
    const magnitude = -least > greatest ? -least : greatest;
    bound += magnitude * BigInt(rows);
  }
  return bound < 2n ** 63n;
}
