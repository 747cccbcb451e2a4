/**
 * A second reader of bcolz 1.x directories, written from the description of the format and sharing nothing with the one
 * in lib/: the raw bytes of a column. It knows LZ4, zlib and copies, which is what it takes to check what we write, and
 * to have the bytes of fixtures.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { uncompressSync } from "lz4-napi";

/** A column as it lies in a directory. */
export interface RawColumn {
  readonly name: string;
  /** As in meta/storage. */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly chunklen: number;
  /** All rows, C order. */
  readonly bytes: Buffer;
}

/** The names of the columns of a table, in order. */
export function readRawNames(table: string): string[] {
  const text = readFileSync(join(table, "__rootdirs__"), "latin1");
  return (JSON.parse(text) as { names: string[] }).names;
}

/** A column of a table; `itemBytes` is the size of a value of its dtype. */
export function readRawColumn(table: string, name: string, itemBytes: number): RawColumn {
  const directory = join(table, name);
  const sizes = JSON.parse(readFileSync(join(directory, "meta", "sizes"), "latin1")) as { shape: number[] };
  const storage = JSON.parse(readFileSync(join(directory, "meta", "storage"), "latin1")) as { dtype: string; chunklen: number };
  const rows = sizes.shape[0]!;
  const chunks = Math.ceil(rows / storage.chunklen);
  const parts = Array.from({ length: chunks }, (_, chunk) => {
    const inChunk = Math.min(storage.chunklen, rows - chunk * storage.chunklen);
    return decodeFile(readFileSync(join(directory, "data", `__${chunk}.blp`))).subarray(0, inChunk * itemBytes);
  });
  return { name, dtype: storage.dtype, shape: sizes.shape, chunklen: storage.chunklen, bytes: Buffer.concat(parts) };
}

/** Tells whether the table has what bcolz wants to see before it opens one: attributes, of the table and each column. */
export function hasAttributes(table: string): boolean {
  return existsSync(join(table, "__attrs__")) && readRawNames(table).every((name) => existsSync(join(table, name, "__attrs__")));
}

function decodeFile(file: Buffer): Buffer {
  if (file.toString("latin1", 0, 5) !== "blpk\u0001" || file.readBigInt64LE(8) !== 1n) throw new Error("not a bloscpack file of one chunk");
  const chunk = file.subarray(16);
  const [version, codecVersion, flags, typeBytes] = chunk;
  const [rawBytes, blockBytes, chunkBytes] = [chunk.readInt32LE(4), chunk.readInt32LE(8), chunk.readInt32LE(12)];
  if (version !== 2 || codecVersion !== 1 || (flags! & 8) !== 0 || chunkBytes > chunk.length) throw new Error("not a chunk of Blosc 1");
  if ((flags! & 2) !== 0) return chunk.subarray(16, 16 + rawBytes);
  const blocks: Buffer[] = [];
  for (let block = 0; block * blockBytes < rawBytes; block++) {
    const bytes = Math.min(blockBytes, rawBytes - block * blockBytes);
    blocks.push(unfilter(decodeBlock(chunk, chunk.readInt32LE(16 + 4 * block), bytes, bytes < blockBytes), flags!, typeBytes!));
  }
  return Buffer.concat(blocks);
}

function decodeBlock(chunk: Buffer, start: number, bytes: number, isLeftover: boolean): Buffer {
  const [flags, typeBytes] = [chunk[2]!, chunk[3]!];
  const isSplit = (flags & 0x10) === 0 && typeBytes <= 16 && Math.floor(bytes / typeBytes) >= 128 && !isLeftover;
  const streams = isSplit ? typeBytes : 1;
  const parts: Buffer[] = [];
  for (let stream = 0, at = start; stream < streams; stream++) {
    const stored = chunk.readInt32LE(at);
    parts.push(decodeStream(chunk.subarray(at + 4, at + 4 + stored), bytes / streams, flags >> 5));
    at += 4 + stored;
  }
  return Buffer.concat(parts);
}

function decodeStream(stored: Buffer, bytes: number, codec: number): Buffer {
  if (stored.length === bytes) return stored;
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes);
  const raw = codec === 1 ? uncompressSync(Buffer.concat([size, stored])) : codec === 3 ? inflateSync(stored) : undefined;
  if (raw?.length !== bytes) throw new Error(`a stream of codec ${codec} does not make ${bytes} bytes`);
  return raw;
}

function unfilter(block: Buffer, flags: number, typeBytes: number): Buffer {
  const count = Math.floor(block.length / typeBytes);
  const result = Buffer.from(block);
  if ((flags & 1) !== 0) {
    for (let i = 0; i < count; i++) for (let j = 0; j < typeBytes; j++) result[i * typeBytes + j] = block[j * count + i]!;
  } else if ((flags & 4) !== 0 && count % 8 === 0) {
    result.fill(0, 0, count * typeBytes);
    for (let bit = 0; bit < 8 * typeBytes; bit++) {
      for (let i = 0; i < count; i++) {
        const isSet = (block[bit * (count / 8) + (i >> 3)]! >> (i & 7)) & 1;
        result[i * typeBytes + (bit >> 3)]! |= isSet << (bit & 7);
      }
    }
  }
  return result;
}
