/** The count state: non-null rows of a group. */
import { mayBeNull, mayFail, type ChunkInput, type ScanColumn } from "../scan-column.js";
import { addNumbers } from "./adding.js";
import { spread, type MergePlan } from "./merge-plan.js";
import { readCounts, writeWholes } from "./numbers.js";
import { createSlab, slotsOr, zeroFill, type Accumulator, type AccumulatorContext } from "./slab.js";
import type { StateDefinition } from "./state.js";

/** Counts, exact to 2^53; null where no row of the column is null, so they are the rows of the group. */
export interface Counts {
  readonly kind: "count";
  readonly counts: Float64Array | null;
}

/** Of one input of any dtype. */
export const countState: StateDefinition<Counts> = {
  accumulate: (_params, [column], context) => createCount(column!, context),
  merge(left, right, plan, rows) {
    const areRows = left.counts === null && right.counts === null;
    return { kind: "count", counts: areRows ? null : mergeCounts(left.counts ?? rows.left, right.counts ?? rows.right, plan) };
  },
  adding: {
    isAssociative: () => true,
    start: (states, groups) => ({ kind: "count", counts: states.every(({ counts }) => counts === null) ? null : new Float64Array(groups) }),
    add(sum, { counts }, places, rows) {
      if (sum.counts !== null) addNumbers(counts ?? rows, places, sum.counts);
      return sum;
    },
  },
  empty: (_like, groups) => ({ kind: "count", counts: new Float64Array(groups) }),
  dtypes: () => [],
  widen: (state) => state,
  write(state, writer) {
    return state.counts === null ? { areRows: true } : { areRows: false, ...writeWholes(state.counts, writer) };
  },
  read: (description, groups, reader) => ({ kind: "count", counts: description["areRows"] === true ? null : readCounts(description, groups, reader) }),
};

/** Counts of the groups in the given order, from int64 accumulators in kernel memory. */
export function takeCounts(memory: ArrayBufferLike, pointer: number, order: Uint32Array): Float64Array {
  const counts = new Float64Array(order.length);
  // Halves instead of bigints: a count stays below 2^53.
  const halves = new Uint32Array(memory, pointer);
  for (let k = 0; k < order.length; k++) {
    const at = 2 * order[k]!;
    counts[k] = halves[at + 1]! * 0x1_0000_0000 + halves[at]!;
  }
  return counts;
}

/** The sums of two runs of counts along a merge plan. */
export function mergeCounts(a: Float64Array, b: Float64Array, plan: MergePlan): Float64Array {
  const merged = spread(a, plan.placesLeft, new Float64Array(plan.groups));
  addNumbers(b, plan.placesRight, merged);
  return merged;
}

function createCount(column: ScanColumn, context: AccumulatorContext): Accumulator<Counts> {
  if (!mayBeNull(column)) return { grow: () => undefined, add: (input) => { computeIfFailing(column, input); }, take: () => ({ kind: "count", counts: null }) };
  const counter = createNonNullCounter(column, context);
  return { grow: counter.grow, add: counter.add, take: (order) => ({ kind: "count", counts: counter.take(order) }) };
}

/** Nobody needs values without nulls to count them, but whether a row fails must not depend on nulls in others. */
function computeIfFailing(column: ScanColumn, input: ChunkInput): void {
  if (mayFail(column, input.chunk)) input.run(column);
}

/** Counts the non-null rows of a column by group, for who reads the values besides: without nulls it does not. */
export function createNonNullCounter(column: ScanColumn, context: AccumulatorContext): Accumulator<Float64Array> {
  if (!mayBeNull(column)) return { grow: () => undefined, add: () => undefined, take: (order) => context.rows.take(order) };
  const { arena } = context;
  const { kernels } = arena;
  const slab = createSlab(arena, 8, zeroFill(arena, 8));
  return {
    grow: slab.grow,
    add(input, slots) {
      const { nulls } = input.run(column);
      const at = slotsOr(slots, context);
      if (nulls === 0) kernels.countSlots(at, input.rows, slab.pointer());
      else kernels.countSlotsNonNull(at, nulls, input.rows, slab.pointer());
    },
    take: (order) => takeCounts(kernels.memory.buffer, slab.pointer(), order),
  };
}
