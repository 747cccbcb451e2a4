/**
 * Files that nobody else sees and that cannot be left behind: they lose their name as soon as they are open, and are
 * gone with the process whatever ends it.
 */
import { existsSync, openSync, read, unlinkSync, write, close } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { addAbortSignal } from "node:stream";
import type { Readable } from "node:stream";
import { promisify } from "node:util";
import { randomId } from "../../base/clock.js";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { throwIfAborted } from "../abort.js";

const readAt = promisify(read);
const writeAt = promisify(write);
const closeFile = promisify(close);

/** A file without a name; close() frees its space. Calls of append follow one another. */
export interface Spool {
  /** By which this process, and no other, can open it. */
  readonly path: string;
  /** Bytes so far. */
  readonly bytes: number;
  /** Adds bytes at the end. Throws DISK_FULL, IO. */
  append(bytes: Uint8Array): Promise<void>;
  /** Exactly `length` bytes from `offset`, in memory of their own. Throws IO. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** An empty spool on the disk of a path, which need not exist yet. Throws IO where nothing can be written. */
export function createSpool(near: string): Spool {
  const folder = findFolder(resolve(near));
  const file = openNameless(folder);
  let bytes = 0;
  let isOpen = true;
  return {
    path: `/proc/self/fd/${file}`,
    get bytes() { return bytes; },
    async append(added) {
      for (let done = 0; done < added.length;) {
        done += (await writeAt(file, added, done, added.length - done, bytes + done).catch(failure(folder, "write"))).bytesWritten;
      }
      bytes += added.length;
    },
    async read(offset, length) {
      const found = new Uint8Array(length);
      for (let done = 0; done < length;) {
        const { bytesRead } = await readAt(file, found, done, length - done, offset + done).catch(failure(folder, "read"));
        if (bytesRead === 0) throw new BquerydError("IO", `a temporary file in ${folder} ends before byte ${offset + length}; check the disk`, { details: { path: folder } });
        done += bytesRead;
      }
      return found;
    },
    async close() {
      if (isOpen) await closeFile(file);
      isOpen = false;
    },
  };
}

/** Copies a stream into a spool to its end; closed by whoever gets it. Throws DISK_FULL, IO, CANCELLED; then nothing is left. */
export async function spoolStream(stream: Readable, near: string, options: { readonly signal: AbortSignal | undefined; readonly onProgress: (bytes: number) => void }): Promise<Spool> {
  const { signal, onProgress } = options;
  const spool = createSpool(near);
  try {
    // Without it an interruption would wait for whoever writes into the stream.
    if (signal !== undefined) addAbortSignal(signal, stream);
    for await (const bytes of stream as AsyncIterable<Uint8Array>) {
      await spool.append(bytes);
      onProgress(spool.bytes);
    }
    throwIfAborted(signal, "import");
    return spool;
  } catch (cause) {
    await spool.close();
    throwIfAborted(signal, "import");
    throw toBquerydError(cause, "read the input");
  }
}

/** The nearest folder that exists: that of the tables to be, or one on the way to it. */
function findFolder(path: string): string {
  let folder = dirname(path);
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

/** Opened and unlinked without a gap in which another part of this process could end it. */
function openNameless(folder: string): number {
  const path = join(folder, `.${randomId()}.tmp`);
  try {
    const file = openSync(path, "wx+");
    unlinkSync(path);
    return file;
  } catch (cause) {
    throw toBquerydError(cause, `make a temporary file in ${folder}`);
  }
}

function failure(folder: string, doing: string): (cause: unknown) => never {
  return (cause) => {
    throw toBquerydError(cause, `${doing} a temporary file in ${folder}`);
  };
}
