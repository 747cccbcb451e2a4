/** The tally state: the distinct values of each group, and how often each occurs where a measure asks for it. */
import { isTextDtype } from "../../columns/dtypes.js";
import { bitsFor } from "../groups/grouper.js";
import { keyColumnOf, type KeyColumn } from "../groups/keys.js";
import type { ScanColumn } from "../scan-column.js";
import { readTallies, writeTallies } from "./lists/bytes.js";
import { noItems, widenItems } from "./lists/items.js";
import { mergeTallies, type Tallies } from "./lists/lists.js";
import { cellBytesFor, createPairSet } from "./lists/pair-set.js";
import { itemsOfFields, itemsOfRanks, itemsOfWords } from "./lists/shard-items.js";
import { createWordSet } from "./lists/word-set.js";
import { namingMemory } from "./memory-naming.js";
import { slotsOr, type Accumulator, type AccumulatorContext } from "./slab.js";
import type { StateDefinition } from "./state.js";
import { createRanker, createValidRows } from "./valid-rows.js";

/** Tallies of the non-null values of a group. */
export interface TallyState extends Tallies {
  readonly kind: "tally";
}

/** Of one input of any dtype; `isCounted` says whether counts are kept. */
export const tallyState: StateDefinition<TallyState> = {
  accumulate(params, [column], context) {
    const isCounted = params["isCounted"] === true;
    const accumulator = createTally(column!, isCounted, context);
    const ops = isCounted ? "mode or topk" : "count_distinct";
    return namingMemory(ops, column!.name, { ...accumulator, take: (order) => ({ kind: "tally", ...accumulator.take(order) }) });
  },
  merge: (left, right, plan) => ({ kind: "tally", ...mergeTallies(left, right, plan) }),
  empty: ({ items, counts }, groups) => ({
    kind: "tally", offsets: new Uint32Array(groups + 1), items: noItems(items.dtype), counts: counts === null ? null : new Float64Array(0),
  }),
  dtypes: ({ items }) => [items.dtype],
  widen: (state, [dtype]) => ({ ...state, items: widenItems(state.items, dtype!) }),
  write: writeTallies,
  read: (description, groups, reader) => ({ kind: "tally", ...readTallies(description, groups, reader) }),
};

function createTally(column: ScanColumn, isCounted: boolean, context: AccumulatorContext): Accumulator<Tallies> {
  const key = keyColumnOf(column);
  return key.size !== undefined && key.size <= 2n ** 32n ? createCodeTally(key, key.size, isCounted, context) : createWordTally(column, isCounted, context);
}

/** By ranks or codes of texts, or distances from the least whole number. */
function createCodeTally(key: KeyColumn, size: bigint, isCounted: boolean, context: AccumulatorContext): Accumulator<Tallies> {
  const { arena, strings } = context;
  const { column } = key;
  const { dtype } = column;
  const dictionary = isTextDtype(dtype) ? column.dictionary() : null;
  // Of a pool the ranks are known only when all texts have been seen.
  const late = isTextDtype(dtype) && dictionary === null ? { ranks: () => strings.ranks(column) } : {};
  const set = createPairSet({ codeBits: Math.max(6, bitsFor(size)), isCounted, cellBytesMax: cellBytesFor(column.rows), ...late }, arena);
  const valid = createValidRows(arena);
  const toRanks = dictionary === null ? undefined : createRanker(dictionary, arena);
  return {
    grow: set.grow,
    add(input, slots) {
      const run = input.run(column);
      const found = valid.narrow(run, slotsOr(slots, context), run.step, run.base - key.minimum);
      set.add(toRanks === undefined ? found : toRanks(found));
    },
    take(order) {
      const { offsets, codes, counts } = set.take(order);
      return { offsets, counts, items: isTextDtype(dtype) ? itemsOfRanks(column, dtype, codes, strings) : itemsOfFields(column, key.minimum, codes) };
    },
  };
}

function createWordTally(column: ScanColumn, isCounted: boolean, context: AccumulatorContext): Accumulator<Tallies> {
  const { arena } = context;
  const set = createWordSet({ isFloat: column.dtype === "float32" || column.dtype === "float64", isCounted }, arena);
  const valid = createValidRows(arena);
  return {
    grow: set.grow,
    add(input, slots) {
      set.add(valid.wide(input.run(column), slotsOr(slots, context)));
    },
    take(order) {
      const { offsets, words, counts } = set.take(order);
      return { offsets, counts, items: itemsOfWords(column, words) };
    },
  };
}
