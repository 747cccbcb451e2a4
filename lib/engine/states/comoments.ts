/** The comoments state: how two inputs vary together in a group, over the rows where neither is null. */
import { chunkRows } from "../../columns/dtypes.js";
import type { ChunkInput, ScanColumn } from "../scan-column.js";
import { requireCounts } from "./bytes.js";
import { createLanes } from "./lanes.js";
import { spread, type MergePlan } from "./merge-plan.js";
import { createFloatReader } from "./run-floats.js";
import { createSlab, zeroFill, type Accumulator, type AccumulatorContext } from "./slab.js";
import type { StateDefinition } from "./state.js";
import { createDistances, joinCells, productsAbout, wordsAt, type Distances, type Words } from "./whole-moments.js";

/** Six arrays of an entry a group; all 0 where there is no row. Squares and products are sums over distances from the means. */
export interface Comoments {
  readonly kind: "comoments";
  readonly counts: Float64Array;
  readonly meansX: Float64Array;
  readonly meansY: Float64Array;
  readonly squaresX: Float64Array;
  readonly squaresY: Float64Array;
  readonly products: Float64Array;
}

const members = ["counts", "meansX", "meansY", "squaresX", "squaresY", "products"] as const;
/** Bytes of a cell of the kernels of floats, and of whole numbers. */
const [cellBytes, wholeCellBytes] = [88, 48];

/** Of two inputs of numbers or bools. */
export const comomentsState: StateDefinition<Comoments> = {
  accumulate: (_params, [x, y], context) => createComoments(x!, y!, context),
  merge: mergeComoments,
  adding: { isAssociative: () => false, start: (_states, groups) => blankComoments(() => new Float64Array(groups)), add: addComoments },
  empty: (_like, groups) => blankComoments(() => new Float64Array(groups)),
  dtypes: () => [],
  widen: (state) => state,
  write(state, writer) {
    for (const member of members) writer.array(state[member]);
    return {};
  },
  read(_description, groups, reader) {
    const counts = requireCounts(reader.float64(groups));
    return { ...blankComoments(() => reader.float64(groups), counts) };
  },
};

function blankComoments(make: () => Float64Array, counts = make()): Comoments {
  return { kind: "comoments", counts, meansX: make(), meansY: make(), squaresX: make(), squaresY: make(), products: make() };
}

/** As mergeMoments does it, products alike. */
function mergeComoments(a: Comoments, b: Comoments, plan: MergePlan): Comoments {
  const { groups, placesLeft, placesRight } = plan;
  const spreadLeft = (numbers: Float64Array): Float64Array => spread(numbers, placesLeft, new Float64Array(groups));
  const [counts, meansX, meansY] = [spreadLeft(a.counts), spreadLeft(a.meansX), spreadLeft(a.meansY)];
  const [squaresX, squaresY, products] = [spreadLeft(a.squaresX), spreadLeft(a.squaresY), spreadLeft(a.products)];
  return addComoments({ kind: "comoments", counts, meansX, meansY, squaresX, squaresY, products }, b, placesRight);
}

function addComoments(sum: Comoments, b: Comoments, places: Uint32Array): Comoments {
  const { counts, meansX, meansY, squaresX, squaresY, products } = sum;
  for (let group = 0; group < places.length; group++) {
    const place = places[group]!;
    const countB = b.counts[group]!;
    if (countB === 0) continue;
    const countA = counts[place]!;
    const isOnly = countA === 0;
    const [dx, dy] = [b.meansX[group]! - meansX[place]!, b.meansY[group]! - meansY[place]!];
    const share = countB / (countA + countB);
    counts[place] = countA + countB;
    meansX[place] = isOnly ? b.meansX[group]! : meansX[place]! + dx * share;
    meansY[place] = isOnly ? b.meansY[group]! : meansY[place]! + dy * share;
    squaresX[place] = isOnly ? b.squaresX[group]! : squaresX[place]! + b.squaresX[group]! + dx * dx * countA * share;
    squaresY[place] = isOnly ? b.squaresY[group]! : squaresY[place]! + b.squaresY[group]! + dy * dy * countA * share;
    products[place] = isOnly ? b.products[group]! : products[place]! + b.products[group]! + dx * dy * countA * share;
  }
  return sum;
}

function createComoments(x: ScanColumn, y: ScanColumn, context: AccumulatorContext): Accumulator<Comoments> {
  const [distancesX, distancesY] = [createDistances(x, context.arena), createDistances(y, context.arena)];
  const nullsOf = createNullUnion(x, y, context);
  if (distancesX === undefined || distancesY === undefined) return createFloatComoments(x, y, nullsOf, context);
  return createWholeComoments(distancesX, distancesY, nullsOf, context);
}

