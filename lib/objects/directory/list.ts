/** The objects of a directory, in the order of the bytes of their keys. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { checkKey, compareBytes, isTemporaryName } from "../keys.js";
import type { ObjectFacts } from "../objects.js";
import { doing, factsOf, findEntry, isNothing, isReachable, type Directory } from "./place.js";
import { sweep } from "./sweep.js";

/** Objects whose key begins with a prefix. */
export async function* listObjects(directory: Directory, prefix: string, signal: AbortSignal | undefined): AsyncIterable<ObjectFacts> {
  const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  // A prefix that no key begins with, as one with `..` or a double slash.
  if (folder !== "" && !isFolderKey(folder)) return;
  if (!await doing(directory, "list", prefix, () => isReachable(directory, `${folder}x`))) return;
  yield* walk(directory, folder, prefix, signal);
}

function isFolderKey(folder: string): boolean {
  try {
    return checkKey(folder.slice(0, -1)) !== "";
  } catch {
    return false;
  }
}

/** The objects below a folder (empty, or ending in a slash) whose key begins with the prefix, in order. */
async function* walk(directory: Directory, folder: string, prefix: string, signal: AbortSignal | undefined): AsyncIterable<ObjectFacts> {
  signal?.throwIfAborted();
  const entries = await doing(directory, "list", folder, () => listFolder(join(directory.root, folder)));
  const temporary = entries.filter(({ name }) => isTemporaryName(name)).map(({ name }) => name);
  await sweep(directory, folder, temporary);
  const found = entries.filter((entry) => (entry.isDirectory() || entry.isFile()) && !isTemporaryName(entry.name))
    .map((entry) => ({ isFolder: entry.isDirectory(), key: `${folder}${entry.name}${entry.isDirectory() ? "/" : ""}` }))
    .filter(({ key, isFolder }) => key.startsWith(prefix) || (isFolder && prefix.startsWith(key)))
    .sort((left, right) => compareBytes(left.key, right.key));
  for (const { key, isFolder } of found) {
    if (isFolder) yield* walk(directory, key, prefix, signal);
    else {
      const facts = await doing(directory, "look at", key, () => findEntry(join(directory.root, key)));
      if (facts?.isFile() === true) yield factsOf(key, facts);
    }
  }
}

/** Nothing where the folder has gone meanwhile. */
async function listFolder(path: string) {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (cause) {
    if (isNothing(cause)) return [];
    throw cause;
  }
}
