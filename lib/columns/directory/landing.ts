/**
 * Bringing a generation that was made elsewhere into a table's directory, in three steps that may be far apart: its files
 * are put beside what is there and PREPARED names it; CURRENT names it; or it is taken back. Each step can be done again
 * after it was cut off anywhere, and does then what is left to do. Files that bqueryd did not make are never touched.
 */
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BquerydError } from "../../base/errors.js";
import { isSystemError, type Files } from "../../base/files.js";
import { limits } from "../../base/limits.js";
import { currentBytesMax, decodeCurrent, encodeCurrent } from "../files/current.js";
import { currentName, decodeFooter, type Footer } from "../files/footer.js";
import { addPrepared, readPrepared, removePrepared, type PreparedGeneration } from "../files/prepared.js";
import { collectFiles, footerName, touchFooter } from "./collect.js";
import { copyFile, isLinkRefused } from "./copy.js";
import { acquireLock } from "./lock.js";
import { removeDirectoryIfEmpty, removeIfThere } from "./remove.js";
import { isOwnName, temporaryName } from "./table-directory.js";

/** The time of a footer that was never in CURRENT, ms since 1970. */
const landedMs = 0;

/** A generation whose files lie whole and durable in a folder on this machine. */
export interface LandedGeneration extends PreparedGeneration {
  /** The folder. */
  readonly stage: string;
  /** Names of its files but the footer, all named by content. */
  readonly names: readonly string[];
}

/** Times, as collection needs them, and what must not be let go of. */
export interface LandingTimes {
  readonly nowMs: number;
  readonly spareMs: number;
  /**
   * The generations of the table that pointers name. Asked for under the lock of the table: pointers that were read before may have gone
   * back since to a generation that would be let go of. Left out: none. Its failure is that of the step.
   */
  readonly named?: (() => Promise<readonly string[]>) | undefined;
}

/** The same of making a generation the current one. */
export interface PromotionTimes extends LandingTimes {
  readonly keepGenerations: number;
  /** When the pointer was set that names it, ms since 1970 by the registry's clock, whose later pointers have later times. Left out: not known. */
  readonly pointedMs?: number | undefined;
}

/**
 * Puts a generation into the directory of a table, which is made where there is none, and marks it as prepared. Throws
 * TABLE_NOT_MANAGED when something else is there, BUSY when somebody writes the table, NOT_FOUND when the stage lacks a
 * file, DISK_FULL, IO.
 */
export async function landGeneration(files: Files, asked: string, landed: LandedGeneration): Promise<void> {
  const path = await requireManaged(files, asked);
  await files.makeDirectory(path);
  await withLock(files, path, async () => {
    // Somebody may have put something there before there was a lock.
    await requireManaged(files, path);
    for (const name of landed.names) await place(files, join(landed.stage, name), path, name);
    await placeFooter(files, landed, path);
    await files.syncDirectory(path);
    await files.syncDirectory(dirname(path));
    await addPrepared(files, path, landed);
  });
}

/**
 * Makes a prepared generation the current one, with the generations before behind it up to `keepGenerations` and those that
 * pointers name, and takes its mark away; nothing where the mark is gone, which tells that this was done. What fails once CURRENT is durable is
 * left to the next writer. Throws BUSY, CORRUPT_FOOTER when the footer is not there, DISK_FULL, IO.
 */