type NullReader = (input: ChunkInput) => number;

function createWholeComoments(x: Distances, y: Distances, nullsOf: NullReader, context: AccumulatorContext): Accumulator<Comoments> {
  const { arena } = context;
  const { kernels } = arena;
  const slab = createSlab(arena, wholeCellBytes, zeroFill(arena, wholeCellBytes));
  const lanes = createLanes(context);
  return {
    grow: (groups) => { slab.grow(lanes.cells(groups)); },
    add(input, slots) {
      kernels.wholeComoments(lanes.slots(slots), x.read(input), y.read(input), nullsOf(input), input.rows, slab.pointer());
    },
    take(order) {
      const memory = kernels.memory.buffer;
      if (!context.isGrouped) joinCells(memory, slab.pointer(), lanes.cells(1), wholeCellBytes / 8);
      return takeWholeComoments(wordsAt(memory, slab.pointer()), order, x.least, y.least);
    },
  };
}

function takeWholeComoments(words: Words, order: Uint32Array, leastX: number, leastY: number): Comoments {
  const taken = blankComoments(() => new Float64Array(order.length));
  for (let k = 0; k < order.length; k++) {
    const cell = order[k]! * (wholeCellBytes / 8);
    const [xy, x, y, xx, yy] = [cell + 1, cell + 2, cell + 3, cell + 4, cell + 5];
    const count = words.number(cell);
    if (count === 0) continue;
    taken.counts[k] = count;
    taken.meansX[k] = leastX + words.number(x) / count;
    taken.meansY[k] = leastY + words.number(y) / count;
    taken.squaresX[k] = productsAbout(words, cell, x, x, xx);
    taken.squaresY[k] = productsAbout(words, cell, y, y, yy);
    taken.products[k] = productsAbout(words, cell, x, y, xy);
  }
  return taken;
}

function createFloatComoments(x: ScanColumn, y: ScanColumn, nullsOf: NullReader, context: AccumulatorContext): Accumulator<Comoments> {
  const { arena } = context;
  const { kernels } = arena;
  const slab = createSlab(arena, cellBytes, zeroFill(arena, cellBytes));
  const lanes = createLanes(context);
  const [floatsX, floatsY] = [createFloatReader(x, arena), createFloatReader(y, arena)];
  return {
    grow: (groups) => { slab.grow(lanes.cells(groups)); },
    add(input, slots) {
      kernels.comomentsSlots(lanes.slots(slots), floatsX(input), floatsY(input), nullsOf(input), input.rows, slab.pointer());
    },
    take: (order) => lanes.join(order, (cells) => takeComoments(kernels.memory.buffer, slab.pointer(), cells), mergeComoments),
  };
}

/** Gives the bitmap of rows where one of two columns is null, 0 where none is; good until the next call. */
export function createNullUnion(x: ScanColumn, y: ScanColumn, { arena }: AccumulatorContext): (input: ChunkInput) => number {
  const { kernels } = arena;
  let scratch = 0;
  return (input) => {
    const [nullsX, nullsY] = [input.run(x).nulls, input.run(y).nulls];
    if (nullsX === 0 || nullsY === 0) return nullsX + nullsY;
    if (scratch === 0) scratch = arena.allocate(chunkRows / 8);
    const bytes = (input.rows + 7) >> 3;
    kernels.bytes.copyWithin(scratch, nullsX, nullsX + bytes);
    kernels.maskOr(scratch, nullsY, bytes);
    return scratch;
  };
}

function takeComoments(memory: ArrayBufferLike, pointer: number, order: Uint32Array): Comoments {
  const taken = blankComoments(() => new Float64Array(order.length));
  const words = new Uint32Array(memory, pointer);
  const floats = new Float64Array(memory, pointer);
  for (let k = 0; k < order.length; k++) {
    const cell = order[k]! * (cellBytes / 8);
    const count = words[2 * cell]!;
    if (count === 0) continue;
    const [sumX, sumY] = [floats[cell + 3]!, floats[cell + 4]!];
    taken.counts[k] = count;
    taken.meansX[k] = floats[cell + 1]! + sumX / count;
    taken.meansY[k] = floats[cell + 2]! + sumY / count;
    taken.squaresX[k] = Math.max(0, floats[cell + 8]! + (floats[cell + 5]! - sumX * (sumX / count)));
    taken.squaresY[k] = Math.max(0, floats[cell + 9]! + (floats[cell + 6]! - sumY * (sumY / count)));
    taken.products[k] = floats[cell + 10]! + (floats[cell + 7]! - sumX * (sumY / count));
  }
  return taken;
}
