/**
 * Tells a process of this machine from a later one that got the same pid, by /proc: the time it started (field 22 of
 * /proc/PID/stat, in ticks since boot) and the pid namespace in which the pid means something.
 */
import { readFileSync, readlinkSync } from "node:fs";

/** One process, for good. */
export interface ProcessMark {
  readonly pid: number;
  readonly startTicks: string;
  readonly pidNamespace: string;
}

/** The mark of a running process, null where /proc does not show it. */
export function markOfProcess(pid: number): ProcessMark | null {
  const startTicks = findStartTicks(pid);
  const namespace = findPidNamespace();
  return startTicks === undefined || namespace === undefined ? null : { pid, startTicks, pidNamespace: namespace };
}

/** Tells whether the process has certainly ended. One of another pid namespace, a container's say, never has. */
export function hasEnded(mark: ProcessMark): boolean {
  return mark.pidNamespace === findPidNamespace() && findStartTicks(mark.pid) !== mark.startTicks;
}

/** Those of this process, which runs as long as it asks; asked for again where /proc did not show them. */
let ownStartTicks: string | undefined;

function findStartTicks(pid: number): string | undefined {
  return pid === process.pid ? ownStartTicks ??= readStartTicks(pid) : readStartTicks(pid);
}

function readStartTicks(pid: number): string | undefined {
  const stat = tryRead(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
  // The name of the program, in parentheses, may hold spaces and parentheses of its own.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state] = fields ?? [];
  return state === "Z" || state === "X" ? undefined : fields?.[19];
}

/** That of this process, which it keeps for good; asked for again where /proc did not show it. */
let pidNamespace: string | undefined;

function findPidNamespace(): string | undefined {
  return pidNamespace ??= tryRead(() => readlinkSync("/proc/self/ns/pid"));
}

function tryRead(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;  // Gone, or no /proc here: both mean that it is not shown.
  }
}
