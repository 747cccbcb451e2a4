/** The processes of an example, each started as one would type it. */
import { setTimeout as delay } from "node:timers/promises";
import { monotonicMs } from "../../lib/base/clock.js";
import { loadConfig } from "../../lib/base/config.js";
import { BquerydError } from "../../lib/base/errors.js";
import { openClient } from "../../lib/client/connect.js";
import type { Rpc } from "../../lib/index.js";
import { startBqueryd, type BquerydProcess } from "../../misc/support/process.js";

/** Processes that end with the example, if not before. */
export interface Processes {
  /** Runs `bqueryd ARGS` in the background. */
  start(args: readonly string[]): Promise<void>;
  /** Waits until all have ended by themselves; throws naming those that have not in time. */
  allEnded(): Promise<void>;
  /** Ends those that are left. */
  stop(): Promise<void>;
}

const startsWithinMs = 30_000;
const endsWithinMs = 15_000;
const pollMs = 50;

/** None yet; each works in the given folder and is given the further flags, which one would have in a configuration file. */
export function createProcesses(cwd: string, flags: readonly string[]): Processes {
  const started: BquerydProcess[] = [];
  return {
    async start(args) { started.push(await startBqueryd([...args, ...flags], { cwd })); },
    async allEnded() {
      await until("every process has ended", async () => started.every(({ hasEnded }) => hasEnded), { withinMs: endsWithinMs });
    },
    async stop() {
      for (const running of started) running.signal("SIGTERM");
      await Promise.all(started.map(({ ended }) => ended));
    },
  };
}

/** A client once info() tells that all are up: whoever types waits a moment as well, until all have found each other. */
export async function connectWhenUp(registry: Readonly<Record<string, string>>, { signal, isUp }: { signal: AbortSignal; isUp: (info: Awaited<ReturnType<Rpc["info"]>>) => boolean }): Promise<Rpc> {
  const config = loadConfig({ flags: registry });
  let rpc: Rpc | undefined;
  try {
    await until("a controller is up", async () => {
      rpc = (await openClient(config, { signalNow: () => signal }).catch(ignoreUnlessWrong))?.rpc;
      return rpc !== undefined;
    }, { withinMs: startsWithinMs, signal });
    await until("all processes are up", async () => isUp(await rpc!.info()), { withinMs: startsWithinMs, signal });
    return rpc!;
  } catch (error) {
    await rpc?.close();
    throw error;
  }
}

function ignoreUnlessWrong(error: unknown): undefined {
  if (!(error instanceof BquerydError) || error.code !== "NO_CONTROLLER") throw error;
}

/** Waits until the condition holds; throws DEADLINE naming it when that takes too long. */
async function until(what: string, holds: () => Promise<boolean>, { withinMs, signal }: { withinMs: number; signal?: AbortSignal }): Promise<void> {
  const endMs = monotonicMs() + withinMs;
  while (!await holds()) {
    signal?.throwIfAborted();
    if (monotonicMs() > endMs) throw new BquerydError("DEADLINE", `waited ${withinMs / 1_000} s in vain until ${what}; try again on a machine that does less`);
    await delay(pollMs);
  }
}
