/**
 * The file of a bcolz chunk as every reader of Blosc 1 since 1.0 takes it: 16 bytes of bloscpack, one Blosc chunk.
 *
 *    0  4 bytes  "blpk", then u8 1, the version, and three zeros
 *    8  i64      1, the number of chunks
 *   16  u8       2, then u8 1: versions
 *   18  u8       flags: 0x01 byte-shuffled, 0x02 copied, 0x10 one stream, 0x20 LZ4
 *   19  u8       bytes of a value
 *   20  i32      bytes of the rows, then i32 the same: one block, then i32 bytes of the chunk from 16 on
 *   32  i32      20, the place of the block from 16 on
 *   36           the block: for each byte plane of the values (or for all at once) i32 bytes, then an LZ4 block, or the
 *                bytes as they are where that is no longer
 *
 * Copied rows follow the first 32 bytes, not shuffled.
 */
import type { Arena } from "../encode/arena.js";

const fileHeaderBytes = 16;
const chunkHeaderBytes = 16;
const shuffled = 0x01;
const copied = 0x02;
const unsplit = 0x10;
const lz4 = 0x20;
/** Below it Blosc copies. */
const compressedBytesMin = 128;
/** Blocks of wider values, or with fewer of them, are one stream. */
const splitWidthMax = 16;
const splitValuesMin = 128;

/** Encodes rows of values of `typeBytes` bytes. The bytes given are good until the arena is started again. */
export function encodeBlosc(arena: Arena, rows: Uint8Array, typeBytes: number): Uint8Array {
  return (rows.length < compressedBytesMin ? undefined : compress(arena, rows, typeBytes)) ?? copyRows(rows, typeBytes);
}

function copyRows(rows: Uint8Array, typeBytes: number): Uint8Array {
  const file = new Uint8Array(fileHeaderBytes + chunkHeaderBytes + rows.length);
  writeHeaders(file, { flags: copied, typeBytes, rowBytes: rows.length });
  file.set(rows, fileHeaderBytes + chunkHeaderBytes);
  return file;
}

/** Undefined when it is no shorter than a copy. */
function compress(arena: Arena, rows: Uint8Array, typeBytes: number): Uint8Array | undefined {
  arena.start(3 * rows.length + 4_096);
  const kernels = arena.kernels();
  const source = arena.take(rows.length);
  kernels.bytes.set(rows, source);
  const values = rows.length / typeBytes;
  const turned = typeBytes === 1 ? source : arena.take(rows.length);
  if (typeBytes > 1) kernels.shuffle(source, turned, values, typeBytes);
  const isSplit = typeBytes > 1 && typeBytes <= splitWidthMax && values >= splitValuesMin;
  const file = arena.take(rows.length + 64);
  const streamBytes = isSplit ? values : rows.length;
  const limit = file + fileHeaderBytes + chunkHeaderBytes + rows.length;
  let at = file + fileHeaderBytes + chunkHeaderBytes + 4;
  for (let stream = turned; stream < turned + rows.length; stream += streamBytes) {
    const end = writeStream(arena, stream, streamBytes, at, limit);
    if (end === undefined) return undefined;
    at = end;
  }
  const bytes = kernels.bytes.subarray(file, at);
  writeHeaders(bytes, { flags: shuffled | lz4 | (isSplit ? 0 : unsplit), typeBytes, rowBytes: rows.length });
  new DataView(bytes.buffer, bytes.byteOffset).setInt32(fileHeaderBytes + chunkHeaderBytes, chunkHeaderBytes + 4, true);
  return bytes;
}

/** Writes a stream and its length at a place; gives the place after it, undefined when it would pass the limit. */
function writeStream(arena: Arena, stream: number, bytes: number, at: number, limit: number): number | undefined {
  const kernels = arena.kernels();
  const start = at + 4;
  const room = limit - start;
  if (room <= 0) return undefined;
  const compressed = kernels.lz4Encode(stream, bytes, start, Math.min(room, bytes - 1));
  if (compressed < 0) {
    if (room < bytes) return undefined;
    kernels.bytes.copyWithin(start, stream, stream + bytes);
  }
  const length = compressed < 0 ? bytes : compressed;
  new DataView(kernels.bytes.buffer).setInt32(at, length, true);
  return start + length;
}

function writeHeaders(file: Uint8Array, { flags, typeBytes, rowBytes }: { flags: number; typeBytes: number; rowBytes: number }): void {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  file.set(Buffer.from("blpk\u0001\0\0\0"));
  view.setBigInt64(8, 1n, true);
  file.set([2, 1, flags, typeBytes], fileHeaderBytes);
  view.setInt32(20, rowBytes, true);
  view.setInt32(24, rowBytes, true);
  view.setInt32(28, file.length - fileHeaderBytes, true);
}
