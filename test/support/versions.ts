/**
 * Versions of a set and of a table whose answers are known, and clients that ask for them all the time: every answer has to be
 * of one version, whole, and none of an earlier one than a client has seen.
 */
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { monotonicMs } from "../../lib/base/clock.js";
import { BquerydError, type ErrorCode } from "../../lib/base/errors.js";
import type { Rpc } from "../../lib/index.js";
import { writeShards, writeTable } from "./write-table.js";

/** A version written to a folder of its own: of each directory its generation. */
export interface Version {
  readonly number: number;
  readonly folder: string;
  readonly generations: ReadonlyMap<string, string>;
}

/** Clients that ask all the time, and what they saw. */
export interface Load {
  /** The latest version of each client, -1 before the first answer. */
  readonly seen: number[];
  readonly answerMs: number[];
  /** Answers that were refused with a code that is allowed. */
  refused: number;
  readonly misses: string[];
  isOver: boolean;
}

/** The two sums there are: even versions have three shards, odd ones four. */
const sums = [12_000n, 20_000n] as const;
const rows = 1_000;
/** Who is refused asks again in a while. */
const pauseMs = 50;

/** Nothing seen yet by so many clients. */
export function createLoad(clients: number): Load {
  return { seen: new Array<number>(clients).fill(-1), answerMs: [], refused: 0, misses: [], isOver: false };
}

/** Writes a version of the set `numbers` and the table `ones`, not durably, to a folder below `folder`. */
export async function writeVersion(folder: string, number: number): Promise<Version> {
  const place = join(folder, `version ${number}`);
  await mkdir(place, { recursive: true });
  const shards = 3 + number % 2;
  const value = Number(sums[number % 2]!) / rows / (shards + 1);
  const columnsOf = (count: number) => [{ name: "v", dtype: "int64" as const, values: new Array<bigint>(count).fill(BigInt(value)) }, { name: "version", dtype: "int64" as const, values: new Array<bigint>(count).fill(BigInt(number)) }];
  const paths = Array.from({ length: shards }, (_, shard) => join(place, `numbers-${shard}.bcolzs`));
  const ofSet = await writeShards(paths, columnsOf(rows * shards));
  const alone = await writeTable(join(place, "ones.bcolz"), columnsOf(rows));
  return { number, folder: place, generations: new Map([...paths.map((path, shard): [string, string] => [basename(path), ofSet[shard]!]), ["ones.bcolz", alone]]) };
}

/** Asks until the load is over or something is missed; calls may fail with `codes` alone. */
export async function askOn(client: Rpc, index: number, load: Load, codes: readonly ErrorCode[] = []): Promise<void> {
  while (!load.isOver && load.misses.length === 0) {
    const startMs = monotonicMs();
    const problem = await problemOf(client, index, load, codes);
    if (problem !== undefined) load.misses.push(problem);
    load.answerMs.push(monotonicMs() - startMs);
  }
}

/** The time that a part of all was below, in whole milliseconds. */
export function quantile(times: readonly number[], part: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0);
}

async function problemOf(client: Rpc, index: number, load: Load, codes: readonly ErrorCode[]): Promise<string | undefined> {
  try {
    const [row] = (await client.groupby(["numbers", "ones"], [], [["v", "sum", "sum"], ["version", "min", "low"], ["version", "max", "high"]])).rows();
    const [sum, low, high] = [BigInt(String(row!["sum"])), Number(row!["low"]), Number(row!["high"])];
    if (low !== high) return `an answer mixes versions ${low} and ${high}`;
    if (sum !== sums[low % 2]) return `version ${low} gave ${sum}, not ${sums[low % 2]}`;
    if (low < load.seen[index]!) return `client ${index} went back to version ${low} after ${load.seen[index]}`;
    load.seen[index] = low;
    return undefined;
  } catch (error) {
    if (!(error instanceof BquerydError) || !codes.includes(error.code)) return `a query failed with ${error instanceof BquerydError ? `${error.code}: ` : ""}${error instanceof Error ? error.message : String(error)}`;
    load.refused += 1;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    return undefined;
  }
}
