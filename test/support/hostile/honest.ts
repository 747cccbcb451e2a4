/** An honest client amid trouble: asks one question at a steady pace, and holds every answer against what it has to be. */
import { mkdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { join } from "node:path";
import { monotonicMs } from "../../../lib/base/clock.js";
import { BquerydError } from "../../../lib/base/errors.js";
import type { Rpc } from "../../../lib/index.js";
import { writeShards } from "../write-table.js";

/** What the honest client was told so far. */
export interface HonestTally {
  answers: number;
  slowestMs: number;
  /** Answers that were wrong, and errors: there should be none. */
  readonly misses: string[];
}

/** The set that honest clients ask: ten groups over so many shards. */
export const numbers = { name: "numbers", shards: 8, rowsPerShard: 20_000 } as const;

/** Writes the set `numbers` into a folder, which is made. */
export async function writeNumbers(folder: string): Promise<void> {
  const rows = numbers.shards * numbers.rowsPerShard;
  await mkdir(folder, { recursive: true });
  await writeShards(Array.from({ length: numbers.shards }, (_, shard) => join(folder, `${numbers.name}-${shard}.bcolzs`)), [
    { name: "k", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt(row % 10)) },
    { name: "v", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt(row)) },
  ]);
}

/** Group k holds the rows k, k + 10, ...: their sum and count, as JSON. */
export function expectedGroups(): string {
  const perGroup = (numbers.rowsPerShard * numbers.shards) / 10;
  return JSON.stringify(Array.from({ length: 10 }, (_, k) => ({ k, v: k * perGroup + 5 * perGroup * (perGroup - 1), n: perGroup })));
}

/** Asks for the groups, computed anew, and gives them as JSON. */
export async function askGroups(rpc: Rpc, options: { timeout?: number; signal?: AbortSignal } = {}): Promise<string> {
  const table = await rpc.groupby(numbers.name, ["k"], [["v", "sum"], ["*", "count", "n"]], [], { cache: false, ...options });
  return JSON.stringify(table.rows());
}

/** Asks once every `everyMs` until the signal is aborted; to an error is added what the processes have told by then. */
export async function askSteadily(rpc: Rpc, tally: HonestTally, { everyMs, until, told }: { everyMs: number; until: AbortSignal; told: () => string }): Promise<void> {
  const expected = expectedGroups();
  while (!until.aborted) {
    const startMs = monotonicMs();
    try {
      const groups = await askGroups(rpc);
      if (groups === expected) tally.answers += 1;
      else tally.misses.push(`a wrong answer: ${groups}`);
    } catch (error) {
      tally.misses.push(`${error instanceof BquerydError ? `${error.code}: ${error.message}` : String(error)}\n${told()}`);
    }
    tally.slowestMs = Math.max(tally.slowestMs, monotonicMs() - startMs);
    await delay(everyMs);
  }
}

/** Takes all rows of the set slice by slice; what is wrong with them, if anything is. */
export async function askRows(rpc: Rpc, options: { timeout?: number; signal?: AbortSignal } = {}): Promise<string | undefined> {
  let next = 0;
  for await (const table of rpc.rows(numbers.name, ["k", "v"], [], [], options)) {
    const { values } = table.column("v");
    for (const value of values) if (Number(value) !== next++) return `row ${next - 1} is ${String(value)}`;
  }
  return next === numbers.shards * numbers.rowsPerShard ? undefined : `${next} rows`;
}
