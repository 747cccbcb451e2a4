/** Expressions over the columns of a result: they go through kernel memory as chunks, so that they mean what they mean over tables. */
import { BquerydError } from "../../base/errors.js";
import { suggestion } from "../../base/nearest.js";
import { chunkRows, isFloatDtype, isTextDtype, type Dtype } from "../../columns/dtypes.js";
import type { TableColumn } from "../../columns/read/table.js";
import { createIdle } from "../../kernels/idle.js";
import { bindExpression, type Binding, type ColumnSource } from "../expressions/bind.js";
import { bitmapBytes, fullRange, pageOf } from "../expressions/evaluate/node.js";
import type { Condition, Expression } from "../expressions/tree.js";
import type { ResultColumn } from "../finish.js";
import type { FinishedColumn } from "../measures/measure.js";
import { createArena, createSpace } from "../memory.js";
import type { ChunkInput, Run, ScanColumn } from "../scan-column.js";
import { widthNames } from "../states/slab.js";
import { createShardStrings } from "../strings.js";
import { isFloats, isLists, isText, isWholes, type Values } from "../values.js";
import { createFilter } from "../where/filter.js";
import { rowsOfInput } from "../where/predicate.js";

/** What can be asked over the columns of a result. */
export interface Evaluation {
  /** The column of an expression. Throws DTYPE_MISMATCH, OVERFLOW. */
  compute(expr: Expression): FinishedColumn;
  /** The rows of which a condition is true, ascending. Throws DTYPE_MISMATCH. */
  select(condition: Condition): Uint32Array;
  /** Lets its memory go; nothing else may be asked of it after. */
  close(): void;
}

/** Reserved, not taken: a few pages a column are used, and what texts there are. */
const spaceBytes = 1024 * 1024 * 1024;

/** Reserving memory takes longer than what is done in it for a hundred thousand groups. */
const idleSpace = createIdle(() => createSpace(spaceBytes, { sizedBy: "fixed" }), ({ heap }) => heap.usedBytes === 0);
/** What a space may have used and be kept: pages that were touched stay real memory as long as it is. */
const idleBytesMax = 16 * 1024 * 1024;

/** Opens the columns of a result for expressions. */
export function openEvaluation(columns: readonly ResultColumn[], numRows: number): Evaluation {
  const space = idleSpace.take();
  const arena = createArena(space, spaceBytes, "arithmetic over the result");
  const binding: Binding = { arena, strings: createShardStrings(arena) };
  const source = createSource(columns, numRows, binding);

  function eachChunk(work: (input: ChunkInput, start: number) => void): void {
    for (let start = 0; start < numRows; start += chunkRows) work(source.input(start / chunkRows), start);
  }

  return {
    compute(expr) {
      const column = bindExpression(expr, source, binding);
      const collector = createCollector(column, numRows, binding);
      eachChunk((input, start) => collector.add(input.run(column), start));
      return collector.finish();
    },
    select(condition) {
      const filter = createFilter(condition, { ...binding, bind: (expr) => bindExpression(expr, source, binding) });
      const mask = arena.allocate(chunkRows);
      const selected = new Uint32Array(numRows);
      let count = 0;
      eachChunk((input, start) => {
        filter.mask(rowsOfInput(input), mask);
        for (let row = 0; row < input.rows; row++) if (arena.kernels.bytes[mask + row] === 1) selected[count++] = start + row;
      });
      return selected.subarray(0, count);
    },
    close() {
      const { usedBytes } = space.heap;
      arena.release();
      if (usedBytes <= idleBytesMax) idleSpace.keep(space);
    },
  };
}

/** Columns by name, and the rows of a chunk of them. */
interface ResultSource extends ColumnSource {
  input(chunk: number): ChunkInput;
}

function createSource(columns: readonly ResultColumn[], numRows: number, binding: Binding): ResultSource {
  const known = new Map<string, { column: TableColumn; read: (chunk: number) => Run }>();
  const readers = new Map<ScanColumn, (chunk: number) => Run>();

  function column(name: string): TableColumn {
    const found = known.get(name) ?? open(name);
    known.set(name, found);
    readers.set(found.column, found.read);
    return found.column;
  }

  function open(name: string): { column: TableColumn; read: (chunk: number) => Run } {
    const result = columns.find((candidate) => candidate.name === name);
    if (result === undefined) throw new BquerydError("UNKNOWN_COLUMN", `the result has no column '${name}'${suggestion(name, columns.map((candidate) => candidate.name), "name a key or a measure")}`, { details: { column: name } });
    const { values, isNull } = result;
    if (isLists(values)) throw new BquerydError("DTYPE_MISMATCH", `column '${name}' of the result is of lists, which do not go with arithmetic and conditions; use another measure`, { details: { column: name } });
    const made: TableColumn = resultColumn(name, values.dtype, numRows, isNull);
    return { column: made, read: createReader(made, values, isNull, binding) };
  }

  return {
    rows: numRows,
    column,
    input(chunk) {
      const runs = new Map<ScanColumn, Run>();
      const input: ChunkInput = {
        rows: Math.min(chunkRows, numRows - chunk * chunkRows),
        chunk,
        run(asked) {
          const run = runs.get(asked) ?? ("compute" in asked ? asked.compute(input) : readers.get(asked)!(chunk));
          runs.set(asked, run);
          return run;
        },
      };
      return input;
    },
  };
}

