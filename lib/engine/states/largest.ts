/** The largest state: the k largest values of each group, equal ones apart, in descending order. */
import { chunkRows, isFloatDtype, isTextDtype, type TextDtype } from "../../columns/dtypes.js";
import type { Dictionary } from "../../columns/files/dictionary.js";
import type { Run, ScanColumn } from "../scan-column.js";
import { requireCount } from "./bytes.js";
import { createNonNullCounter } from "./count.js";
import { readLists, writeLists } from "./lists/bytes.js";
import { createCollector } from "./lists/collector.js";
import { noItems, widenItems, type Items } from "./lists/items.js";
import { keysOf } from "./lists/keys.js";
import { mergeLargest, type ItemLists } from "./lists/lists.js";
import { itemsOfRanks, itemsOfWords } from "./lists/shard-items.js";
import { namingMemory } from "./memory-naming.js";
import { createSlab, slotsOr, type Accumulator, type AccumulatorContext } from "./slab.js";
import type { StateDefinition, StateParams } from "./state.js";
import { createRanker, createValidRows, type ValidRows } from "./valid-rows.js";

/** At most k non-null values of a group. */
export interface LargestState extends ItemLists {
  readonly kind: "largest";
  readonly k: number;
}

/** Most values that a group may ask for. */
export const largestMax = 65_536;

/** Of one input of any dtype; `k` says how many, from 1 to largestMax. */
export const largestState: StateDefinition<LargestState> = {
  accumulate(params, [column], context) {
    const k = requireCount(params["k"], largestMax);
    const accumulator = createLargest(column!, k, context);
    return namingMemory("topk", column!.name, { ...accumulator, take: (order) => ({ kind: "largest", k, ...accumulator.take(order) }) });
  },
  merge: (left, right, plan) => ({ kind: "largest", k: left.k, ...mergeLargest(left, right, left.k, plan) }),
  empty: ({ items, k }, groups) => ({ kind: "largest", k, offsets: new Uint32Array(groups + 1), items: noItems(items.dtype) }),
  dtypes: ({ items }) => [items.dtype],
  widen: (state, [dtype]) => ({ ...state, items: widenItems(state.items, dtype!) }),
  write: (state, writer) => ({ k: state.k, ...writeLists(state, writer) }),
  read: (description, groups, reader) => ({ kind: "largest", k: requireCount(description["k"], largestMax), ...readLists(description, groups, reader) }),
};

/** Most values for which every group, whatever its rows, gets room of its own. */
const slabMax = 64;

/** The bytes of that room; null where groups get none. */
export function heapBytes(params: StateParams): number | null {
  const k = requireCount(params["k"], largestMax);
  return k <= slabMax ? 8 + 8 * k : null;
}

function createLargest(column: ScanColumn, k: number, context: AccumulatorContext): Accumulator<ItemLists> {
  const { dtype } = column;
  const fitsSlab = k <= slabMax || !context.isGrouped;
  if (!isTextDtype(dtype)) return fitsSlab ? createHeaps(column, k, context, createValidRows(context.arena).wide) : createCollected(column, k, context);
  const dictionary = column.dictionary();
  // The order of texts without a dictionary is known only when all have been seen.
  if (dictionary === null || !fitsSlab) return createCollected(column, k, context);
  return createHeaps(column, k, context, rankReader(dictionary, context), dtype);
}

type Reader = (run: Run, slots: number) => ValidRows;

/** Reads the ranks of texts as int64. */
function rankReader(dictionary: Dictionary, { arena }: AccumulatorContext): Reader {
  const { kernels } = arena;
  const valid = createValidRows(arena);
  const toRanks = createRanker(dictionary, arena);
  const wide = arena.allocate(chunkRows * 8);
  return (run, slots) => {
    const found = toRanks(valid.narrow(run, slots, 1n, 0n));
    kernels.expandU32(found.values, found.rows, 0n, 1n, 8, wide);
    return { ...found, values: wide };
  };
}

