/** Outputs that are no files on a disk: written as the rows come. */
import { constants, createWriteStream, openSync } from "node:fs";
import { Socket } from "node:net";
import type { Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { toBquerydError } from "../../base/errors.js";
import { isSystemError } from "../../base/files.js";
import { throwIfAborted } from "../abort.js";

/** How often a named pipe is asked whether somebody reads it by now, ms. */
const readerLookMs = 50;

/**
 * A named pipe as a stream, once somebody reads it; anything else as a stream at once. Whoever gets it ends or destroys
 * it. Throws CANCELLED, IO.
 */
export async function openOutputStream(path: string, { isPipe, signal }: { readonly isPipe: boolean; readonly signal: AbortSignal | undefined }): Promise<Writable> {
  if (!isPipe) return createWriteStream(path);
  // As a file, a pipe without a reader, or with one that stops, would hold up a thread in a call that nothing can interrupt.
  for (let fd = openUnblocked(path); ; fd = openUnblocked(path)) {
    if (fd !== undefined) return new Socket({ fd, readable: false, writable: true });
    await delay(readerLookMs, undefined, { signal }).catch(() => undefined);
    throwIfAborted(signal, "export");
  }
}

/** Undefined while nobody reads. */
function openUnblocked(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (cause) {
    if (isSystemError(cause, "ENXIO")) return undefined;
    throw toBquerydError(cause, `write ${path}`);
  }
}
