/**
 * Reading a part of an object in ranges: several on their way side by side, given in their order. What a range needs to be
 * asked for again, the store does; what it gives up is given up.
 */
import { setMaxListeners } from "node:events";
import { BquerydError } from "../../base/errors.js";
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
const buffersARange = 2;

/** The bytes of a part in order. What is given is good until the next is asked for. Throws what the store throws. */
export async function* readRanges(tools: TransferTools, part: ObjectPart): AsyncGenerator<Uint8Array> {
  const { buffers } = tools;
  const own = new AbortController();
  setMaxListeners(0, own.signal);
  const stop = (): void => { own.abort(tools.signal.reason); };
  if (tools.signal.aborted) stop();
  tools.signal.addEventListener("abort", stop, { once: true });
  const ahead: Promise<Filled>[] = [];
  let next = part.start;
  try {
    for (;;) {
      // Buffers are asked for in the order of the ranges, so that the first range of every part has its own.
      while (next < part.end && ahead.length < rangesAhead) {
        const range = { ...part, start: next, end: Math.min(part.end, next + buffersARange * buffers.bufferBytes) };
        next = range.end;
        ahead.push(fetchRange({ ...tools, signal: own.signal }, range));
      }
      const first = ahead.shift();
      if (first === undefined) return;
      yield* give(buffers, await first);
    }
  } finally {
    tools.signal.removeEventListener("abort", stop);
    own.abort();
    for (const filled of ahead) for (const buffer of (await filled).taken) buffers.give(buffer);
  }
}

/** The bytes of a range, or its failure; each of its buffers is given back once it was read. */
function* give(buffers: Buffers, { taken, length, failure }: Filled): Generator<Uint8Array> {
  let at = 0;
  try {
    if (failure !== undefined) throw failure;
    for (; at < taken.length; at++) {
      yield taken[at]!.subarray(0, length - at * buffers.bufferBytes);
      buffers.give(taken[at]!);
    }
  } finally {
    for (const buffer of taken.slice(at)) buffers.give(buffer);
  }
}

/** Buffers with a range in them one after the other, or with what came before the failure. */
interface Filled {
  readonly taken: readonly Buffer[];
  readonly length: number;
  readonly failure: Error | undefined;
}

async function fetchRange(tools: TransferTools, range: ObjectPart): Promise<Filled> {
  const length = range.end - range.start;
  const { buffers } = tools;
  // Asked for together: whoever asks later has none before this one has all.
  const taken = await Promise.all(Array.from({ length: Math.ceil(length / buffers.bufferBytes) }, () => buffers.take()));
  try {
    await fillRange(tools, range, taken);
    return { taken, length, failure: undefined };
  } catch (cause) {
    return { taken, length, failure: cause instanceof Error ? cause : new Error(String(cause)) };
  }
}

async function fillRange({ store, buffers: { bufferBytes }, bandwidth, signal }: TransferTools, { key, etag, start, end }: ObjectPart, targets: readonly Buffer[]): Promise<void> {
  signal.throwIfAborted();
  const length = end - start;
  let filled = 0;
  for await (const piece of store.read(key, { start, end, signal, ...(etag === undefined ? {} : { etag }) })) {
    if (filled + piece.length > length) throw notWhole(key, `more than ${length}`, length);
    for (let from = 0; from < piece.length;) {
      const at = filled % bufferBytes;
      const part = piece.subarray(from, from + bufferBytes - at);
      targets[Math.floor(filled / bufferBytes)]!.set(part, at);
      from += part.length;
      filled += part.length;
    }
    await bandwidth.take(piece.length, signal);
  }
  if (filled !== length) throw notWhole(key, `${filled}`, length);
}

function notWhole(key: string, came: string, wanted: number): BquerydError {
  return new BquerydError("OBJECT_STORE", `of ${key} came ${came} bytes instead of ${wanted}; try again`, { details: { key } });
}