/** Keeps a heap of k values a group. */
function createHeaps(column: ScanColumn, k: number, context: AccumulatorContext, read: Reader, text?: TextDtype): Accumulator<ItemLists> {
  const { arena, strings, isGrouped } = context;
  const { kernels } = arena;
  const { name, leastHigh } = isFloatDtype(column.dtype) ? heapsOf.float : heapsOf.whole;
  const heaps = createSlab(arena, k * 8, (pointer, groups) => void new BigInt64Array(kernels.memory.buffer, pointer, groups * k).fill(BigInt(leastHigh) << 32n));
  const counter = createNonNullCounter(column, context);
  return {
    grow(groups) {
      heaps.grow(groups);
      counter.grow(groups);
    },
    add(input, slots) {
      const { rows, slots: validSlots, values } = read(input.run(column), slotsOr(slots, context));
      if (k === 2 && isGrouped) kernels[`keepPairs${name}`](validSlots, values, rows, heaps.pointer());
      else kernels[`keepLargest${name}`](validSlots, values, rows, k, heaps.pointer());
      counter.add(input, slots);
    },
    take(order) {
      const { offsets, words } = takeHeaps(kernels.memory.buffer, heaps.pointer(), counter.take(order), { k, leastHigh }, order);
      const items = text === undefined ? itemsOfWords(column, words) : itemsOfRanks(column, text, lowHalves(words), strings);
      return cutLists({ offsets, items }, k);
    },
  };
}

/** The upper half of the least value that there is, of which the lower half is 0. */
const heapsOf = { float: { name: "F64", leastHigh: 0xfff0_0000 | 0 }, whole: { name: "I64", leastHigh: 0x8000_0000 | 0 } } as const;

/** The values of heaps, without those that they were full of at first. */
function takeHeaps(memory: ArrayBufferLike, heapsAt: number, counts: Float64Array, { k, leastHigh }: { k: number; leastHigh: number }, order: Uint32Array): { offsets: Uint32Array; words: ArrayBuffer } {
  const offsets = new Uint32Array(order.length + 1);
  for (let group = 0; group < order.length; group++) offsets[group + 1] = offsets[group]! + Math.min(counts[group]!, k);
  const halves = new Int32Array(offsets[order.length]! * 2);
  const source = new Int32Array(memory, heapsAt);
  let next = 0;
  for (let group = 0; group < order.length; group++) {
    const from = order[group]! * k * 2;
    let missing = k - (offsets[group + 1]! - offsets[group]!);
    for (let at = from; at < from + k * 2; at += 2) {
      if (missing > 0 && source[at] === 0 && source[at + 1] === leastHigh) missing -= 1;
      else {
        halves[next++] = source[at]!;
        halves[next++] = source[at + 1]!;
      }
    }
  }
  return { offsets, words: halves.buffer };
}

/** Collects all values, and leaves out the smaller ones at the end. */
function createCollected(column: ScanColumn, k: number, context: AccumulatorContext): Accumulator<ItemLists> {
  const { arena, strings } = context;
  const { dtype } = column;
  const collector = createCollector(column, 8, context);
  const valid = createValidRows(arena);
  return {
    grow: collector.grow,
    add(input, slots) {
      collector.add(valid.wide(input.run(column), slotsOr(slots, context)));
    },
    take(order) {
      const { offsets, values } = collector.take(order);
      return cutLists({ offsets, items: isTextDtype(dtype) ? textItems(column, dtype, lowHalves(values)) : itemsOfWords(column, values) }, k);
    },
  };

  function textItems(texts: ScanColumn, textDtype: TextDtype, codes: Uint32Array): Items {
    const ranks = strings.ranks(texts);
    return itemsOfRanks(texts, textDtype, codes.map((code) => ranks[code]!), strings);
  }
}

function lowHalves(words: ArrayBuffer): Uint32Array {
  const halves = new Uint32Array(words);
  const low = new Uint32Array(halves.length / 2);
  for (let k = 0; k < low.length; k++) low[k] = halves[2 * k]!;
  return low;
}

/** Lists sorted, largest first, and cut to k. */
function cutLists({ offsets, items }: ItemLists, k: number): ItemLists {
  const { left, restore } = keysOf(items);
  const sorted = left.slice();
  const cut = new Uint32Array(offsets.length);
  let next = 0;
  for (let group = 0; group < offsets.length - 1; group++) {
    const start = offsets[group]!;
    const end = offsets[group + 1]!;
    sortDescending(sorted, start, end);
    const kept = Math.min(end, start + k);
    for (let at = start; at < kept; at++) sorted[next++] = sorted[at]!;
    cut[group + 1] = next;
  }
  return { offsets: cut, items: restore(sorted.slice(0, next)) };
}

function sortDescending(list: Float64Array, start: number, end: number): void {
  if (end - start > 32) {
    list.subarray(start, end).sort().reverse();
    return;
  }
  for (let k = start + 1; k < end; k++) {
    const value = list[k]!;
    let at = k;
    for (; at > start && list[at - 1]! < value; at--) list[at] = list[at - 1]!;
    list[at] = value;
  }
}
