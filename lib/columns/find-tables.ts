/** From what a person calls a table or set to the directories it is made of. */
import { readdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BquerydError, toBquerydError } from "../base/errors.js";
import { isSystemError } from "../base/files.js";
import { suggestion } from "../base/nearest.js";
import type { SetPlace } from "./files/footer.js";
import { describeTable } from "./read/describe.js";
import type { FoundTable } from "./read/one-set.js";
import { findTableName, isTableName, parseTableName } from "./names.js";
import { resolveTables, type AvailableTable } from "./resolve-tables.js";

/** Names of tables that a sentence lists. */
const shownMax = 12;

/**
 * The directories that an absolute path stands for: itself when it names a table, else the table or the shards of that
 * name, in their order; of a name with `*` all that it matches. Throws NOT_FOUND, UNKNOWN_TABLE naming the nearest,
 * SHARD_UNAVAILABLE naming what is missing.
 */
export async function findTables(path: string): Promise<string[]> {
  return (await findSetTables(path)).map((table) => table.path);
}

/** As `findTables`, with the sets that the tables are of. */
export async function findSetTables(path: string): Promise<FoundTable[]> {
  const name = basename(path);
  const folder = dirname(path);
  if (isTableName(name)) return [{ path }];
  if (!name.includes("*")) parseTableName(`${name}.bcolz`);
  const entries = await readdir(folder).catch((cause: unknown) => {
    if (!isSystemError(cause, "ENOENT")) throw toBquerydError(cause, `look for ${name}`);
    throw new BquerydError("NOT_FOUND", `folder ${folder} does not exist; check the path`, { details: { path: folder }, cause });
  });
  const available = entries.filter(isTableName).flatMap((entry) => {
    // Other names are there to be suggested; whether they can be read does not matter.
    const set = isAsked(name, entry) ? findSet(join(folder, entry)) : null;
    return set === undefined ? [] : { name: entry, set };
  });
  const sets = new Map(available.map((table) => [table.name, table.set]));
  return resolveHere(name, folder, available).map((entry) => ({ path: join(folder, entry), setId: sets.get(entry)?.id ?? null }));
}

/** As `resolveTables`, with the tables of a folder where it has none of the name, or of the folder that bears it. */
function resolveHere(name: string, folder: string, available: readonly AvailableTable[]): string[] {
  try {
    return resolveTables([name], available);
  } catch (cause) {
    if (!(cause instanceof BquerydError) || cause.code !== "UNKNOWN_TABLE") throw cause;
    const within = listNames(join(folder, name));
    if (within !== undefined) throw new BquerydError("UNKNOWN_TABLE", `${join(folder, name)} is a folder and not a table; ${tablesOf("it", within)}`, { details: cause.details, cause });
    const names = [...new Set(available.flatMap((table) => findTableName(table.name)?.base ?? []))];
    throw new BquerydError("UNKNOWN_TABLE", `no table '${name}'${suggestion(name, names, tablesOf(folder, names))}`, { details: cause.details, cause });
  }
}

/** The names of the tables and sets in a folder; undefined for what is none. */
function listNames(folder: string): string[] | undefined {
  try {
    return [...new Set(readdirSync(folder).flatMap((entry) => findTableName(entry)?.base ?? []))];
  } catch {
    return undefined;
  }
}

function tablesOf(folder: string, names: readonly string[]): string {
  const shown = [...names].sort().slice(0, shownMax).join(", ");
  return names.length === 0 ? `there is no table in ${folder}` : `the tables in ${folder} are ${shown}${names.length > shownMax ? " and others" : ""}`;
}

/** The set of a table; undefined for what an import has begun, or has left when it was killed or replaced. */
function findSet(path: string): SetPlace | null | undefined {
  try {
    return describeTable(path).set;
  } catch (cause) {
    if (cause instanceof BquerydError && cause.code === "NOT_FOUND") return undefined;
    throw cause;
  }
}

/** Tells whether a directory may be one of those that a name, or one with `*`, stands for. */
function isAsked(name: string, entry: string): boolean {
  return name.includes("*") ? entry.startsWith(name.slice(0, name.indexOf("*"))) : findTableName(entry)?.base === name;
}
