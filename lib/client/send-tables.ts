/** Tables of this machine, by what people call them, sent to a bucket. Loaded by those who send some. */
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Config } from "../base/config.js";
import { BquerydError } from "../base/errors.js";
import { suggestion } from "../base/nearest.js";
import { findTables } from "../columns/find-tables.js";
import { isTableName, parseTableName } from "../columns/names.js";
import { openObjectStore } from "../objects/open.js";
import { uploadTables, type UploadedTable, type UploadOptions } from "../transfer/send/upload.js";

/** Sends the tables in directories to a bucket, each as it is now. Throws CONFIG for what is no bucket, and what sending throws. */
export async function sendTables(paths: readonly string[], bucket: string, config: Config, options: UploadOptions): Promise<UploadedTable[]> {
  const store = await openObjectStore(bucket, config);
  try {
    return await uploadTables(store, paths, options);
  } finally {
    await store.close();
  }
}

/** The names of the sets of which all shards are among the tables. */
export function findWholeSets(tables: readonly Pick<UploadedTable, "table" | "set">[]): string[] {
  const shards = new Map<string, { readonly base: string; readonly count: number; readonly indices: Set<number> }>();
  for (const { table, set } of tables) {
    const { base, shard } = parseTableName(table);
    if (set === null || shard === null) continue;
    const found = shards.get(`${base} ${set.id}`) ?? { base, count: set.count, indices: new Set<number>() };
    shards.set(`${base} ${set.id}`, found);
    found.indices.add(set.index);
  }
  return [...shards.values()].filter(({ count, indices }) => indices.size === count).map(({ base }) => base);
}

/**
 * The directories that names and paths stand for, each once, in the order in which they are named. What has a slash is a
 * path, all else a table, shard, set or pattern in `dataDir`. Throws NOT_FOUND naming the nearest, SHARD_UNAVAILABLE for
 * a set that is not whole.
 */
export async function findDirectories(files: readonly string[], dataDir: string): Promise<string[]> {
  const found = await Promise.all(files.map((file) => findOne(file.includes("/") ? resolve(file) : join(dataDir, file))));
  return [...new Set(found.flat())];
}

async function findOne(path: string): Promise<string[]> {
  if (isTableName(basename(path)) && !existsSync(path)) throw noTable(path);
  try {
    return await findTables(path);
  } catch (cause) {
    if (!(cause instanceof BquerydError) || cause.code !== "UNKNOWN_TABLE") throw cause;
    throw new BquerydError("NOT_FOUND", cause.message, { details: { ...cause.details, path }, cause });
  }
}

function noTable(path: string): BquerydError {
  const [name, folder] = [basename(path), dirname(path)];
  const tables = listTables(folder);
  const otherwise = tables.length === 0 ? `there is no table in ${folder}` : `the tables in ${folder} are ${tables.slice(0, 12).join(", ")}${tables.length > 12 ? " and others" : ""}`;
  return new BquerydError("NOT_FOUND", `there is no table ${path}${suggestion(name, tables, otherwise)}`, { details: { path } });
}

/** None where there is no such folder. */
function listTables(folder: string): string[] {
  try {
    return readdirSync(folder).filter(isTableName).sort();
  } catch {
    return [];
  }
}
