/** What `up` logs of a child process that died: the child itself had no time to say why. */
import { wallMs } from "../base/clock.js";

/** How a child process ended. */
export interface Exit {
  /** As `up` names it: `worker 1`. */
  readonly id: string;
  readonly pid: number | undefined;
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

const crashes: readonly NodeJS.Signals[] = ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP"];

/** Why a process ended, in plain words. */
export function describeExit({ exitCode, signal }: Pick<Exit, "exitCode" | "signal">): string {
  if (signal === "SIGKILL") return "killed by SIGKILL: by kill -9, or by the kernel because memory ran out";
  if (signal !== null) return crashes.includes(signal) ? `crashed with ${signal}` : `killed by ${signal}`;
  return exitCode === null ? "could not be started" : `ended with exit code ${exitCode}`;
}

/** A line of the log, as JSON, that says so. */
export function formatExit(exit: Exit): string {
  const { id, pid, exitCode, signal } = exit;
  return JSON.stringify({
    level: "warn", time: new Date(wallMs()).toISOString(), pid: process.pid, role: "up", event: "process.stopped",
    process: id, ended: pid ?? null, reason: describeExit(exit), exitCode, signal,
  });
}
