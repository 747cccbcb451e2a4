/** What an import can be asked for, and which wishes go together. */
import { basename, resolve } from "node:path";
import type { Readable } from "node:stream";
import { BquerydError } from "../../base/errors.js";
import type { Dtype } from "../../columns/dtypes.js";
import { isTextFormat } from "./detect.js";
import type { ImportFormat } from "./detect.js";

/** What to import, and where to. */
export interface ImportOptions {
  /** Files and table directories; `-` is the standard input. */
  readonly inputs: readonly string[];
  /** `DIR/NAME.bcolz`, or `DIR/NAME` with shards. */
  readonly output: string;
  /** Add the rows to the table, which is created when absent. */
  readonly append?: boolean | undefined;
  /** Take the place of tables of the same name. */
  readonly replace?: boolean | undefined;
  /** The format of every input; found out for each without it. */
  readonly format?: ImportFormat | undefined;
  readonly shards?: number | undefined;
  /** Rows of a shard at most. */
  readonly shardRows?: number | undefined;
  /** Column to sort all rows by, ascending, nulls last. */
  readonly sort?: string | undefined;
  /** Dtypes of columns; a value that does not fit rejects its row. */
  readonly types?: ReadonlyMap<string, Dtype> | undefined;
  /** Columns to store, in this order, or the names for text without a header; all without it. */
  readonly columns?: readonly string[] | undefined;
  /** One character between the fields of CSV. */
  readonly delimiter?: string | undefined;
  /** Texts that stand for a missing value, besides an unquoted empty field. */
  readonly nulls?: readonly string[] | undefined;
  /** How chunks are compressed (default lz4). */
  readonly codec?: "lz4" | "zstd" | undefined;
  /** Generations that a table keeps, the new one included (default 2). */
  readonly keepGenerations?: number | undefined;
  /** As long as a query may take, ms: what a table no longer needs stays for it, and for two minutes at least. */
  readonly timeoutMs?: number | undefined;
  /** CSV file for the rows that cannot be stored. */
  readonly rejects?: string | undefined;
  /** Fail at the first row that cannot be stored. */
  readonly strict?: boolean | undefined;
  /** What `-` is read from (default: that of the process). */
  readonly standardInput?: Readable | undefined;
  /** Called after each piece of work. */
  readonly onProgress?: ((progress: ImportProgress) => void) | undefined;
  /** Aborting it ends the import with CANCELLED and nothing stored. */
  readonly signal?: AbortSignal | undefined;
}

/** How far an import is. Work that has to be done again begins at 0 again. */
export interface ImportProgress {
  /** `copying` standard input, `counting` rows to cut into shards, `reading`, `sorting`; `writing` what was sorted. */
  readonly phase: "copying" | "counting" | "reading" | "sorting" | "writing";
  readonly rows: number;
  /** Null where it is not known before the end. */
  readonly totalRows: number | null;
  readonly bytes: number;
  /** Null where it is not known before the end. */
  readonly totalBytes: number | null;
}

/** Throws USAGE for options that cannot work together, saying why. */
export function requireOptions(options: ImportOptions): void {
  const wrong = findConflict(options) ?? findTextConflict(options) ?? findPathConflict(options);
  if (wrong !== undefined) throw new BquerydError("USAGE", wrong);
}

function findConflict({ append, replace, shards, shardRows, sort, strict, rejects, types, columns }: ImportOptions): string | undefined {
  const isSharded = shards !== undefined || shardRows !== undefined;
  if (shards !== undefined && shardRows !== undefined) return "--shards and --shard-rows exclude each other; give one of them";
  if (append === true && replace === true) return "--append adds to a table and --replace removes it; give one of them";
  if (append === true && isSharded) return "the shards of a set cannot grow; leave out --append, and give another NAME or --replace";
  if (append === true && sort !== undefined) return "--sort would have to sort the rows that are there as well; leave out --append or --sort";
  if (strict === true && rejects !== undefined) return "--strict stores nothing once a row is rejected, so --rejects would stay empty; give one of them";
  if (sort !== undefined && columns !== undefined && !columns.includes(sort)) return `--sort ${sort} is none of --columns; add it there`;
  const stray = columns === undefined ? undefined : [...types?.keys() ?? []].find((name) => !columns.includes(name));
  return stray === undefined ? undefined : `--types names '${stray}', which is none of --columns; add it there`;
}

function findTextConflict({ format, delimiter, nulls }: ImportOptions): string | undefined {
  if (delimiter !== undefined && (delimiter.length !== 1 || /["\r\n]/.test(delimiter))) return "--delimiter takes one character, and no quote or line end; \\t is a tab";
  if (delimiter !== undefined && delimiter.charCodeAt(0) > 127) return "--delimiter takes an ASCII character; convert the file first";
  if (format === undefined) return undefined;
  if (delimiter !== undefined && format !== "csv" && format !== "tsv") return `--delimiter is for csv and tsv, and the format is ${format}; leave out one of them`;
  return (nulls?.length ?? 0) > 0 && !isTextFormat(format) ? `--null is for text, and the format is ${format}; leave out one of them` : undefined;
}

function findPathConflict({ inputs, output, append, rejects }: ImportOptions): string | undefined {
  if (inputs.length === 0) return "there is nothing to import; name at least one file";
  if (inputs.filter((path) => path === "-").length > 1) return "standard input can be read once only; name '-' once";
  if (append === true && /\.bcolzs$/.test(basename(output))) return "the shards of a set cannot grow; name a table NAME.bcolz, or leave out --append";
  if (rejects === undefined) return undefined;
  if (rejects === "-") return "--rejects takes a file, which appears when the import is done, and not '-'; name one, such as rejects.csv";
  const taken = [...inputs, output].find((path) => path !== "-" && resolve(path) === resolve(rejects));
  return taken === undefined ? undefined : `--rejects ${rejects} is the place of ${taken} already; name another file`;
}
