/**
 * Decodes chunks of Blosc 1 (Blosc/c-blosc, README_CHUNK_FORMAT.rst), hostile ones included. A chunk, little-endian:
 *
 *   u8 2, the version | u8 1, the version of the codec | u8 flags | u8 bytes of a value (1 to 255)
 *   u32 raw bytes | u32 bytes of a block | u32 bytes of the chunk
 *   u32 x blocks: where each block begins, from the start of the chunk, in any order; then the blocks
 *
 * Flags: bit 0 byte planes, bit 1 stored, bit 2 bit planes, bit 3 zero, bit 4 blocks are not split, bits 5-7 the codec.
 * A stored chunk is its 16 bytes of header and the raw bytes. All blocks but the last are equally long. A block is one
 * stream, or one for each byte of a value: u32 length, bytes; a stream as long as what it stands for is that itself.
 */
import { inflateSync } from "node:zlib";
import type { Kernels } from "../../kernels/kernels.js";

const headerBytes = 16;
/** A block takes its place in the table, the length of a stream and a byte of it. */
const blockOverheadBytes = 4 + 4 + 1;
const codecs = ["blosclz", "lz4", "snappy", "zlib", "zstd"] as const;

type Codec = (typeof codecs)[number];
type Filter = "none" | "bytes" | "bits";

/** What the header of a chunk says, checked. */
export interface BloscHeader {
  readonly codec: Codec;
  /** All bytes follow the header as they are. */
  readonly isStored: boolean;
  readonly isSplit: boolean;
  readonly filter: Filter;
  readonly valueBytes: number;
  readonly rawBytes: number;
  readonly blockBytes: number;
  readonly blocks: number;
  /** The whole chunk, its header included. */
  readonly chunkBytes: number;
  /** Room that decoding needs beside source and target. */
  readonly scratchBytes: number;
}

/** Where to decode, as pointers into the memory of the kernels. */
export interface BloscPlaces {
  readonly kernels: Kernels;
  /** The whole chunk, `chunkBytes`. */
  readonly source: number;
  /** Room for `rawBytes`. */
  readonly target: number;
  /** Room for `scratchBytes`. */
  readonly scratch: number;
}

/** Throws the error for a chunk that is wrong in the way the words say. */
type Fail = (wrong: string) => never;

/** Part of the chunk that is being decoded. */
interface Block {
  readonly start: number;
  readonly bytes: number;
  readonly streams: number;
}

/** Bytes that one byte of a stream makes at most: 255 a byte of length; matches of 64 in 3; 258 in 2 bits; blocks of 128 KB in 4. */
const expansions: Readonly<Record<Codec, number>> = { blosclz: 256, lz4: 256, snappy: 22, zlib: 1_032, zstd: 32_768 };

/**
 * The header that the first 16 of `bytes` hold, of a chunk of which `availableBytes` are there; more may follow the
 * chunk. Calls `fail` unless all sizes agree, so that raw bytes are bounded by what the codec can make of the chunk.
 */
