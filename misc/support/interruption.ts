/** How a program that has started others learns that it is to end, so that it can end them first. */
import { BquerydError } from "../../lib/base/errors.js";

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
