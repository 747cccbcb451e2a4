/** Entries in the order of their groups and, within each, of their values. */
import type { Arena } from "../../memory.js";
import { upTo } from "../../values.js";

/** The place of each slot in `order`; of slots that are not in it, 0. */
export function placesOf(order: Uint32Array, slots: number): Uint32Array {
  const places = new Uint32Array(slots);
  for (let place = 0; place < order.length; place++) places[order[place]!] = place;
  return places;
}

/** Where the list of each group begins, from the group of every entry. */
export function offsetsOf(groups: number, groupOfEntry: Uint32Array): Uint32Array {
  const offsets = new Uint32Array(groups + 1);
  for (let entry = 0; entry < groupOfEntry.length; entry++) offsets[groupOfEntry[entry]! + 1]! += 1;
  for (let group = 0; group < groups; group++) offsets[group + 1]! += offsets[group]!;
  return offsets;
}

/** Entries in ascending order of their words. */
export interface SortedWords {
  /** The words in order, as halves: low, high. A view, good until the release. */
  readonly halves: Uint32Array;
  /** Which entry each of them was. The same. */
  readonly entries: Uint32Array;
  release(): void;
}

/** Sorts entries stably by unsigned words of 64 bits; `entries`, where given, are their numbers, else 0, 1, 2, ... */
export function sortWords(arena: Arena, low: Uint32Array, high: Uint32Array | null, entries: Uint32Array | null = null): SortedWords {
  const { kernels } = arena;
  const count = low.length;
  const room = Math.max(count, 1);
  const [keys, keysAside] = [arena.allocate(room * 8), arena.allocate(room * 8)];
  const [payload, payloadAside] = [arena.allocate(room * 4), arena.allocate(room * 4)];
  const halves = new Uint32Array(kernels.memory.buffer, keys, count * 2);
  for (let k = 0; k < count; k++) {
    halves[2 * k] = low[k]!;
    halves[2 * k + 1] = high === null ? 0 : high[k]!;
  }
  const sorted = new Uint32Array(kernels.memory.buffer, payload, count);
  sorted.set(entries ?? upTo(count));
  kernels.radixSort(keys, payload, keysAside, payloadAside, count);
  arena.free(keysAside);
  arena.free(payloadAside);
  return { halves, entries: sorted, release: () => [keys, payload].forEach((pointer) => arena.free(pointer)) };
}
