/**
 * Removing what no kept generation uses. A footer protects its files as long as it is there; a footer that falls off
 * CURRENT is touched, and goes when it has been off for two minutes, so that queries under way still find their files.
 */
import { join } from "node:path";
import { BquerydError } from "../base/errors.js";
import type { Files } from "../base/files.js";
import { decodeCurrent } from "./current.js";
import { currentName, decodeFooter } from "./footer.js";
import { lockName } from "./lock.js";
import { isOwnName } from "./table-directory.js";

/** How long a file stays after the last footer that named it left CURRENT, ms. */
const spareMs = 120_000;

/** Removes files of a locked table that are neither in use nor young. */
export async function collectFiles(files: Files, path: string, table: string, nowMs: number): Promise<void> {
  const names = (await files.list(path)).filter((name) => isOwnName(name) && name !== currentName && name !== lockName);
  const kept = new Set(decodeCurrent(await files.read(join(path, currentName)), table).map(footerName));
  const isYoung = async (name: string) => {
    const found = await files.find(join(path, name));
    return found !== undefined && nowMs - found.modifiedMs < spareMs;
  };
  const protectedNames = new Set<string>();
  for (const name of names.filter((candidate) => candidate.endsWith(".json"))) {
    if (!kept.has(name) && !await isYoung(name)) continue;
    protectedNames.add(name);
    for (const file of await namedFiles(files, path, name, table)) protectedNames.add(file);
  }
  for (const name of names) {
    if (!protectedNames.has(name) && !await isYoung(name)) await files.remove(join(path, name));
  }
}

/** The name of a generation's footer. */
export function footerName(generation: string): string {
  return `${generation}.json`;
}

/** A damaged footer names nothing: no query can use it, and replacing the table is how to mend it. */
async function namedFiles(files: Files, path: string, footer: string, table: string): Promise<string[]> {
  const bytes = await files.read(join(path, footer));
  try {
    return decodeFooter(bytes, footer.slice(0, -".json".length), table).files.map((file) => file.name);
  } catch (cause) {
    if (cause instanceof BquerydError && cause.code === "CORRUPT_FOOTER") return [];
    throw cause;
  }
}
