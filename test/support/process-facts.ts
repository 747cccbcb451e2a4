/** What Linux says of a process. */
import { readdirSync, readFileSync } from "node:fs";

/** What a process holds. */
export interface ProcessFacts {
  readonly residentBytes: number;
  /** Open descriptors: files, sockets, pipes. */
  readonly descriptors: number;
  readonly threads: number;
}

/** The facts of a process that runs; throws for one that does not. */
export function factsOf(pid: number): ProcessFacts {
  return { residentBytes: residentBytes(pid), descriptors: readdirSync(`/proc/${pid}/fd`).length, threads: readdirSync(`/proc/${pid}/task`).length };
}

/** What a process holds of memory, as Linux counts it. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kilobytes === undefined) throw new Error(`/proc/${pid}/status does not tell VmRSS`);
  return Number(kilobytes) * 1_024;
}

/** The processes of this program that a process has started, with the command each was given. */
export function childrenOf(pid: number): { readonly pid: number; readonly role: string }[] {
  const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter((text) => text !== "");
  return pids.flatMap((child) => {
    const role = roleOf(child);
    return role === undefined ? [] : [{ pid: Number(child), role }];
  });
}

/** The word after the name of the program: `worker`. Undefined for a process that has ended meanwhile. */
function roleOf(pid: string): string | undefined {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
    return words[words.findIndex((word) => word.endsWith("bqueryd.js")) + 1];
  } catch {
    return undefined;
  }
}
