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
const rangesAhead = 6;

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
      // Buffers are asked for in the order of the ranges, so that the first range of every part has one.
      while (next < part.end && ahead.length < rangesAhead) {
        const range = { ...part, start: next, end: Math.min(part.end, next + buffers.bufferBytes) };
        next = range.end;
        ahead.push(fetchRange({ ...tools, signal: own.signal }, range));
      }
      const first = ahead.shift();
      if (first === undefined) return;
      const { buffer, length, failure } = await first;
      try {
        if (failure !== undefined) throw failure;
        yield buffer.subarray(0, length);
      } finally {
        buffers.give(buffer);
      }
    }
  } finally {
    tools.signal.removeEventListener("abort", stop);
    own.abort();
    for (const filled of ahead) buffers.give((await filled).buffer);
  }
}

/** A buffer with a range in it, or with what came before the failure. */
interface Filled {
  readonly buffer: Buffer;
  readonly length: number;
  readonly failure: Error | undefined;
}

async function fetchRange(tools: TransferTools, range: ObjectPart): Promise<Filled> {
  const buffer = await tools.buffers.take();
  const length = range.end - range.start;
  try {
    await fillRange(tools, range, buffer.subarray(0, length));
    return { buffer, length, failure: undefined };
  } catch (cause) {
    return { buffer, length, failure: cause instanceof Error ? cause : new Error(String(cause)) };
  }
}

async function fillRange({ store, bandwidth, signal }: TransferTools, { key, etag, start, end }: ObjectPart, target: Buffer): Promise<void> {
  signal.throwIfAborted();
  let filled = 0;
  for await (const piece of store.read(key, { start, end, signal, ...(etag === undefined ? {} : { etag }) })) {
    if (filled + piece.length > target.length) throw notWhole(key, `more than ${target.length}`, target.length);
    target.set(piece, filled);
    filled += piece.length;
    await bandwidth.take(piece.length, signal);
  }
  if (filled !== target.length) throw notWhole(key, `${filled}`, target.length);
}

function notWhole(key: string, came: string, wanted: number): BquerydError {
  return new BquerydError("OBJECT_STORE", `of ${key} came ${came} bytes instead of ${wanted}; try again`, { details: { key } });
}
