/** Files that stay open between uses, as many as the system allows: the one used longest ago is closed for a new one. */
import { closeSync, readFileSync } from "node:fs";
import { isSystemError } from "../../base/files.js";

/** A file that is opened when it is used, and may be closed and opened again between two uses. */
export interface KeptFile {
  /** Its descriptor, good until another file is used. Throws as opening does. */
  use(): number;
  /** Closes it; nothing when it is closed. */
  close(): void;
}

/** Those that are open, the one used longest ago first. */
const openFiles = new Set<KeptFile>();
let openFilesMax: number | undefined;

/** Keeps a file, which nothing else closes. `open` gives a descriptor. */
export function keepFile(open: () => number): KeptFile {
  let descriptor: number | undefined;
  const file: KeptFile = {
    use() {
      openFiles.delete(file);
      descriptor ??= openWithRoom(open);
      openFiles.add(file);
      return descriptor;
    },
    close() {
      openFiles.delete(file);
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };
  return file;
}

function openWithRoom(open: () => number): number {
  openFilesMax ??= findOpenFilesMax();
  for (const oldest of openFiles) {
    if (openFiles.size < openFilesMax) break;
    oldest.close();
  }
  return open();
}

/** A quarter of what this process may have open: sockets, inputs and other threads, which count for themselves, need theirs. */
function findOpenFilesMax(): number {
  return Math.max(1, Math.floor(findLimit() / 4));
}

/** The soft limit of this process; that of most systems where it cannot be found, a large number for none. */
function findLimit(): number {
  try {
    const limit = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
    return limit === "unlimited" ? 1_048_576 : Number(limit ?? 1_024);
  } catch (cause) {
    if (isSystemError(cause, "ENOENT") || isSystemError(cause, "EACCES")) return 1_024;
    throw cause;
  }
}
