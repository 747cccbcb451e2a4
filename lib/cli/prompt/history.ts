/** The lines of earlier prompts, in a file that several prompts may have at once: each adds its lines at the end. */
import { appendFileSync, chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { randomId } from "../../base/clock.js";
import { toBquerydError, type BquerydError } from "../../base/errors.js";

/** The history of a prompt. */
export interface History {
  /** At most as many as a prompt keeps, the newest first. */
  readonly lines: readonly string[];
  /** Adds a line. */
  add(line: string): void;
}

/** Lines that a prompt keeps. */
export const historyLinesMax = 1_000;
/** What is longer was pasted, and is not kept; nor is what has several lines. */
const lineCharactersMax = 10_000;
const fileBytesMax = 4 * historyLinesMax * 1_000;

/**
 * Opens the history in a file, which is made when the first line is added, for its owner alone. Where it cannot be read or
 * written `warn` is told once, and lines are kept no longer than the prompt.
 */
export function openHistory(path: string, warn: (failure: BquerydError) => void): History {
  let isUsable = true;
  function attempt<T>(work: () => T, otherwise: T): T {
    if (!isUsable) return otherwise;
    try {
      return work();
    } catch (cause) {
      isUsable = false;
      warn(toBquerydError(cause, `keep the history of the prompt in ${path}`));
      return otherwise;
    }
  }
  const lines = attempt(() => readLines(path), []);
  let last = lines.at(-1);
  return {
    lines: lines.slice(-historyLinesMax).reverse(),
    add(line) {
      if (line === last || line.trim() === "" || line.length > lineCharactersMax || /[\r\n]/.test(line)) return;
      last = line;
      attempt(() => { appendLine(path, line); }, undefined);
    },
  };
}

/** The lines of the file, oldest first; a file with many more than a prompt keeps is cut to those. */
function readLines(path: string): string[] {
  const bytes = statSync(path, { throwIfNoEntry: false })?.size;
  if (bytes === undefined) return [];
  chmodSync(path, 0o600);
  const lines = readFileSync(path, "utf8").split("\n").filter((line) => line !== "");
  if (bytes <= fileBytesMax && lines.length <= 2 * historyLinesMax) return lines;
  const kept = lines.slice(-historyLinesMax).filter((line) => line.length <= lineCharactersMax);
  // Another prompt adds to the old file or to the new one, and reads a whole one in any case.
  const aside = `${path}.${randomId()}`;
  writeFileSync(aside, kept.map((line) => `${line}\n`).join(""), { mode: 0o600, flag: "wx" });
  renameSync(aside, path);
  return kept;
}

function appendLine(path: string, line: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Opened each time: the file may have been replaced by a shorter one.
  appendFileSync(path, `${line}\n`, { mode: 0o600 });
}
