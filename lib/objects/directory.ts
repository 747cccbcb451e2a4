/**
 * A directory as an object store: an object is a file at its key. A file appears whole: written beside its place under
 * another name, synced, renamed. Symbolic links are not followed, nor listed: no key leads out of the directory.
 */
import { constants, type BigIntStats } from "node:fs";
import { lstat, open, readdir, realpath, stat, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { randomId, wallMs } from "../base/clock.js";
import { BquerydError, toBquerydError } from "../base/errors.js";
import { isSystemError, realFiles, type Files } from "../base/files.js";
import { checkKey, compareBytes, isTemporaryName, temporaryName } from "./keys.js";
import type { ObjectFacts, ObjectSource, ObjectStore, Reading, Writing } from "./objects.js";
import { changedSource } from "./sources.js";

interface Directory {
  /** As it was named. */
  readonly place: string;
  /** Without symbolic links. */
  readonly root: string;
  readonly files: Files;
  /** Folders in which this store has looked for what killed writers left. */
  readonly swept: Set<string>;
}

const pieceBytes = 256 * 1024;
/** How long nothing is written to a file whose writer is taken for dead. A living one that was stopped longer fails. */
const abandonedMs = 60 * 60 * 1_000;

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

/** The result of work, whose failures name the object. */
async function doing<T>({ place }: Directory, verb: string, key: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw cause instanceof Error && "syscall" in cause ? toBquerydError(cause, `${verb} ${key} in ${place}`) : cause;
  }
}

async function findFacts(directory: Directory, key: string): Promise<ObjectFacts | undefined> {
  const facts = await isReachable(directory, key) ? await findEntry(join(directory.root, key)) : undefined;
  return facts?.isFile() === true ? factsOf(key, facts) : undefined;
}

/** Tells whether the folder of a key exists without a link on the way. */
async function isReachable({ root }: Directory, key: string): Promise<boolean> {
  const folder = dirname(join(root, key));
  try {
    return await realpath(folder) === folder;
  } catch (cause) {
    if (isNothing(cause)) return false;
    throw cause;
  }
}

/** What is at a path, not following a link; undefined for nothing. */
async function findEntry(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (cause) {
    if (isNothing(cause)) return undefined;
    throw cause;
  }
}

function isNothing(cause: unknown): boolean {
  return isSystemError(cause, "ENOENT") || isSystemError(cause, "ENOTDIR");
}

/** Every write makes a new file, and changing one in place changes its time. */
function factsOf(key: string, { size, mtimeNs, ino }: BigIntStats): ObjectFacts {
  return { key, bytes: Number(size), etag: `${size}-${mtimeNs}-${ino}` };
}

async function* listObjects(directory: Directory, prefix: string, signal: AbortSignal | undefined): AsyncIterable<ObjectFacts> {
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

async function* readObject(directory: Directory, key: string, { start = 0, end, etag, signal }: Reading): AsyncIterable<Uint8Array> {
  const file = await doing(directory, "read", key, () => openObject(directory, key));
  try {
    const facts = factsOf(key, await file.stat({ bigint: true }));
    const last = end ?? facts.bytes;
    if (etag !== undefined && facts.etag !== etag) throw changed(directory, key);
    if (start < 0 || start > last || last > facts.bytes) {
      throw new BquerydError("OBJECT_STORE", `bytes ${start} to ${last} of ${key} in ${directory.place} are not there, it has ${facts.bytes}; ask for what it has`, {
        details: { place: directory.place, key, start, end: last, bytes: facts.bytes },
      });
    }
    for (let at = start; at < last;) {
      signal?.throwIfAborted();
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, last - at));
      const { bytesRead } = await doing(directory, "read", key, () => file.read(piece, 0, piece.length, at));
      if (bytesRead === 0) throw changed(directory, key);
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
    if (factsOf(key, await file.stat({ bigint: true })).etag !== facts.etag) throw changed(directory, key);
  } finally {
    await file.close();
  }
}

async function openObject(directory: Directory, key: string): Promise<FileHandle> {
  const path = join(directory.root, key);
  // Opening a pipe would wait for a writer.
  if (await findFacts(directory, key) === undefined) throw absent(directory, key);
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (isNothing(cause)) throw absent(directory, key);
    throw cause;
  }
}

