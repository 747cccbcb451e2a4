/**
 * The bag state: all values of each group, in the order of their rows. Merging moves no value: a bag is of parts, one a
 * shard at first, and each part knows its group of every group.
 */
import { biasOf, chunkRows, isFloatDtype, type Dtype } from "../../columns/dtypes.js";
import type { ScanColumn } from "../scan-column.js";
import { requireCount, requireDtype, type ArrayReader, type Description, type StateWriter } from "./bytes.js";
import { readLists, writeLists } from "./lists/bytes.js";
import { createCollector } from "./lists/collector.js";
import { findExponent, numbersOf, readDecimals, writeDecimals } from "./lists/decimals.js";
import { widenItems } from "./lists/items.js";
import { joinLists, requireRoom, type BagLists } from "./lists/lists.js";
import { itemsOfWords } from "./lists/shard-items.js";
import { namingMemory } from "./memory-naming.js";
import type { MergePlan } from "./merge-plan.js";
import { slotsOr, type Accumulator, type AccumulatorContext } from "./slab.js";
import type { StateDefinition } from "./state.js";
import { createValidRows } from "./valid-rows.js";

/** The non-null values of a group: those of its lists in all parts. */
export interface BagState {
  readonly kind: "bag";
  readonly dtype: Dtype;
  readonly parts: readonly BagPart[];
}

/** Lists of some rows. List `lists[g]` is of group g, none where it is -1; null stands for 0, 1, 2, ... */
export interface BagPart extends BagLists {
  readonly lists: Int32Array | null;
}

/** Of one input of numbers or times. */
export const bagState: StateDefinition<BagState> = {
  accumulate: (_params, [column], context) => namingMemory("median or quantile", column!.name, createBag(column!, context)),
  merge: mergeBags,
  empty: ({ dtype }) => ({ kind: "bag", dtype, parts: [] }),
  dtypes: ({ dtype }) => [dtype],
  widen: ({ parts }, [dtype]) => ({ kind: "bag", dtype: dtype!, parts: parts.map((part) => ({ ...part, items: widenItems(part.items.form === "decimals" ? numbersOf(part.items) : part.items, dtype!) })) }),
  write: ({ dtype, parts }, writer) => ({ dtype, parts: parts.map((part) => writePart(part, writer)) }),
  read({ dtype, parts }, groups, reader) {
    if (!Array.isArray(parts)) throw new TypeError("a bag lacks its parts");
    const known = requireDtype(dtype);
    if (known === "bool" || known === "string" || known === "bytes") throw new TypeError(`a bag of ${known}`);
    return { kind: "bag", dtype: known, parts: parts.map((part: unknown) => readPart(part, known, groups, reader)) };
  },
};

function createBag(column: ScanColumn, context: AccumulatorContext): Accumulator<BagState> {
  const exponent = findExponent(column);
  if (exponent === undefined) return createWideBag(column, context);
  return isFloatDtype(column.dtype) ? createDecimalBag(column, exponent, context) : createNarrowBag(column, context);
}

function bagOf({ dtype }: ScanColumn, { offsets, items }: BagLists): BagState {
  return { kind: "bag", dtype, parts: items.array.length === 0 ? [] : [{ lists: null, offsets, items }] };
}

/** Of whole numbers that int32 holds. */
function createNarrowBag(column: ScanColumn, context: AccumulatorContext): Accumulator<BagState> {
  const { dtype } = column;
  const collector = createCollector(column, 4, context);
  const valid = createValidRows(context.arena);
  return {
    grow: collector.grow,
    add(input, slots) {
      const run = input.run(column);
      collector.add(valid.narrow(run, slotsOr(slots, context), run.step, run.base + biasOf(dtype)));
    },
    take(order) {
      const { offsets, values } = collector.take(order);
      return bagOf(column, { offsets, items: narrowItems(dtype, 0, values) });
    },
  };
}

/** Of floats that are decimals, until one is none. */
function createDecimalBag(column: ScanColumn, exponent: number, context: AccumulatorContext): Accumulator<BagState> {
  const { arena } = context;
  const { kernels } = arena;
  const collector = createCollector(column, 4, context);
  const valid = createValidRows(arena);
  const codes = arena.allocate(chunkRows * 4);
  let areDecimals = true;
  return {
    grow: collector.grow,
    add(input, slots) {
      const found = valid.wide(input.run(column), slotsOr(slots, context));
      const isNarrow = areDecimals && kernels.narrowDecimals(found.values, found.rows, exponent, codes) === 1;
      if (areDecimals && !isNarrow) collector.widen((narrow, rows, target) => { kernels.widenDecimals(narrow, rows, exponent, target); });
      areDecimals = isNarrow;
      collector.add(isNarrow ? { ...found, values: codes } : found);
    },
    take(order) {
      const { offsets, values } = collector.take(order);
      return bagOf(column, { offsets, items: areDecimals ? narrowItems(column.dtype, exponent, values) : itemsOfWords(column, values) });
    },
  };
}

