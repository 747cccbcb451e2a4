/**
 * The buffers of a record batch. In a compressed batch each is i64 bytes before compression, -1 where it is not
 * compressed, and an LZ4 frame or a Zstandard frame.
 */
import { BquerydError } from "../../base/errors.js";
import { readFlatbuffer, requireSize } from "./flatbuffer.js";
import type { FlatTable } from "./flatbuffer.js";
import { decodeLz4Frame } from "./lz4.js";
import type { ArrowFile, ArrowMessage } from "./messages.js";
import { decodeBlock } from "../input/block-decoder.js";

/** A buffer of a record batch. */
export interface ArrowBuffer {
  /** Before compression. */
  readonly bytes: number;
  /** Those bytes, in memory of their own, as an array that starts at a multiple of 8. Throws plain errors past the end. */
  read(start: number, length: number): Promise<Uint8Array>;
}

/** A record batch whose buffers are read on demand. */
export interface ArrowRecord {
  readonly rows: number;
  /** Values and nulls of a field. */
  node(index: number): { readonly rows: number; readonly nullCount: number };
  buffer(index: number): Promise<ArrowBuffer>;
  /** All bytes of a buffer, which are kept. */
  whole(index: number): Promise<Uint8Array>;
  /** How many buffers with long values a field of views has. */
  variadicCount(index: number): number;
}

/** The most that the buffers of a batch that are held whole may take. */
const heldBytesMax = 512 * 1024 * 1024;
const lz4RatioMax = 256;

/** What a message says of the dictionary whose values it has. */
export interface DictionaryFacts {
  readonly id: bigint;
  /** It adds to the values there are, and does not replace them. */
  readonly isDelta: boolean;
}

/** The record batch of a message; of a dictionary the one with its values, and what is said of it. Throws plain errors. */
export async function openRecord(file: ArrowFile, message: ArrowMessage): Promise<{ record: ArrowRecord; dictionary: DictionaryFacts | null }> {
  const flat = readFlatbuffer(await file.read(message.metadata.start, message.metadata.bytes));
  const header = flat.table(2);
  const facts = message.kind === "batch" ? header : header?.table(1) ?? null;
  if (header === null || facts === null) throw new Error("it has a message without a record batch");
  const dictionary = message.kind === "batch" ? null : { id: header.long(0), isDelta: header.bool(2) };
  return { record: createRecord(file, message, facts), dictionary };
}

function createRecord(file: ArrowFile, { bodyStart, bodyBytes }: ArrowMessage, facts: FlatTable): ArrowRecord {
  const [nodes, places, variadic] = [facts.structs(1, 16), facts.structs(2, 16), facts.structs(4, 8)];
  const codec = codecOf(facts);
  const buffers = new Map<number, Promise<ArrowBuffer>>();
  const wholes = new Map<number, Promise<Uint8Array>>();
  let left = heldBytesMax;

  function reserve(bytes: number): void {
    left -= bytes;
    if (left < 0) throw tooLarge(file.path);
  }

  function openBuffer(index: number): Promise<ArrowBuffer> {
    const start = requireSize(places.getBigInt64(16 * index, true));
    const bytes = requireSize(places.getBigInt64(16 * index + 8, true));
    if (start + bytes > bodyBytes) throw new Error("it has a buffer past the end of its batch");
    const stored = storedBuffer(file, bodyStart + start, bytes);
    return codec === null || bytes === 0 ? Promise.resolve(stored) : decompress(stored, codec, reserve);
  }

  return {
    rows: facts.size(0),
    node: (index) => ({ rows: requireSize(nodes.getBigInt64(16 * index, true)), nullCount: Number(nodes.getBigInt64(16 * index + 8, true)) }),
    variadicCount: (index) => {
      const count = requireSize(variadic.getBigInt64(8 * index, true));
      if (count > places.byteLength / 16) throw new Error("it has fewer buffers than it claims");
      return count;
    },
    buffer: (index) => remember(buffers, index, () => openBuffer(index)),
    whole: (index) => remember(wholes, index, async () => {
      const { bytes, read } = await remember(buffers, index, () => openBuffer(index));
      reserve(bytes);
      return read(0, bytes);
    }),
  };
}

function remember<T>(known: Map<number, T>, index: number, make: () => T): T {
  const found = known.get(index);
  if (found !== undefined) return found;
  const made = make();
  known.set(index, made);
  return made;
}

function tooLarge(path: string): BquerydError {
  return new BquerydError("MEMORY_LIMIT", `a record batch of ${path} takes more than ${heldBytesMax} bytes of memory; write it with smaller batches, or import fewer columns at once`, { details: { path } });
}

type Codec = "lz4" | "zstd";

function codecOf(facts: FlatTable): Codec | null {
  const compression = facts.table(3);
  if (compression === null) return null;
  const number = compression.int(0, 8, 0);
  if (number !== 0 && number !== 1) throw new Error(`it is compressed with codec ${number}, which is unknown`);
  return number === 0 ? "lz4" : "zstd";
}

function storedBuffer(file: ArrowFile, start: number, bytes: number): ArrowBuffer {
  return { bytes, read: (from, length) => file.read(start + requireRange(from, length, bytes), length) };
}

function requireRange(from: number, length: number, bytes: number): number {
  if (from < 0 || length < 0 || from + length > bytes) throw new Error("it has a buffer that is too short");
  return from;
}

async function decompress(stored: ArrowBuffer, codec: Codec, reserve: (bytes: number) => void): Promise<ArrowBuffer> {
  const raw = Number(new DataView((await stored.read(0, 8)).buffer).getBigInt64(0, true));
  const frameBytes = stored.bytes - 8;
  if (raw === -1) return { bytes: frameBytes, read: (from, length) => stored.read(8 + requireRange(from, length, frameBytes), length) };
  if (raw < 0 || (codec === "lz4" && raw > frameBytes * lz4RatioMax)) throw new Error(`it has ${frameBytes} bytes that claim to be ${raw}`);
  reserve(raw);
  const frame = await stored.read(8, frameBytes);
  const bytes = raw === 0 ? frame.subarray(0, 0) : codec === "lz4" ? decodeLz4Frame(frame, raw) : decodeBlock("zstd", frame, raw);
  if (bytes === undefined) throw new Error(`it has bytes that are not ${codec}`);
  return { bytes: raw, read: (from, length) => Promise.resolve(bytes.slice(requireRange(from, length, raw), from + length)) };
}
