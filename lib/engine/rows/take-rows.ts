/** Selected rows out of kernel memory. */
import { chunkRows, isFloatDtype, isTextDtype } from "../../columns/dtypes.js";
import type { Vector } from "../../columns/vector.js";
import { isComputed, type ChunkInput, type Run, type ScanColumn } from "../scan-column.js";
import type { Scan } from "../scan.js";
import { widthNames } from "../states/slab.js";
import { blankValues, pick, type PackedTexts, type Values } from "../values.js";
import type { RowColumn, Rows } from "./rows.js";

/** Copies rows of one chunk after another. */
export interface RowTaker {
  /** Rows that take about so many bytes, as far as widths are known beforehand; at least 1. */
  rowsOf(bytes: number): number;
  /** `index` points at the uint16 rows taken, or is 0 for all. */
  take(chunk: number, rows: number, index: number): Rows;
}

/** What a text is taken to be long, beforehand. */
const textBytesGuess = 32;

/** A taker of the given columns. */
export function createRowTaker(columns: readonly ScanColumn[], scan: Scan): RowTaker {
  const { arena, inputs, lease } = scan;
  const { kernels } = arena;
  const page = arena.allocate(chunkRows * 8);
  const bytesEach = columns.reduce((sum, { dtype }) => sum + (isTextDtype(dtype) ? textBytesGuess : 8), 0);

  function takeColumn(column: ScanColumn, input: ChunkInput, index: number): RowColumn {
    const { dtype } = column;
    const vector = isComputed(column) ? undefined : lease.vector(column, input.chunk);
    // Plain texts are copied as they are: a pool of all that are met would grow with the shard.
    if (vector?.kind === "text" && isTextDtype(dtype)) return { values: { dtype, ...takeTexts(vector, index, input.rows) }, isNull: takeNulls(vector.nulls, index, vector.rows, input.rows) };
    const run = input.run(column);
    const isNull = takeNulls(run.nulls, 0, run.rows, run.rows);
    const values = takeValues(column, run);
    return { values: isNull === null ? values : blankNulls(values, isNull), isNull };
  }

  function takeValues(column: ScanColumn, { rows, width, values, base, step }: Run): Values {
    const { dtype } = column;
    const { buffer } = kernels.memory;
    if (isFloatDtype(dtype)) return { dtype, array: new Float64Array(buffer, values, rows).slice() };
    if (isTextDtype(dtype)) {
      kernels[`expand${widthNames[width]}`](values, rows, 0n, 1n, 4, page);
      return { dtype, ...scan.strings.texts(column, new Uint32Array(buffer, page, rows)) };
    }
    kernels[`expand${widthNames[width]}`](values, rows, base, step, 8, page);
    const wholes = new BigInt64Array(buffer, page, rows);
    return dtype === "bool" ? { dtype, array: Uint8Array.from(wholes, Number) } : { dtype, array: wholes.slice() };
  }

  function takeTexts({ values, text, rows: all }: Vector, index: number, rows: number): PackedTexts {
    const { buffer } = kernels.memory;
    const source = new Uint32Array(buffer, values, all + 1);
    const picked = index === 0 ? null : new Uint16Array(buffer, index, rows);
    const offsets = new Uint32Array(rows + 1);
    for (let row = 0; row < rows; row++) offsets[row + 1] = offsets[row]! + lengthAt(source, picked?.[row] ?? row);
    const bytes = new Uint8Array(offsets[rows]!);
    for (let row = 0; row < rows; row++) {
      const from = text + source[picked?.[row] ?? row]!;
      bytes.set(kernels.bytes.subarray(from, from + offsets[row + 1]! - offsets[row]!), offsets[row]);
    }
    return { offsets, bytes };
  }

  function takeNulls(nulls: number, index: number, all: number, rows: number): Uint8Array | null {
    if (nulls === 0) return null;
    kernels.maskFromBits(nulls, all, 0, page);
    const flags = kernels.bytes.subarray(page, page + all);
    const isNull = index === 0 ? flags.slice(0, rows) : Uint8Array.from(new Uint16Array(kernels.memory.buffer, index, rows), (row) => flags[row]!);
    return isNull.includes(1) ? isNull : null;
  }

  return {
    rowsOf: (bytes) => Math.max(1, Math.floor(bytes / Math.max(1, bytesEach))),
    take(chunk, rows, index) {
      const input = inputs.start(lease, chunk, rows, index);
      return { count: rows, columns: columns.map((column) => takeColumn(column, input, index)) };
    },
  };
}

/** What null rows hold depends on the chunk; equal rows are to be equal bytes. */
function blankNulls(values: Values, isNull: Uint8Array): Values {
  return pick(values, blankValues(values.dtype, 1), Int32Array.from(isNull, (flag, row) => (flag === 1 ? ~0 : row)));
}

function lengthAt(offsets: Uint32Array, row: number): number {
  return offsets[row + 1]! - offsets[row]!;
}