export function readBloscHeader(bytes: Uint8Array, availableBytes: number, fail: Fail): BloscHeader {
  if (bytes.length < headerBytes || availableBytes < headerBytes) return fail("it is shorter than a Blosc header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
  const flags = view.getUint8(2);
  const codec = codecs[flags >> 5];
  const valueBytes = view.getUint8(3);
  const rawBytes = view.getUint32(4, true), blockBytes = view.getUint32(8, true), chunkBytes = view.getUint32(12, true);
  if (view.getUint8(0) !== 2 || view.getUint8(1) !== 1 || (flags & 8) !== 0 || codec === undefined) return fail("it is no chunk of Blosc 1");
  if (valueBytes === 0) return fail("its values have no bytes");
  if (chunkBytes < headerBytes || chunkBytes > availableBytes) return fail(`it is cut: its Blosc chunk takes ${chunkBytes} bytes of ${availableBytes}`);
  const isStored = (flags & 2) !== 0;
  const blocks = isStored || rawBytes === 0 ? 0 : Math.ceil(rawBytes / blockBytes);
  if (isStored ? chunkBytes !== headerBytes + rawBytes : !areSizesPossible({ codec, rawBytes, blockBytes, blocks, chunkBytes })) return fail("the sizes in its Blosc header disagree");
  const filter = findFilter(flags, valueBytes);
  return {
    codec, isStored, isSplit: (flags & 16) === 0, filter, valueBytes, rawBytes, blockBytes, blocks, chunkBytes,
    scratchBytes: filter === "none" || isStored ? 0 : Math.min(blockBytes, rawBytes),
  };
}

function areSizesPossible({ codec, rawBytes, blockBytes, blocks, chunkBytes }: { codec: Codec; rawBytes: number; blockBytes: number; blocks: number; chunkBytes: number }): boolean {
  if (rawBytes === 0) return true;
  return blockBytes > 0 && blockBytes <= rawBytes && headerBytes + blockOverheadBytes * blocks <= chunkBytes && rawBytes <= chunkBytes * expansions[codec];
}

function findFilter(flags: number, valueBytes: number): Filter {
  if ((flags & 1) !== 0) return valueBytes > 1 ? "bytes" : "none";
  return (flags & 4) !== 0 ? "bits" : "none";
}

/** Decodes a chunk whose header has been read into the target, all `rawBytes`. Calls `fail` on a malformed chunk. */
export function decodeBlosc(header: BloscHeader, places: BloscPlaces, fail: Fail): void {
  const { kernels, source, target } = places;
  if (header.isStored) {
    kernels.bytes.copyWithin(target, source + headerBytes, source + headerBytes + header.rawBytes);
    return;
  }
  const starts = new DataView(kernels.bytes.buffer, source + headerBytes, 4 * header.blocks);
  for (let i = 0; i < header.blocks; i++) {
    const block = planBlock(header, i, starts.getUint32(4 * i, true));
    if (block.start < headerBytes + 4 * header.blocks || block.start > header.chunkBytes) return fail(`block ${i} begins outside its Blosc chunk`);
    decodeBlock(header, places, block, target + i * header.blockBytes, fail);
  }
}

/** Only whole blocks of enough short values are split. */
function planBlock(header: BloscHeader, index: number, start: number): Block {
  const { valueBytes, blockBytes, rawBytes, isSplit } = header;
  const bytes = Math.min(blockBytes, rawBytes - index * blockBytes);
  const isDivided = isSplit && valueBytes <= 16 && bytes === blockBytes && Math.floor(bytes / valueBytes) >= 128;
  return { start, bytes, streams: isDivided ? valueBytes : 1 };
}

function decodeBlock(header: BloscHeader, places: BloscPlaces, block: Block, target: number, fail: Fail): void {
  const count = Math.floor(block.bytes / header.valueBytes);
  // Bit planes are those of eight values together; blocks of other counts were left as they are.
  const isFiltered = header.filter === "bytes" || (header.filter === "bits" && count > 0 && count % 8 === 0);
  const unpacked = isFiltered ? places.scratch : target;
  decodeStreams(header, places, block, unpacked, fail);
  if (!isFiltered) return;
  const { kernels } = places;
  if (header.filter === "bytes") kernels.unshuffle(unpacked, target, count, header.valueBytes);
  else kernels.bitUnshuffle(unpacked, target, count, header.valueBytes);
  const whole = count * header.valueBytes;
  kernels.bytes.copyWithin(target + whole, unpacked + whole, unpacked + block.bytes);
}

function decodeStreams(header: BloscHeader, places: BloscPlaces, block: Block, target: number, fail: Fail): void {
  const { kernels, source } = places;
  const rawBytes = block.bytes / block.streams;
  if (!Number.isInteger(rawBytes)) return fail("its blocks are no multiple of its values");
  const chunk = new DataView(kernels.bytes.buffer, source, header.chunkBytes);
  let at = block.start;
  for (let i = 0; i < block.streams; i++) {
    if (at + 4 > header.chunkBytes) return fail("a block ends outside its Blosc chunk");
    const bytes = chunk.getUint32(at, true);
    at += 4;
    if (bytes > header.chunkBytes - at) return fail("a block ends outside its Blosc chunk");
    if (!decodeStream(header.codec, kernels, { at: source + at, bytes }, { at: target + i * rawBytes, bytes: rawBytes })) return fail(`its ${header.codec} stream is malformed`);
    at += bytes;
  }
}

interface Span {
  readonly at: number;
  readonly bytes: number;
}

/** Fills the target from one stream; gives whether the stream made exactly that. */
function decodeStream(codec: Codec, kernels: Kernels, stream: Span, target: Span): boolean {
  if (stream.bytes === target.bytes) {
    kernels.bytes.copyWithin(target.at, stream.at, stream.at + stream.bytes);
    return true;
  }
  switch (codec) {
    case "blosclz": return kernels.blosclzDecode(stream.at, stream.bytes, target.at, target.bytes) === target.bytes;
    case "lz4": return kernels.lz4Decode(stream.at, stream.bytes, target.at, target.bytes) === target.bytes;
    case "snappy": return kernels.snappyDecode(stream.at, stream.bytes, target.at, target.bytes) === target.bytes;
    case "zstd": return kernels.zstdDecode(stream.at, stream.bytes, target.at, target.bytes) === target.bytes;
    case "zlib": return inflate(kernels, stream, target);
  }
}

function inflate(kernels: Kernels, stream: Span, target: Span): boolean {
  try {
    const raw = inflateSync(kernels.bytes.subarray(stream.at, stream.at + stream.bytes), { maxOutputLength: target.bytes, chunkSize: Math.max(64, target.bytes) });
    kernels.bytes.set(raw.subarray(0, target.bytes), target.at);
    return raw.length === target.bytes;
  } catch {
    // Malformed or longer than the target: the caller names the chunk.
    return false;
  }
}