function narrowItems(dtype: Dtype, exponent: number, values: ArrayBuffer): BagLists["items"] {
  if (dtype === "string" || dtype === "bytes") throw new Error(`a bag of ${dtype}`);
  return { form: "decimals", dtype, exponent, array: new Int32Array(values) };
}

function createWideBag(column: ScanColumn, context: AccumulatorContext): Accumulator<BagState> {
  const collector = createCollector(column, 8, context);
  const valid = createValidRows(context.arena);
  return {
    grow: collector.grow,
    add(input, slots) {
      collector.add(valid.wide(input.run(column), slotsOr(slots, context)));
    },
    take(order) {
      const { offsets, values } = collector.take(order);
      return bagOf(column, { offsets, items: itemsOfWords(column, values) });
    },
  };
}

function mergeBags(left: BagState, right: BagState, plan: MergePlan): BagState {
  const parts = [...left.parts.map((part) => placePart(part, plan.left)), ...right.parts.map((part) => placePart(part, plan.right))];
  const values = parts.reduce((sum, { items }) => sum + items.array.length, 0);
  requireRoom(values, "median or quantile");
  // Where lists are shorter than the numbers that find them, they are joined.
  const areShort = parts.length > 1 && parts.length * plan.left.length > values;
  return { kind: "bag", dtype: left.dtype, parts: areShort ? [joinParts(parts, plan.left.length)] : parts };
}

/** A part of a merged bag; `sources` has for each merged group that of the part's own bag, or -1. */
function placePart(part: BagPart, sources: Int32Array): BagPart {
  const lists = new Int32Array(sources.length);
  for (let group = 0; group < lists.length; group++) {
    const source = sources[group]!;
    lists[group] = source < 0 || part.lists === null ? source : part.lists[source]!;
  }
  return { ...part, lists };
}

/** All parts as one, by twos; there is at least one. */
export function joinParts(parts: readonly BagPart[], groups: number): BagPart {
  const [first, second] = parts;
  if (first === undefined) throw new Error("no parts to join");
  if (second === undefined) return first;
  const half = Math.ceil(parts.length / 2);
  const [left, right] = [joinParts(parts.slice(0, half), groups), joinParts(parts.slice(half), groups)];
  return { lists: null, ...joinLists(left, right, { left: listsOf(left, groups), right: listsOf(right, groups) }) };
}

function listsOf({ lists }: BagPart, groups: number): Int32Array {
  return lists ?? new Int32Array(groups).map((_, group) => group);
}

function writePart({ lists, offsets, items }: BagPart, writer: StateWriter): Description {
  if (lists !== null) writer.array(new Uint32Array(lists.buffer, lists.byteOffset, lists.length));
  return { hasLists: lists !== null, lists: offsets.length - 1, items: items.form === "decimals" ? writeDecimals({ offsets, items }, writer) : writeLists({ offsets, items }, writer) };
}

function readPart(description: unknown, dtype: Dtype, groups: number, reader: ArrayReader): BagPart {
  if (typeof description !== "object" || description === null) throw new TypeError("a part is missing");
  const { hasLists, lists: count, items }: Description = { ...description };
  const lists = hasLists === true ? viewPlaces(reader.uint32(groups)) : null;
  const listCount = requireCount(count);
  if (lists === null ? listCount !== groups : lists.some((list) => list < -1 || list >= listCount)) throw new RangeError("a list is none");
  if (typeof items !== "object" || items === null) throw new TypeError("a part lacks its items");
  const inner: Description = { ...items };
  const found = inner["form"] === "decimals" ? readDecimals(inner, listCount, reader) : readLists(inner, listCount, reader);
  if (found.items.dtype !== dtype) throw new TypeError("parts differ in dtype");
  return { lists, ...found };
}

function viewPlaces(places: Uint32Array): Int32Array {
  return new Int32Array(places.buffer, places.byteOffset, places.length);
}
