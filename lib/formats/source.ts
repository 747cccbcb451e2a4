/** What every input format gives: named columns with dtypes, and their values in typed batches. */
import type { Batch, Dtype } from "../columns/dtypes.js";

/** A column that a table can hold. */
export interface HeldColumn {
  readonly name: string;
  readonly dtype: Dtype;
  /** What one step of the values is, for whole numbers that count something (`ns` of a timedelta); else absent. */
  readonly unit?: string | undefined;
  /** Kinds of values (values/infer.ts) that made the dtype, where more of them may change it; else absent. */
  readonly kinds?: number | undefined;
}

/** A column whose dtype comes from its values. */
export interface InferredColumn extends HeldColumn {
  readonly kinds: number;
}

/** A column of an input: with its dtype, or with the words for a type that no dtype holds exactly. */
export type SourceColumn = HeldColumn | RefusedColumn;

/** A column that a table can hold at most as another dtype, which has to be asked for. */
export interface RefusedColumn {
  readonly name: string;
  /** Words for its type. */
  readonly refused: string;
  /** What is refused only as long as no dtype is named: numbers with a fixed number of digits behind the point. */
  readonly isDecimal?: true;
}

/**
 * A column as it is to be read. `fixed`: the user named its dtype, so a value that does not fit rejects its row;
 * otherwise such a value widens the column.
 */
export interface WantedColumn extends HeldColumn {
  readonly fixed: boolean;
}

/** A row of an input that cannot be stored. */
export interface Reject {
  /** Line (of text, from 1) at which the row begins; row number (from 1) where a format has no lines. */
  readonly line: number;
  /** A sentence that names the column where there is one. */
  readonly reason: string;
  /** The row as it stands in the input, cut to 1,000 characters. */
  readonly text: string;
}

/** A run of rows of an input. */
export interface SourceBatch {
  /** Rows that can be stored. */
  readonly rows: number;
  /**
   * One batch a wanted column, of `rows` rows each; null once a value did not fit its column: then `kinds` says what the
   * columns must become, and the caller starts anew once it has seen the rest.
   */
  readonly batches: readonly Batch[] | null;
  /**
   * The kinds of the values of this run (values/infer.ts) in columns where some did not fit or, though they fit, may say
   * what an undecided column is; also in columns that nobody knew of.
   */
  readonly kinds: ReadonlyMap<string, number>;
  readonly rejects: readonly Reject[];
  /** Bytes of the input used up so far, as it lies on disk: for progress. */
  readonly bytesDone: number;
}

/** An open input; whoever opened it closes it. */
export interface Source {
  readonly path: string;
  /** Rows, where the format says so; null for text, which must be read to know. */
  readonly rows: number | null;
  /** Bytes on disk. */
  readonly bytes: number;
  /** For text the dtypes are those of a sample, and a later value may widen them. */
  readonly columns: readonly SourceColumn[];
  /** A sentence, with what to do, where it may not be read as it is meant. */
  readonly hint?: string | undefined;
  /**
   * Yields the rows of the wanted columns in order. Each call starts at the beginning. A text source goes on after a
   * value that did not fit, with a wider dtype, so that one pass finds all there is to widen. Throws BAD_INPUT for
   * damaged content, OVERFLOW and UNSUPPORTED_DTYPE for values out of range, MEMORY_LIMIT, CANCELLED on abort.
   */
  read(wanted: readonly WantedColumn[], signal: AbortSignal | undefined): AsyncGenerator<SourceBatch>;
  close(): Promise<void>;
}

/** How an input is to be understood; what does not concern a format is left alone by it. */
export interface SourceOptions {
  /** Dtypes the user named, by column. */
  readonly types: ReadonlyMap<string, Dtype>;
  /** Names for the columns of text without a header; otherwise the columns to store. Undefined: all, from the header. */
  readonly columns: readonly string[] | undefined;
  /** One character; undefined: found out. */
  readonly delimiter: string | undefined;
  /** Texts that stand for a missing value, besides an unquoted empty field. */
  readonly nulls: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** How the reason of a reject ends whose bytes are in another encoding. */
export const notUtf8 = "not valid UTF-8";

/** What a column of JSON is refused as whose values no dtype but string holds, and that only where it is asked for. */
export const nestedJson = "an object or a list in some rows";
