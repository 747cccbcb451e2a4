/**
 * A directory as an object store: an object is a file at its key. A file appears whole: written beside its place under
 * another name, synced, renamed. Symbolic links are not followed, nor listed: no key leads out of the directory.
 */
import { realpath, stat } from "node:fs/promises";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { isSystemError, realFiles, type Files } from "../../base/files.js";
import { checkKey } from "../keys.js";
import type { ObjectStore } from "../objects.js";
import { listObjects } from "./list.js";
import { doing, findFacts } from "./place.js";
import { readObject } from "./read.js";
import { removeObject, writeObject } from "./write.js";

/** The store of a directory that exists. CONFIG where there is none. Tests replace `files`. */
export async function openDirectory(path: string, { files = realFiles }: { readonly files?: Files } = {}): Promise<ObjectStore> {
  const directory = { place: path, root: await requireDirectory(path), files, swept: new Set<string>() };
  return {
    place: path,
    head: async (key, { signal } = {}) => {
      signal?.throwIfAborted();
      return doing(directory, "look at", key, () => findFacts(directory, checkKey(key)));
    },
    list: (prefix, { signal } = {}) => listObjects(directory, prefix, signal),
    async *read(key, options = {}) { yield* readObject(directory, checkKey(key), options); },
    write: async (key, source, options = {}) => doing(directory, "store", key, () => writeObject(directory, checkKey(key), source, options)),
    remove: async (key, { signal } = {}) => {
      signal?.throwIfAborted();
      await doing(directory, "remove", key, () => removeObject(directory, checkKey(key)));
    },
    async close() {},
  };
}

async function requireDirectory(path: string): Promise<string> {
  try {
    const root = await realpath(path);
    if ((await stat(root)).isDirectory()) return root;
  } catch (cause) {
    if (!isSystemError(cause, "ENOENT") && !isSystemError(cause, "ENOTDIR")) throw toBquerydError(cause, `open ${path}`);
  }
  throw new BquerydError("CONFIG", `${path} is no directory to keep objects in; create it, or name another`, { details: { place: path } });
}
