/** Taking the time of things that are run in turn. */
import { monotonicMs } from "../../lib/base/clock.js";

/** What the timed runs of one thing took, in milliseconds. */
export interface Times {
  readonly medianMs: number;
  readonly minMs: number;
}

/** How often to run; warm-up runs are not timed. */
export interface Runs {
  readonly warmUps: number;
  readonly timed: number;
}

/**
 * Runs all contenders in turn, so that whatever else the machine does meanwhile falls on each of them alike, and gives
 * the times of each in their order. What is done before each run takes no time of it. Throws the reason of the signal when that is aborted between two runs.
 */
export async function measureInTurn(contenders: readonly (() => Promise<void>)[], runs: Runs, signal: AbortSignal, before?: () => Promise<void>): Promise<Times[]> {
  const takenMs = contenders.map((): number[] => []);
  for (let run = -runs.warmUps; run < runs.timed; run++) {
    for (const [index, contender] of contenders.entries()) {
      signal.throwIfAborted();
      await before?.();
      const startMs = monotonicMs();
      await contender();
      if (run >= 0) takenMs[index]!.push(monotonicMs() - startMs);
    }
  }
  return takenMs.map((times) => ({ medianMs: median(times), minMs: Math.min(...times) }));
}

/** The middle of some numbers, or the mean of the two in the middle. */
export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
