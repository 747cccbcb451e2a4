/** What Linux says of a process. */
import { readFileSync } from "node:fs";

const ticksPerSecond = 100;
const megabyte = 1e6;

/** Memory that a process holds, in MB. */
export function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1_024 / megabyte;
}

/** Processor time that a process has used, in seconds. */
export function processorSeconds(pid: number): number {
  // The name of the program may hold anything; its closing bracket is the last one.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