export async function promoteGeneration(files: Files, asked: string, { generation, ticket }: PreparedGeneration, { keepGenerations, pointedMs, nowMs, spareMs, named }: PromotionTimes): Promise<void> {
  const path = await followLink(files, asked);
  if (path === undefined || !isMarked(path, { generation, ticket })) return;
  await withLock(files, path, async () => {
    if (!isMarked(path, { generation, ticket })) return;
    const before = await findGenerations(files, path) ?? [];
    const isCurrent = before[0] === generation;
    const all = isCurrent ? [...before] : [generation, ...before.filter((earlier) => earlier !== generation)];
    const wanted = new Set(isCurrent ? all : [...all.slice(0, keepGenerations), ...all.length > keepGenerations ? await named?.() ?? [] : []]);
    const kept = all.filter((one) => wanted.has(one));
    if (!isCurrent) {
      if (await files.find(join(path, footerName(generation))) === undefined) throw new BquerydError("CORRUPT_FOOTER", `${path} was prepared for generation ${generation}, whose footer is not there; download the table again`, { details: { path, generation } });
      for (const gone of all.filter((one) => !wanted.has(one))) await touchFooter(files, path, gone, nowMs);
      await replaceCurrent(files, path, kept);
    }
    // Until now its time let it go at once; from now on it tells people since when the table has it.
    const isLanded = (await files.find(join(path, footerName(generation))))?.modifiedMs === landedMs;
    if (isLanded && pointedMs !== undefined) await touchFooter(files, path, generation, pointedMs);
    await removePrepared(files, path, { generation, ticket });
    await collectFiles(files, { path, table: basename(path), generations: kept, nowMs, spareMs }).catch(() => undefined);
  });
}

/**
 * Takes back what a ticket has put into the directory of a table: its marks but those of what pointers name, then all files that
 * nothing else needs, and the directory where nothing is left in it. Throws BUSY, IO.
 */
export async function takeBackGeneration(files: Files, asked: string, ticket: string, { nowMs, spareMs, named }: LandingTimes): Promise<void> {
  const path = await followLink(files, asked);
  if (path === undefined || (await files.list(path)).length === 0 || await findForeign(files, path) !== undefined) return;
  await withLock(files, path, async () => {
    const spared = await named?.() ?? [];
    for (const prepared of readPrepared(path)) if (prepared.ticket === ticket && !spared.includes(prepared.generation)) await removePrepared(files, path, prepared);
    const generations = await findGenerations(files, path);
    // Nobody knows what a damaged CURRENT names.
    if (generations !== undefined) await collectFiles(files, { path, table: basename(path), generations, nowMs, spareMs });
  });
  if (path === asked) await removeDirectoryIfEmpty(files, path);
}

/**
 * Lists a generation again, behind those of CURRENT, that has fallen off it and is still there whole; tells whether CURRENT lists it then.
 * What falls off is spared for two minutes at least: so a pointer that went back to it in that moment has it kept. Throws BUSY, DISK_FULL, IO.
 */
export async function retainGeneration(files: Files, asked: string, generation: string): Promise<boolean> {
  const path = await followLink(files, asked);
  if (path === undefined || await files.find(join(path, footerName(generation))) === undefined) return false;
  return withLock(files, path, async () => {
    const before = await findGenerations(files, path) ?? [];
    if (before.includes(generation)) return true;
    // Without a CURRENT that can be read the table was taken away, or is to be fetched anew.
    if (before.length === 0 || before.length >= limits.generationsMax || !await isWhole(files, path, generation)) return false;
    await replaceCurrent(files, path, [...before, generation]);
    return true;
  });
}

/** Whether a footer is there with all that it names. Whoever collects may have begun with it, and been cut off. */
async function isWhole(files: Files, path: string, generation: string): Promise<boolean> {
  const footer = await readFooterHere(files, path, generation);
  if (footer === undefined) return false;
  for (const { name, bytes } of footer.files) if ((await files.find(join(path, name)))?.bytes !== bytes) return false;
  return true;
}

async function readFooterHere(files: Files, path: string, generation: string): Promise<Footer | undefined> {
  try {
    return decodeFooter(await files.read(join(path, footerName(generation)), { bytesMax: limits.footerBytesMax }), generation, basename(path));
  } catch (cause) {
    if (isSystemError(cause, "ENOENT") || (cause instanceof BquerydError && cause.code === "CORRUPT_FOOTER")) return undefined;
    throw cause;
  }
}

/** Removes generations that nothing needs any more from the directory of a table; nothing where there is no table of ours. Throws BUSY, IO. */
export async function collectGenerations(files: Files, asked: string, { nowMs, spareMs }: LandingTimes): Promise<void> {
  const path = await followLink(files, asked);
  if (path === undefined || !(await files.list(path)).includes(currentName)) return;
  await withLock(files, path, async () => {
    const generations = await findGenerations(files, path) ?? [];
    if (generations.length > 0) await collectFiles(files, { path, table: basename(path), generations, nowMs, spareMs });
  });
}

