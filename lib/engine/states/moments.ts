/** The moments state: count, mean and squares about the mean of a group, from which variances come. */
import type { ScanColumn } from "../scan-column.js";
import { requireCounts } from "./bytes.js";
import { createLanes } from "./lanes.js";
import { spread, type MergePlan } from "./merge-plan.js";
import { createFloatReader } from "./run-floats.js";
import { createSlab, zeroFill, type Accumulator, type AccumulatorContext } from "./slab.js";
import type { StateDefinition } from "./state.js";
import { createDistances, joinCells, productsAbout, wordsAt, type Distances, type Words } from "./whole-moments.js";

/** Of the non-null values of each group; mean and squares (the sum of squared distances from it) are 0 where there is none. */
export interface Moments {
  readonly kind: "moments";
  readonly counts: Float64Array;
  readonly means: Float64Array;
  readonly squares: Float64Array;
}

/** Bytes of a cell of the kernels of floats, and of whole numbers. */
const [cellBytes, wholeCellBytes] = [40, 24];

/** Of one input of numbers or bools. */
export const momentsState: StateDefinition<Moments> = {
  accumulate: (_params, [column], context) => createMoments(column!, context),
  merge: mergeMoments,
  adding: { isAssociative: () => false, start: (_states, groups) => blankMoments(groups), add: addMoments },
  empty: (_like, groups) => blankMoments(groups),
  dtypes: () => [],
  widen: (state) => state,
  write({ counts, means, squares }, writer) {
    for (const array of [counts, means, squares]) writer.array(array);
    return {};
  },
  read: (_description, groups, reader) => ({
    kind: "moments", counts: requireCounts(reader.float64(groups)), means: reader.float64(groups), squares: reader.float64(groups),
  }),
};

function blankMoments(groups: number): Moments {
  return { kind: "moments", counts: new Float64Array(groups), means: new Float64Array(groups), squares: new Float64Array(groups) };
}

/** The moments of two sets of values from those of each (Chan, Golub and LeVeque, 1983). */
function mergeMoments(a: Moments, b: Moments, plan: MergePlan): Moments {
  const { groups, placesLeft, placesRight } = plan;
  const spreadLeft = (numbers: Float64Array): Float64Array => spread(numbers, placesLeft, new Float64Array(groups));
  return addMoments({ kind: "moments", counts: spreadLeft(a.counts), means: spreadLeft(a.means), squares: spreadLeft(a.squares) }, b, placesRight);
}

function addMoments(sum: Moments, b: Moments, places: Uint32Array): Moments {
  const { counts, means, squares } = sum;
  for (let group = 0; group < places.length; group++) {
    const place = places[group]!;
    const countB = b.counts[group]!;
    if (countB === 0) continue;
    const countA = counts[place]!;
    const distance = b.means[group]! - means[place]!;
    const share = countB / (countA + countB);
    counts[place] = countA + countB;
    means[place] = countA === 0 ? b.means[group]! : means[place]! + distance * share;
    squares[place] = countA === 0 ? b.squares[group]! : squares[place]! + b.squares[group]! + distance * distance * countA * share;
  }
  return sum;
}

function createMoments(column: ScanColumn, context: AccumulatorContext): Accumulator<Moments> {
  const distances = createDistances(column, context.arena);
  return distances === undefined ? createFloatMoments(column, context) : createWholeMoments(column, distances, context);
}

function createWholeMoments(column: ScanColumn, distances: Distances, context: AccumulatorContext): Accumulator<Moments> {
  const { arena } = context;
  const { kernels } = arena;
  const slab = createSlab(arena, wholeCellBytes, zeroFill(arena, wholeCellBytes));
  const lanes = createLanes(context);
  return {
    grow: (groups) => { slab.grow(lanes.cells(groups)); },
    add(input, slots) {
      kernels.wholeMoments(lanes.slots(slots), distances.read(input), input.run(column).nulls, input.rows, slab.pointer());
    },
    take(order) {
      const memory = kernels.memory.buffer;
      if (!context.isGrouped) joinCells(memory, slab.pointer(), lanes.cells(1), wholeCellBytes / 8);
      return takeWholeMoments(wordsAt(memory, slab.pointer()), order, distances.least);
    },
  };
}

function takeWholeMoments(words: Words, order: Uint32Array, least: number): Moments {
  const taken = blankMoments(order.length);
  for (let k = 0; k < order.length; k++) {
    const cell = order[k]! * (wholeCellBytes / 8);
    const count = words.number(cell);
    if (count === 0) continue;
    taken.counts[k] = count;
    taken.means[k] = least + words.number(cell + 1) / count;
    taken.squares[k] = productsAbout(words, cell, cell + 1, cell + 1, cell + 2);
  }
  return taken;
}

function createFloatMoments(column: ScanColumn, context: AccumulatorContext): Accumulator<Moments> {
  const { arena } = context;
  const { kernels } = arena;
  const slab = createSlab(arena, cellBytes, zeroFill(arena, cellBytes));
  const lanes = createLanes(context);
  const floatsOf = createFloatReader(column, arena);
  return {
    grow: (groups) => { slab.grow(lanes.cells(groups)); },
    add(input, slots) {
      const { nulls } = input.run(column);
      kernels.momentsSlots(lanes.slots(slots), floatsOf(input), nulls, input.rows, slab.pointer());
    },
    take: (order) => lanes.join(order, (cells) => takeMoments(kernels.memory.buffer, slab.pointer(), cells), mergeMoments),
  };
}

function takeMoments(memory: ArrayBufferLike, pointer: number, order: Uint32Array): Moments {
  const taken = blankMoments(order.length);
  const words = new Uint32Array(memory, pointer);
  const floats = new Float64Array(memory, pointer);
  for (let k = 0; k < order.length; k++) {
    const cell = order[k]! * (cellBytes / 8);
    const count = words[2 * cell]!;
    if (count === 0) continue;
    const [shift, sum, squares, settled] = [floats[cell + 1]!, floats[cell + 2]!, floats[cell + 3]!, floats[cell + 4]!];
    taken.counts[k] = count;
    taken.means[k] = shift + sum / count;
    // Rounding may leave a little less than nothing.
    taken.squares[k] = Math.max(0, settled + (squares - sum * (sum / count)));
  }
  return taken;
}
