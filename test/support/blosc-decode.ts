/** Decodes Blosc chunks in tests, between guard bytes. */
import { decodeBlosc, readBloscHeader } from "../../lib/columns/bcolz/blosc.js";
import { expectSame, openArena, type Place } from "../unit/kernels-arena.js";

/** What the decoder says of a chunk that is wrong. */
export class BloscFailure extends Error {}

/**
 * The raw bytes of a chunk; throws a BloscFailure when it is malformed or has more than a reader asked for, and fails
 * when a byte outside the places changes.
 */
export function decodeBloscAt(place: Place, chunk: Uint8Array, rawBytesMax = 2 ** 20): Uint8Array {
  const header = readBloscHeader(chunk, chunk.length, fail);
  if (header.rawBytes > rawBytesMax) fail("it is longer than expected");
  const arena = openArena(place);
  const source = arena.put(chunk.subarray(0, header.chunkBytes)), target = arena.reserve(header.rawBytes), scratch = arena.reserve(header.scratchBytes);
  try {
    decodeBlosc(header, { kernels: arena.kernels, source, target, scratch }, fail);
  } finally {
    arena.check();
    expectSame(arena.read(Uint8Array, source, header.chunkBytes), Uint8Array.from(chunk.subarray(0, header.chunkBytes)));
  }
  return arena.read(Uint8Array, target, header.rawBytes);
}

function fail(wrong: string): never {
  throw new BloscFailure(wrong);
}
