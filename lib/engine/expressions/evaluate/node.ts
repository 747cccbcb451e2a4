/** A tree made ready for one shard: nodes that know bounds of their values and give runs of them. */
import { BquerydError } from "../../../base/errors.js";
import { chunkRows, isFloatDtype, wholeRange, biasOf, type Dtype, type WholeDtype } from "../../../columns/dtypes.js";
import type { Arena } from "../../memory.js";
import type { ChunkCut, ChunkInput, Run, ScanColumn } from "../../scan-column.js";
import { widthNames } from "../../states/slab.js";
import type { ShardStrings, TextPool } from "../../strings.js";
import type { PackedTexts } from "../../values.js";
import { printExpression } from "../print.js";
import type { Expression } from "../tree.js";
import { shorten, type Typed } from "../types.js";

/** What trees of a shard are bound with. */
export interface Binding {
  readonly arena: Arena;
  readonly strings: ShardStrings;
  /** Asked every so often within a chunk; what it throws ends the work. */
  readonly stop?: () => void;
}

/** Where expressions find the columns that they name; a table is one. */
export interface ColumnSource {
  readonly rows: number;
  /** Where chunks are not cut as those of a table. */
  readonly chunks?: ChunkCut;
  /** Throws UNKNOWN_COLUMN. */
  column(name: string): ScanColumn;
  /**
   * The dtype that expressions take a column for, where not all tables of the call have it in one: what it is there must not
   * change what they give here. Null where no dtype holds them all; undefined where they are of one.
   */
  readonly widened?: (name: string) => Dtype | null | undefined;
}

/**
 * What is known of a node's values in a chunk: numbers as tables keep them. `range` is null where no value but null is possible.
 * `mayFail`: some row of the chunk may have no value that fits the dtype, which is an error.
 */
export interface Facts {
  readonly range: { readonly least: bigint | number; readonly greatest: bigint | number } | null;
  readonly mayBeNull: boolean;
  readonly mayFail: boolean;
}

/** The distinct texts that a node's codes stand for; more may come with every chunk. */
export interface TextSpace {
  count(): number;
  /** Good until the next chunk. */
  texts(): PackedTexts;
}

/** One expression over the columns of a shard. */
export interface Node {
  readonly expr: Expression;
  readonly dtype: Dtype;
  /** The value of a constant as tables keep it; undefined for all else. */
  readonly constant?: bigint | number | Uint8Array | null;
  /** Set of NULL, and what is made of nothing else: its dtype is that of what it stands beside. */
  readonly isUntyped?: true;
  /** Columns that are read. */
  readonly sources: ReadonlySet<ScanColumn>;
  readonly texts?: TextSpace;
  facts(chunk: number): Facts;
  /** Values of the rows; what null rows hold means nothing here. Good until the node is asked again. */
  evaluate(input: ChunkInput): Run;
}

/** Values of 8 bytes: one a row, or with a step of 0 one for all. */
export interface Operand {
  readonly pointer: number;
  readonly step: 0 | 8;
  /** Bitmap of null rows, or 0. */
  readonly nulls: number;
}

/** The expression of a node with its dtype, as rules of dtypes take it. */
export function typedOf({ expr, dtype, isUntyped }: Node): Typed {
  return { expr, dtype: isUntyped === true ? null : dtype };
}

/** The bytes of a bitmap over a chunk. */
export const bitmapBytes = chunkRows / 8;

/** A run of values of 8 bytes. */
export function wideRun(kind: "int" | "float", rows: number, values: number, nulls: number): Run {
  return { kind, rows, width: 8, values, base: 0n, step: 1n, nulls, nullValue: 0n };
}

/** Memory of a node that is taken at first use: nodes that never run take none. */
export function pageOf({ arena }: Binding, bytes = chunkRows * 8): () => number {
  let pointer: number | undefined;
  return () => (pointer ??= arena.allocate(bytes));
}

/** Reads numbers of a node 8 bytes wide, widened into a page of the reader where the run is narrow. */
export function operandOf(node: Node, binding: Binding): (input: ChunkInput) => Operand {
  const { kernels } = binding.arena;
  if (node.constant !== undefined) {
    const page = pageOf(binding, 8);
    const nulls = node.constant === null ? nullPage(binding) : () => 0;
    return () => {
      writeValue(binding, page(), node.dtype, node.constant ?? 0n);
      return { pointer: page(), step: 0, nulls: nulls() };
    };
  }
  const page = pageOf(binding);
  return (input) => {
    const { width, values, rows, base, step, nulls } = node.evaluate(input);
    if (width === 8) return { pointer: values, step: 8, nulls };
    kernels[`expand${widthNames[width]}`](values, rows, base, step, 8, page());
    return { pointer: page(), step: 8, nulls };
  };
}

/** The same with a value a row in every case. */
export function fullOperandOf(node: Node, binding: Binding): (input: ChunkInput) => { readonly pointer: number; readonly nulls: number } {
  if (node.constant === undefined) return operandOf(node, binding);
  const page = pageOf(binding);
  const constantRun = createConstantRun(node, binding);
  return (input) => {
    const { values, nulls, width, base, rows } = constantRun(input.rows);
    if (width === 8) return { pointer: values, nulls };
    new BigInt64Array(binding.arena.kernels.memory.buffer, page(), rows).fill(base);
    return { pointer: page(), nulls };
  };
}

