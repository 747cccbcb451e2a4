/** Keys by which most pairs of a dictionary's texts are told apart without looking at the texts. */
import type { Texts } from "../texts.js";

/** The keys made so far for a dictionary, which only grows. */
interface Known {
  count: number;
  /** Bytes that all texts begin with, and that keys leave out. */
  prefix: number;
  keys: Uint32Array;
}

/** A longer prefix saves nothing more, and each shortening costs a pass over all texts. */
const prefixMax = 64;
const knownKeys = new WeakMap<() => Texts, Known>();

/**
 * A number for each text of a dictionary, which `entries` gives and is known by: where two numbers differ, the texts
 * order as they do. Good until the next call; each text is looked at once, but for a few passes over all.
 */
export function requireKeys(entries: () => Texts): { readonly texts: Texts; readonly keys: Uint32Array } {
  const texts = entries();
  let known = knownKeys.get(entries);
  if (known === undefined) knownKeys.set(entries, known = { count: 0, prefix: prefixMax, keys: new Uint32Array(256) });
  const count = texts.offsets.length - 1;
  if (count > known.count) addKeys(known, texts, count);
  return { texts, keys: known.keys };
}

function addKeys(known: Known, texts: Texts, count: number): void {
  if (count > known.keys.length) {
    const keys = new Uint32Array(2 * count);
    keys.set(known.keys);
    known.keys = keys;
  }
  const prefix = sharedPrefix(texts, known.count, count, known.prefix);
  const from = prefix === known.prefix ? known.count : 0;
  for (let code = from; code < count; code++) known.keys[code] = keyOf(texts, code, prefix);
  known.prefix = prefix;
  known.count = count;
}

/** How many bytes, at most `most`, texts [from, to) share with the first of all. */
function sharedPrefix({ offsets, bytes }: Texts, from: number, to: number, most: number): number {
  const first = offsets[0]!;
  let shared = Math.min(most, offsets[1]! - first);
  for (let code = from; code < to; code++) {
    const start = offsets[code]!;
    shared = Math.min(shared, offsets[code + 1]! - start);
    for (let i = 0; i < shared; i++) if (bytes[start + i] !== bytes[first + i]) shared = i;
  }
  return shared;
}

/** The four bytes after the prefix, the first weighing most; zeros past the end, which order no text wrongly. */
function keyOf({ offsets, bytes }: Texts, code: number, prefix: number): number {
  const start = offsets[code]! + prefix;
  const end = offsets[code + 1]!;
  let key = 0;
  for (let at = start; at < start + 4; at++) key = key * 256 + (at < end ? bytes[at]! : 0);
  return key;
}
