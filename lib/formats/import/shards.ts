/** Where an import writes: the tables its output names, and the rows that go into each. */
import { basename, dirname, join } from "node:path";
import { BquerydError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { isBaseName, isTableName } from "../../columns/names.js";

/** How the output was asked for. */
export interface OutputRequest {
  /** `DIR/NAME.bcolz` for one table, `DIR/NAME` for a set of shards. */
  readonly output: string;
  /** Rows to be stored; Infinity where that is not known and need not be, as for one table. */
  readonly rows: number;
  readonly shards?: number | undefined;
  readonly shardRows?: number | undefined;
}

/** The tables of an import. */
export interface OutputPlan {
  /** Table directories, in shard order. */
  readonly paths: readonly string[];
  /** True when they are the shards of a set. */
  readonly set: boolean;
  /** Table i holds rows `bounds[i]` (inclusive) to `bounds[i + 1]` (exclusive). */
  readonly bounds: readonly number[];
}

/** The tables and row ranges of an output; throws USAGE where output and flags do not agree or a count is no count. */
export function planOutput(request: OutputRequest): OutputPlan {
  const { output, rows } = request;
  const directory = dirname(output);
  const name = basename(output);
  const count = countShards(request);
  if (count === undefined) return { paths: [join(directory, requireName(name, directory, true))], set: false, bounds: [0, rows] };
  const setName = requireName(name, directory, false);
  const paths = Array.from({ length: count }, (_, shard) => join(directory, `${setName}-${shard}.bcolzs`));
  return { paths, set: true, bounds: shardBounds(rows, count) };
}

/** Row numbers at which `count` contiguous shards, equal within one row, begin and end: count + 1 of them. */
export function shardBounds(rows: number, count: number): number[] {
  const small = Math.floor(rows / count);
  const larger = rows % count;
  return Array.from({ length: count + 1 }, (_, shard) => shard * small + Math.min(shard, larger));
}

function countShards({ rows, shards, shardRows }: OutputRequest): number | undefined {
  if (shards !== undefined && shardRows !== undefined) throw usage("--shards and --shard-rows exclude each other; give one of them");
  if (shards === undefined && shardRows === undefined) return undefined;
  const count = shards ?? Math.max(1, Math.ceil(rows / requireCount("--shard-rows", shardRows)));
  requireCount("--shards", count);
  if (count > limits.shardsMax) throw usage(`${count} shards are more than ${limits.shardsMax}; ask for fewer`);
  return count;
}

function requireCount(flag: string, value: number | undefined): number {
  if (value !== undefined && Number.isSafeInteger(value) && value > 0) return value;
  throw usage(`${flag} takes a whole number above 0, not ${value}; correct it`);
}

function requireName(name: string, directory: string, single: boolean): string {
  if (name.endsWith(".bcolzs")) throw usage(`'${name}' names one shard; give DIR/NAME and --shards N`);
  if (single && !name.endsWith(".bcolz")) throw usage(`the last path is the table to write, and '${name}' does not end in .bcolz; name the table, ${join(directory, name.replace(/\.[a-z]+$/i, ""))}.bcolz for instance, or give --shards N`);
  if (!single && name.endsWith(".bcolz")) throw usage(`'${name}' names one table; leave off .bcolz for shards, or leave out --shards`);
  if (single ? isTableName(name) : isBaseName(name)) return name;
  throw usage(`'${name}' cannot name a table; use up to 128 of letters, digits, '_', '.' and '-', of which the last two never come first`);
}

function usage(message: string): BquerydError {
  return new BquerydError("USAGE", message);
}
