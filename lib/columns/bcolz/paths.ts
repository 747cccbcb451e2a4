/** Looking at and reading the files of a bcolz table, which may have been made by anyone: nothing leads out of it. */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, realpathSync, statSync, type BigIntStats } from "node:fs";
import { join, sep } from "node:path";
import { toBquerydError } from "../../base/errors.js";
import { isSystemError } from "../../base/files.js";
import { corruptFooter } from "../files/footer.js";

/** A file as it was when it was looked at: where anything differs its content may. */
export interface FileStamp {
  readonly bytes: number;
  readonly modifiedNs: bigint;
  /** These two are of this machine alone: a copy has others. */
  readonly changedNs: bigint;
  readonly inode: bigint;
}

/** A table's directory, every link in its path followed. */
export interface Root {
  readonly path: string;
  readonly table: string;
}

/** The directory of a table. Throws what the system says of it. */
export function findRoot(path: string, table: string): Root {
  try {
    return { path: realpathSync(path), table };
  } catch (cause) {
    throw toBquerydError(cause, `open ${path}`);
  }
}

/**
 * The real path of a directory or file below the root; undefined when there is none. Throws CORRUPT_FOOTER for a link
 * that leaves the root.
 */
export function findInside(root: Root, path: string): string | undefined {
  const real = whenThere(() => realpathSync(join(root.path, path)), root);
  if (real === undefined || real === root.path || real.startsWith(root.path + sep)) return real;
  throw corruptFooter(root.table, `${path} leaves the directory of the table through a symbolic link`);
}

/**
 * The stamp of a file in a directory that `findInside` gave; undefined when there is none. Throws CORRUPT_FOOTER for
 * what is no file, or a link that leaves the root.
 */
export function findStamp(root: Root, directory: string, name: string): FileStamp | undefined {
  const path = join(directory, name);
  const found = whenThere(() => lstatSync(path, { bigint: true }), root);
  if (found?.isSymbolicLink() !== true) return found === undefined ? undefined : stampOf(found, root, path);
  const real = findInside(root, path.slice(root.path.length + 1));
  const target = real === undefined ? undefined : whenThere(() => statSync(real, { bigint: true }), root);
  return target === undefined ? undefined : stampOf(target, root, path);
}

/** The bytes of a small file below the root. Throws CORRUPT_FOOTER when it is missing or has more bytes than allowed. */
export function readSmall(root: Root, directory: string, name: string, bytesMax: number): Uint8Array {
  const shown = join(directory, name).slice(root.path.length + 1);
  const stamp = findStamp(root, directory, name);
  if (stamp === undefined) throw corruptFooter(root.table, `${shown} is missing`);
  if (stamp.bytes > bytesMax) throw corruptFooter(root.table, `${shown} has ${stamp.bytes} bytes, more than ${bytesMax}`);
  const bytes = readStamped(join(directory, name), stamp, stamp.bytes);
  if (bytes === undefined) throw corruptFooter(root.table, `${shown} changed while it was read`);
  return bytes;
}

/** The first `length` bytes of a file, or fewer where it ends; undefined when it is not the file that was stamped. */
export function readStamped(path: string, stamp: FileStamp, length: number): Uint8Array<ArrayBuffer> | undefined {
  let descriptor: number;
  try {
    // Should a pipe have taken the file's place, opening it must not wait for a writer.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    if (isSystemError(cause, "ENOENT") || isSystemError(cause, "ENOTDIR")) return undefined;
    throw toBquerydError(cause, `read ${path}`);
  }
  try {
    if (!isSame(fstatSync(descriptor, { bigint: true }), stamp)) return undefined;
    const bytes = new Uint8Array(Math.min(length, stamp.bytes));
    for (let done = 0; done < bytes.length;) {
      const read = readSync(descriptor, bytes, done, bytes.length - done, done);
      if (read === 0) return undefined;
      done += read;
    }
    return bytes;
  } catch (cause) {
    throw toBquerydError(cause, `read ${path}`);
  } finally {
    closeSync(descriptor);
  }
}

function isSame(found: BigIntStats, stamp: FileStamp): boolean {
  return found.mtimeNs === stamp.modifiedNs && found.ctimeNs === stamp.changedNs && found.ino === stamp.inode && Number(found.size) === stamp.bytes;
}

function stampOf(found: BigIntStats, root: Root, path: string): FileStamp {
  if (!found.isFile()) throw corruptFooter(root.table, `${path.slice(root.path.length + 1)} is not a file`);
  return { bytes: Number(found.size), modifiedNs: found.mtimeNs, changedNs: found.ctimeNs, inode: found.ino };
}

/** What a look at the file system gives; undefined where there is nothing to look at. */
function whenThere<T>(look: () => T, root: Root): T | undefined {
  try {
    return look();
  } catch (cause) {
    if (isSystemError(cause, "ENOENT") || isSystemError(cause, "ENOTDIR")) return undefined;
    if (isSystemError(cause, "ELOOP") || isSystemError(cause, "ENAMETOOLONG")) throw corruptFooter(root.table, "a path in it cannot be followed", cause);
    throw toBquerydError(cause, `read ${root.table}`);
  }
}
