/**
 * Tables and sets of one name. Both may be: each can be asked for, and so a set takes the place of a table, or the other
 * way round, without a moment in which there is neither. But the bare name no longer means one of them, which whoever
 * imported is to know.
 */
import { readdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { BquerydError } from "../../base/errors.js";
import { holdsTable } from "../../columns/directory/current.js";
import { findTableName } from "../../columns/names.js";

/** A table and a set that share a name. */
export interface Namesakes {
  readonly name: string;
  /** By what each can be asked for alone. */
  readonly table: string;
  readonly set: string;
}

/** Throws USAGE for the bare name of a set, which cannot grow. */
export function requireNoSet(output: string): void {
  if (!holdsSet(output)) return;
  throw new BquerydError("USAGE", `${output} is a set; only single tables take --append, so import all of it anew with --replace and --shards N`, { details: { output } });
}

function holdsSet(output: string): boolean {
  const path = resolve(output);
  try {
    return readdirSync(dirname(path)).some((entry) => {
      const name = findTableName(entry);
      return name?.base === basename(path) && name.shard !== null && holdsTable(join(dirname(path), entry));
    });
  } catch {
    return false; // Writing there says what is wrong.
  }
}

/** The table and the set of the name that an output has, if there are both; null where not, or where nobody may look. */
export async function findNamesakes(output: string): Promise<Namesakes | null> {
  const path = resolve(output);
  const folder = dirname(path);
  const name = findTableName(basename(path))?.base ?? basename(path);
  // What is stored stays stored, whether or not the folder can be listed.
  const entries = (await readdir(folder).catch(() => [])).flatMap((entry) => findTableName(entry) ?? []).filter(({ base }) => base === name);
  const has = (isShard: boolean): boolean => entries.some(({ shard, directory }) => (shard !== null) === isShard && holdsTable(join(folder, directory)));
  return has(false) && has(true) ? { name, table: `${name}.bcolz`, set: `${name}-*.bcolzs` } : null;
}
