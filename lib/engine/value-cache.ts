/** What was made once and may be asked for again: values by key, bounded by the bytes they take. */

import { bytesOfArrays } from "./array-bytes.js";

/** Values by key, least recently used first out, bounded in bytes. They are never changed in place, so they are shared. */
export interface ValueCache<T> {
  readonly usedBytes: number;
  find(key: string): T | undefined;
  /** Keeps a value, unless it is so large that it would push out most others; tells whether it is kept. */
  keep(key: string, value: T): boolean;
  clear(): void;
}

/** A value may take this part of the cache. */
const largestShare = 1 / 8;
/** What keeping track of a value costs besides what it is made of. */
const entryBytes = 1_024;

/** A cache of at most `limitBytes`, with 0 of nothing; `bytesOf` tells what a value takes. */
export function createValueCache<T>(limitBytes: number, bytesOf: (value: T) => number = bytesOfArrays): ValueCache<T> {
  /** A Map keeps insertion order: re-inserting on use makes its first key the least recently used. */
  const entries = new Map<string, { readonly value: T; readonly bytes: number }>();
  let usedBytes = 0;
  function drop(key: string): void {
    usedBytes -= entries.get(key)?.bytes ?? 0;
    entries.delete(key);
  }
  return {
    get usedBytes() { return usedBytes; },
    find(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      return entry.value;
    },
    keep(key, value) {
      drop(key);
      const bytes = entryBytes + bytesOf(value);
      if (bytes > limitBytes * largestShare) return false;
      entries.set(key, { value, bytes });
      usedBytes += bytes;
      for (const oldest of entries.keys()) {
        if (usedBytes <= limitBytes) break;
        drop(oldest);
      }
      return true;
    },
    clear() {
      entries.clear();
      usedBytes = 0;
    },
  };
}
