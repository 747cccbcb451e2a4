/**
 * The text by which a lock or a pin says whose it is, in ASCII: words with one space between them, ended by a line feed.
 *
 *   process id, as its own PID namespace counts
 *   start time of the process in clock ticks since boot
 *   32 or 64 digits: the token of a lock, the generation of a pin
 *   the PID namespace, `pid:[4026531836]`; left out where the system does not tell, and by releases before
 *
 * A process id means nothing outside its namespace: whether the process of another container runs cannot be found out.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { isSystemError, type Files } from "../../base/files.js";

/** What a mark says of its process; `foreign` is one of another PID namespace, and `none` the mark of nobody. */
export type MarkState = "alive" | "gone" | "foreign" | "none";

/** A mark as it was read. */
export interface Mark {
  readonly state: MarkState;
  readonly pid: string;
  /** The token of a lock, the generation of a pin. */
  readonly subject: string;
}

/** More than any mark of ours has. */
const markBytesMax = 256;
const grammar = /^([0-9]{1,10}) ([0-9]{1,20}) (\S{1,64})(?: (pid:\[[0-9]{1,20}\]))?\n$/;

/** The mark of this process about a lock or a generation. */
export function formatMark(subject: string): string {
  const namespace = findNamespace();
  return `${ownProcess()} ${subject}${namespace === undefined ? "" : ` ${namespace}`}\n`;
}

/** What a text says: whose it is, and whether that process runs. One that a crash has cut short is of nobody. */
export function parseMark(text: string): Mark {
  const [, pid, startTime, subject, namespace] = grammar.exec(text) ?? [];
  if (pid === undefined || startTime === undefined || subject === undefined) return { state: "none", pid: "", subject: "" };
  const isForeign = namespace !== undefined && namespace !== findNamespace();
  return { state: isForeign ? "foreign" : isProcessAlive(`${pid} ${startTime}`) ? "alive" : "gone", pid, subject };
}

/** Process id and start time of this process, which tell it from every other of its PID namespace. */
function ownProcess(): string {
  return `${process.pid} ${findStartTime(process.pid) ?? "0"}`;
}

/** Tells whether the process with an id and a start time runs. An id alone is not enough: ids are used again. */
function isProcessAlive(text: string): boolean {
  const [pid, startTime] = text.split(" ");
  return startTime !== undefined && findStartTime(Number(pid)) === startTime;
}

/** The content of a lock or a pin; undefined for one that is not there any more. Throws the system's error. */
export async function readMark(files: Files, path: string): Promise<string | undefined> {
  try {
    return Buffer.from(await files.read(path, { bytesMax: markBytesMax })).toString("latin1");
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) return undefined;
    throw cause;
  }
}

/** Start time of a process, field 22 of its stat; undefined when there is no such process, or only what is left of it. */
function findStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field, the command in parentheses, may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const hasEnded = fields[0] === "Z" || fields[0] === "X";
    return hasEnded ? undefined : fields[19];
  } catch (cause) {
    if (isSystemError(cause, "ENOENT") || isSystemError(cause, "ESRCH")) return undefined;
    throw cause;
  }
}

function findNamespace(): string | undefined {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    // A system that does not tell has no containers to tell apart.
    return undefined;
  }
}
