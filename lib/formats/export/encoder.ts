/** What every format is to an export. */
import type { Batch } from "../../columns/dtypes.js";

/** Turns batches into the bytes of a format. */
export interface RowEncoder {
  /** Adds rows, one batch a column. */
  add(batches: readonly Batch[]): Promise<void>;
  /** Writes what comes after the rows. */
  finish(): Promise<void>;
}
