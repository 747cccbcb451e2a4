/** Expressions bound to the columns of a shard: plain columns as they are, all else computed chunk by chunk. */
import { isTextDtype } from "../../columns/dtypes.js";
import type { ChunkStatistics } from "../../columns/read/table.js";
import { chunksOf, type ChunkInput, type ComputedColumn, type Run, type ScanColumn } from "../scan-column.js";
import { compile } from "./evaluate/compile.js";
import { narrowed } from "./evaluate/narrow.js";
import { pageOf, type Binding, type ColumnSource, type Node } from "./evaluate/node.js";
import { codesIn } from "./evaluate/texts.js";
import { printExpression } from "./print.js";
import type { Expression } from "./tree.js";

export type { Binding, ColumnSource } from "./evaluate/node.js";

/**
 * The column of an expression over a shard. Statistics of a computed one are bounds: a chunk whose nullCount is 0 has no
 * nulls, any other may have some; integers always have extremes where a value is possible. Memory comes from the arena of
 * the binding. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH naming the part, BAD_QUERY; computing throws OVERFLOW naming the expression.
 */
export function bindExpression(expr: Expression, table: ColumnSource, binding: Binding): ScanColumn {
  if (expr.kind === "column") return table.column(expr.name);
  const node = narrowed(compile(expr, table, binding, (inner) => bindExpression(inner, table, binding)), binding);
  const finish = isTextDtype(node.dtype) ? createTextFinish(node, () => column, binding) : createNumberFinish(node, binding);
  const chunks = chunksOf(table);
  const column: ComputedColumn = {
    name: printExpression(expr), dtype: node.dtype, nullable: true, rows: table.rows, chunkCount: chunks.count,
    statistics: (chunk) => statisticsOf(node, chunks.rowsOf(chunk), chunk),
    mayFail: (chunk) => node.facts(chunk).mayFail,
    dictionary: () => null,
    compute: finish,
  };
  return column;
}

function statisticsOf(node: Node, rows: number, chunk: number): ChunkStatistics {
  const { range, mayBeNull } = node.facts(chunk);
  const isText = isTextDtype(node.dtype);
  return { rows, nullCount: mayBeNull ? rows : 0, minimum: isText ? null : (range?.least ?? null), maximum: isText ? null : (range?.greatest ?? null), truncated: true, storedBytes: 0 };
}

function createTextFinish(node: Node, column: () => ScanColumn, binding: Binding): (input: ChunkInput) => Run {
  const codes = codesIn(node, () => binding.strings.pool(column()), null, binding);
  return (input) => {
    const { pointer, nulls } = codes(input);
    if (nulls !== 0) binding.arena.kernels.fillNullsU32(pointer, nulls, input.rows, 0);
    return { kind: "code", rows: input.rows, width: 4, values: pointer, base: 0n, step: 1n, nulls, nullValue: 0n };
  };
}

function createNumberFinish(node: Node, binding: Binding): (input: ChunkInput) => Run {
  const { kernels } = binding.arena;
  const [source, another] = node.sources;
  const page = pageOf(binding);
  return (input) => {
    const run = node.evaluate(input);
    // A column under another dtype is as it is in memory that others read as well.
    if (source !== undefined && another === undefined && run === input.run(source)) return run;
    const { rows, nulls, values } = run;
    if (run.kind === "float") {
      if (nulls !== 0) kernels.fillNullsF64(values, nulls, rows, 0);
      return run;
    }
    const { range } = node.facts(input.chunk);
    if (range === null) {
      // Without any value there is no range that null rows could lie in.
      kernels.bytes.fill(0, page(), page() + rows);
      return { kind: "int", rows, width: 1, values: page(), base: 0n, step: 1n, nulls, nullValue: 0n };
    }
    const [least, greatest] = [BigInt(range.least), BigInt(range.greatest)];
    if (run.width === 8 && nulls !== 0) kernels.fillNullsI64(values, nulls, rows, least);
    requireBounds(run, least, greatest);
    return run.width === 8 ? { ...run, nullValue: least } : run;
  };

  /** Groups are found by memory places made from the bounds: a value beyond them would be written anywhere. */
  function requireBounds({ width, values, rows, base, step, nulls, nullValue }: Run, least: bigint, greatest: bigint): void {
    const isHeld = width === 8
      ? kernels.areWithinI64(values, rows, least, greatest) === 1
      : (nulls !== 0 && (nullValue < least || nullValue > greatest)) || (base >= least && base + step * mostOf(width, values, rows) <= greatest);
    if (!isHeld) throw new Error(`'${printExpression(node.expr)}' leaves its bounds ${least} to ${greatest}`);
  }

  function mostOf(width: 1 | 2 | 4, values: number, rows: number): bigint {
    const max = { 1: kernels.maxU8, 2: kernels.maxU16, 4: kernels.maxU32 }[width];
    return BigInt(max(values, rows));
  }
}
