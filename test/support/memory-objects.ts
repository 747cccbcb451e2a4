/** Objects kept in memory, by the interface of a store, with faults on demand. */
import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BquerydError } from "../../lib/base/errors.js";
import type { ObjectStore } from "../../lib/objects/objects.js";

/** What a fault does to a reading: nothing, the failure to throw, or other bytes than those there, fewer perhaps. */
export type ReadFault = (request: { readonly key: string; readonly start: number; readonly end: number }, bytes: Buffer) => Buffer | Error | undefined;

/** A store and what a test looks at. */
export interface MemoryObjects {
  readonly store: ObjectStore;
  readonly objects: Map<string, Buffer>;
  /** Calls in order: `write KEY`, `read KEY START-END`, `list PREFIX`, `head KEY`. */
  readonly calls: string[];
  /** Readings that are open now, and the most there were. */
  readonly open: { now: number; most: number };
  readFault: ReadFault | undefined;
  /** Called before an object is stored; what it throws is the failure. */
  onWrite: ((key: string) => void | Promise<void>) | undefined;
}

/** An empty store. Readings come in pieces of `pieceBytes`. */
export function createMemoryObjects(pieceBytes = 64 * 1024): MemoryObjects {
  const objects = new Map<string, Buffer>();
  const memory: MemoryObjects = { store: undefined as never, objects, calls: [], open: { now: 0, most: 0 }, readFault: undefined, onWrite: undefined };
  const etagOf = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex");
  async function* read(key: string, options: Parameters<ObjectStore["read"]>[1] = {}): AsyncGenerator<Uint8Array> {
    const bytes = objects.get(key);
    memory.calls.push(`read ${key} ${options.start ?? 0}-${options.end ?? bytes?.length ?? 0}`);
    memory.open.most = Math.max(memory.open.most, ++memory.open.now);
    try {
      await nextTurn();
      options.signal?.throwIfAborted();
      if (bytes === undefined) throw new BquerydError("NOT_FOUND", `memory has no object ${key}; check the name`);
      if (options.etag !== undefined && options.etag !== etagOf(bytes)) throw passing(`${key} is another object by now`);
      const start = options.start ?? 0;
      const end = options.end ?? bytes.length;
      if (end > bytes.length) throw passing(`${key} ends at ${bytes.length}`);
      const found = memory.readFault?.({ key, start, end }, Buffer.from(bytes.subarray(start, end))) ?? bytes.subarray(start, end);
      if (found instanceof Error) throw found;
      for (let at = 0; at < found.length; at += pieceBytes) {
        options.signal?.throwIfAborted();
        yield found.subarray(at, at + pieceBytes);
        await nextTurn();
      }
      if (found.length !== end - start) throw passing(`${key} was cut`);
    } finally {
      memory.open.now--;
    }
  }
  return Object.assign(memory, { store: {
    place: "memory",
    async head(key) {
      memory.calls.push(`head ${key}`);
      const bytes = objects.get(key);
      return bytes === undefined ? undefined : { key, bytes: bytes.length, etag: etagOf(bytes) };
    },
    async *list(prefix) {
      memory.calls.push(`list ${prefix}`);
      for (const [key, bytes] of [...objects].sort(([a], [b]) => (a < b ? -1 : 1))) {
        if (key.startsWith(prefix)) yield { key, bytes: bytes.length, etag: etagOf(bytes) };
      }
    },
    read,
    async write(key, source, options = {}) {
      await memory.onWrite?.(key);
      options.signal?.throwIfAborted();
      if (options.onlyNew === true && objects.has(key)) return "exists";
      memory.calls.push(`write ${key}`);
      const pieces: Uint8Array[] = [];
      const half = source.bytes >> 1;
      for (const [start, end] of [[0, half], [half, source.bytes]] as const) {
        for await (const piece of source.open(start, end)) pieces.push(Buffer.from(piece));
      }
      source.confirm?.();
      const bytes = Buffer.concat(pieces);
      if (bytes.length !== source.bytes) throw new Error(`${bytes.length} bytes of ${source.bytes}`);
      options.signal?.throwIfAborted();
      objects.set(key, bytes);
      options.onProgress?.(bytes.length);
      return "written";
    },
    async remove(key) { objects.delete(key); },
    close: () => Promise.resolve(),
  } satisfies ObjectStore });
}

/** A failure that may pass. */
export function passing(message: string): BquerydError {
  return new BquerydError("OBJECT_STORE", `${message}; try again`);
}
