/** Inputs that are no files on a disk: read once, from their start, as they come. */
import { constants, createReadStream, openSync, statSync } from "node:fs";
import { Socket } from "node:net";
import type { Readable } from "node:stream";
import { toBquerydError } from "../../base/errors.js";

/**
 * What is at `path`, a named pipe or a device, as a stream; undefined for a file, a directory and nothing. Whoever gets it
 * reads it to its end or destroys it. Throws IO, NOT_FOUND.
 */
export function openPipe(path: string): Readable | undefined {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined || found.isFile() || found.isDirectory()) return undefined;
    if (!found.isFIFO()) return createReadStream(path);
    // As a file, a pipe without a writer would hold up a thread in a call that nothing can interrupt.
    return new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), readable: true, writable: false });
  } catch (cause) {
    throw toBquerydError(cause, `open ${path}`);
  }
}
