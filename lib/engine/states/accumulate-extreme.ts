/** Accumulators of min and max: by int64 (as kept) or float64 value, by the rank of a dictionary code, or by text of a pool. */
import { biasOf, chunkRows, isFloatDtype, isTextDtype, wholeRange, type FloatDtype, type TextDtype, type WholeDtype } from "../../columns/dtypes.js";
import type { Dictionary } from "../../columns/files/dictionary.js";
import { keyColumnOf } from "../groups/keys.js";
import { mayBeNull, type Run, type ScanColumn } from "../scan-column.js";
import { codesByRank } from "../strings.js";
import type { Values } from "../values.js";
import { seenTexts, type SeenValues } from "./seen-values.js";
import { createSlab, slotsOr, takeWords, widthNames, zeroFill, type Accumulator, type AccumulatorContext } from "./slab.js";

type ExtremeKind = "min" | "max";

/** A min or max accumulator for a column. */
export function createExtreme(kind: ExtremeKind, column: ScanColumn, context: AccumulatorContext): Accumulator<SeenValues> {
  const { dtype } = column;
  if (isFloatDtype(dtype)) return createFloatExtreme(kind, column, dtype, context);
  if (!isTextDtype(dtype)) return createWholeExtreme(kind, column, dtype, context);
  const dictionary = column.dictionary();
  return dictionary === null ? createPoolExtreme(kind, column, dtype, context) : createRankExtreme(kind, column, dtype, dictionary, context);
}

// Values that stand for "no value yet": an extreme equal to one counts as seen only if a row was.
const emptyRank = { min: 0xffff_ffffn, max: 0n };
const emptyFloat = { min: Infinity, max: -Infinity };

function createWholeExtreme(kind: ExtremeKind, column: ScanColumn, dtype: WholeDtype, context: AccumulatorContext): Accumulator<SeenValues> {
  const { least, greatest } = wholeRange(dtype);
  const empty = (kind === "min" ? greatest : least) - biasOf(dtype);
  const { minimum, size } = keyColumnOf(column);
  return size !== undefined && size < 0xffffn ? createNarrowExtreme(kind, column, dtype, { minimum, empty }, context) : createIntExtreme(kind, column, dtype, empty, context);
}

/** Values that lie close to each other are kept as their distance from the least, which many groups have room for in the cache. */
function createNarrowExtreme(kind: ExtremeKind, column: ScanColumn, dtype: WholeDtype, { minimum, empty }: { minimum: bigint; empty: bigint }, { arena, ...context }: AccumulatorContext): Accumulator<SeenValues> {
  const { kernels } = arena;
  const [none, added] = kind === "min" ? [0xffff, 0] : [0, 1];
  const slab = createSlab(arena, 2, (pointer, groups) => void new Uint16Array(kernels.memory.buffer, pointer, groups).fill(none));
  const halfOf = (value: bigint): number => Number(BigInt.asIntN(32, value));
  const [low, high] = [Number(BigInt.asUintN(32, minimum)) - added, halfOf(minimum >> 32n)];
  const [emptyLow, emptyHigh] = [halfOf(empty), halfOf(empty >> 32n)];
  return {
    grow: slab.grow,
    add(input, slots) {
      const { width, values, nulls, rows, base, step } = input.run(column);
      kernels[`${kind}Narrow${widthNames[width]}`](slotsOr(slots, { arena, ...context }), values, nulls, rows, halfOf(step), halfOf(base - minimum), slab.pointer());
    },
    take(order) {
      const distances = new Uint16Array(kernels.memory.buffer, slab.pointer());
      const [seen, halves] = [new Uint8Array(order.length), new Int32Array(order.length * 2)];
      for (let k = 0; k < order.length; k++) {
        const distance = distances[order[k]!]!;
        const isSeen = distance !== none;
        const sum = low + distance;
        seen[k] = Number(isSeen);
        halves[2 * k] = isSeen ? sum : emptyLow;
        halves[2 * k + 1] = isSeen ? high + (sum < 0 ? -1 : Number(sum >= 0x1_0000_0000)) : emptyHigh;
      }
      return { seen, values: valuesOf(dtype, new BigInt64Array(halves.buffer)) };
    },
  };
}

function createIntExtreme(kind: ExtremeKind, column: ScanColumn, dtype: WholeDtype, empty: bigint, context: AccumulatorContext): Accumulator<SeenValues> {
  const { kernels } = context.arena;
  const slab = createIntSlab(empty, context);
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
      return { seen: seen.take(order), values: valuesOf(dtype, new BigInt64Array(takeWords(kernels.memory.buffer, slab.pointer(), order))) };
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
      return { seen: seen.take(order), values: { dtype, array: new Float64Array(takeWords(kernels.memory.buffer, slab.pointer(), order)) } };
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
      const flags = new Uint8Array(order.length);
      for (let k = 0; k < flags.length; k++) flags[k] = extreme[order[k]!] === 0 ? 0 : 1;
      return seenTexts(flags, (k) => extreme[order[k]!]! - 1, (codes) => ({ dtype, ...strings.texts(column, codes) }));
    },
  };
}

function createIntSlab(empty: bigint, { arena }: AccumulatorContext): ReturnType<typeof createSlab> {
  return createSlab(arena, 8, (pointer, groups) => void new BigInt64Array(arena.kernels.memory.buffer, pointer, groups).fill(empty));
}

function valuesOf(dtype: WholeDtype, array: BigInt64Array): Values {
  return dtype === "bool" ? { dtype, array: Uint8Array.from(array, (value) => (value === 1n ? 1 : 0)) } : { dtype, array };
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
      const halves = new Uint32Array(takeWords(kernels.memory.buffer, slab.pointer(), order));
      const flags = new Uint8Array(order.length);
      for (let k = 0; k < flags.length; k++) flags[k] = (halves[2 * k]! | halves[2 * k + 1]!) === 0 ? 0 : 1;
      return flags;
    },
  };
}

function growBoth(a: { grow(groups: number): void }, b: { grow(groups: number): void }): (groups: number) => void {
  return (groups) => {
    a.grow(groups);
    b.grow(groups);
  };
}
