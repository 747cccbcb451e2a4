/**
 * Values of a chunk that memory has no room for until the chunk is full: a temporary file beside the column, removed
 * when the chunk is written. It holds pieces, one after another, each
 *
 *   numbers and codes  as in memory: the typed array of the dtype, or u32 codes, of the machine's byte order
 *   texts              a u32 offset a row, from the start of the chunk, then the bytes
 *
 * Which pieces there are is kept in memory.
 */
import type { Files } from "../../base/files.js";
import { countTextBytes, takeOut, viewValues, type ChunkBuffer } from "./chunk-buffer.js";
import type { ChunkInput, ChunkValues } from "../encode/input.js";
import { bytesOf } from "../encode/payload.js";

/** A file with the values that were taken out of a buffer. */
export interface Spill {
  readonly path: string;
  readonly pieces: Piece[];
}

interface Piece {
  readonly offset: number;
  readonly fixedBytes: number;
  readonly textBytes: number;
}

/** Texts are read back in steps of so many bytes, as what is read is in memory twice. */
const readBytes = 1024 * 1024;

/** Takes the values that are in memory out of a buffer. Throws DISK_FULL, IO. */
export async function spillValues({ path, pieces }: Spill, buffer: ChunkBuffer, files: Files): Promise<void> {
  const { fixed, texts } = viewValues(buffer);
  await files.append(path, fixed);
  if (texts.length > 0) await files.append(path, texts);
  const last = pieces.at(-1);
  pieces.push({ offset: last === undefined ? 0 : last.offset + last.fixedBytes + last.textBytes, fixedBytes: fixed.length, textBytes: texts.length });
  takeOut(buffer);
}

/** All rows of a buffer as a chunk to encode, in memory of its own but for the nulls. Throws IO. */
export async function readChunkBack(spill: Spill, buffer: ChunkBuffer, files: Files): Promise<ChunkInput> {
  const { rows, nulls, nullCount } = buffer;
  return { rows, nulls, nullCount, data: await readValues(spill, buffer, files) };
}

async function readValues(spill: Spill, buffer: ChunkBuffer, files: Files): Promise<ChunkValues> {
  const { data } = buffer;
  switch (data.kind) {
    case "number": return { ...data, bytes: await readFixed(spill, buffer, files) };
    case "code": return { ...data, values: new Uint32Array((await readFixed(spill, buffer, files)).buffer) };
    case "text": {
      const bytes = new Uint8Array(countTextBytes(buffer));
      await readTexts(spill, buffer, files, bytes);
      return { ...data, offsets: await readOffsets(spill, buffer, files), bytes };
    }
  }
}

/** The offsets of all rows of a buffer of texts, and where they end. Throws IO. */
export async function readOffsets(spill: Spill | null, buffer: ChunkBuffer, files: Files): Promise<Uint32Array> {
  const offsets = new Uint32Array(buffer.rows + 1);
  bytesOf(offsets).set(await readFixed(spill, buffer, files));
  offsets[buffer.rows] = countTextBytes(buffer);
  return offsets;
}

/** Fills the target, which they fit, with the bytes of all texts of a buffer. Throws IO. */
export async function readTexts(spill: Spill | null, buffer: ChunkBuffer, files: Files, target: Uint8Array): Promise<void> {
  let end = 0;
  for (const { offset, fixedBytes, textBytes } of spill?.pieces ?? []) {
    for (let at = 0; at < textBytes; at += readBytes) {
      const length = Math.min(readBytes, textBytes - at);
      target.set(await files.read(spill!.path, { offset: offset + fixedBytes + at, length }), end + at);
    }
    end += textBytes;
  }
  target.set(viewValues(buffer).texts, end);
}

async function readFixed(spill: Spill | null, buffer: ChunkBuffer, files: Files): Promise<Uint8Array<ArrayBuffer>> {
  const { fixed } = viewValues(buffer);
  const pieces = spill?.pieces ?? [];
  const all = new Uint8Array(pieces.reduce((sum, { fixedBytes }) => sum + fixedBytes, fixed.length));
  let end = 0;
  for (const { offset, fixedBytes } of pieces) {
    all.set(await files.read(spill!.path, { offset, length: fixedBytes }), end);
    end += fixedBytes;
  }
  all.set(fixed, end);
  return all;
}
