/** Accumulators in kernel memory: one state of one column over the groups of a shard, while its rows are scanned. */
import { isFloatDtype, isTextDtype, type WholeDtype } from "../../columns/dtypes.js";
import { hasNullRows, type TableColumn } from "../../columns/read/table.js";
import type { Run } from "../input.js";
import type { Arena } from "../memory.js";
import { takeCounts } from "./count.js";
import { createExtreme } from "./accumulate-extreme.js";
import { createSlab, widthNames, zeroFill, type Accumulator, type AccumulatorContext, type RowCounter } from "./slab.js";
import type { StateSpec } from "./state.js";
import { limbsOf, takeFloatSums, takeNarrowSums, takeWideSums } from "./sum.js";

/** An accumulator for a state of a column. */
export function createAccumulator(kind: StateSpec["kind"], column: TableColumn, context: AccumulatorContext): Accumulator {
  if (kind === "count") return createCount(column, context);
  if (kind !== "sum") return createExtreme(kind, column, context);
  const { dtype } = column;
  if (isTextDtype(dtype)) throw new Error(`a sum of ${dtype} means nothing`);
  return isFloatDtype(dtype) ? createFloatSum(column, context) : createIntSum(column, dtype, context);
}

/** The rows of each group, counted once for all states that need them. */
export function createRowCounter(arena: Arena, isGrouped: boolean): RowCounter & Pick<Accumulator, "grow" | "add"> {
  const { kernels } = arena;
  const slab = createSlab(arena, 8, zeroFill(arena, 8));
  let total = 0;
  return {
    pointer: slab.pointer,
    grow: slab.grow,
    add(input, slots) {
      if (isGrouped) kernels.countSlots(slots, input.rows, slab.pointer());
      else total += input.rows;
    },
    take: (order) => (isGrouped ? takeCounts(kernels.memory.buffer, slab.pointer(), order) : new Float64Array(order.length).fill(total)),
    usedSlots: (slotCount) => findUsed(new Uint32Array(kernels.memory.buffer, slab.pointer(), slotCount * 2)),
  };
}

/** Places of the int64 counts, given as halves, that are not 0. */
function findUsed(halves: Uint32Array): Uint32Array {
  const used = new Uint32Array(halves.length / 2);
  let found = 0;
  for (let slot = 0; slot < used.length; slot++) if ((halves[2 * slot]! | halves[2 * slot + 1]!) !== 0) used[found++] = slot;
  return used.slice(0, found);
}

function createCount(column: TableColumn, { arena, zeroSlots }: AccumulatorContext): Accumulator {
  if (!hasNullRows(column)) return { grow: () => undefined, add: () => undefined, take: () => ({ kind: "count", counts: null }) };
  const { kernels } = arena;
  const slab = createSlab(arena, 8, zeroFill(arena, 8));
  return {
    grow: slab.grow,
    add(input, slots) {
      const { nulls } = input.run(column);
      const at = slots === 0 ? zeroSlots() : slots;
      if (nulls === 0) kernels.countSlots(at, input.rows, slab.pointer());
      else kernels.countSlotsNonNull(at, nulls, input.rows, slab.pointer());
    },
    take: (order) => ({ kind: "count", counts: takeCounts(kernels.memory.buffer, slab.pointer(), order) }),
  };
}

function createIntSum(column: TableColumn, dtype: WholeDtype, context: AccumulatorContext): Accumulator {
  if (!context.isGrouped) return createIntTotal(column, dtype, context);
  const { arena } = context;
  const { kernels } = arena;
  const isWide = !sumsFitInt64(column);
  const bytesEach = isWide ? 16 : 8;
  const slab = createSlab(arena, bytesEach, zeroFill(arena, bytesEach));
  return {
    grow: slab.grow,
    add(input, slots) {
      const run = input.run(column);
      const name = `${isWide ? "sumWideSlots" : "sumSlots"}${widthNames[run.width]}` as const;
      kernels[name](slots, run.values, run.nulls, run.rows, run.base, run.step, slab.pointer());
    },
    addAndCount(input, slots, counts) {
      const run = input.run(column);
      if (isWide || run.nulls !== 0 || run.width > 2) return false;
      kernels[run.width === 1 ? "tallySlotsU8" : "tallySlotsU16"](slots, run.values, run.rows, run.base, run.step, counts, slab.pointer());
      return true;
    },
    take: (order) => ({ kind: "sum-int", dtype, sums: (isWide ? takeWideSums : takeNarrowSums)(kernels.memory.buffer, slab.pointer(), order) }),
  };
}

function createIntTotal(column: TableColumn, dtype: WholeDtype, { arena }: AccumulatorContext): Accumulator {
  const { kernels } = arena;
  const wide = arena.allocateZeroed(16);
  let total = 0n;
  function codesTotal(run: Run): bigint {
    if (run.width === 8) throw new Error("a run of int64 has no codes");
    return BigInt.asUintN(64, kernels[`total${widthNames[run.width]}`](run.values, run.nulls, run.rows));
  }
  return {
    grow: () => undefined,
    add(input) {
      const run = input.run(column);
      if (run.width === 8) kernels.totalWideI64(run.values, run.nulls, run.rows, wide);
      else total += run.base * BigInt(run.rows - (run.nulls === 0 ? 0 : kernels.countBits(run.nulls, run.rows))) + run.step * codesTotal(run);
    },
    take: (order) => {
      const [low, high] = new BigInt64Array(kernels.memory.buffer, wide, 2);
      const sum = total + (high! << 64n) + BigInt.asUintN(64, low!);
      return { kind: "sum-int", dtype, sums: order.length === 0 ? new Uint32Array(0) : limbsOf(sum) };
    },
  };
}

function createFloatSum(column: TableColumn, { arena, isGrouped }: AccumulatorContext): Accumulator {
  const { kernels } = arena;
  const slab = createSlab(arena, 16, zeroFill(arena, 16));
  return {
    grow: slab.grow,
    add(input, slots) {
      const run = input.run(column);
      if (isGrouped) kernels.sumSlotsF64(slots, run.values, run.nulls, run.rows, slab.pointer());
      else kernels.totalF64(run.values, run.nulls, run.rows, slab.pointer());
    },
    take: (order) => ({ kind: "sum-float", pairs: takeFloatSums(kernels.memory.buffer, slab.pointer(), order) }),
  };
}

/** Tells by the column's statistics whether no sum over its rows can leave int64. */
function sumsFitInt64(column: TableColumn): boolean {
  let bound = 0n;
  for (let chunk = 0; chunk < column.chunkCount; chunk++) {
    const { minimum, maximum, rows } = column.statistics(chunk);
    if (typeof minimum !== "bigint" || typeof maximum !== "bigint") continue;
    const magnitude = -minimum > maximum ? -minimum : maximum;
    bound += magnitude * BigInt(rows);
  }
  return bound < 2n ** 63n;
}
