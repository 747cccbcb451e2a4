/**
 * Expressions over one column of few distinct codes: computed once a code that occurs, then looked up, and kept as narrow
 * as the results are. A month of days that take a byte a row stays a byte a row.
 */
import { chunkRows, isTextDtype } from "../../../columns/dtypes.js";
import { isComputed, type ChunkInput, type Run, type ScanColumn } from "../../scan-column.js";
import { bitmapBytes, pageOf, type Binding, type Node } from "./node.js";

/** uint16 slots, a row each, of which slot 0 is that of null rows. */
interface Slots {
  readonly pointer: number;
  /** What the slots stand for, as rows. */
  readonly run: Run;
}

/** What slots look up: values of a width, in which null slots hold `nullValue`. */
type Table = Omit<Run, "rows">;

/** The node, computed once a code where it reads one column and pays; `node` itself where it reads several or none. */
export function narrowed(node: Node, binding: Binding): Node {
  const [source, another] = node.sources;
  if (source === undefined || another !== undefined || isTextDtype(node.dtype)) return node;
  const { kernels } = binding.arena;
  const slotsOf = createSlots(binding);
  const toTable = createTables(node, binding);
  const [values, nulls] = [pageOf(binding), pageOf(binding, bitmapBytes)];

  function lookUp({ pointer }: Slots, rows: number, table: Table): Run {
    kernels[`gather${table.width}`](table.values, pointer, rows, values());
    const hasNulls = table.nulls !== 0 && kernels.gatherBits(table.nulls, pointer, rows, nulls()) > 0;
    return { ...table, rows, values: values(), nulls: hasNulls ? nulls() : 0 };
  }

  return {
    ...node,
    evaluate(input) {
      const run = input.run(source);
      const slots = slotsOf(run);
      return slots === undefined ? node.evaluate(input) : lookUp(slots, input.rows, toTable(node.evaluate(inputOf(source, slots.run, input))));
    },
  };
}

/** An input whose rows are the codes of one column. */
function inputOf(source: ScanColumn, run: Run, { chunk }: ChunkInput): ChunkInput {
  const own: ChunkInput = {
    rows: run.rows,
    chunk,
    run: (column) => {
      if (column === source) return run;
      if (isComputed(column)) return column.compute(own);
      throw new Error(`column ${column.name} is not one that the expression reads`);
    },
  };
  return own;
}

/** Finds the slots of a run's rows; undefined where there are too many codes to be worth it. */
function createSlots(binding: Binding): (run: Run) => Slots | undefined {
  const { kernels } = binding.arena;
  const [slots, codes, nulls] = [pageOf(binding, chunkRows * 2), pageOf(binding, chunkRows * 2), pageOf(binding, bitmapBytes)];
  const [used, unused] = [pageOf(binding, chunkRows), pageOf(binding, chunkRows)];
  let isListed = false;
  return (run) => {
    if (run.kind === "float" || run.width > 2) return undefined;
    const count = (run.width === 1 ? kernels.maxU8(run.values, run.rows) : kernels.maxU16(run.values, run.rows)) + 2;
    // A slot costs more than a row: it is marked, computed and looked up.
    if (count * 2 > run.rows || count > chunkRows) return undefined;
    kernels.bytes.fill(0, used(), used() + count);
    kernels[run.width === 1 ? "exprSlotsU8" : "exprSlotsU16"](run.values, run.nulls, run.rows, slots(), used());
    kernels.bytes[used()] = 0;
    kernels.maskRangeU8(used(), count, 0, 0, 0, unused());
    kernels.bitsFromMask(unused(), count, nulls());
    if (!isListed) new Uint16Array(kernels.memory.buffer, codes(), chunkRows).forEach((_, slot, list) => (list[slot] = Math.max(0, slot - 1)));
    isListed = true;
    return { pointer: slots(), run: { ...run, rows: count, width: 2, values: codes(), nulls: nulls(), nullValue: run.base } };
  };
}

/** Narrows the results that slots look up. */
function createTables(node: Node, binding: Binding): (run: Run) => Table {
  const { kernels } = binding.arena;
  const narrow = pageOf(binding, chunkRows * 2);
  return (run) => {
    if (run.kind === "float" || run.width !== 8) return run;
    const { rows, values, nulls } = run;
    const filler = nulls === 0 ? 0n : firstValue(run, kernels.memory.buffer);
    if (nulls !== 0) kernels.fillNullsI64(values, nulls, rows, filler);
    const [least, greatest] = [kernels.minI64(values, rows), kernels.maxI64(values, rows)];
    const step = kernels.gcdI64(values, rows, least) || 1n;
    const codes = (greatest - least) / step;
    if (codes > 0xffffn) return { ...run, nullValue: filler };
    const width = codes > 0xffn ? 2 : 1;
    kernels[width === 1 ? "narrowU8" : "narrowU16"](values, rows, least, step, narrow());
    return { kind: "int", width, values: narrow(), base: least, step, nulls, nullValue: filler };
  };
}

/** A value that is not null, 0 where all are. */
function firstValue({ values, nulls, rows }: Run, buffer: ArrayBufferLike): bigint {
  const bits = new Uint8Array(buffer, nulls, (rows + 7) >> 3);
  for (let row = 0; row < rows; row++) if (((bits[row >> 3]! >> (row & 7)) & 1) === 0) return new BigInt64Array(buffer, values + row * 8, 1)[0]!;
  return 0n;
}
