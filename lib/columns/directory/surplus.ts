/**
 * Shards that a set does not have, or no longer: those of an earlier, larger import of its name, and what writers that
 * were killed left of others.
 */
import { basename, dirname, join } from "node:path";
import { isSystemError, type Files } from "../../base/files.js";
import { currentName } from "../files/footer.js";
import { findTableName } from "../names.js";
import { collectFiles, touchFooter, type Collection } from "./collect.js";
import { removeDirectoryIfEmpty, removeIfThere } from "./remove.js";
import { isOwnName, type PreparedTable } from "./table-directory.js";

/** A directory of a shard's name. */
export interface OtherShard {
  readonly path: string;
  /** False for one that only waits to be cleared away. */
  readonly isTable: boolean;
}

/**
 * Directories in the same folder with names of shards of the same set, none of the given ones, that hold a table, or
 * nothing but files as tables have them.
 */
export async function findOtherShards(files: Files, paths: readonly string[]): Promise<OtherShard[]> {
  const given = new Set(paths);
  const bases = new Set(paths.map((path) => findTableName(basename(path))?.base));
  const folders = new Set(paths.map((path) => dirname(path)));
  const found: OtherShard[] = [];
  for (const folder of folders) {
    for (const entry of await listIfThere(files, folder) ?? []) {
      const name = findTableName(entry);
      const path = join(folder, entry);
      if (name === undefined || name.shard === null || !bases.has(name.base) || given.has(path)) continue;
      const entries = await listIfThere(files, path);
      const isTable = entries?.includes(currentName) ?? false;
      if (isTable || entries?.every(isOwnName) === true) found.push({ path, isTable });
    }
  }
  return found;
}

/**
 * Takes a table away: first its CURRENT, with which it is gone, then its files, but for those that a reader may still
 * have a use for. These, and with them the directory, are left to the next writer of the set. Lets go of the lock.
 */
export async function retireTable(files: Files, table: PreparedTable, { nowMs, spareMs }: Pick<Collection, "nowMs" | "spareMs">): Promise<void> {
  const { path, name, link, lock, generations, before } = table;
  try {
    for (const generation of generations) await touchFooter(files, path, generation, nowMs);
    if (before.has(currentName)) {
      await removeIfThere(files, join(path, currentName));
      await files.syncDirectory(path);
    }
    await collectFiles(files, { path, table: name, generations: [], nowMs, spareMs });
  } finally {
    await lock.release();
  }
  if (await removeDirectoryIfEmpty(files, path) && link !== undefined) await removeIfThere(files, link);
}

/** Names in a directory; undefined for what is none. */
async function listIfThere(files: Files, path: string): Promise<string[] | undefined> {
  try {
    return await files.list(path);
  } catch (cause) {
    if (isSystemError(cause, "ENOENT") || isSystemError(cause, "ENOTDIR")) return undefined;
    throw cause;
  }
}
