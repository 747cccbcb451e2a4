/** Sources of what is to be stored: bytes in memory, and files. */
import { open } from "node:fs/promises";
import { BquerydError } from "../base/errors.js";
import type { ObjectSource } from "./objects.js";

const pieceBytes = 1024 * 1024;

/** A source of bytes in memory, which are not copied and must not change meanwhile. */
export function bytesSource(bytes: Uint8Array): ObjectSource {
  return {
    bytes: bytes.length,
    async *open(start, end) { yield bytes.subarray(start, end); },
  };
}

/** A source of a file as long as it is now; it is open only while a part of it is read. Rejects with the system's error. */
export async function fileSource(path: string): Promise<ObjectSource> {
  const file = await open(path, "r");
  try {
    return { bytes: (await file.stat()).size, open: (start, end) => readFile(path, start, end) };
  } finally {
    await file.close();
  }
}

async function* readFile(path: string, start: number, end: number): AsyncIterable<Uint8Array> {
  const file = await open(path, "r");
  try {
    for (let at = start; at < end;) {
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, end - at));
      const { bytesRead } = await file.read(piece, 0, piece.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

/** Fills a target with the bytes of a source from a place on. Throws BAD_INPUT when the source gives more or fewer. */
export async function readSource(source: ObjectSource, start: number, bytes: Uint8Array): Promise<void> {
  const end = start + bytes.length;
  let filled = 0;
  for await (const piece of source.open(start, end)) {
    if (filled + piece.length > bytes.length) throw changedSource(bytes.length);
    bytes.set(piece, filled);
    filled += piece.length;
  }
  if (filled < bytes.length) throw changedSource(bytes.length);
}

/** The failure of a source that does not give as many bytes as it said. */
export function changedSource(bytes: number): BquerydError {
  return new BquerydError("BAD_INPUT", `what is to be stored does not have the ${bytes} bytes it had; do not change it meanwhile, and try again`, { details: { bytes } });
}
