/** Accumulators of min and max: by int64 (as kept) or float64 value, by the rank of a dictionary code, or by text of a pool. */
import { biasOf, chunkRows, isFloatDtype, isTextDtype, wholeRange, type FloatDtype, type TextDtype, type WholeDtype } from "../../columns/dtypes.js";
import type { Dictionary } from "../../columns/files/dictionary.js";
import type { Run } from "../input.js";
import { mayBeNull, type ScanColumn } from "../scan-column.js";
import { codesByRank } from "../strings.js";
import type { Values } from "../values.js";
import { seenTexts, type SeenValues } from "./seen-values.js";
import { createSlab, slotsOr, widthNames, zeroFill, type Accumulator, type AccumulatorContext } from "./slab.js";

type ExtremeKind = "min" | "max";

/** A min or max accumulator for a column. */
export function createExtreme(kind: ExtremeKind, column: ScanColumn, context: AccumulatorContext): Accumulator<SeenValues> {
  const { dtype } = column;
  if (isFloatDtype(dtype)) return createFloatExtreme(kind, column, dtype, context);
  if (!isTextDtype(dtype)) return createIntExtreme(kind, column, dtype, context);
  const dictionary = column.dictionary();
  return dictionary === null ? createPoolExtreme(kind, column, dtype, context) : createRankExtreme(kind, column, dtype, dictionary, context);
}

// Values that stand for "no value yet": an extreme equal to one counts as seen only if a row was.
const emptyRank = { min: 0xffff_ffffn, max: 0n };
const emptyFloat = { min: Infinity, max: -Infinity };

function createIntExtreme(kind: ExtremeKind, column: ScanColumn, dtype: WholeDtype, context: AccumulatorContext): Accumulator<SeenValues> {
  const { kernels } = context.arena;
  const { least, greatest } = wholeRange(dtype);
  const slab = createIntSlab((kind === "min" ? greatest : least) - biasOf(dtype), context);
  const seen = createSeen(column, context);
  return {
    grow: growBoth(slab, seen),
    add(input, slots) {
      const run = input.run(column);
      const at = slotsOr(slots, context);
      kernels[`${kind}Slots${widthNames[run.width]}`](at, run.values, run.nulls, run.rows, run.base, run.step, slab.pointer());
      seen.add(at, run);
    },
    take(order) {
      const extreme = new BigInt64Array(kernels.memory.buffer, slab.pointer());
      const picked = BigInt64Array.from(order, (slot) => extreme[slot]!);
      const values: Values = dtype === "bool" ? { dtype, array: Uint8Array.from(picked, (value) => (value === 1n ? 1 : 0)) } : { dtype, array: picked };
      return { seen: seen.take(order), values };
    },
  };
}

function createFloatExtreme(kind: ExtremeKind, column: ScanColumn, dtype: FloatDtype, context: AccumulatorContext): Accumulator<SeenValues> {
  const { arena } = context;
  const { kernels } = arena;
  const slab = createSlab(arena, 8, (pointer, groups) => kernels.fillF64(pointer, groups, emptyFloat[kind]));
  const seen = createSeen(column, context);
  return {
    grow: growBoth(slab, seen),
    add(input, slots) {
      const run = input.run(column);
      const at = slotsOr(slots, context);
      kernels[`${kind}SlotsF64`](at, run.values, run.nulls, run.rows, slab.pointer());
      seen.add(at, run);
    },
    take(order) {
      const extreme = new Float64Array(kernels.memory.buffer, slab.pointer());
      return { seen: seen.take(order), values: { dtype, array: Float64Array.from(order, (slot) => extreme[slot]!) } };
    },
  };
}

function createRankExtreme(kind: ExtremeKind, column: ScanColumn, dtype: TextDtype, dictionary: Dictionary, context: AccumulatorContext): Accumulator<SeenValues> {
  const { arena, strings } = context;
  const { kernels } = arena;
  const table = arena.allocate(dictionary.count * 4);
  new Uint32Array(kernels.memory.buffer, table, dictionary.count).set(dictionary.ranks);
  const ranks = arena.allocate(chunkRows * 4);
  const slab = createIntSlab(emptyRank[kind], context);
  const seen = createSeen(column, context);
  return {
    grow: growBoth(slab, seen),
    add(input, slots) {
      const run = input.run(column);
      if (run.width === 8) throw new Error("codes are at most 4 bytes wide");
      // An all-null shard has an empty dictionary and codes of 0 that translate to nothing.
      if (dictionary.count === 0) return;
      const at = slotsOr(slots, context);
      kernels[`translate${widthNames[run.width]}`](run.values, run.rows, table, ranks);
      kernels[`${kind}SlotsU32`](at, ranks, run.nulls, run.rows, 0n, 1n, slab.pointer());
      seen.add(at, run);
    },
    take(order) {
      const flags = seen.take(order);
      const best = new BigInt64Array(kernels.memory.buffer, slab.pointer());
      const codeOfRank = codesByRank(dictionary);
      return seenTexts(flags, (k) => codeOfRank[Number(best[order[k]!])]!, (codes) => ({ dtype, ...strings.texts(column, codes) }));
    },
  };
}

function createPoolExtreme(kind: ExtremeKind, column: ScanColumn, dtype: TextDtype, context: AccumulatorContext): Accumulator<SeenValues> {
  const { arena, strings } = context;
  const { kernels } = arena;
  const slab = createSlab(arena, 4, zeroFill(arena, 4));
  return {
    grow: slab.grow,
    add(input, slots) {
      const run = input.run(column);
      const pool = strings.pool(column);
      kernels[`${kind}SlotsText`](slotsOr(slots, context), run.values, run.nulls, run.rows, pool.offsets, pool.bytes, slab.pointer());
    },
    take(order) {
      const extreme = new Uint32Array(kernels.memory.buffer, slab.pointer());
      const flags = Uint8Array.from(order, (slot) => (extreme[slot] === 0 ? 0 : 1));
      return seenTexts(flags, (k) => extreme[order[k]!]! - 1, (codes) => ({ dtype, ...strings.texts(column, codes) }));
    },
  };
}

function createIntSlab(empty: bigint, { arena }: AccumulatorContext): ReturnType<typeof createSlab> {
  return createSlab(arena, 8, (pointer, groups) => void new BigInt64Array(arena.kernels.memory.buffer, pointer, groups).fill(empty));
}

/** Counts the rows that had a value, which tells a group without any from one whose extreme is the empty mark. */
function createSeen(column: ScanColumn, { arena }: AccumulatorContext): { grow(groups: number): void; add(slots: number, run: Run): void; take(order: Uint32Array): Uint8Array } {
  // A group has rows, so where no row is null it has a value.
  if (!mayBeNull(column)) return { grow: () => undefined, add: () => undefined, take: (order) => new Uint8Array(order.length).fill(1) };
  const { kernels } = arena;
  const slab = createSlab(arena, 8, zeroFill(arena, 8));
  return {
    grow: slab.grow,
    add(slots, run) {
      if (run.nulls === 0) kernels.countSlots(slots, run.rows, slab.pointer());
      else kernels.countSlotsNonNull(slots, run.nulls, run.rows, slab.pointer());
    },
    take(order) {
      const halves = new Uint32Array(kernels.memory.buffer, slab.pointer());
      return Uint8Array.from(order, (slot) => (halves[2 * slot]! === 0 && halves[2 * slot + 1]! === 0 ? 0 : 1));
    },
  };
}

function growBoth(a: { grow(groups: number): void }, b: { grow(groups: number): void }): (groups: number) => void {
  return (groups) => {
    a.grow(groups);
    b.grow(groups);
  };
}
