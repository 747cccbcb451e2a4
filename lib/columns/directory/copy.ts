/** Copying a file where it cannot be given a second name. */
import { isSystemError, type Files } from "../../base/files.js";
import { removeIfThere } from "./remove.js";

const pieceBytes = 4 * 1024 * 1024;

/** Tells whether a link came to nothing because the two places are on different disks, or on one that knows no links. */
export function isLinkRefused(cause: unknown): boolean {
  return ["EXDEV", "EPERM", "EMLINK", "ENOTSUP"].some((code) => isSystemError(cause, code));
}

/** Copies a file durably; what was at `to` before goes first. Throws the system's error. */
export async function copyFile(files: Files, from: string, to: string): Promise<void> {
  await removeIfThere(files, to);
  const bytes = (await files.find(from))?.bytes ?? 0;
  await files.append(to, new Uint8Array(0));
  for (let offset = 0; offset < bytes; offset += pieceBytes) {
    await files.append(to, await files.read(from, { offset, length: Math.min(pieceBytes, bytes - offset) }));
  }
  await files.sync(to);
}
