/** From what a person calls a table or set to the directories it is made of. */
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BquerydError, toBquerydError } from "../base/errors.js";
import { isSystemError } from "../base/files.js";
import { describeTable } from "../columns/read/describe.js";
import { findTableName, isTableName, parseTableName, resolveTables } from "../columns/names.js";

/**
 * The directories that an absolute path stands for: itself when it names a table, else the table or the shards of that
 * name, in their order. Throws NOT_FOUND, UNKNOWN_TABLE naming the nearest, SHARD_UNAVAILABLE naming what is missing.
 */
export async function findTables(path: string): Promise<string[]> {
  const name = basename(path);
  const folder = dirname(path);
  if (isTableName(name)) return [path];
  parseTableName(`${name}.bcolz`);
  const entries = await readdir(folder).catch((cause: unknown) => {
    if (!isSystemError(cause, "ENOENT")) throw toBquerydError(cause, `look for ${name}`);
    throw new BquerydError("NOT_FOUND", `folder ${folder} does not exist; check the path`, { details: { path: folder }, cause });
  });
  const available = entries.filter(isTableName).map((entry) => {
    // Other names are there to be suggested; whether they can be read does not matter.
    const set = findTableName(entry)?.base === name ? describeTable(join(folder, entry)).set : null;
    return { name: entry, set };
  });
  return resolveTables([name], available).map((entry) => join(folder, entry));
}
