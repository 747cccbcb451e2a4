/** Reading an object of a directory: one file from its opening to its end, never two that follow each other under a name. */
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { BquerydError } from "../../base/errors.js";
import type { Reading } from "../objects.js";
import { doing, factsOf, findFacts, isNothing, type Directory } from "./place.js";

const pieceBytes = 256 * 1024;

/** The bytes of an object, as `ObjectStore.read` says. */
export async function* readObject(directory: Directory, key: string, { start = 0, end, etag, signal }: Reading): AsyncIterable<Uint8Array> {
  const file = await doing(directory, "read", key, () => openObject(directory, key));
  try {
    const facts = factsOf(key, await file.stat({ bigint: true }));
    const last = end ?? facts.bytes;
    if (etag !== undefined && facts.etag !== etag) throw changed(directory, key);
    if (start < 0 || start > last || last > facts.bytes) {
      throw new BquerydError("OBJECT_STORE", `bytes ${start} to ${last} of ${key} in ${directory.place} are not there, it has ${facts.bytes}; ask for what it has`, {
        details: { place: directory.place, key, start, end: last, bytes: facts.bytes },
      });
    }
    for (let at = start; at < last;) {
      signal?.throwIfAborted();
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, last - at));
      const { bytesRead } = await doing(directory, "read", key, () => file.read(piece, 0, piece.length, at));
      if (bytesRead === 0) throw changed(directory, key);
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
    if (factsOf(key, await file.stat({ bigint: true })).etag !== facts.etag) throw changed(directory, key);
  } finally {
    await file.close();
  }
}

async function openObject(directory: Directory, key: string): Promise<FileHandle> {
  const path = join(directory.root, key);
  // Opening a pipe would wait for a writer.
  if (await findFacts(directory, key) === undefined) throw absent(directory, key);
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (isNothing(cause)) throw absent(directory, key);
    throw cause;
  }
}

function absent({ place }: Directory, key: string): BquerydError {
  return new BquerydError("NOT_FOUND", `cannot read ${key} in ${place}: there is no such object; check its name`, { details: { place, key } });
}

function changed({ place }: Directory, key: string): BquerydError {
  return new BquerydError("OBJECT_STORE", `${key} in ${place} has been replaced meanwhile; read it again from its beginning`, { details: { place, key } });
}
