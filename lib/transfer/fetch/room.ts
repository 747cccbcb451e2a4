/** Whether there is room on a disk for what is to come. */
import { statfs } from "node:fs/promises";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { formatBytes } from "../../base/quantities.js";

/** Bytes that are left free on a disk, for those who write there besides. */
const spareBytes = 64 * 1024 * 1024;

/** Bytes that this process may still write to the disk of a folder. Throws the system's error. */
export async function findFreeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Throws DISK_FULL with the numbers when so many bytes do not fit, and 64 MiB besides; IO. */
export async function requireRoom(folder: string, bytes: number, table: string, freeBytesOf: (folder: string) => Promise<number>): Promise<void> {
  if (bytes === 0) return;
  const freeBytes = await freeBytesOf(folder).catch((cause: unknown) => { throw toBquerydError(cause, `look at the disk of ${folder}`); });
  if (freeBytes < bytes + spareBytes) throw diskFull(folder, { bytes, freeBytes, table });
}

/** The failure of a disk that is full, before a transfer or in the middle of it. */
export function diskFull(folder: string, { bytes, freeBytes, table, cause }: { readonly bytes: number; readonly freeBytes: number; readonly table: string; readonly cause?: unknown }): BquerydError {
  return new BquerydError("DISK_FULL", `${table} needs ${formatBytes(bytes)} more in ${folder}, where ${formatBytes(freeBytes)} are free, of which ${formatBytes(spareBytes)} stay so; make room and try again`, { details: { table, bytes, freeBytes }, cause });
}