function resultColumn(name: string, dtype: Dtype, rows: number, isNull: Uint8Array | null): TableColumn {
  const { least, greatest } = fullRange(dtype);
  const isValued = !isTextDtype(dtype);
  const unread = (): never => { throw new Error(`column '${name}' of a result is in no file`); };
  return {
    name, dtype, nullable: isNull !== null, rows, chunkCount: Math.ceil(rows / chunkRows),
    statistics: (chunk) => {
      const inChunk = Math.min(chunkRows, rows - chunk * chunkRows);
      const nullCount = isNull === null ? 0 : isNull.subarray(chunk * chunkRows, chunk * chunkRows + inChunk).reduce((sum, flag) => sum + flag, 0);
      return { rows: inChunk, nullCount, minimum: isValued ? least : null, maximum: isValued ? greatest : null, truncated: true, storedBytes: 0 };
    },
    dictionary: () => null,
    chunkKey: unread,
    decode: unread,
  };
}

/** Reads chunks of values into pages of their own. */
function createReader(column: TableColumn, values: Values, isNull: Uint8Array | null, binding: Binding): (chunk: number) => Run {
  const { arena, strings } = binding;
  const { kernels } = arena;
  const [page, flags, nulls] = [pageOf(binding), pageOf(binding, chunkRows), pageOf(binding, bitmapBytes)];
  const { buffer } = kernels.memory;
  const readNulls = (start: number, rows: number): number => {
    if (isNull === null) return 0;
    kernels.bytes.set(isNull.subarray(start, start + rows), flags());
    kernels.bitsFromMask(flags(), rows, nulls());
    return nulls();
  };
  return (chunk) => {
    const start = chunk * chunkRows;
    const rows = Math.min(chunkRows, column.rows - start);
    const shared = { rows, values: page(), base: 0n, step: 1n, nulls: readNulls(start, rows), nullValue: 0n };
    if (isText(values)) {
      const offsets = values.offsets.subarray(start, start + rows + 1).map((at) => at - values.offsets[start]!);
      const text = values.bytes.subarray(values.offsets[start], values.offsets[start + rows]);
      const places = { values: arena.allocate(4 * (rows + 1)), text: arena.allocate(Math.max(1, text.length)) };
      new Uint32Array(buffer, places.values, rows + 1).set(offsets);
      kernels.bytes.set(text, places.text);
      strings.pool(column).intern(places, 0, rows, page());
      arena.free(places.values);
      arena.free(places.text);
      return { kind: "code", width: 4, ...shared };
    }
    if (isFloats(values)) new Float64Array(buffer, page(), rows).set(values.array.subarray(start, start + rows));
    else if (isWholes(values)) new BigInt64Array(buffer, page(), rows).set(values.array.subarray(start, start + rows));
    else kernels.bytes.set(values.array.subarray(start, start + rows), page());
    return { kind: isFloats(values) ? "float" : "int", width: isFloats(values) || isWholes(values) ? 8 : 1, ...shared };
  };
}

interface Collector {
  add(run: Run, start: number): void;
  finish(): FinishedColumn;
}

/** Takes the runs of a column out of kernel memory, one after another. */
function createCollector(column: ScanColumn, numRows: number, binding: Binding): Collector {
  const { kernels } = binding.arena;
  const { buffer } = kernels.memory;
  const { dtype } = column;
  const page = pageOf(binding);
  const isNull = new Uint8Array(numRows);
  const codes = isTextDtype(dtype) ? new Uint32Array(numRows) : null;
  const numbers = isFloatDtype(dtype) ? new Float64Array(numRows) : new BigInt64Array(codes === null ? numRows : 0);

  function addNulls({ nulls, rows }: Run, start: number): void {
    if (nulls === 0) return;
    kernels.maskFromBits(nulls, rows, 0, page());
    isNull.set(kernels.bytes.subarray(page(), page() + rows), start);
  }

  return {
    add(run, start) {
      addNulls(run, start);
      const { rows, width, values, base, step } = run;
      if (codes !== null) {
        if (width !== 8) kernels[`expand${widthNames[width]}`](values, rows, 0n, 1n, 4, page());
        codes.set(new Uint32Array(buffer, page(), rows), start);
      } else if (numbers instanceof Float64Array) numbers.set(new Float64Array(buffer, values, rows), start);
      else {
        kernels[`expand${widthNames[width]}`](values, rows, base, step, 8, page());
        numbers.set(new BigInt64Array(buffer, page(), rows), start);
      }
    },
    finish: () => ({ values: valuesOf(column, codes, numbers, binding), isNull: isNull.includes(1) ? isNull : null }),
  };
}

function valuesOf(column: ScanColumn, codes: Uint32Array | null, numbers: Float64Array | BigInt64Array, { strings }: Binding): Values {
  const { dtype } = column;
  if (isTextDtype(dtype)) return { dtype, ...strings.texts(column, codes ?? new Uint32Array(0)) };
  if (isFloatDtype(dtype) && numbers instanceof Float64Array) return { dtype, array: numbers };
  if (numbers instanceof Float64Array || isFloatDtype(dtype)) throw new Error(`floats are no values of ${dtype}`);
  return dtype === "bool" ? { dtype, array: Uint8Array.from(numbers, Number) } : { dtype, array: numbers };
}
