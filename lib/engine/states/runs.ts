/**
 * The runs state: in how many runs of equal values, taken over all rows in order and nulls left out, each group is
 * present. Runs that meet where two parts of the rows do are one run, so the ends of a part are kept.
 */
import { isFloatDtype, isTextDtype } from "../../columns/dtypes.js";
import type { ScanColumn } from "../scan-column.js";
import { blankValues, comparison, countOf, pick, type Values } from "../values.js";
import { widenValues } from "../widening.js";
import { requireCounts, requireDtype, requireFlags } from "./bytes.js";
import { mergeCounts, takeCounts } from "./count.js";
import { itemsOfKept, valuesAt } from "./lists/items.js";
import { namingMemory } from "./memory-naming.js";
import type { MergePlan } from "./merge-plan.js";
import { createSlab, slotsOr, zeroFill, type Accumulator, type AccumulatorContext } from "./slab.js";
import type { StateDefinition } from "./state.js";
import { createValidRows } from "./valid-rows.js";

/** Runs of each group, and which groups are in the first and the last run of the rows. */
export interface RunsState {
  readonly kind: "runs";
  readonly counts: Float64Array;
  readonly inFirst: Uint8Array;
  readonly inLast: Uint8Array;
  /** The values of the first and of the last run; none where no row had a value. */
  readonly ends: Values;
  /** Whether the first run is also the last. */
  readonly isOne: boolean;
}

/** Of one input of any dtype. */
export const runsState: StateDefinition<RunsState> = {
  mindsOtherGroups: true,
  accumulate: (_params, [column], context) => namingMemory("sorted_count_distinct", column!.name, createRuns(column!, context)),
  merge: mergeRuns,
  empty: ({ ends }, groups) => ({
    kind: "runs", counts: new Float64Array(groups), inFirst: new Uint8Array(groups), inLast: new Uint8Array(groups), ends: blankValues(ends.dtype, 0), isOne: false,
  }),
  dtypes: ({ ends }) => [ends.dtype],
  widen: (state, [dtype]) => ({ ...state, ends: widenValues(state.ends, dtype!) }),
  write({ counts, inFirst, inLast, ends, isOne }, writer) {
    for (const array of [counts, inFirst, inLast]) writer.array(array);
    writer.values(ends);
    return { dtype: ends.dtype, hasEnds: countOf(ends) > 0, isOne };
  },
  read({ dtype, hasEnds, isOne }, groups, reader) {
    const counts = requireCounts(reader.float64(groups));
    const [inFirst, inLast] = [requireFlags(reader.uint8(groups)), requireFlags(reader.uint8(groups))];
    return { kind: "runs", counts, inFirst, inLast, ends: reader.values(requireDtype(dtype), hasEnds === true ? 2 : 0), isOne: isOne === true };
  },
};

function mergeRuns(left: RunsState, right: RunsState, plan: MergePlan): RunsState {
  const counts = mergeCounts(left.counts, right.counts, plan);
  const [leftFirst, leftLast] = [pickFlags(left.inFirst, plan.left), pickFlags(left.inLast, plan.left)];
  const [rightFirst, rightLast] = [pickFlags(right.inFirst, plan.right), pickFlags(right.inLast, plan.right)];
  if (countOf(right.ends) === 0) return { ...left, counts, inFirst: leftFirst, inLast: leftLast };
  if (countOf(left.ends) === 0) return { ...right, counts, inFirst: rightFirst, inLast: rightLast };
  const meet = comparison(left.ends, right.ends)(1, 0) === 0;
  // A group on both sides of the border was counted on both.
  if (meet) for (let k = 0; k < counts.length; k++) counts[k]! -= leftLast[k]! & rightFirst[k]!;
  return {
    kind: "runs",
    counts,
    inFirst: meet && left.isOne ? eitherOf(leftFirst, rightFirst) : leftFirst,
    inLast: meet && right.isOne ? eitherOf(leftLast, rightLast) : rightLast,
    ends: pick(left.ends, right.ends, Int32Array.of(0, ~1)),
    isOne: meet && left.isOne && right.isOne,
  };
}

function pickFlags(flags: Uint8Array, sources: Int32Array): Uint8Array {
  const picked = new Uint8Array(sources.length);
  for (let k = 0; k < sources.length; k++) picked[k] = sources[k]! >= 0 ? flags[sources[k]!]! : 0;
  return picked;
}

function eitherOf(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((flag, k) => flag | b[k]!);
}

/** What the kernel keeps of the ends: two words, then how many runs. */
const endsBytes = 24;

function createRuns(column: ScanColumn, context: AccumulatorContext): Accumulator<RunsState> {
  const { arena } = context;
  const { kernels } = arena;
  const valid = createValidRows(arena);
  const state = arena.allocateZeroed(endsBytes);
  const counts = createSlab(arena, 8, zeroFill(arena, 8));
  const lastRuns = createSlab(arena, 4, zeroFill(arena, 4));
  const inFirst = createSlab(arena, 1, zeroFill(arena, 1));
  return {
    grow(groups) {
      for (const slab of [counts, lastRuns, inFirst]) slab.grow(groups);
    },
    add(input, slots) {
      const { rows, slots: validSlots, values } = valid.wide(input.run(column), slotsOr(slots, context));
      kernels.countRuns(values, validSlots, rows, state, lastRuns.pointer(), inFirst.pointer(), counts.pointer());
    },
    take(order) {
      const { buffer } = kernels.memory;
      const [runs] = new Uint32Array(buffer, state + 16, 1);
      const [last, first] = [new Uint32Array(buffer, lastRuns.pointer()), new Uint8Array(buffer, inFirst.pointer())];
      return {
        kind: "runs",
        counts: takeCounts(buffer, counts.pointer(), order),
        inFirst: Uint8Array.from(order, (slot) => first[slot]!),
        inLast: Uint8Array.from(order, (slot) => (runs !== 0 && last[slot] === runs ? 1 : 0)),
        ends: runs === 0 ? blankValues(column.dtype, 0) : endsOf(column, buffer.slice(state, state + 16), context),
        isOne: runs === 1,
      };
    },
  };
}

function endsOf(column: ScanColumn, words: ArrayBufferLike, { strings }: AccumulatorContext): Values {
  const { dtype } = column;
  if (isFloatDtype(dtype)) return { dtype, array: new Float64Array(words) };
  const kept = new BigInt64Array(words);
  if (isTextDtype(dtype)) return { dtype, ...strings.texts(column, Uint32Array.from(kept, Number)) };
  return valuesAt(itemsOfKept(dtype, kept), Uint32Array.of(0, 1));
}
