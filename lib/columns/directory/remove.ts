/** Removing what others may remove at the same moment. */
import { isSystemError, type Files } from "../../base/files.js";

/** Removes a file; nothing where it is gone already. Throws the system's error. */
export async function removeIfThere(files: Files, path: string): Promise<void> {
  try {
    await files.remove(path);
  } catch (cause) {
    if (!isSystemError(cause, "ENOENT")) throw cause;
  }
}

/** Removes a directory that is empty, and tells whether it is gone. Throws the system's error. */
export async function removeDirectoryIfEmpty(files: Files, path: string): Promise<boolean> {
  try {
    await files.removeDirectory(path);
    return true;
  } catch (cause) {
    if (isSystemError(cause, "ENOENT")) return true;
    if (isSystemError(cause, "ENOTEMPTY") || isSystemError(cause, "EEXIST")) return false;
    throw cause;
  }
}
