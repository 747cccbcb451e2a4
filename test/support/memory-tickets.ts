/** Texts by key in memory, for tickets without a registry's files and servers. */
import type { TextEntries } from "../../lib/registry/ticket-store.js";

/** Entries that a test may empty. */
export interface MemoryEntries extends TextEntries {
  clear(): void;
}

/** No entries yet. */
export function createMemoryEntries(): MemoryEntries {
  const texts = new Map<string, string>();
  /** Undefined after keys came or went: they do so seldom, and are gone through all the time. */
  let sorted: readonly string[] | undefined;
  return {
    get: (key) => texts.get(key),
    put(key, text) {
      if (!texts.has(key)) sorted = undefined;
      texts.set(key, text);
    },
    remove(key) {
      sorted = undefined;
      return texts.delete(key);
    },
    * list(prefix) {
      const keys = sorted ??= [...texts.keys()].sort();
      for (let index = findFirst(keys, prefix); keys[index]?.startsWith(prefix) === true; index++) yield { key: keys[index]!, value: texts.get(keys[index]!)! };
    },
    clear() {
      sorted = undefined;
      texts.clear();
    },
  };
}

/** The index of the first key that does not come before the prefix. */
function findFirst(keys: readonly string[], prefix: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keys[middle]! < prefix) low = middle + 1;
    else high = middle;
  }
  return low;
}