async function writeObject(directory: Directory, key: string, source: ObjectSource, options: Writing): Promise<"written" | "exists"> {
  const { root, files } = directory;
  const { onlyNew = false, signal } = options;
  signal?.throwIfAborted();
  if (onlyNew && await findFacts(directory, key) !== undefined) return "exists";
  const path = join(root, key);
  const folder = dirname(path);
  await makeFolder(directory, folder);
  if (!await isReachable(directory, key)) throw new BquerydError("IO", `cannot store ${key} in ${directory.place}: a link is on the way to it; remove the link, or use another name`, { details: { place: directory.place, key } });
  const temporary = join(folder, temporaryName(randomId()));
  try {
    await writeBytes(files, temporary, source, options);
    source.confirm?.();
    await files.sync(temporary);
    const outcome = await appear(directory, key, { temporary, onlyNew });
    await files.syncDirectory(folder);
    return outcome;
  } catch (cause) {
    // The failure that led here is the one to tell; what cannot be removed now is collected later.
    await files.remove(temporary).catch(() => {});
    throw cause;
  }
}

/** Makes the folder durable, down from the first that was not there, and looks once for what others left in it. */
async function makeFolder(directory: Directory, folder: string): Promise<void> {
  const { files, root, swept } = directory;
  const first = await files.makeDirectory(folder);
  for (let made = folder; first !== undefined && made.length >= first.length; made = dirname(made)) await files.syncDirectory(dirname(made));
  const name = folder === root ? "" : `${folder.slice(root.length + 1)}/`;
  if (!swept.has(name)) await sweep(directory, name, (await files.list(folder)).filter(isTemporaryName));
}

async function writeBytes(files: Files, path: string, source: ObjectSource, { onProgress, signal }: Writing): Promise<void> {
  await files.create(path, new Uint8Array());
  let done = 0;
  for await (const piece of source.open(0, source.bytes)) {
    signal?.throwIfAborted();
    if (done + piece.length > source.bytes) break;
    await files.append(path, piece);
    done += piece.length;
    onProgress?.(done);
  }
  if (done !== source.bytes) throw changedSource(source.bytes);
}

async function appear({ root, files, place }: Directory, key: string, { temporary, onlyNew }: { readonly temporary: string; readonly onlyNew: boolean }): Promise<"written" | "exists"> {
  const path = join(root, key);
  if ((await files.find(path))?.isDirectory === true) {
    throw new BquerydError("IO", `cannot store ${key} in ${place}: a folder has that name; use another name`, { details: { place, key } });
  }
  if (!onlyNew) {
    await files.rename(temporary, path);
    return "written";
  }
  try {
    await files.link(temporary, path);
  } catch (cause) {
    if (!isSystemError(cause, "EEXIST")) throw cause;
    await files.remove(temporary);
    return "exists";
  }
  await files.remove(temporary);
  return "written";
}

async function removeObject(directory: Directory, key: string): Promise<void> {
  if (await findFacts(directory, key) === undefined) return;
  const path = join(directory.root, key);
  try {
    await directory.files.remove(path);
  } catch (cause) {
    if (!isNothing(cause)) throw cause;
  }
  await directory.files.syncDirectory(dirname(path));
}

/** Removes files in a folder that were being written when their writers died. */
async function sweep({ root, files, swept }: Directory, folder: string, temporary: readonly string[]): Promise<void> {
  swept.add(folder);
  for (const name of temporary) {
    const path = join(root, folder, name);
    const facts = await files.find(path);
    if (facts === undefined || facts.isDirectory || wallMs() - facts.modifiedMs < abandonedMs) continue;
    // Another may remove it too, and who may only read leaves it there.
    await files.remove(path).catch(() => {});
  }
}

function absent({ place }: Directory, key: string): BquerydError {
  return new BquerydError("NOT_FOUND", `cannot read ${key} in ${place}: there is no such object; check its name`, { details: { place, key } });
}

function changed({ place }: Directory, key: string): BquerydError {
  return new BquerydError("OBJECT_STORE", `${key} in ${place} has been replaced meanwhile; read it again from its beginning`, { details: { place, key } });
}
