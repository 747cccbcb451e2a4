/** Small questions of which every answer is known, and the times they take. */
import { monotonicMs } from "../../../lib/base/clock.js";
import { BquerydError } from "../../../lib/base/errors.js";
import type { Rpc } from "../../../lib/index.js";
import { smallRows } from "./tables.js";

/** What came of many questions. */
export interface Tally {
  /** Of those that were answered, in the order of their ends. */
  readonly takenMs: number[];
  /** Error codes by how often they came. */
  readonly failed: Map<string, number>;
}

/** No question yet. */
export function createTally(): Tally {
  return { takenMs: [], failed: new Map() };
}

/** Asks for the ten groups of `small`, and throws when one is wrong. */
export async function askSmall(rpc: Rpc): Promise<void> {
  const table = await rpc.groupby("small.bcolz", ["k"], [["v", "sum"]], [], { cache: "columns" });
  const sums = table.column("v").values;
  const perGroup = smallRows / 10;
  for (let k = 0; k < 10; k++) {
    if (sums[k] !== BigInt(k * perGroup + 5 * perGroup * (perGroup - 1))) throw new Error(`the sum of group ${k} is ${String(sums[k])}`);
  }
}

/** Asks, and takes down how long it took, or with which code it failed; throws for a wrong answer. */
export async function askInto({ takenMs, failed }: Tally, ask: () => Promise<void>): Promise<void> {
  const startMs = monotonicMs();
  try {
    await ask();
    takenMs.push(monotonicMs() - startMs);
  } catch (error) {
    if (!(error instanceof BquerydError)) throw error;
    failed.set(error.code, (failed.get(error.code) ?? 0) + 1);
  }
}

/** The time that a share of the answers did not exceed. */
export function percentile({ takenMs }: Tally, share: number): number {
  const sorted = [...takenMs].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Infinity;
}

/** How many failed, but for those with the code given. */
export function failures({ failed }: Tally, allowed?: string): number {
  let count = 0;
  for (const [code, times] of failed) if (code !== allowed) count += times;
  return count;
}
