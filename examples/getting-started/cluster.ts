/** The processes of the walk-through, each started as one would type it. */
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { startBqueryd, type BquerydProcess } from "../../misc/support/process.js";

/** Processes that end with the walk-through, if not before. */
export interface Processes {
  /** Runs `bqueryd ARGS` in the background. */
  start(args: readonly string[]): Promise<void>;
  /** Waits until all have ended by themselves; throws naming those that have not in time. */
  allEnded(): Promise<void>;
  /** Ends those that are left. */
  stop(): Promise<void>;
}

const endsWithinMs = 15_000;
const pollMs = 50;

/** None yet; each works in the given folder and is given the further flags, which one would have in a configuration file. */
export function createProcesses(cwd: string, flags: readonly string[]): Processes {
  const started: BquerydProcess[] = [];
  return {
    async start(args) { started.push(await startBqueryd([...args, ...flags], { cwd })); },
    async allEnded() {
      await until("every process has ended", endsWithinMs, async () => started.every(({ hasEnded }) => hasEnded));
    },
    async stop() {
      for (const running of started) running.signal("SIGTERM");
      await Promise.all(started.map(({ ended }) => ended));
    },
  };
}

/** Waits until the condition holds; throws DEADLINE naming it when that takes too long. */
export async function until(what: string, withinMs: number, holds: () => Promise<boolean>, signal?: AbortSignal): Promise<void> {
  const endMs = monotonicMs() + withinMs;
  while (!await holds()) {
    signal?.throwIfAborted();
    if (monotonicMs() > endMs) throw new BquerydError("DEADLINE", `waited ${withinMs / 1_000} s in vain until ${what}; try again on a machine that does less`);
    await delay(pollMs);
  }
}
