/** Which states may be accumulated over several shards at once, and what that asks of groups. */
import { biasOf, isFloatDtype, isTextDtype } from "../../columns/dtypes.js";
import type { ScanColumn } from "../scan-column.js";
import { isDecimal } from "./accumulate-float-sum.js";
import { heapBytes } from "./largest.js";
import type { StateKind, StateSpec } from "./kinds.js";

/** States whose merging is exact in any order, or that keep cells for each shard apart (leaf-slab.ts). */
const spanning: ReadonlySet<StateKind> = new Set(["count", "sum", "min", "max", "largest"]);
const cellBytes = 24;

/** Tells whether a state may be accumulated over several shards, as far as it does not depend on its inputs. */
export function canSpanShards({ kind, params }: StateSpec): boolean {
  return spanning.has(kind) && (kind !== "largest" || heapBytes(params) !== null);
}

/** Tells the same by its inputs, `columns`. */
export function canSpanInputs({ kind }: StateSpec, columns: readonly ScanColumn[]): boolean {
  return kind !== "largest" || keepsForm(columns[0]!);
}

/**
 * Tells whether the largest values of all shards are written in the form of those of each: a text, or a number too far
 * below zero to be exact as a float, may be among the largest of one shard only, and leaves its trace there.
 */
function keepsForm(column: ScanColumn): boolean {
  if (isTextDtype(column.dtype)) return false;
  if (isFloatDtype(column.dtype)) return true;
  for (let chunk = 0; chunk < column.chunkCount; chunk++) {
    const { minimum, nullCount, rows } = column.statistics(chunk);
    const isExact = typeof minimum === "bigint" && minimum + biasOf(column.dtype) >= -(2n ** 53n);
    if (!isExact && nullCount < rows) return false;
  }
  return true;
}

/** Most bytes that a group takes in a state that spans shards, without its leaves. */
export function spannedBytes({ kind, params }: StateSpec): number {
  return kind === "largest" ? heapBytes(params) ?? cellBytes : cellBytes;
}

/** Tells whether a state keeps cells for each shard apart; `columns` are its inputs. */
export function needsLeaves({ kind }: StateSpec, columns: readonly ScanColumn[]): boolean {
  return kind === "sum" && isFloatDtype(columns[0]!.dtype) && !isDecimal(columns[0]!);
}
