/** The histogram state: how many values of a group lie in each bin of one input or two, under the bins and over them. */
import { BquerydError } from "../../base/errors.js";
import { chunkRows, type Dtype } from "../../columns/dtypes.js";
import type { Arena } from "../memory.js";
import type { ChunkInput, ScanColumn } from "../scan-column.js";
import { requireCount, requireDtype } from "./bytes.js";
import { createNullUnion } from "./comoments.js";
import { axisEdges, isBinnedDtype, type AxisSpec } from "./histogram-axis.js";
import type { MergePlan } from "./merge-plan.js";
import { readCounts, writeWholes } from "./numbers.js";
import { createFloatReader } from "./run-floats.js";
import { createSlab, slotsOr, widthNames, zeroFill, type Accumulator, type AccumulatorContext } from "./slab.js";
import type { StateDefinition, StateParam, StateParams } from "./state.js";

/** Counts of `cells` entries a group: bins, those of two inputs row-major; then how many values are under and over. */
export interface Histogram {
  readonly kind: "histogram";
  readonly inputs: readonly Dtype[];
  readonly cells: number;
  readonly counts: Float64Array;
}

/** Counts that one state may have. */
const countsMax = 2 ** 27;
/** Bins of a histogram, and under and over. */
const cellsMax = 2 ** 20;

/** Of one input or two; params: lists of an entry an input, `bins`, `low`, `high`. */
export const histogramState: StateDefinition<Histogram> = {
  accumulate: (params, columns, context) => createHistogram(axesOf(params), columns, context),
  merge: mergeHistograms,
  empty: (like, groups) => ({ ...like, counts: new Float64Array(groups * like.cells) }),
  dtypes: (state) => state.inputs,
  widen(state, inputs) {
    // Numbers are binned by one set of edges, whatever their dtype; days and nanoseconds are not.
    if (inputs.some((dtype, place) => dtype === "timestamp" && state.inputs[place] !== dtype)) throw new BquerydError("SCHEMA_MISMATCH", "a column of a histogram is date in one shard and timestamp in another; import them again with one schema");
    return { ...state, inputs };
  },
  write({ inputs, cells, counts }, writer) {
    return { inputs, cells, ...writeWholes(counts, writer) };
  },
  read({ inputs, cells, ...numbers }, groups, reader) {
    if (!Array.isArray(inputs) || inputs.length > 2) throw new TypeError("no inputs");
    const count = requireCount(cells, cellsMax);
    return { kind: "histogram", inputs: inputs.map(requireDtype), cells: count, counts: readCounts(numbers, groups * count, reader) };
  },
};

/** The axes that the parameters of a state describe; throws an assertion where they describe none. */
export function axesOf({ bins, low, high }: StateParams): AxisSpec[] {
  const [counts, lows, highs] = [listOf(bins), listOf(low), listOf(high)];
  return counts.map((count, place) => {
    if (typeof count !== "number") throw new Error("bins are counted");
    return { bins: count, low: lows[place] ?? null, high: highs[place] ?? null };
  });
}

function listOf(param: StateParam | undefined): readonly StateParam[] {
  if (typeof param !== "object" || param === null) throw new Error("a histogram has lists of parameters");
  return param;
}

function mergeHistograms(a: Histogram, b: Histogram, plan: MergePlan): Histogram {
  const { cells } = a;
  if (cells !== b.cells) throw new BquerydError("BAD_MESSAGE", "partials hold histograms of other bins; the processes differ in version");
  const counts = createCounts(plan.left.length, cells);
  for (let k = 0; k < plan.left.length; k++) {
    addCells(a.counts, plan.left[k]!, counts, k, cells);
    addCells(b.counts, plan.right[k]!, counts, k, cells);
  }
  return { ...a, counts };
}

function addCells(from: Float64Array, group: number, to: Float64Array, k: number, cells: number): void {
  if (group < 0) return;
  for (let cell = 0; cell < cells; cell++) to[k * cells + cell] = to[k * cells + cell]! + from[group * cells + cell]!;
}

function createCounts(groups: number, cells: number): Float64Array {
  if (groups * cells > countsMax) {
    throw new BquerydError("MEMORY_LIMIT", `a histogram of ${cells - 2} bins for each of ${groups} groups has more than ${countsMax} counts; ask for fewer bins or groups`, { details: { groups, bins: cells - 2 } });
  }
  return new Float64Array(groups * cells);
}

