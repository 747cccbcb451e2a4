/** Keeping what is written out of the directories of tables, where it would be taken for theirs, or take their place. */
import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { BquerydError } from "../base/errors.js";
import { holdsTable } from "../columns/directory/current.js";

/** Throws USAGE for a path within the directory of a table, as it is spelled or through links; `what` begins the sentence. */
export function requireOutsideTables(path: string, what = path): void {
  for (const place of placesOf(path)) {
    const table = foldersOf(place).findLast(holdsTable);
    if (table !== undefined) throw new BquerydError("USAGE", `${what} lies in the directory of the table ${table}; name a place outside of it`, { details: { path, table } });
  }
}

/** Throws USAGE for a path that is a directory of one of these tables, or one that holds it, likewise. */
export function requireNoneOf(path: string, tables: readonly string[]): void {
  for (const place of placesOf(path)) {
    const table = tables.find((candidate) => placesOf(candidate).some((found) => [found, ...foldersOf(found)].includes(place)));
    if (table !== undefined) throw new BquerydError("USAGE", `${path} would take the place of ${table}, which is being read; use another name`, { details: { path, table } });
  }
}

/** Where a path is without links: the entry itself, and what it leads to where that is there. */
function placesOf(path: string): string[] {
  const full = resolve(path);
  const folder = findReal(dirname(full));
  const target = findReal(full);
  return [...(folder === undefined ? [] : [join(folder, basename(full))]), ...(target === undefined ? [] : [target])];
}

/** The folders that hold a path, the nearest first. */
function foldersOf(path: string): string[] {
  const folder = dirname(path);
  return folder === path ? [] : [folder, ...foldersOf(folder)];
}

/** Undefined for what is not there or cannot be looked at: whoever writes is told why. */
function findReal(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}
