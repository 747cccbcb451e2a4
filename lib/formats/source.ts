/** What every input format gives: named columns with dtypes, and their values in typed batches. */
import type { Batch, Dtype } from "../columns/dtypes.js";

/** A column that a table can hold. */
export interface HeldColumn {
  readonly name: string;
  readonly dtype: Dtype;
}

/** A column of an input: with its dtype, or with the words for a type that no dtype holds exactly. */
export type SourceColumn = HeldColumn | { readonly name: string; readonly refused: string };

/** An open input; whoever opened it closes it. */
export interface Source {
  readonly path: string;
  readonly rows: number;
  readonly columns: readonly SourceColumn[];
  /**
   * Yields the rows of the named columns in order, one Batch a column in the order of the names, equal rows each.
   * Throws BAD_INPUT for damaged content, OVERFLOW and UNSUPPORTED_DTYPE for values out of range, CANCELLED on abort.
   */
  read(names: readonly string[], signal: AbortSignal | undefined): AsyncGenerator<readonly Batch[]>;
  close(): Promise<void>;
}
