/** What decoding a chunk works on: its source, the memory it takes, and how values leave the raw bytes. */
import type { Heap } from "../../kernels/heap.js";
import type { VectorKind } from "../files/encodings.js";
import type { ChunkRecord } from "../files/index.js";
import { codeWidth } from "../files/payload.js";
import type { Vector } from "../vector.js";

/** A chunk to decode. */
export interface ChunkSource {
  readonly kind: VectorKind;
  readonly rows: number;
  readonly record: ChunkRecord;
  /** Codes must be below it. */
  readonly dictionaryCount: number;
  /** Fills the target with the stored bytes. */
  readonly load: (target: Uint8Array) => void;
  /** Throws the error for a chunk that is wrong in the way the words say. */
  readonly fail: (wrong: string) => never;
}

/** The blocks a decode has taken: scratch goes back when it ends, the rest stays with the vector. */
export interface Room {
  readonly heap: Heap;
  /** A block that the vector will own. */
  keep(bytes: number): number;
  /** A block for the time of this decode. */
  borrow(bytes: number): number;
}

/** Where the raw bytes of a chunk are. */
export interface Payload {
  /** Where the parameters start: after the bitmap. */
  readonly at: number;
  /** Bytes from there on. */
  readonly bytes: number;
}

/** Pages that all vectors of a heap share: zeros for 65,536 codes of one byte, ones for as many bits. */
export interface SharedPages {
  readonly zeros: number;
  readonly ones: number;
}

/** The part of a vector that depends on the encoding. */
export type Values = Pick<Vector, "width" | "values"> & Partial<Pick<Vector, "base" | "step" | "text" | "exponent">>;

/** `count` values in a block of the vector, unshuffled. */
export function takeValues(source: ChunkSource, room: Room, at: number, count: number, width: number): number {
  const { kernels } = room.heap;
  const values = room.keep(count * width);
  if (isShuffled(source, width)) kernels.unshuffle(at, values, count, width);
  else kernels.bytes.copyWithin(values, at, at + count * width);
  return values;
}

/** `count` values unshuffled, good for the time of this decode: where they lie, or in a borrowed block. */
export function readValues(source: ChunkSource, room: Room, at: number, count: number, width: number): number {
  if (!isShuffled(source, width)) return at;
  const values = room.borrow(count * width);
  room.heap.kernels.unshuffle(at, values, count, width);
  return values;
}

function isShuffled({ record }: ChunkSource, width: number): boolean {
  return record.filter === "shuffle" && width > 1;
}

/** The parameters of a payload. */
export function viewOf({ heap }: Room, { at, bytes }: Payload): DataView {
  return new DataView(heap.kernels.bytes.buffer, at, bytes);
}

/** The width of codes in so many bytes, which must be the one declared. */
export function requireWidth(source: ChunkSource, declared: number, bytes: number): 1 | 2 | 4 {
  const width = codeWidth(bytes, source.rows);
  return width === undefined || width !== declared ? source.fail("its width differs") : width;
}

/** The greatest code. */
export function highestCode(source: ChunkSource, room: Room, values: number, width: 1 | 2 | 4): number {
  const { kernels } = room.heap;
  switch (width) {
    case 1: return kernels.maxU8(values, source.rows);
    case 2: return kernels.maxU16(values, source.rows) >>> 0;
    case 4: return kernels.maxU32(values, source.rows) >>> 0;
  }
}
