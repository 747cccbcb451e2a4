/**
 * Looks at an LMDB data file before LMDB maps it: a file that is cut short or is something else would end the process
 * with a signal instead of an error. Only the head is checked; a page damaged further in is not noticed.
 *
 *   page 0 and page 1, each (little-endian): 24 bytes page header | u32 magic | u32 version | u64 address |
 *   u64 map size | u32 page bytes (first of the 48 bytes on free pages) ... u64 root at 40 | 48 bytes on the main
 *   tree, u64 root at 40 | u64 last page | u64 transaction
 */
import { open, statfs, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { BquerydError } from "../base/errors.js";

const magic = 0xbeefc0de;
const version = 2;
const metaAt = 24;
const pageBytesAt = metaAt + 24;
const freeRootAt = metaAt + 24 + 40;
const mainRootAt = metaAt + 24 + 48 + 40;
const metaEnd = metaAt + 24 + 2 * 48 + 16;
/** The root of an empty tree. */
const noPage = 0xffff_ffff_ffff_ffffn;
/** LMDB maps a lock file of 64 KB; a page of it for which the disk has no room ends the process. */
const freeBytesMin = 1024 * 1024;

/** Throws REGISTRY_UNAVAILABLE when LMDB could not safely map what is in the folder, or the disk is full. */
export async function checkLmdbFolder(folder: string): Promise<void> {
  await checkDiskSpace(folder);
  const file = await openExisting(join(folder, "data.mdb"));
  if (file === undefined) return;
  try {
    await checkHead(file, folder);
  } finally {
    await file.close();
  }
}

/** Throws REGISTRY_UNAVAILABLE when the disk of the folder is full. */
export async function checkDiskSpace(folder: string): Promise<void> {
  const disk = await statfs(folder);
  if (disk.bavail * disk.bsize < freeBytesMin) throw refused(folder, "its disk is full; free some space");
}

async function openExisting(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw cause;
  }
}

async function checkHead(file: FileHandle, folder: string): Promise<void> {
  const { size } = await file.stat();
  if (size === 0) return;
  const damaged = () => refused(folder, "its file data.mdb is damaged; stop this machine's bqueryd processes and delete the folder, which they refill");
  const first = await readMeta(file, 0);
  if (first === undefined) throw damaged();
  const second = await readMeta(file, first.pageBytes);
  if (second === undefined || Math.max(first.rootsEnd, second.rootsEnd) > size) throw damaged();
}

/** What a meta page says: undefined when it is none. `rootsEnd`: bytes the file must have to hold the roots of its trees. */
async function readMeta(file: FileHandle, at: number): Promise<{ pageBytes: number; rootsEnd: number } | undefined> {
  const page = Buffer.alloc(metaEnd);
  const { bytesRead } = await file.read(page, 0, metaEnd, at);
  if (bytesRead < metaEnd || page.readUInt32LE(metaAt) !== magic || page.readUInt16LE(metaAt + 4) !== version) return undefined;
  const pageBytes = page.readUInt32LE(pageBytesAt);
  if (pageBytes < 512 || pageBytes > 65_536) return undefined;
  const roots = [page.readBigUInt64LE(freeRootAt), page.readBigUInt64LE(mainRootAt)].filter((root) => root !== noPage);
  return { pageBytes, rootsEnd: Math.max(2, ...roots.map((root) => Number(root) + 1)) * pageBytes };
}

function refused(folder: string, problem: string): BquerydError {
  return new BquerydError("REGISTRY_UNAVAILABLE", `cannot use the registry folder ${folder}: ${problem}`, { details: { registryDir: folder } });
}