/** Where the directory of a table is, or is to be. Throws TABLE_NOT_MANAGED for anything that is not ours. */
async function requireManaged(files: Files, asked: string): Promise<string> {
  const path = await followLink(files, asked);
  if (path === undefined && await files.find(asked) !== undefined) throw notManaged(asked, "it is no directory");
  const foreign = path === undefined ? undefined : await findForeign(files, path);
  if (foreign !== undefined) throw notManaged(asked, `it holds ${foreign}, which bqueryd did not make, and no CURRENT`);
  return path ?? asked;
}

/** The directory at a path, its link followed; undefined where there is none. */
async function followLink(files: Files, asked: string): Promise<string | undefined> {
  const found = await files.find(asked);
  if (found?.isDirectory === true) return asked;
  if (found === undefined) return undefined;
  const target = await realpath(asked).catch(() => undefined);
  return target !== undefined && (await files.find(target))?.isDirectory === true ? target : undefined;
}

/** A file that makes a directory another's; undefined for that of a table of ours, and for an empty one. */
async function findForeign(files: Files, path: string): Promise<string | undefined> {
  const names = await files.list(path);
  return names.includes(currentName) ? undefined : names.find((name) => !isOwnName(name));
}

async function withLock<T>(files: Files, path: string, work: () => Promise<T>): Promise<T> {
  const lock = await acquireLock(files, path, basename(path));
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** A file of the same content's name is replaced all the same: it may be damaged, and this one was just hashed. */
async function place(files: Files, from: string, path: string, name: string): Promise<void> {
  if (await files.find(from) === undefined) throw new BquerydError("NOT_FOUND", `the stage lacks ${from}; download the table again`, { details: { path: from } });
  const to = join(path, name);
  try {
    await files.link(from, to);
    return;
  } catch (cause) {
    if (!isLinkRefused(cause) && !isSystemError(cause, "EEXIST")) throw cause;
  }
  const aside = join(path, temporaryName());
  try {
    await files.link(from, aside);
  } catch (cause) {
    if (!isLinkRefused(cause)) throw cause;
    await copyFile(files, from, aside);
  }
  await files.rename(aside, to);
  // Renaming one name of a file to another name of it leaves both.
  await removeIfThere(files, aside);
}

/**
 * A footer that was never current has no reader to be spared for: its old time lets it go as soon as nothing names it. One
 * that was there keeps its time, which tells since when it is off CURRENT.
 */
async function placeFooter(files: Files, { stage, generation }: LandedGeneration, path: string): Promise<void> {
  const name = footerName(generation);
  const before = await files.find(join(path, name));
  await place(files, join(stage, name), path, name);
  await files.touch(join(path, name), before?.modifiedMs ?? landedMs);
}

function isMarked(path: string, { generation, ticket }: PreparedGeneration): boolean {
  return readPrepared(path).some((one) => one.generation === generation && one.ticket === ticket);
}

/** None where there is no CURRENT, undefined for a damaged one. */
async function findGenerations(files: Files, path: string): Promise<readonly string[] | undefined> {
  try {
    return decodeCurrent(await files.read(join(path, currentName), { bytesMax: currentBytesMax + 1 }), basename(path));
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) return [];
    if (cause instanceof BquerydError && cause.code === "CORRUPT_FOOTER") return undefined;
    throw cause;
  }
}

async function replaceCurrent(files: Files, path: string, generations: readonly string[]): Promise<void> {
  const aside = join(path, temporaryName());
  await files.createSynced(aside, encodeCurrent(generations));
  await files.rename(aside, join(path, currentName));
  await files.syncDirectory(path);
}

function notManaged(path: string, wrong: string): BquerydError {
  return new BquerydError("TABLE_NOT_MANAGED", `${path} is not a table that bqueryd manages: ${wrong}; move it away, or download under another name`, { details: { path } });
}
