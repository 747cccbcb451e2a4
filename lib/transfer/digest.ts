/** What a file holds, read once: its SHA-256, and a short checksum of every piece, by which a later reading is compared. */
import { createHash } from "node:crypto";
import { open, type FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { BquerydError, toBquerydError } from "../base/errors.js";
import type { ObjectSource } from "../objects/objects.js";
import { requireGoing } from "./stopping.js";

/** The content of a file when it was looked at. */
export interface FileDigest {
  readonly bytes: number;
  readonly sha256: string;
  /** CRC-32 of each piece of `pieceBytes`. */
  readonly checksums: readonly number[];
}

/** Bytes that are read and compared together. */
const pieceBytes = 1024 * 1024;

/** Reads a file from its beginning to its end. Throws CANCELLED, NOT_FOUND, IO. */
export async function digestFile(path: string, signal?: AbortSignal): Promise<FileDigest> {
  const hash = createHash("sha256");
  const checksums: number[] = [];
  let bytes = 0;
  await withFile(path, async (file) => {
    const buffer = Buffer.allocUnsafe(pieceBytes);
    for (;;) {
      requireGoing(signal);
      const piece = await readPiece(file, buffer, bytes);
      if (piece.length === 0) break;
      hash.update(piece);
      checksums.push(crc32(piece));
      bytes += piece.length;
    }
  });
  return { bytes, sha256: hash.digest("hex"), checksums };
}

/**
 * The file as a source of what it held when its digest was made. A piece is read whole and compared before any of it is
 * given, in whatever order and how often parts are asked for: bytes that were changed meanwhile are BUSY and never sent.
 */
export function digestedSource(path: string, digest: FileDigest): ObjectSource {
  return { bytes: digest.bytes, open: (start, end) => readCompared(path, digest, start, end) };
}

async function* readCompared(path: string, { bytes, checksums }: FileDigest, start: number, end: number): AsyncGenerator<Uint8Array> {
  const file = await open(path, "r").catch((cause: unknown) => { throw toBquerydError(cause, `read ${path}`); });
  try {
    for (let index = Math.floor(start / pieceBytes); index * pieceBytes < end; index++) {
      const at = index * pieceBytes;
      const piece = await readPiece(file, Buffer.allocUnsafe(Math.min(pieceBytes, bytes - at)), at);
      if (piece.length < Math.min(pieceBytes, bytes - at) || crc32(piece) !== checksums[index]) throw changed(path);
      yield piece.subarray(Math.max(0, start - at), Math.min(piece.length, end - at));
    }
  } finally {
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

async function withFile(path: string, work: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    const file = await open(path, "r");
    try {
      await work(file);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw toBquerydError(cause, `read ${path}`);
  }
}

function changed(path: string): BquerydError {
  return new BquerydError("BUSY", `${path} was changed while it was sent; wait until nothing writes it, and start again`, { details: { path } });
}
