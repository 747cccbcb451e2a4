/**
 * Files of text as blocks of bytes, decompressed on the way: gzip (RFC 1952) by its first two bytes, 1f 8b, several
 * members one after another included. The mark ef bb bf at the start of UTF-8 text is dropped.
 */
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { throwIfAborted } from "../abort.js";

/** A piece of an input. */
export interface ByteBlock {
  /** Never empty; whoever gets it owns it, and its buffer, in which nothing else is. */
  readonly block: Uint8Array<ArrayBuffer>;
  /** Bytes of the file used up so far, as it lies on disk. */
  readonly bytesDone: number;
}

/** An open input; whoever opened it closes it. */
export interface ByteInput {
  readonly path: string;
  /** Bytes on disk. */
  readonly bytes: number;
  readonly isCompressed: boolean;
  /** The content in order, from the start at each call. Throws BAD_INPUT for damaged content, IO, CANCELLED on abort. */
  blocks(signal: AbortSignal | undefined): AsyncGenerator<ByteBlock>;
  /** Bytes `start` to `end` (exclusive) as they lie on disk, fewer where the file ends before. */
  readRange(start: number, end: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

const defaultBlockBytes = 1024 * 1024;
/** Room before a block for what was left of the one before, if blocks are as large. */
const roomBytesMax = 64 * 1024;
const magicBytes = 10;
/** How files begin that are text only once they are decompressed by someone else. */
const otherCompressions: readonly (readonly [string, string])[] = [
  ["zstd", "28b52ffd"], ["xz", "fd377a585a00"], ["zip", "504b0304"], ["lz4", "04224d18"],
];
const bzip2Block = "314159265359";

/**
 * Opens a file for reading block by block; `blockBytes` is the most that one read asks for. Throws NOT_FOUND, IO, and
 * BAD_INPUT for a directory or another compression than gzip.
 */
export async function openBytes(path: string, { blockBytes = defaultBlockBytes }: { readonly blockBytes?: number } = {}): Promise<ByteInput> {
  const file = await openFile(path);
  try {
    const facts = await file.stat();
    if (facts.isDirectory()) throw new BquerydError("BAD_INPUT", `${path} is a directory; name the files in it`, { details: { path } });
    const start = await readRange(file, 0, magicBytes);
    refuseOtherCompressions(path, start);
    const isCompressed = start[0] === 0x1f && start[1] === 0x8b;
    return {
      path,
      bytes: facts.size,
      isCompressed,
      blocks: (signal) => readText(path, isCompressed ? gunzipBlocks(path, file, blockBytes, signal) : readBlocks(path, file, blockBytes, signal)),
      readRange: (from, to) => readRange(file, from, to),
      close: () => file.close(),
    };
  } catch (cause) {
    await file.close();
    throw toBquerydError(cause, `read ${path}`);
  }
}

/**
 * Blocks that are owned, in a row, as one that is. It is in the buffer of the last one where there is room for the others
 * before it.
 */
export function joinBlocks(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const bytes = parts.reduce((sum, part) => sum + part.length, 0);
  const last = parts.at(-1);
  const before = bytes - (last?.length ?? 0);
  const isRoom = last !== undefined && last.byteOffset >= before;
  const joined = isRoom ? new Uint8Array(last.buffer, last.byteOffset - before, bytes) : new Uint8Array(bytes);
  let at = 0;
  for (const part of isRoom ? parts.slice(0, -1) : parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (cause) {
    throw toBquerydError(cause, `open ${path}`);
  }
}

function refuseOtherCompressions(path: string, start: Uint8Array): void {
  const hex = Buffer.from(start).toString("hex");
  const isBzip2 = hex.startsWith("425a68") && hex.slice(8) === bzip2Block;
  const name = isBzip2 ? "bzip2" : otherCompressions.find(([, magic]) => hex.startsWith(magic))?.[0];
  if (name === undefined) return;
  throw new BquerydError("BAD_INPUT", `${path} is compressed with ${name}; decompress it, or compress it with gzip`, { details: { path, compression: name } });
}

async function readRange(file: FileHandle, start: number, end: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - start);
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await file.read(bytes, length, bytes.length - length, start + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

async function* readBlocks(path: string, file: FileHandle, blockBytes: number, signal: AbortSignal | undefined): AsyncGenerator<ByteBlock> {
  for (let place = 0; ;) {
    throwIfAborted(signal, "import");
    const room = Math.min(roomBytesMax, blockBytes);
    const block = new Uint8Array(Buffer.allocUnsafeSlow(room + blockBytes).buffer, room);
    const bytesRead = await readSome(path, file, block, place);
    if (bytesRead === 0) return;
    place += bytesRead;
    yield { block: block.subarray(0, bytesRead), bytesDone: place };
  }
}

async function readSome(path: string, file: FileHandle, block: Uint8Array, place: number): Promise<number> {
  try {
    return (await file.read(block, 0, block.length, place)).bytesRead;
  } catch (cause) {
    throw toBquerydError(cause, `read ${path}`);
  }
}

async function* gunzipBlocks(path: string, file: FileHandle, blockBytes: number, signal: AbortSignal | undefined): AsyncGenerator<ByteBlock> {
  const gunzip = createGunzip({ chunkSize: Math.max(64, blockBytes) });
  const fed = pipeline(rawBlocks(path, file, signal), gunzip);
  // Told by the loop below, which meets the same failure; this one only must not go unheard.
  fed.catch(() => undefined);
  try {
    // What comes next may be written behind it, in the same buffer.
    for await (const block of gunzip as AsyncIterable<Uint8Array>) yield { block: new Uint8Array(block), bytesDone: gunzip.bytesWritten };
  } catch (cause) {
    throw gunzipFailure(path, cause);
  } finally {
    gunzip.destroy();
    await fed.catch(() => undefined);
  }
}

async function* rawBlocks(path: string, file: FileHandle, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  for await (const { block } of readBlocks(path, file, defaultBlockBytes, signal)) yield block;
}

function gunzipFailure(path: string, cause: unknown): BquerydError {
  const isZlib = cause instanceof Error && "code" in cause && String(cause.code).startsWith("Z_");
  if (!isZlib) return toBquerydError(cause, `decompress ${path}`);
  return new BquerydError("BAD_INPUT", `${path} is damaged or cut gzip (${cause.message}); copy or compress it again`, { details: { path }, cause });
}

/** Drops the byte order mark of UTF-8, and refuses those of UTF-16, once enough of the start is there. */
async function* readText(path: string, blocks: AsyncIterable<ByteBlock>): AsyncGenerator<ByteBlock> {
  let held: ByteBlock | undefined;
  let isChecked = false;
  for await (const next of blocks) {
    if (isChecked) {
      yield next;
      continue;
    }
    held = held === undefined ? next : { block: joinBlocks([held.block, next.block]), bytesDone: next.bytesDone };
    if (held.block.length < 3) continue;
    isChecked = true;
    yield* withoutMark(path, held);
  }
  if (!isChecked && held !== undefined) yield* withoutMark(path, held);
}

function* withoutMark(path: string, { block, bytesDone }: ByteBlock): Generator<ByteBlock> {
  const [first, second, third] = block;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new BquerydError("BAD_INPUT", `${path} is UTF-16; convert it: iconv -f UTF-16 -t UTF-8`, { details: { path } });
  }
  const rest = first === 0xef && second === 0xbb && third === 0xbf ? block.subarray(3) : block;
  if (rest.length > 0) yield { block: rest, bytesDone };
}
