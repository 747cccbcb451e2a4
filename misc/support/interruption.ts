/** How a program that has started others learns that it is to end, so that it can end them first. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BquerydError } from "../../lib/base/errors.js";
import { reportError } from "../../lib/cli/report.js";

/** Signals, and the end of whoever read the output, as one AbortSignal. */
export interface Interruption {
  /** Aborted with a CANCELLED error. */
  readonly signal: AbortSignal;
  /** From now on Ctrl-C is for the program in the foreground. */
  leaveCtrlC(): void;
  close(): void;
}

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const interruptedExitCode = 130;

/**
 * Runs an example in a temporary folder of its own, which is removed after it, and resolves with its exit code. An error
 * is told as the commands tell theirs; of whatever fails because of an interruption, the interruption is told.
 */
export async function runInFolder(prefix: string, run: (folder: string, interruption: Interruption) => Promise<number>): Promise<number> {
  const interruption = listenForInterruption();
  try {
    const folder = await mkdtemp(join(tmpdir(), prefix));
    try {
      return await run(folder, interruption);
    } finally {
      await rm(folder, { recursive: true });
    }
  } catch (error) {
    return reportError(interruption.signal.aborted ? interruption.signal.reason : error);
  } finally {
    interruption.close();
  }
}

/** Listens until closed. A second signal ends the process at once. */
export function listenForInterruption(): Interruption {
  const interruption = new AbortController();
  let isCtrlCLeft = false;
  function interrupt(reason: string): void {
    interruption.abort(new BquerydError("CANCELLED", `it was interrupted: ${reason}`));
  }
  function onSignal(name: NodeJS.Signals): void {
    if (name === "SIGINT" && isCtrlCLeft) return;
    if (interruption.signal.aborted) process.exit(interruptedExitCode);
    interrupt(name);
  }
  function onOutputError(error: NodeJS.ErrnoException): void {
    interrupt(error.code === "EPIPE" ? "nobody reads its output" : `its output failed with ${error.message}`);
  }
  for (const name of signals) process.on(name, onSignal);
  process.stdout.on("error", onOutputError);
  return {
    signal: interruption.signal,
    leaveCtrlC: () => { isCtrlCLeft = true; },
    close() {
      for (const name of signals) process.removeListener(name, onSignal);
      process.stdout.removeListener("error", onOutputError);
    },
  };
}
