/** Runs of numbers as float64, for states that are computed in floats. */
import { biasOf, chunkRows } from "../../columns/dtypes.js";
import type { Arena } from "../memory.js";
import type { ChunkInput, ScanColumn } from "../scan-column.js";
import { widthNames } from "./slab.js";

/** Pointer to the selected values of a column as float64, the nearest of each; good until the next call. */
export type FloatReader = (input: ChunkInput) => number;

/** A reader of a column of numbers or bools, over scratch memory of its own where it needs some. */
export function createFloatReader(column: ScanColumn, arena: Arena): FloatReader {
  const { kernels } = arena;
  const isBiased = biasOf(column.dtype) !== 0n;
  let scratch = 0;
  return (input) => {
    const run = input.run(column);
    if (run.kind === "float") return run.values;
    if (scratch === 0) scratch = arena.allocate(chunkRows * 8);
    if (run.width === 8) kernels[isBiased ? "floatsOfU64" : "floatsOfI64"](run.values, run.rows, scratch);
    else kernels[`floatsOf${widthNames[run.width]}`](run.values, run.rows, run.base, run.step, isBiased ? 1 : 0, scratch);
    return scratch;
  };
}
