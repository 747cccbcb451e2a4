/** Filter and codec of a chunk: the smallest of what its raw bytes become. */
import { compress } from "@mongodb-js/zstd";
import type { Arena } from "./arena.js";
import type { EncodedChunk } from "./input.js";
import { place, type Payload } from "./payload.js";
import type { Codec, Compression, Filter } from "../files/encodings.js";
import { withContentSize } from "../files/zstd-frame.js";

/** Stored bytes of a chunk, in the arena or outside. */
interface Packed {
  readonly bytes: Uint8Array;
  readonly filter: Filter;
  readonly codec: Codec;
}

const sampleValues = 2_048;
const samples = 2;
/** A filter whose samples come out larger than this share of the other's is not tried. */
const clearlyLarger = 1.2;

/** Bytes of the arena that packing takes besides a payload of so many bytes: shuffled and stored forms, and samples. */
export function packRoom(payloadBytes: number, filters: 1 | 2): number {
  return (1 + filters) * payloadBytes + sampleValues * 17 + 1_024;
}

/** The stored form of a payload in the arena, and its record. */
export function packChunk(arena: Arena, payload: Payload, codec: Compression): EncodedChunk | Promise<EncodedChunk> {
  return codec === "lz4" ? finish(arena, payload, packLz4(arena, payload)) : packZstd(arena, payload);
}

/** The smallest of raw, LZ4, and LZ4 over shuffled values. */
function packLz4(arena: Arena, payload: Payload): Packed {
  const kernels = arena.kernels();
  const { pointer, bytes } = payload;
  const filters = likelyFilters(arena, payload);
  const target = arena.take(bytes);
  let best: Packed = { bytes: kernels.bytes.subarray(pointer, pointer + bytes), filter: "none", codec: "raw" };
  // The smaller result is taken along: a second one is written only where it is smaller still.
  let room = bytes - 1;
  for (const filter of filters) {
    const source = filter === "shuffle" ? shufflePayload(arena, payload) : pointer;
    const at = filter === filters[0] ? target : arena.take(room);
    const length = kernels.lz4Encode(source, bytes, at, room);
    if (length < 0) continue;
    best = { bytes: kernels.bytes.subarray(at, at + length), filter, codec: "lz4" };
    room = length - 1;
  }
  return best;
}

/** The smallest of raw and zstd after the filters that may pay; compressed on other threads. */
async function packZstd(arena: Arena, payload: Payload): Promise<EncodedChunk> {
  const { pointer, bytes } = payload;
  // The arena serves other chunks meanwhile, so all that is needed of it is copied out.
  const copy = (from: number) => Buffer.from(arena.kernels().bytes.subarray(from, from + bytes));
  const raw = copy(pointer);
  const tries = likelyFilters(arena, payload).map((filter) => ({ filter, source: filter === "shuffle" ? copy(shufflePayload(arena, payload)) : raw }));
  const packed = await Promise.all(tries.map(async ({ filter, source }): Promise<Packed> => ({ filter, codec: "zstd", bytes: withContentSize(await compress(source), bytes) })));
  const best = packed.reduce((a, b) => (b.bytes.length < a.bytes.length ? b : a), { bytes: raw, filter: "none", codec: "raw" });
  arena.start(best.bytes.length + 64);
  return finish(arena, payload, best);
}

/**
 * The filters worth trying. Of texts only the offsets can be shuffled, and as they ascend that pays. Numbers are judged
 * by LZ4 over samples; when neither filter is clearly better, both are tried.
 */
function likelyFilters(arena: Arena, payload: Payload): readonly Filter[] {
  const { width, valueCount, pointer, bytes, valuesAt } = payload;
  if (width === 1 || valueCount < 2) return ["none"];
  if (valuesAt + valueCount * width !== pointer + bytes) return ["shuffle"];
  if (valueCount < 4 * samples * sampleValues) return ["none", "shuffle"];
  const kernels = arena.kernels();
  const shuffled = arena.take(sampleValues * width);
  // Room for what does not shrink: a byte more in 255, and the last token.
  const target = arena.take(sampleValues * 9);
  let none = 0;
  let shuffle = 0;
  for (let sample = 0; sample < samples; sample++) {
    const at = valuesAt + Math.floor(valueCount * (2 * sample + 1) / (2 * samples)) * width;
    kernels.shuffle(at, shuffled, sampleValues, width);
    none += kernels.lz4Encode(at, sampleValues * width, target, sampleValues * 9);
    shuffle += kernels.lz4Encode(shuffled, sampleValues * width, target, sampleValues * 9);
  }
  if (none > shuffle * clearlyLarger) return ["shuffle"];
  return shuffle > none * clearlyLarger ? ["none"] : ["none", "shuffle"];
}

/** The payload with its values in byte planes: another place in the arena. */
function shufflePayload(arena: Arena, payload: Payload): number {
  const kernels = arena.kernels();
  const target = arena.take(payload.bytes);
  const before = payload.valuesAt - payload.pointer;
  const turned = payload.valueCount * payload.width;
  kernels.bytes.copyWithin(target, payload.pointer, payload.valuesAt);
  kernels.shuffle(payload.valuesAt, target + before, payload.valueCount, payload.width);
  kernels.bytes.copyWithin(target + before + turned, payload.valuesAt + turned, payload.pointer + payload.bytes);
  return target;
}

function finish(arena: Arena, payload: Payload, { bytes, filter, codec }: Packed): EncodedChunk {
  const { encoding, nullCount, minimum, maximum, truncated } = payload;
  const kernels = arena.kernels();
  const isInside = bytes.buffer === kernels.bytes.buffer;
  const stored = isInside ? bytes.slice() : bytes;
  const checksum = kernels.xxh64(isInside ? bytes.byteOffset : place(arena, bytes), bytes.length);
  return { stored, record: { storedBytes: stored.length, rawBytes: payload.bytes, checksum, nullCount, encoding, filter, codec, minimum, maximum, truncated } };
}
