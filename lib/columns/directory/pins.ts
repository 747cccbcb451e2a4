/**
 * Pins of long readers: the file PIN.<32 digits> in a table's directory, with the mark of its process and the generation
 * that it reads. As long as that process runs, collection spares the files of the generation. A pin of a process that is
 * gone counts for nothing and is collected. Whether a process of another PID namespace runs cannot be found out: its pin
 * counts for a day.
 */
import { unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomId } from "../../base/clock.js";
import { toBquerydError } from "../../base/errors.js";
import type { Files } from "../../base/files.js";
import { formatMark, parseMark, readMark } from "./marks.js";

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
/** How long a pin of another PID namespace counts, ms. */
const foreignMs = 24 * 3_600_000;

/**
 * Pins a generation of the table in a directory. Blocks shortly. Where nothing can be written, a table on a read-only or
 * full disk, there is no pin: the reader then has the two minutes that every reader has.
 */
export function pinGeneration(directory: string, generation: string): Pin {
  const path = join(directory, `${prefix}${randomId()}`);
  try {
    writeFileSync(path, formatMark(generation), { flag: "wx" });
  } catch (cause) {
    if (toBquerydError(cause).code === "INTERNAL") throw cause;
    removePin(path);
    return { release: () => undefined };
  }
  return { release: () => { removePin(path); } };
}

/** Tells whether a name in a table's directory is that of a pin. */
export function isPinName(name: string): boolean {
  return name.startsWith(prefix);
}

/** The pins among the names in a directory whose processes run, or may. */
export async function findLivePins(files: Files, directory: string, names: readonly string[], nowMs: number): Promise<LivePins> {
  const live = new Map<string, string>();
  for (const name of names.filter(isPinName)) {
    const path = join(directory, name);
    const { state, subject } = parseMark(await readMark(files, path) ?? "");
    if (state === "alive" || (state === "foreign" && await isYoungerThan(files, path, nowMs, foreignMs))) live.set(name, subject);
  }
  return { names: new Set(live.keys()), generations: new Set(live.values()) };
}

/** Tells whether a file is there and was changed less than `ms` ago. */
export async function isYoungerThan(files: Files, path: string, nowMs: number, ms: number): Promise<boolean> {
  const found = await files.find(path);
  return found !== undefined && nowMs - found.modifiedMs < ms;
}

/** What cannot be removed is collected once this process has ended. */
function removePin(path: string): void {
  try {
    unlinkSync(path);
  } catch (cause) {
    if (toBquerydError(cause).code === "INTERNAL") throw cause;
  }
}
