/**
 * Removing what no kept generation uses. A footer protects its files as long as it is there; a footer that falls off
 * CURRENT is touched, and goes when it has been off for as long as a query may take, two minutes at least, and no reader
 * has it pinned. One that PREPARED names stays. Files that no footer names go at once: readers find files through footers alone, and only the holder of
 * the lock, who collects, can have files without one.
 */
import { join } from "node:path";
import { mapBounded } from "../../base/bounded.js";
import { BquerydError } from "../../base/errors.js";
import { isSystemError, type Files } from "../../base/files.js";
import { limits } from "../../base/limits.js";
import { currentName, decodeFooter } from "../files/footer.js";
import { preparedName, readPrepared } from "../files/prepared.js";
import { lockName } from "./lock.js";
import { parseMark, readMark } from "./marks.js";
import { findLivePins, isYoungerThan } from "./pins.js";
import { removeIfThere } from "./remove.js";
import { isOwnName } from "./table-directory.js";

/** How long a footer stays at least after it left CURRENT, and a lock or pin that may be half written, ms. */
const spareMsMin = 120_000;

/** Files asked about or removed at the same time. */
const filesAtOnce = 8;
/** Generations whose files are remembered: one that appends often meets the same footers again and again. */
const generationsKnownMax = 1_000;

/** What is there for as long as whoever wrote it wants it. */
const keptNames: ReadonlySet<string> = new Set([currentName, preparedName, lockName]);

/** The files that generations name, by the name of the footer, which is its hash. */
const knownFiles = new Map<string, readonly string[]>();

/** How long what no generation in CURRENT needs is spared, ms: as long as a query may take, and two minutes at least. */
export function spareMsOf(timeoutMs: number | undefined): number {
  return Math.max(spareMsMin, timeoutMs ?? 0);
}

/** What is collected, and when. */
export interface Collection {
  readonly path: string;
  /** Name of the table. */
  readonly table: string;
  /** Ids of the generations that CURRENT names; none where it is gone. */
  readonly generations: readonly string[];
  readonly nowMs: number;
  /** As `spareMsOf` gives it. */
  readonly spareMs: number;
}

/** Removes files of a locked table that are not in use. */
export async function collectFiles(files: Files, { path, table, generations, nowMs, spareMs }: Collection): Promise<void> {
  const names = (await files.list(path)).filter((name) => isOwnName(name) && !keptNames.has(name));
  const pins = await findLivePins(files, path, names, nowMs);
  const prepared = readPrepared(path).map(({ generation }) => generation);
  const kept = new Set([...generations, ...prepared, ...pins.generations].map(footerName));
  const isYoung = (name: string): Promise<boolean> => isYoungerThan(files, join(path, name), nowMs, spareMs);
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

/** From now on the files of a generation are spared for a while. A footer that is missing protects nothing. */
export async function touchFooter(files: Files, path: string, generation: string, nowMs: number): Promise<void> {
  try {
    await files.touch(join(path, footerName(generation)), nowMs);
  } catch (cause) {
    if (!isSystemError(cause, "ENOENT")) throw cause;
  }
}

/** Tells whether nobody but the holder of the lock can have a use for a file that no footer names. */
function isUnnamed(name: string): boolean {
  return /\.(?:col|idx|dict|tmp)$/.test(name);
}

/** Tells whether a file is a lock or a pin of a process that is gone. */
async function isOfDead(files: Files, path: string): Promise<boolean> {
  return !path.endsWith(".json") && parseMark(await readMark(files, path) ?? "").state === "gone";
}

/** The name of a generation's footer. */
export function footerName(generation: string): string {
  return `${generation}.json`;
}

/** A damaged footer names nothing: no query can use it, and replacing the table is how to mend it. */
async function namedFiles(files: Files, path: string, footer: string, table: string): Promise<readonly string[]> {
  const known = knownFiles.get(footer);
  if (known !== undefined) return known;
  const bytes = await files.read(join(path, footer), { bytesMax: limits.footerBytesMax });
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
