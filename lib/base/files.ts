/**
 * The file operations that writing goes through, by path, so that no handle outlives a call. Tests put a faulty or a
 * recording implementation in their place.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { link, lstat, mkdir, open, readdir, rename, rmdir, stat, unlink, utimes, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

/** What a directory entry is, without following links. */
export interface FileFacts {
  readonly bytes: number;
  readonly modifiedMs: number;
  readonly isDirectory: boolean;
  /** Device and inode: another one has others. */
  readonly identity: string;
}

/** What of a file is to be read: so many bytes from a place, or at most so many from its beginning. */
export type FilePart = { readonly offset: number; readonly length: number } | { readonly bytesMax: number };

/** File operations. All reject with the system's error, except where said. */
export interface Files {
  /** Creates a file that must not exist, whole. */
  create(path: string, bytes: Uint8Array): Promise<void>;
  /** Creates a file that must not exist, whole and durable. */
  createSynced(path: string, bytes: Uint8Array): Promise<void>;
  /** Adds bytes at the end of a file, which is created when absent. */
  append(path: string, bytes: Uint8Array): Promise<void>;
  /** A part of a file, or all of it; rejects when the file ends before `length` bytes. */
  read(path: string, part?: FilePart): Promise<Uint8Array>;
  /** Makes the content of a file durable. */
  sync(path: string): Promise<void>;
  /** Makes the entries of a directory durable: what was created, renamed or removed in it. */
  syncDirectory(path: string): Promise<void>;
  /** Renames, replacing a file at `to` in one step. */
  rename(from: string, to: string): Promise<void>;
  /** Gives a file a second name; rejects with EEXIST when `to` exists. */
  link(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Creates a directory and its missing parents; gives the first one it created, undefined when all existed. */
  makeDirectory(path: string): Promise<string | undefined>;
  /** Removes a directory; rejects when it is not empty. */
  removeDirectory(path: string): Promise<void>;
  /** Names in a directory. */
  list(path: string): Promise<string[]>;
  /** Facts about an entry; undefined when it is absent. */
  find(path: string): Promise<FileFacts | undefined>;
  /** Sets the time of last change, ms since 1970. */
  touch(path: string, modifiedMs: number): Promise<void>;
}

/** The file operations of this machine. */
export const realFiles: Files = {
  create: (path, bytes) => writeWith(path, "wx", bytes),
  createSynced: (path, bytes) => writeWith(path, "wx", bytes, (file) => file.sync()),
  append: (path, bytes) => writeWith(path, "a", bytes),
  read: readPart,
  sync: (path) => syncWith(path, constants.O_RDONLY),
  syncDirectory: (path) => syncWith(path, constants.O_RDONLY | constants.O_DIRECTORY),
  rename,
  link,
  remove: unlink,
  makeDirectory: (path) => makeDirectory(path),
  removeDirectory: rmdir,
  list: (path) => readdir(path),
  find: findFacts,
  touch: (path, modifiedMs) => utimes(path, modifiedMs / 1000, modifiedMs / 1000),
};

/**
 * Creates a directory and its missing parents; gives the first one it created, undefined when all existed. Node's own
 * way never returns where a directory is there but refuses entries with ENOENT, as /proc does.
 */
export async function makeDirectory(path: string, mode = 0o777): Promise<string | undefined> {
  try {
    return await makeOne(path, mode);
  } catch (cause) {
    const parent = dirname(path);
    if (!isSystemError(cause, "ENOENT") || parent === path) throw cause;
    // Another may have made the parent meanwhile. Where entries are refused, this fails as before.
    if (await findFacts(parent) !== undefined) return makeOne(path, mode);
    const first = await makeDirectory(parent, mode);
    const made = await makeOne(path, mode);
    return first ?? made;
  }
}

/** Gives the path when it created the directory, undefined when there was one. */
async function makeOne(path: string, mode: number): Promise<string | undefined> {
  try {
    await mkdir(path, { mode });
    return path;
  } catch (cause) {
    if (isSystemError(cause, "EEXIST") && (await stat(path)).isDirectory()) return undefined;
    throw cause;
  }
}

/** Tells whether a failure is the system's error of that code, `ENOENT` for instance. */
export function isSystemError(cause: unknown, code: string): boolean {
  return cause instanceof Error && "code" in cause && cause.code === code;
}

async function writeWith(path: string, flags: string, bytes: Uint8Array, finish?: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, flags);
  try {
    for (let written = 0; written < bytes.length;) {
      written += (await file.write(bytes, written, bytes.length - written)).bytesWritten;
    }
    await finish?.(file);
  } finally {
    await file.close();
  }
}

async function readPart(path: string, part?: FilePart): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    if (part === undefined) return await file.readFile();
    if ("bytesMax" in part) return await fillFrom(file, 0, Math.min(part.bytesMax, (await file.stat()).size));
    const bytes = await fillFrom(file, part.offset, part.length);
    if (bytes.length < part.length) throw new Error(`${path} ends before byte ${part.offset + part.length}`);
    return bytes;
  } finally {
    await file.close();
  }
}

/** Bytes from a place: `length` of them, or those there are. */
async function fillFrom(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/**
 * The first bytes of a file, at most `bytesMax`, however long it is; asking for one more than may be there tells that
 * there are too many. Blocks shortly. Throws the system's error.
 */
export function readAtMost(path: string, bytesMax: number): Uint8Array {
  const descriptor = openSync(path, "r");
  try {
    const bytes = new Uint8Array(Math.min(bytesMax, fstatSync(descriptor).size));
    let done = 0;
    while (done < bytes.length) {
      const read = readSync(descriptor, bytes, done, bytes.length - done, done);
      if (read === 0) break;
      done += read;
    }
    return bytes.subarray(0, done);
  } finally {
    closeSync(descriptor);
  }
}

async function syncWith(path: string, flags: number): Promise<void> {
  const file = await open(path, flags);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function findFacts(path: string): Promise<FileFacts | undefined> {
  try {
    const facts = await lstat(path);
    return { bytes: facts.size, modifiedMs: facts.mtimeMs, isDirectory: facts.isDirectory(), identity: `${facts.dev}:${facts.ino}` };
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) return undefined;
    throw cause;
  }
}