/** Runs of a constant: numbers as codes that are all 0, floats written out; of a null all rows are null. */
export function createConstantRun({ constant, dtype }: Pick<Node, "constant" | "dtype">, binding: Binding): (rows: number) => Run {
  const { kernels } = binding.arena;
  const [page, nulls] = [pageOf(binding), nullPage(binding)];
  return (rows) => {
    const isNull = constant === null;
    if (isFloatDtype(dtype)) {
      kernels.fillF64(page(), rows, typeof constant === "number" ? constant : 0);
      return wideRun("float", rows, page(), isNull ? nulls() : 0);
    }
    kernels.bytes.fill(0, page(), page() + rows);
    const base = typeof constant === "bigint" ? constant : 0n;
    return { kind: "int", rows, width: 1, values: page(), base, step: 1n, nulls: isNull ? nulls() : 0, nullValue: base };
  };
}

/** The bitmap of rows that are null in any of two, in `target` where both have some; 0 where none is. */
export function joinNulls({ kernels }: Arena, a: number, b: number, rows: number, target: () => number): number {
  if (a === 0 || b === 0 || a === b) return a === 0 ? b : a;
  copyNulls({ kernels }, a, rows, target());
  kernels.maskOr(target(), b, (rows + 7) >> 3);
  return target();
}

/** Copies a bitmap; 0 is one without a bit set. */
export function copyNulls({ kernels }: Pick<Arena, "kernels">, nulls: number, rows: number, target: number): void {
  const bytes = (rows + 7) >> 3;
  if (nulls === 0) kernels.bytes.fill(0, target, target + bytes);
  else kernels.bytes.copyWithin(target, nulls, nulls + bytes);
}

/** The facts of a node over all chunks of a shard. */
export function factsOver(node: Pick<Node, "facts">, chunkCount: number): Facts {
  let all: Facts = { range: null, mayBeNull: false, mayFail: false };
  for (let chunk = 0; chunk < chunkCount; chunk++) all = joinFacts(all, node.facts(chunk));
  return all;
}

/** The facts of values that are of one node or the other. */
export function joinFacts(a: Facts, b: Facts): Facts {
  const [mayBeNull, mayFail] = [a.mayBeNull || b.mayBeNull, a.mayFail || b.mayFail];
  if (a.range === null || b.range === null) return { range: a.range ?? b.range, mayBeNull, mayFail };
  const least = a.range.least < b.range.least ? a.range.least : b.range.least;
  return { range: { least, greatest: a.range.greatest > b.range.greatest ? a.range.greatest : b.range.greatest }, mayBeNull, mayFail };
}

/** The range of a dtype as tables keep it, where nothing is known; that of floats has both infinities. */
export function fullRange(dtype: Dtype): { least: bigint | number; greatest: bigint | number } {
  if (isFloatDtype(dtype)) return { least: -Infinity, greatest: Infinity };
  if (dtype === "string" || dtype === "bytes") return { least: 0n, greatest: 0n };
  return keptRange(dtype);
}

/** The least and greatest value of a whole dtype as tables keep it. */
export function keptRange(dtype: WholeDtype): { least: bigint; greatest: bigint } {
  const { least, greatest } = wholeRange(dtype);
  return { least: least - biasOf(dtype), greatest: greatest - biasOf(dtype) };
}

/** The space of a text pool. */
export function poolSpace(pool: () => TextPool, { arena }: Binding): TextSpace {
  return {
    count: () => pool().count,
    texts() {
      const { buffer } = arena.kernels.memory;
      const offsets = new Uint32Array(buffer, pool().offsets, pool().count + 1);
      return { offsets, bytes: new Uint8Array(buffer, pool().bytes, offsets[pool().count]) };
    },
  };
}

/** Throws OVERFLOW naming the expression where a kernel stopped before the last row. */
export function requireFits(stoppedAt: number, rows: number, expr: Expression, dtype: Dtype): void {
  if (stoppedAt >= rows) return;
  const text = shorten(printExpression(expr));
  throw new BquerydError("OVERFLOW", `'${text}' does not fit ${dtype} in some row; compute with floats, as in float(x), or filter`, { details: { expression: text } });
}

function nullPage(binding: Binding): () => number {
  let pointer: number | undefined;
  return () => {
    if (pointer !== undefined) return pointer;
    pointer = binding.arena.allocate(bitmapBytes);
    binding.arena.kernels.bytes.fill(0xff, pointer, pointer + bitmapBytes);
    return pointer;
  };
}

function writeValue({ arena }: Binding, at: number, dtype: Dtype, value: bigint | number | Uint8Array): void {
  const { buffer } = arena.kernels.memory;
  if (isFloatDtype(dtype)) new Float64Array(buffer, at, 1)[0] = Number(value);
  else if (typeof value === "bigint") new BigInt64Array(buffer, at, 1)[0] = value;
}
