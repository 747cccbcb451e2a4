/** Writes Blosc 1 chunks for tests, in every form that the container has, from the note on the format alone. */
import { deflateSync } from "node:zlib";
import { compressSync } from "lz4-napi";
import { referenceBitShuffle, referenceShuffle } from "./codec-references.js";

/** How to write a chunk. */
export interface BloscForm {
  readonly codec: "raw" | "lz4" | "zlib";
  readonly filter: "none" | "bytes" | "bits";
  readonly isSplit: boolean;
  readonly valueBytes: number;
  readonly blockBytes: number;
  /** Which block is stored first, second and so on; by default in order. */
  readonly order?: (blocks: number) => number[];
}

const flagsOf = { none: 0, bytes: 1, bits: 4, raw: 0, lz4: 1 << 5, zlib: 3 << 5 } as const;

/** The chunk of some bytes, at least one. */
export function encodeBlosc(raw: Uint8Array, form: BloscForm): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(raw.length / form.blockBytes) }, (_, i) => encodeBlock(raw.subarray(i * form.blockBytes, (i + 1) * form.blockBytes), form));
  const starts: number[] = [];
  let end = 16 + 4 * blocks.length;
  const order = form.order?.(blocks.length) ?? [...blocks.keys()];
  for (const block of order) {
    starts[block] = end;
    end += blocks[block]!.length;
  }
  const flags = flagsOf[form.filter] | flagsOf[form.codec] | (form.isSplit ? 0 : 16);
  return Uint8Array.from([2, 1, flags, form.valueBytes, ...u32s(raw.length, form.blockBytes, end, ...starts), ...order.flatMap((block) => blocks[block]!)]);
}

/** A stored chunk, whatever the filter bits say. */
export function storeBlosc(raw: Uint8Array, { flags, valueBytes }: { flags: number; valueBytes: number }): Uint8Array {
  return Uint8Array.from([2, 1, flags | 2, valueBytes, ...u32s(raw.length, raw.length, raw.length + 16), ...raw]);
}

function encodeBlock(raw: Uint8Array, { codec, filter, isSplit, valueBytes, blockBytes }: BloscForm): number[] {
  const count = Math.floor(raw.length / valueBytes);
  const whole = raw.subarray(0, count * valueBytes);
  const rest = raw.subarray(count * valueBytes);
  let filtered = whole;
  if (filter === "bytes") filtered = referenceShuffle(whole, valueBytes);
  if (filter === "bits" && count % 8 === 0) filtered = referenceBitShuffle(whole, valueBytes);
  const bytes = [...filtered, ...rest];
  const streams = isSplit && valueBytes <= 16 && count >= 128 && raw.length === blockBytes ? valueBytes : 1;
  const length = bytes.length / streams;
  return Array.from({ length: streams }, (_, i) => encodeStream(Buffer.from(bytes.slice(i * length, (i + 1) * length)), codec)).flat();
}

function encodeStream(raw: Buffer, codec: BloscForm["codec"]): number[] {
  const packed = codec === "raw" ? raw : codec === "lz4" ? compressSync(raw).subarray(4) : deflateSync(raw);
  const stored = packed.length < raw.length ? packed : raw;
  return [...u32s(stored.length), ...stored];
}

function u32s(...values: number[]): number[] {
  return [...new Uint8Array(Uint32Array.from(values).buffer)];
}
