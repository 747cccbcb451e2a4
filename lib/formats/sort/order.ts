/** The sorted order of the rows of several batches: stable, by radix where values are numbers, nulls last. */
import { countBits, isBitSet } from "../../columns/bits.js";
import type { Texts } from "../../columns/texts.js";
import { compareEntries, wordOf } from "./keys.js";
import type { SortKeys } from "./keys.js";

/** 64-bit keys, in two unsigned words each. */
interface Words {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
}

/** Where an entry lies: in which texts, and at which place there. */
interface EntryPlaces {
  readonly texts: readonly Texts[];
  readonly from: Uint32Array;
  readonly entry: Uint32Array;
}

const digitBits = 16;
const digitCount = 1 << digitBits;
/** Fewer rows than this are compared with one another instead of counted by digits. */
const fewRows = 256;
/** Bytes of texts looked at word by word before they are compared as they are. */
const depthMaxBytes = 256;

/**
 * The rows of runs that follow one another, in sorted order: numbers that count on from the first row of the first run.
 * Equal rows keep their order, null rows come last.
 */
export function sortedOrder(runs: readonly SortKeys[]): Uint32Array {
  const rows = runs.reduce((sum, run) => sum + run.rows, 0);
  const isText = runs.some(({ texts }) => texts !== null);
  const words = isText ? rankWords(runs, rows) : joinWords(runs, rows);
  const { order, valued } = valuedFirst(runs, rows);
  sortByWords(order.subarray(0, valued), words);
  return order;
}

/** All rows, those with a value before those without, and how many there are of the former. */
function valuedFirst(runs: readonly SortKeys[], rows: number): { order: Uint32Array; valued: number } {
  const nullCount = runs.reduce((sum, run) => sum + (run.nulls === null ? 0 : countBits(run.nulls, 0, run.rows)), 0);
  const order = new Uint32Array(rows);
  let valued = 0;
  let next = rows - nullCount;
  let row = 0;
  for (const run of runs) {
    for (let i = 0; i < run.rows; i++, row++) order[isBitSet(run.nulls, i) ? next++ : valued++] = row;
  }
  return { order, valued };
}

function joinWords(runs: readonly SortKeys[], rows: number): Words {
  const joined = { high: new Uint32Array(rows), low: new Uint32Array(rows) };
  let at = 0;
  for (const run of runs) {
    joined.high.set(run.high, at);
    joined.low.set(run.low, at);
    at += run.rows;
  }
  return joined;
}

/** Orders rows by their words; stable. */
function sortByWords(order: Uint32Array, { high, low }: Words): void {
  if (order.length < fewRows) {
    order.sort((a, b) => high[a]! - high[b]! || low[a]! - low[b]! || a - b);
    return;
  }
  const other = new Uint32Array(order.length);
  let [from, to]: [Uint32Array, Uint32Array] = [order, other];
  for (const [words, shift] of [[low, 0], [low, digitBits], [high, 0], [high, digitBits]] as const) {
    if (sortByDigit(from, to, words, shift)) [from, to] = [to, from];
  }
  if (from !== order) order.set(from);
}

/** Writes rows in the order of one digit of their words; false when all have the same digit and nothing was written. */
function sortByDigit(from: Uint32Array, to: Uint32Array, words: Uint32Array, shift: number): boolean {
  const places = new Uint32Array(digitCount);
  for (let i = 0; i < from.length; i++) places[(words[from[i]!]! >>> shift) & (digitCount - 1)]!++;
  if (places[(words[from[0]!]! >>> shift) & (digitCount - 1)] === from.length) return false;
  let start = 0;
  for (let digit = 0; digit < digitCount; digit++) {
    const count = places[digit]!;
    places[digit] = start;
    start += count;
  }
  for (let i = 0; i < from.length; i++) {
    const row = from[i]!;
    to[places[(words[row]! >>> shift) & (digitCount - 1)]!++] = row;
  }
  return true;
}

/** The rank of each row's text as its word: entries are compared, and rows only by their rank. */
function rankWords(runs: readonly SortKeys[], rows: number): Words {
  const { places, starts } = placeEntries(runs);
  const ranks = rankEntries(places);
  const low = new Uint32Array(rows);
  let row = 0;
  for (const [at, { texts, rows: runRows }] of runs.entries()) {
    const firstEntry = starts[at]!;
    const codes = texts!.codes;
    for (let i = 0; i < runRows; i++) low[row++] = ranks[firstEntry + (codes === null ? i : codes[i]!)]!;
  }
  return { high: new Uint32Array(rows), low };
}

