/** The directory of a store, and what is found in it. Symbolic links are not followed: no key leads out of the directory. */
import type { BigIntStats } from "node:fs";
import { lstat, realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { toBquerydError } from "../../base/errors.js";
import { isSystemError, type Files } from "../../base/files.js";
import type { ObjectFacts } from "../objects.js";

/** What the calls of a store share. */
export interface Directory {
  /** As it was named. */
  readonly place: string;
  /** Without symbolic links. */
  readonly root: string;
  readonly files: Files;
  /** Folders in which this store has looked for what killed writers left. */
  readonly swept: Set<string>;
}

/** The result of work, whose failures name the object. */
export async function doing<T>({ place }: Directory, verb: string, key: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw cause instanceof Error && "syscall" in cause ? toBquerydError(cause, `${verb} ${key} in ${place}`) : cause;
  }
}

/** Facts of the object of a key; undefined where there is none. */
export async function findFacts(directory: Directory, key: string): Promise<ObjectFacts | undefined> {
  const facts = await isReachable(directory, key) ? await findEntry(join(directory.root, key)) : undefined;
  return facts?.isFile() === true ? factsOf(key, facts) : undefined;
}

/** Tells whether the folder of a key exists without a link on the way. */
export async function isReachable({ root }: Directory, key: string): Promise<boolean> {
  const folder = dirname(join(root, key));
  try {
    return await realpath(folder) === folder;
  } catch (cause) {
    if (isNothing(cause)) return false;
    throw cause;
  }
}

/** What is at a path, not following a link; undefined for nothing. */
export async function findEntry(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (cause) {
    if (isNothing(cause)) return undefined;
    throw cause;
  }
}

/** Tells whether a failure is that there is no such file or folder. */
export function isNothing(cause: unknown): boolean {
  return isSystemError(cause, "ENOENT") || isSystemError(cause, "ENOTDIR");
}

/** Every write makes a new file, and changing one in place changes its time. */
export function factsOf(key: string, { size, mtimeNs, ino }: BigIntStats): ObjectFacts {
  return { key, bytes: Number(size), etag: `${size}-${mtimeNs}-${ino}` };
}
