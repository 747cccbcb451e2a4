/** Makes the selected rows of a chunk what groupers and accumulators read: runs, column by column, gathered once. */
import { chunkRows } from "../columns/dtypes.js";
import type { TableColumn } from "../columns/read/table.js";
import type { Vector } from "../columns/vector.js";
import type { Lease } from "./cache.js";
import type { Arena } from "./memory.js";
import { isComputed, type ChunkInput, type Run, type ScanColumn } from "./scan-column.js";
import type { ShardStrings, TextPool } from "./strings.js";

/** Makes the input of one chunk after another, over scratch memory it keeps. */
export interface InputMaker {
  /** `index` points at the uint16 rows selected, or is 0 when all `rows` of the chunk are. */
  start(lease: Lease, chunk: number, rows: number, index: number): ChunkInput;
}

interface Scratch {
  readonly values: number;
  readonly nulls: number;
}

const bitmapBytes = chunkRows / 8;

/** An input maker over a query's arena. */
export function createInputMaker(arena: Arena, strings: ShardStrings): InputMaker {
  const { kernels } = arena;
  const scratches = new Map<TableColumn, Scratch>();

  function scratchOf(column: TableColumn): Scratch {
    let scratch = scratches.get(column);
    if (scratch === undefined) {
      scratch = { values: arena.allocate(chunkRows * 8), nulls: arena.allocate(bitmapBytes) };
      scratches.set(column, scratch);
    }
    return scratch;
  }

  function gather(column: TableColumn, vector: Vector, index: number, rows: number): { values: number; nulls: number } {
    if (index === 0) return { values: vector.values, nulls: vector.nulls };
    const scratch = scratchOf(column);
    kernels[`gather${vector.width}`](vector.values, index, rows, scratch.values);
    return { values: scratch.values, nulls: gatherNulls(vector, index, rows, scratch) };
  }

  function gatherNulls(vector: Vector, index: number, rows: number, scratch: Scratch): number {
    if (vector.nulls === 0) return 0;
    if (index === 0) return vector.nulls;
    return kernels.gatherBits(vector.nulls, index, rows, scratch.nulls) === 0 ? 0 : scratch.nulls;
  }

  function internRun(column: TableColumn, pool: TextPool, vector: Vector, index: number, rows: number): Run {
    const scratch = scratchOf(column);
    pool.intern(vector, index, rows, scratch.values);
    const nulls = gatherNulls(vector, index, rows, scratch);
    return { kind: "code", rows, width: 4, values: scratch.values, base: 0n, step: 1n, nulls, nullValue: 0n };
  }

  function makeRun(column: TableColumn, vector: Vector, index: number, rows: number, chunk: number): Run {
    if (vector.kind === "text") return internRun(column, strings.pool(column), vector, index, rows);
    const { values, nulls } = gather(column, vector, index, rows);
    const nullValue = nulls === 0 || vector.kind === "float" ? 0n : nullValueOf(column, vector, chunk);
    const isFloat = vector.kind === "float";
    return { kind: vector.kind, rows, width: vector.width, values, base: isFloat ? 0n : vector.base, step: isFloat ? 1n : vector.step, exponent: vector.exponent, nulls, nullValue };
  }

  return {
    start(lease, chunk, rows, index) {
      const runs = new Map<ScanColumn, Run>();
      const input: ChunkInput = {
        rows, chunk,
        run(column) {
          let run = runs.get(column);
          if (run === undefined) {
            run = isComputed(column) ? column.compute(input) : makeRun(column, lease.vector(column, chunk), index, rows, chunk);
            runs.set(column, run);
          }
          return run;
        },
      };
      return input;
    },
  };
}

function nullValueOf(column: TableColumn, vector: Vector, chunk: number): bigint {
  if (vector.kind === "code" || vector.width !== 8) return vector.base;
  const { minimum } = column.statistics(chunk);
  return typeof minimum === "bigint" ? minimum : 0n;
}