function createHistogram(axes: readonly AxisSpec[], columns: readonly ScanColumn[], context: AccumulatorContext): Accumulator<Histogram> {
  const { arena } = context;
  const { kernels } = arena;
  const cells = axes.reduce((product, { bins }) => product * bins, 1) + 2;
  const slab = createSlab(arena, cells * 8, zeroFill(arena, cells * 8));
  const binners = columns.map((column, place) => createBinner(column, axes[place]!, arena));
  const nullsOf = createNullUnion(columns[0]!, columns.at(-1)!, context);
  function binsOf(input: ChunkInput): number {
    const [x, y] = binners.map(({ bins }) => bins(input));
    if (y !== undefined) kernels.histogramJoin(x!, y, input.rows, axes[0]!.bins, axes[1]!.bins, x!);
    return x!;
  }
  const countAll = binners.length === 1 ? binners[0]!.count : undefined;
  return {
    grow: slab.grow,
    add(input, slots) {
      const nulls = nullsOf(input);
      if (context.isGrouped || nulls !== 0) kernels.histogramCount(slotsOr(slots, context), binsOf(input), nulls, input.rows, cells, slab.pointer());
      else if (countAll !== undefined && input.rows >= cells) countAll(input, slab.pointer());
      else kernels.histogramAdd(binsOf(input), input.rows, slab.pointer());
    },
    take: (order) => ({ kind: "histogram", inputs: columns.map(({ dtype }) => dtype), cells, counts: takeCells(arena, slab.pointer(), order, cells) }),
  };
}

function takeCells({ kernels }: Arena, pointer: number, order: Uint32Array, cells: number): Float64Array {
  const counts = createCounts(order.length, cells);
  const halves = new Uint32Array(kernels.memory.buffer, pointer);
  for (let k = 0; k < order.length; k++) {
    const from = 2 * order[k]! * cells;
    for (let cell = 0; cell < cells; cell++) counts[k * cells + cell] = halves[from + 2 * cell + 1]! * 0x1_0000_0000 + halves[from + 2 * cell]!;
  }
  return counts;
}

/** Finds the bins of the rows of one chunk after another. */
interface Binner {
  /** Pointer to their uint32 bins. */
  bins(input: ChunkInput): number;
  /** Counts them, which takes less time than by their bins where there are more rows than bins. */
  count?(input: ChunkInput, counts: number): void;
}

function createBinner(column: ScanColumn, axis: AxisSpec, arena: Arena): Binner {
  const { dtype } = column;
  if (!isBinnedDtype(dtype)) throw new Error(`a histogram of ${dtype} means nothing`);
  const { kernels } = arena;
  const { compared, outside, offset, inverse, isEven } = axisEdges(axis, dtype);
  const target = arena.allocate(chunkRows * 4);
  if (outside !== null) {
    new Uint32Array(kernels.memory.buffer, target, chunkRows).fill(axis.bins + (outside === "under" ? 0 : 1));
    return { bins: () => target };
  }
  const even = isEven ? 1 : 0;
  const edges = arena.allocate(compared.byteLength);
  kernels.bytes.set(new Uint8Array(compared.buffer), edges);
  if (compared instanceof Float64Array) {
    const floatsOf = createFloatReader(column, arena);
    const tallies = createTallies(axis.bins, arena);
    return {
      bins(input) {
        kernels.histogramBinsF64(floatsOf(input), input.rows, edges, axis.bins, inverse, even, target);
        return target;
      },
      ...(isEven ? { count: (input: ChunkInput, counts: number): void => { kernels.histogramAddF64(floatsOf(input), input.rows, edges, axis.bins, inverse, tallies(), counts); } } : {}),
    };
  }
  const wide = arena.allocate(chunkRows * 8);
  const reached = compared.length - 1;
  const spread = reached === axis.bins ? 0 : putOutside(reached, axis.bins, arena);
  return {
    bins(input) {
      const run = input.run(column);
      if (run.width !== 8) kernels[`expand${widthNames[run.width]}`](run.values, run.rows, run.base, run.step, 8, wide);
      kernels.histogramBinsI64(run.width === 8 ? run.values : wide, run.rows, edges, reached, offset, inverse, even, target);
      if (spread !== 0) kernels.translateU32(target, input.rows, spread, target);
      return target;
    },
  };
}

/** Pointer to tallies of bins, and of what is under and over, as histogramAddF64 wants them; allocated when first asked for. */
function createTallies(bins: number, arena: Arena): () => number {
  let pointer: number | undefined;
  return () => {
    if (pointer !== undefined) return pointer;
    const bytes = 4 * (bins + 2) * 4;
    pointer = arena.allocate(bytes);
    arena.kernels.bytes.fill(0, pointer, pointer + bytes);
    return pointer;
  };
}

/** Pointer to what turns bins of a shorter axis into those of a longer one, where under and over come after more bins. */
function putOutside(reached: number, bins: number, arena: Arena): number {
  const table = arena.allocate((reached + 2) * 4);
  const places = new Uint32Array(arena.kernels.memory.buffer, table, reached + 2);
  for (let bin = 0; bin < reached; bin++) places[bin] = bin;
  places.set([bins, bins + 1], reached);
  return table;
}