/** Each entry once, and for each run the place of its first one: runs may share a dictionary. */
function placeEntries(runs: readonly SortKeys[]): { places: EntryPlaces; starts: readonly number[] } {
  const startOf = new Map<Uint32Array, number>();
  const texts: Texts[] = [];
  let count = 0;
  for (const { texts: found } of runs) {
    if (startOf.has(found!.offsets)) continue;
    startOf.set(found!.offsets, count);
    texts.push(found!);
    count += found!.offsets.length - 1;
  }
  const places = { texts, from: new Uint32Array(count), entry: new Uint32Array(count) };
  let at = 0;
  for (const [index, { offsets }] of texts.entries()) {
    for (let entry = 0; entry < offsets.length - 1; entry++, at++) {
      places.from[at] = index;
      places.entry[at] = entry;
    }
  }
  return { places, starts: runs.map((run) => startOf.get(run.texts!.offsets)!) };
}

/** The rank of each entry; equal entries have one rank. */
function rankEntries(places: EntryPlaces): Uint32Array {
  const order = Uint32Array.from({ length: places.from.length }, (_, at) => at);
  const words = { high: new Uint32Array(order.length), low: new Uint32Array(order.length) };
  sortEntries(places, order, words, 0);
  const ranks = new Uint32Array(order.length);
  for (let at = 1, rank = 0; at < order.length; at++) {
    if (comparePlaces(places, order[at - 1]!, order[at]!) !== 0) rank++;
    ranks[order[at]!] = rank;
  }
  return ranks;
}

/** Orders entries that agree in their first `depth` bytes: by the next eight, then each group of equals by what follows. */
function sortEntries(places: EntryPlaces, order: Uint32Array, words: Words, depth: number): void {
  if (order.length < fewRows || depth > depthMaxBytes) {
    order.sort((a, b) => comparePlaces(places, a, b));
    return;
  }
  const start = depth + commonBytes(places, order, depth);
  for (const at of order) {
    const { texts, first, end } = placeOf(places, at);
    words.high[at] = wordOf(texts, first + start, end);
    words.low[at] = wordOf(texts, first + start + 4, end);
  }
  sortByWords(order, words);
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    while (to < order.length && words.high[order[to]!] === words.high[order[from]!] && words.low[order[to]!] === words.low[order[from]!]) to++;
    if (to - from > 1) settleGroup(places, order.subarray(from, to), words, start + 8);
    from = to;
  }
}

/** Orders entries with equal words: what ends within them comes first, by length, as zeros stand for bytes that are not there. */
function settleGroup(places: EntryPlaces, group: Uint32Array, words: Words, depth: number): void {
  const lengthOf = (at: number): number => {
    const { first, end } = placeOf(places, at);
    return end - first;
  };
  let [least, greatest] = [Infinity, 0];
  for (const at of group) {
    least = Math.min(least, lengthOf(at));
    greatest = Math.max(greatest, lengthOf(at));
  }
  if (greatest <= depth && least === greatest) return;
  if (least > depth) sortEntries(places, group, words, depth);
  else if (greatest <= depth) group.sort((a, b) => lengthOf(a) - lengthOf(b));
  else {
    const ended = group.filter((at) => lengthOf(at) <= depth).sort((a, b) => lengthOf(a) - lengthOf(b));
    const longer = group.filter((at) => lengthOf(at) > depth);
    group.set(ended);
    group.set(longer, ended.length);
    sortEntries(places, group.subarray(ended.length), words, depth);
  }
}

/** How many bytes after the first `depth` all entries share. */
function commonBytes(places: EntryPlaces, order: Uint32Array, depth: number): number {
  const model = placeOf(places, order[0]!);
  let common = model.end - model.first - depth;
  for (let i = 1; i < order.length && common > 0; i++) {
    const { texts, first, end } = placeOf(places, order[i]!);
    common = Math.min(common, end - first - depth);
    let shared = 0;
    while (shared < common && texts.bytes[first + depth + shared] === model.texts.bytes[model.first + depth + shared]) shared++;
    common = shared;
  }
  return Math.max(0, common);
}

function placeOf({ texts, from, entry }: EntryPlaces, at: number): { texts: Texts; first: number; end: number } {
  const found = texts[from[at]!]!;
  return { texts: found, first: found.offsets[entry[at]!]!, end: found.offsets[entry[at]! + 1]! };
}

function comparePlaces({ texts, from, entry }: EntryPlaces, a: number, b: number): number {
  return compareEntries(texts[from[a]!]!, entry[a]!, texts[from[b]!]!, entry[b]!);
}
