/** The rows of a bcolz column as raw bytes: chunk by chunk, the latest kept for whoever reads the rows after them. */
import { join } from "node:path";
import { BquerydError } from "../../base/errors.js";
import { decodeBlosc, readBloscHeader } from "./blosc.js";
import { chunkName, type BcolzColumn, type BcolzDirectory } from "./directory.js";
import { readStamped } from "./paths.js";
import { withScratch } from "./room.js";

/** Bytes of a chunk at most, before compression; bcolz by itself makes none past 4 MB. */
const chunkBytesMax = 256 * 1024 * 1024;
/** Bytes of decoded chunks kept in this thread. */
const recentBytesMax = 32 * 1024 * 1024;
/** A file begins with 16 bytes of bloscpack, of which bcolz itself looks at none. */
const fileHeaderBytes = 16;
/** Blosc adds at most its own header to the rows. */
const chunkHeaderBytes = 16;

/** Decoded chunks, the latest used last. One past the whole budget is kept while it is the only one. */
const recentChunks = new Map<string, Uint8Array>();
let recentBytes = 0;
/** Columns by number: what one opening of a table has read is not for the next, before which files may have changed. */
const columnNumbers = new WeakMap<BcolzColumn, number>();
let columnCount = 0;

/**
 * Gives the rows [start, end) of a column in order, as runs of raw little-endian bytes: views, not to be changed. Throws
 * CORRUPT_CHUNK, GENERATION_GONE when a file has changed since the look at the directory, MEMORY_LIMIT.
 */
export function forEachRun(directory: BcolzDirectory, column: BcolzColumn, { start, end }: { start: number; end: number }, use: (bytes: Uint8Array, rows: number) => void): void {
  const { chunkLength } = column;
  const { itemBytes } = column.stored;
  for (let row = start; row < end;) {
    const chunk = Math.floor(row / chunkLength);
    const first = chunk * chunkLength;
    const until = Math.min(end, first + chunkLength);
    const bytes = readChunk(directory, column, chunk);
    use(bytes.subarray((row - first) * itemBytes, (until - first) * itemBytes), until - row);
    row = until;
  }
}

function readChunk(directory: BcolzDirectory, column: BcolzColumn, chunk: number): Uint8Array {
  const number = columnNumbers.get(column) ?? ++columnCount;
  columnNumbers.set(column, number);
  const key = `${number}/${chunk}`;
  const recent = recentChunks.get(key);
  const bytes = recent ?? decodeChunkFile(directory, column, chunk);
  recentChunks.delete(key);
  recentChunks.set(key, bytes);
  if (recent === undefined) recentBytes += bytes.length;
  for (const [oldest, { length }] of recentChunks) {
    if (recentBytes <= recentBytesMax || oldest === key) break;
    recentChunks.delete(oldest);
    recentBytes -= length;
  }
  return bytes;
}

/** The rows of a chunk, at least those that the column has of it; a crash of a writer may have left more. */
function decodeChunkFile(directory: BcolzDirectory, column: BcolzColumn, chunk: number): Uint8Array {
  const rows = Math.min(column.chunkLength, column.rows - chunk * column.chunkLength);
  const bytesMin = rows * column.stored.itemBytes;
  const bytesMax = column.chunkLength * column.stored.itemBytes;
  if (bytesMin > chunkBytesMax) throw tooLarge(directory, column, bytesMin);
  const fail = (wrong: string) => { throw corrupt(directory, column, chunk, wrong); };
  const file = readChunkFile(directory, column, chunk, fileHeaderBytes + chunkHeaderBytes + Math.min(bytesMax, chunkBytesMax));
  const stored = file.subarray(fileHeaderBytes);
  const header = readBloscHeader(stored, column.chunks[chunk]!.bytes - fileHeaderBytes, fail);
  if (header.rawBytes < bytesMin || header.rawBytes > bytesMax) fail(`it holds ${header.rawBytes} bytes where ${bytesMin} belong`);
  if (header.rawBytes > chunkBytesMax) throw tooLarge(directory, column, header.rawBytes);
  if (header.chunkBytes > stored.length) fail(`it takes ${header.chunkBytes} bytes for ${header.rawBytes}`);
  return withScratch(header.chunkBytes + header.rawBytes + header.scratchBytes, (heap, allocate) => {
    const { kernels } = heap;
    const places = { kernels, source: allocate(header.chunkBytes), target: allocate(Math.max(1, header.rawBytes)), scratch: allocate(Math.max(1, header.scratchBytes)) };
    try {
      kernels.bytes.set(stored.subarray(0, header.chunkBytes), places.source);
      decodeBlosc(header, places, fail);
      return toLittleEndian(kernels.bytes.slice(places.target, places.target + bytesMin), column);
    } finally {
      for (const pointer of [places.source, places.target, places.scratch]) heap.release(pointer);
    }
  });
}

function readChunkFile({ name }: BcolzDirectory, column: BcolzColumn, chunk: number, bytesMax: number): Uint8Array {
  const bytes = readStamped(join(column.directory, chunkName(chunk)), column.chunks[chunk]!, bytesMax);
  if (bytes !== undefined) return bytes;
  throw new BquerydError("GENERATION_GONE", `chunk ${chunk} of column '${column.name}' in ${name} has changed since the table was opened; ask again`, { details: { table: name, column: column.name, chunk } });
}

/** Turns the bytes of big-endian values round, in place. */
function toLittleEndian(bytes: Uint8Array, { stored }: BcolzColumn): Uint8Array {
  if (!stored.isBigEndian || stored.kind === "bytes") return bytes;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  switch (stored.kind === "unicode" ? 4 : stored.itemBytes) {
    case 2: buffer.swap16(); break;
    case 4: buffer.swap32(); break;
    case 8: buffer.swap64();
  }
  return bytes;
}

function corrupt({ name }: BcolzDirectory, column: BcolzColumn, chunk: number, wrong: string): BquerydError {
  return new BquerydError("CORRUPT_CHUNK", `chunk ${chunk} of column '${column.name}' in ${name} is damaged: ${wrong}; copy the table again from a good holder`, { details: { table: name, column: column.name, chunk, problem: wrong } });
}

function tooLarge({ name }: BcolzDirectory, column: BcolzColumn, bytes: number): BquerydError {
  return new BquerydError("MEMORY_LIMIT", `column '${column.name}' of ${name} has chunks of ${bytes} bytes, more than ${chunkBytesMax}; rewrite it in Python with a smaller chunklen`, { details: { table: name, column: column.name, bytes } });
}
