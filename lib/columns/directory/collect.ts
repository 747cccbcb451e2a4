/**
 * Removing what no kept generation uses. A footer protects its files as long as it is there; a footer that falls off
 * CURRENT is touched, and goes when it has been off for two minutes, so that queries under way still find their files,
 * and no reader has it pinned. Files that no footer names go at once: readers find files through footers alone, and
 * only the holder of the lock, who collects, can have files without one.
 */
import { join } from "node:path";
import { mapBounded } from "../../base/bounded.js";
import { BquerydError } from "../../base/errors.js";
import { isSystemError, type Files } from "../../base/files.js";
import { decodeCurrent } from "../files/current.js";
import { currentName, decodeFooter } from "../files/footer.js";
import { isMarkDead, lockName } from "./lock.js";
import { findLivePins, readMark } from "./pins.js";
import { isOwnName } from "./table-directory.js";

/** How long a footer stays after it left CURRENT, and a lock or pin that may be half written, ms. */
const spareMs = 120_000;

/** Files asked about or removed at the same time. */
const filesAtOnce = 8;
/** Generations whose files are remembered: one that appends often meets the same footers again and again. */
const generationsKnownMax = 1_000;

/** The files that generations name, by the name of the footer, which is its hash. */
const knownFiles = new Map<string, readonly string[]>();

/** Removes files of a locked table that are not in use. */
export async function collectFiles(files: Files, path: string, table: string, nowMs: number): Promise<void> {
  const names = (await files.list(path)).filter((name) => isOwnName(name) && name !== currentName && name !== lockName);
  const pins = await findLivePins(files, path, names);
  const kept = new Set([...decodeCurrent(await files.read(join(path, currentName)), table), ...pins.generations].map(footerName));
  const isYoung = async (name: string): Promise<boolean> => {
    const found = await files.find(join(path, name));
    return found !== undefined && nowMs - found.modifiedMs < spareMs;
  };
  const protectedNames = new Set<string>(pins.names);
  await mapBounded(names.filter((name) => name.endsWith(".json")), filesAtOnce, async (name) => {
    if (!kept.has(name) && !await isYoung(name)) return;
    protectedNames.add(name);
    for (const file of await namedFiles(files, path, name, table)) protectedNames.add(file);
  });
  await mapBounded(names.filter((name) => !protectedNames.has(name)), filesAtOnce, async (name) => {
    if (isUnnamed(name) || await isOfDead(files, join(path, name)) || !await isYoung(name)) await removeIfThere(files, join(path, name));
  });
}

/** Tells whether nobody but the holder of the lock can have a use for a file that no footer names. */
function isUnnamed(name: string): boolean {
  return /\.(?:col|idx|dict|tmp)$/.test(name);
}

/** Tells whether a file is a lock or a pin that a process which is gone had written to its end. */
async function isOfDead(files: Files, path: string): Promise<boolean> {
  return !path.endsWith(".json") && isMarkDead(await readMark(files, path));
}

/** A reader may release its pin, and a loser of the lock take its file away, at any moment. */
async function removeIfThere(files: Files, path: string): Promise<void> {
  try {
    await files.remove(path);
  } catch (cause) {
    if (!isSystemError(cause, "ENOENT")) throw cause;
  }
}

/** The name of a generation's footer. */
export function footerName(generation: string): string {
  return `${generation}.json`;
}

/** A damaged footer names nothing: no query can use it, and replacing the table is how to mend it. */
async function namedFiles(files: Files, path: string, footer: string, table: string): Promise<readonly string[]> {
  const known = knownFiles.get(footer);
  if (known !== undefined) return known;
  const bytes = await files.read(join(path, footer));
  try {
    const named = decodeFooter(bytes, footer.slice(0, -".json".length), table).files.map((file) => file.name);
    if (knownFiles.size >= generationsKnownMax) knownFiles.clear();
    knownFiles.set(footer, named);
    return named;
  } catch (cause) {
    if (cause instanceof BquerydError && cause.code === "CORRUPT_FOOTER") return [];
    throw cause;
  }
}
