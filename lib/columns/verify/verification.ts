/** What a verification is asked, and what it says of a table: the same of our own and of one of bcolz. */
import type { RefusedColumn } from "../read/table.js";

/** How to verify. */
export interface VerifyOptions {
  /** Called with bytes done and bytes there are. */
  readonly onProgress?: ((bytes: number, totalBytes: number) => void) | undefined;
  /** Aborting it ends the verification with CANCELLED. */
  readonly signal?: AbortSignal | undefined;
}

/** What was verified. */
export interface Verification {
  /** Directory name of the table. */
  readonly name: string;
  /** Generations that CURRENT names; one for a table of bcolz. */
  readonly generations: number;
  /** Files that their footers name, each once; of bcolz those of the chunks. */
  readonly files: number;
  /** Bytes of those files. */
  readonly bytes: number;
  /** Whether any changed byte would be found: a table of bcolz is only decoded. */
  readonly hasChecksums: boolean;
  /** Columns that were not looked at, as no dtype holds them. */
  readonly refused: readonly RefusedColumn[];
  /** What is wrong, by file; none for a table that is whole. */
  readonly findings: readonly Finding[];
}

/** One thing wrong with a table. */
export interface Finding {
  /** Name of the file in the table's directory. */
  readonly file: string;
  /** Null where the file is not of one column. */
  readonly column: string | null;
  /** Number of the chunk in its column; null where it is not one chunk. */
  readonly chunk: number | null;
  /** Where the chunk begins in the file. */
  readonly offset: number | null;
  /** A few words without a full stop. */
  readonly problem: string;
}
