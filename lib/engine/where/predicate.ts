/** What conditions over the rows of a chunk have in common, whether they are one term or many. */
import type { Vector } from "../../columns/vector.js";
import type { Expression } from "../expressions/tree.js";
import type { Arena } from "../memory.js";
import { isComputed, mayFail, type ChunkInput, type ScanColumn } from "../scan-column.js";
import type { ShardStrings } from "../strings.js";
import type { Lease } from "../cache.js";
import type { KeptTests } from "./kept-tests.js";
import type { Verdict } from "./verdict.js";

/** The values of a column in kernel memory: those of a decoded chunk, or a run of rows. */
export type Values = Pick<Vector, "kind" | "rows" | "width" | "values" | "base" | "step" | "nulls" | "text">;

/** The rows that a mask is made of. */
export interface Rows {
  readonly rows: number;
  /** The chunk they are from, of which statistics know. */
  readonly chunk: number;
  /** The same rows, for what is computed of some of them. */
  readonly input: ChunkInput;
  values(column: ScanColumn): Values;
}

/** A condition made ready for one shard. */
export interface Predicate {
  /** Grows with what a row costs; of parts that decide alike the cheaper comes first. */
  readonly cost: number;
  /** Whether something is computed to decide it, which may fail; else it is free to decide, whatever the other conditions are. */
  readonly isComputed: boolean;
  /** Whether deciding some row of a chunk may throw OVERFLOW; statistics then decide nothing. */
  mayFail(chunk: number): boolean;
  /** What statistics say of a chunk. */
  judge(chunk: number): Verdict;
  /** Writes a byte a row: 1 where the condition is true, 0 where it is false or unknown. */
  mask(rows: Rows, mask: number): void;
}

/** A predicate over the values of columns: where computing these may fail, what statistics say of a chunk is that it has to be done. */
export function predicateOver(columns: readonly ScanColumn[], { cost, judge, mask }: Pick<Predicate, "cost" | "judge" | "mask">): Predicate {
  if (!columns.some(isComputed)) return { cost, isComputed: false, mayFail: () => false, judge, mask };
  const mayAnyFail = (chunk: number): boolean => columns.some((column) => mayFail(column, chunk));
  return { cost: cost + 16 * columns.filter(isComputed).length, isComputed: true, mayFail: mayAnyFail, judge: (chunk) => (mayAnyFail(chunk) ? "some" : judge(chunk)), mask };
}

/** What predicates of a shard are made from. */
export interface PredicateContext {
  readonly arena: Arena;
  readonly strings: ShardStrings;
  /** The column of an expression over the shard; throws UNKNOWN_COLUMN, DTYPE_MISMATCH. */
  bind(expr: Expression): ScanColumn;
  /** What tests keep for all shards of a task. */
  readonly kept: KeptTests;
  /** Memory of 65,536 times 8 bytes that is free while one leaf makes its mask; there are two, 0 and 1. */
  scratch(place: 0 | 1): number;
}

/** All rows of a chunk, of which `input` selects every one: columns of the table as they are decoded, computed ones through it. */
export function rowsOfChunk(lease: Lease, input: ChunkInput): Rows {
  const { rows, chunk } = input;
  return { rows, chunk, input, values: (column) => (isComputed(column) ? { ...input.run(column), text: 0 } : lease.vector(column, chunk)) };
}

/** The selected rows of a chunk. */
export function rowsOfInput(input: ChunkInput): Rows {
  return { rows: input.rows, chunk: input.chunk, input, values: (column) => ({ ...input.run(column), text: 0 }) };
}
