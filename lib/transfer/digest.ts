/** What a file holds: its SHA-256, taken of it as it lies there, or while it is sent. */
import { createHash } from "node:crypto";
import { open, stat, type FileHandle } from "node:fs/promises";
import { toBquerydError, type BquerydError } from "../base/errors.js";
import type { ObjectSource } from "../objects/objects.js";
import { requireGoing } from "./stopping.js";

/** The content of a file. */
export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
}

/** Bytes that are read together. */
const pieceBytes = 512 * 1024;

/** Reads a file from its beginning to its end. Throws CANCELLED, NOT_FOUND, IO. */
export async function digestFile(path: string, signal?: AbortSignal): Promise<FileDigest> {
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    for await (const piece of readPieces(path, 0, (await stat(path)).size)) {
      requireGoing(signal);
      hash.update(piece);
      bytes += piece.length;
    }
  } catch (cause) {
    throw toBquerydError(cause, `read ${path}`);
  }
  return { bytes, sha256: hash.digest("hex") };
}

/**
 * A file as a source that is hashed while it is read: what is sent is what was hashed, whatever happens to the file. One
 * that is another than it has to be is the failure that `failureOf` makes, and never seen by anyone.
 */
export function hashedSource(path: string, expected: FileDigest, failureOf: () => BquerydError): ObjectSource {
  let hash = createHash("sha256");
  let hashed = 0;
  return {
    bytes: expected.bytes,
    async *open(start, end) {
      if (start === 0) [hash, hashed] = [createHash("sha256"), 0];
      if (start !== hashed) throw new Error(`${path} is read from ${start} and was hashed to ${hashed}`);
      for await (const piece of readPieces(path, start, end)) {
        hash.update(piece);
        hashed += piece.length;
        yield piece;
      }
      if (hashed !== end) throw failureOf();
    },
    confirm() {
      if (hashed !== expected.bytes || hash.digest("hex") !== expected.sha256) throw failureOf();
    },
  };
}

/** The bytes of [start, end) of a file, or those there are; a piece is good until the next is asked for, which is read meanwhile. */
async function* readPieces(path: string, start: number, end: number): AsyncGenerator<Buffer> {
  const file = await open(path, "r").catch((cause: unknown) => { throw toBquerydError(cause, `read ${path}`); });
  const buffers = [Buffer.allocUnsafe(Math.min(pieceBytes, end - start)), Buffer.allocUnsafe(Math.min(pieceBytes, Math.max(0, end - start - pieceBytes)))] as const;
  let reading: Promise<Buffer> | undefined;
  try {
    const readAt = (index: number): Promise<Buffer> => {
      const at = start + index * pieceBytes;
      const piece = readPiece(file, buffers[index % 2]!.subarray(0, Math.max(0, end - at)), at);
      // It is awaited in its turn.
      piece.catch(() => undefined);
      return piece;
    };
    reading = readAt(0);
    for (let index = 1; ; index++) {
      const piece: Buffer = await reading;
      if (piece.length === 0) return;
      reading = readAt(index);
      yield piece;
    }
  } finally {
    await reading?.catch(() => undefined);
    await file.close();
  }
}

async function readPiece(file: FileHandle, buffer: Buffer, at: number): Promise<Buffer> {
  let done = 0;
  while (done < buffer.length) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, at + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer.subarray(0, done);
}
