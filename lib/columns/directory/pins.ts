/**
 * Pins of long readers: the file PIN.<32 digits> in a table's directory, with process id, start time of the process and
 * the generation that it reads. As long as that process runs, collection spares the files of the generation. A pin of a
 * process that is gone counts for nothing and is collected.
 */
import { unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomId } from "../../base/clock.js";
import { toBquerydError } from "../../base/errors.js";
import { isSystemError, type Files } from "../../base/files.js";
import { isMarkAlive, ownMark } from "./lock.js";

/** A generation that is spared until it is released. */
export interface Pin {
  release(): void;
}

/** The pins of a directory that count. */
export interface LivePins {
  /** Names of their files. */
  readonly names: ReadonlySet<string>;
  readonly generations: ReadonlySet<string>;
}

const prefix = "PIN.";
/** More than any pin of ours has. */
const contentBytesMax = 256;

/**
 * Pins a generation of the table in a directory. Blocks shortly. Where nothing can be written, a table on a read-only or
 * full disk, there is no pin: the reader then has the two minutes that every reader has.
 */
export function pinGeneration(directory: string, generation: string): Pin {
  const path = join(directory, `${prefix}${randomId()}`);
  try {
    writeFileSync(path, `${ownMark()} ${generation}\n`, { flag: "wx" });
  } catch (cause) {
    if (toBquerydError(cause).code === "INTERNAL") throw cause;
    removeIfThere(path);
    return { release: () => undefined };
  }
  return { release: () => { removeIfThere(path); } };
}

/** The pins among the names in a directory whose processes run. */
export async function findLivePins(files: Files, directory: string, names: readonly string[]): Promise<LivePins> {
  const live = new Map<string, string>();
  for (const name of names.filter((candidate) => candidate.startsWith(prefix))) {
    const text = await readMark(files, join(directory, name));
    const generation = text.trim().split(" ")[2];
    if (generation !== undefined && isMarkAlive(text)) live.set(name, generation);
  }
  return { names: new Set(live.keys()), generations: new Set(live.values()) };
}

/** The content of a pin or a lock; empty for one that was released meanwhile. Throws IO. */
export async function readMark(files: Files, path: string): Promise<string> {
  try {
    return Buffer.from(await files.read(path)).subarray(0, contentBytesMax).toString("latin1");
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) return "";
    throw cause;
  }
}

/** What cannot be removed is collected once this process has ended. */
function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (cause) {
    if (toBquerydError(cause).code === "INTERNAL") throw cause;
  }
}
