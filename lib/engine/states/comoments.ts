/** The comoments state: how two inputs vary together in a group, over the rows where neither is null. */
import { chunkRows } from "../../columns/dtypes.js";
import type { ChunkInput } from "../input.js";
import type { ScanColumn } from "../scan-column.js";
import { requireCounts } from "./bytes.js";
import { createLanes } from "./lanes.js";
import { createFloatReader } from "./run-floats.js";
import { createSlab, zeroFill, type Accumulator, type AccumulatorContext } from "./slab.js";
import type { MergePlan, StateDefinition } from "./state.js";

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
/** Bytes of a cell of the kernel. */
const cellBytes = 88;

/** Of two inputs of numbers or bools. */
export const comomentsState: StateDefinition<Comoments> = {
  accumulate: (_spec, [x, y], context) => createComoments(x!, y!, context),
  merge: mergeComoments,
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
  const merged = blankComoments(() => new Float64Array(plan.left.length));
  for (let k = 0; k < plan.left.length; k++) {
    const left = plan.left[k]!;
    const right = plan.right[k]!;
    const countA = left >= 0 ? a.counts[left]! : 0;
    const countB = right >= 0 ? b.counts[right]! : 0;
    if (countA === 0 || countB === 0) {
      if (countA > 0) copyCell(a, left, merged, k);
      if (countB > 0) copyCell(b, right, merged, k);
      continue;
    }
    const [dx, dy] = [b.meansX[right]! - a.meansX[left]!, b.meansY[right]! - a.meansY[left]!];
    const share = countB / (countA + countB);
    merged.counts[k] = countA + countB;
    merged.meansX[k] = a.meansX[left]! + dx * share;
    merged.meansY[k] = a.meansY[left]! + dy * share;
    merged.squaresX[k] = a.squaresX[left]! + b.squaresX[right]! + dx * dx * countA * share;
    merged.squaresY[k] = a.squaresY[left]! + b.squaresY[right]! + dy * dy * countA * share;
    merged.products[k] = a.products[left]! + b.products[right]! + dx * dy * countA * share;
  }
  return merged;
}

function copyCell(from: Comoments, at: number, to: Comoments, k: number): void {
  for (const member of members) to[member][k] = from[member][at]!;
}

function createComoments(x: ScanColumn, y: ScanColumn, context: AccumulatorContext): Accumulator<Comoments> {
  const { arena } = context;
  const { kernels } = arena;
  const slab = createSlab(arena, cellBytes, zeroFill(arena, cellBytes));
  const lanes = createLanes(context);
  const [floatsX, floatsY] = [createFloatReader(x, arena), createFloatReader(y, arena)];
  const nullsOf = createNullUnion(x, y, context);
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
