/**
 * Reading a part of an object in ranges: several on their way side by side, given in their order. What a range needs to be
 * asked for again, the store does; what it gives up is given up.
 */
import { setMaxListeners } from "node:events";
import { BquerydError } from "../../base/errors.js";
import { withResolvers, type Resolvers } from "../../base/resolvers.js";
import type { ObjectStore } from "../../objects/objects.js";
import type { Buffers } from "./buffers.js";
import type { Bandwidth } from "./pace.js";

/** What of an object is read: [start, end). */
export interface ObjectPart {
  readonly key: string;
  /** What the object has to be, where that is known. */
  readonly etag?: string | undefined;
  readonly start: number;
  readonly end: number;
}

/** What transfers share. */
export interface TransferTools {
  readonly store: ObjectStore;
  readonly buffers: Buffers;
  readonly bandwidth: Bandwidth;
  readonly signal: AbortSignal;
}

/** Ranges of one part that are on their way or wait to be taken. */
const rangesAhead = 3;
/** Buffers that a range fills where there is so much of the part: what a request costs besides its bytes is as much as some megabytes. */
const buffersARange = 3;

/** A range that is on its way. */
interface Range {
  /** Its bytes, a buffer each, as they are filled; the first that is not filled rejects with the failure. */
  readonly pieces: readonly Promise<Uint8Array>[];
  /** Its buffers that were not given back yet: who has read one gives it back, the rest are when nothing fills them any more. */
  readonly lent: Buffer[];
  /** Resolves when nothing fills its buffers. */
  readonly settled: Promise<void>;
}

/** A range that is to be filled. */
interface Filling {
  readonly start: number;
  readonly end: number;
  readonly pieces: readonly Resolvers<Uint8Array>[];
  readonly lent: Buffer[];
}

/**
 * The bytes of a part in order. What is given is good until the next is asked for. Throws what the store throws; what was
 * given of that range before need not be right then: a store may find out at its end.
 */
export async function* readRanges(tools: TransferTools, part: ObjectPart): AsyncGenerator<Uint8Array> {
  const { buffers } = tools;
  const own = new AbortController();
  setMaxListeners(0, own.signal);
  const stop = (): void => { own.abort(tools.signal.reason); };
  if (tools.signal.aborted) stop();
  tools.signal.addEventListener("abort", stop, { once: true });
  const ahead: Range[] = [];
  let next = part.start;
  try {
    for (;;) {
      // Buffers are asked for in the order of the ranges, so that the first range of every part has its own.
      while (next < part.end && ahead.length < rangesAhead) {
        const end = Math.min(part.end, next + buffersARange * buffers.bufferBytes);
        ahead.push(fetchRange({ ...tools, signal: own.signal }, part, next, end));
        next = end;
      }
      const [first] = ahead;
      if (first === undefined) return;
      for (const piece of first.pieces) {
        yield await piece;
        buffers.give(first.lent.shift()!);
      }
      ahead.shift();
    }
  } finally {
    tools.signal.removeEventListener("abort", stop);
    own.abort();
    for (const range of ahead) {
      await range.settled;
      for (const buffer of range.lent) buffers.give(buffer);
    }
  }
}

function fetchRange(tools: TransferTools, part: ObjectPart, start: number, end: number): Range {
  const pieces = Array.from({ length: Math.ceil((end - start) / tools.buffers.bufferBytes) }, () => withResolvers<Uint8Array>());
  // A failure is for who reads so far, which may be nobody.
  for (const { promise } of pieces) promise.catch(() => undefined);
  const lent: Buffer[] = [];
  const settled = fillRange(tools, part, { start, end, pieces, lent }).catch((cause: unknown) => {
    for (const { reject } of pieces) reject(cause instanceof Error ? cause : new Error(String(cause)));
  });
  return { pieces: pieces.map(({ promise }) => promise), lent, settled };
}

async function fillRange({ store, buffers, bandwidth, signal }: TransferTools, { key, etag }: ObjectPart, { start, end, pieces, lent }: Filling): Promise<void> {
  const { bufferBytes } = buffers;
  // Asked for together: whoever asks later has none before this one has all.
  const taken = await Promise.all(pieces.map(() => buffers.take()));
  lent.push(...taken);
  signal.throwIfAborted();
  const length = end - start;
  let filled = 0;
  for await (const piece of store.read(key, { start, end, signal, ...(etag === undefined ? {} : { etag }) })) {
    if (filled + piece.length > length) throw notWhole(key, `more than ${length}`, length);
    for (let from = 0; from < piece.length;) {
      const index = Math.floor(filled / bufferBytes);
      const part = piece.subarray(from, from + bufferBytes - filled % bufferBytes);
      taken[index]!.set(part, filled % bufferBytes);
      from += part.length;
      filled += part.length;
      if (filled % bufferBytes === 0 && filled < length) pieces[index]!.resolve(taken[index]!);
    }
    await bandwidth.take(piece.length, signal);
  }
  if (filled !== length) throw notWhole(key, `${filled}`, length);
  pieces.at(-1)!.resolve(taken.at(-1)!.subarray(0, length - (pieces.length - 1) * bufferBytes));
}

function notWhole(key: string, came: string, wanted: number): BquerydError {
  return new BquerydError("OBJECT_STORE", `of ${key} came ${came} bytes instead of ${wanted}; try again`, { details: { key } });
}
