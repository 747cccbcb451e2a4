/** Rows with a value that its column cannot hold, taken out of batches. */
import type { Batch } from "../../columns/dtypes.js";
import { cellTexts } from "./cell-text.js";
import type { Converted, Failure } from "./convert.js";
import { gatherRows } from "./gather.js";
import type { Reject } from "../source.js";

/** Rows without those that failed, which are rejects. */
export interface Sifted {
  readonly rows: number;
  readonly batches: readonly Batch[];
  readonly rejects: readonly Reject[];
}

/**
 * The rows of converted columns of which no value failed. `names` are those of the columns; the first row is number
 * `firstLine` of the input.
 */
export function siftRows(names: readonly string[], columns: readonly Converted[], rows: number, firstLine: number): Sifted {
  const batches = columns.map(({ batch }) => batch);
  if (columns.every(({ failed }) => failed.length === 0)) return { rows, batches, rejects: [] };
  const failures = columns.map(({ failed }) => new Map(failed.map((failure) => [failure.row, failure])));
  const isKept = (row: number): boolean => failures.every((failed) => !failed.has(row));
  const kept = Uint32Array.from({ length: rows }, (_, row) => row).filter(isKept);
  const rejects = rejectsOf(names, batches, failures, firstLine);
  const picks = { count: kept.length, from: new Uint32Array(kept.length), rows: kept };
  return { rows: kept.length, batches: batches.map((batch) => gatherRows([batch], picks)), rejects };
}

const textMax = 1_000;

function rejectsOf(names: readonly string[], batches: readonly Batch[], failures: readonly ReadonlyMap<number, Failure>[], firstLine: number): Reject[] {
  const texts = batches.map(cellTexts);
  const rows = [...new Set(failures.flatMap((failed) => [...failed.keys()]))].sort((a, b) => a - b);
  return rows.map((row) => {
    const column = failures.findIndex((failed) => failed.has(row));
    const { text } = failures[column]!.get(row)!;
    const cells = batches.map((_, at) => failures[at]!.get(row)?.text ?? texts[at]![row] ?? "");
    return {
      line: firstLine + row,
      reason: `column '${names[column]!}' holds ${text.slice(0, 100)}, which is no ${batches[column]!.dtype}`,
      text: cells.join(",").slice(0, textMax),
    };
  });
}
