/** Some rows of an input as an input of their own, so that what is not chosen is not computed. */
import { chunkRows } from "../../../columns/dtypes.js";
import { isComputed, type ChunkInput, type Run, type ScanColumn } from "../../scan-column.js";
import { bitmapBytes, pageOf, type Binding } from "./node.js";

/** Makes inputs of some rows one after another; each is good until the next one. */
export type SubInputs = (input: ChunkInput, index: number, rows: number) => ChunkInput;

/** A maker of inputs, whose rows are those of another that a uint16 index lists, at least 1. */
export function createSubInputs(binding: Binding): SubInputs {
  const pages = new Map<ScanColumn, { values: () => number; nulls: () => number }>();
  const { kernels } = binding.arena;

  function gather(column: ScanColumn, run: Run, index: number, rows: number): Run {
    let page = pages.get(column);
    if (page === undefined) {
      page = { values: pageOf(binding, chunkRows * 8), nulls: pageOf(binding, bitmapBytes) };
      pages.set(column, page);
    }
    kernels[`gather${run.width}`](run.values, index, rows, page.values());
    const hasNulls = run.nulls !== 0 && kernels.gatherBits(run.nulls, index, rows, page.nulls()) > 0;
    return { ...run, rows, values: page.values(), nulls: hasNulls ? page.nulls() : 0 };
  }

  return (input, index, rows) => {
    const runs = new Map<ScanColumn, Run>();
    const own: ChunkInput = {
      rows,
      chunk: input.chunk,
      run(column) {
        let run = runs.get(column);
        if (run === undefined) {
          run = isComputed(column) ? column.compute(own) : gather(column, input.run(column), index, rows);
          runs.set(column, run);
        }
        return run;
      },
    };
    return own;
  };
}
