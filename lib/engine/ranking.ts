/** Groups in order: the fields of their keys become sorted domains and codes, and the groups a sorted run. */
import { isFloatDtype, isTextDtype, type Dtype, type TextDtype } from "../columns/dtypes.js";
import type { Arena } from "./memory.js";
import type { Fields, Groups } from "./groups/grouper.js";
import type { KeyColumn } from "./groups/keys.js";
import type { PartialKey } from "./partial.js";
import type { ScanColumn } from "./scan-column.js";
import { textsOfRanks, type ShardStrings } from "./strings.js";
import { upTo, type Values } from "./values.js";

/** Sorted keys, and the accumulator slots in that order. */
export interface RankedGroups {
  readonly keys: readonly PartialKey[];
  readonly order: Uint32Array;
}

/** Sorts groups by their keys, ascending, nulls last. */
export function rankGroups(groups: Groups, keys: readonly KeyColumn[], strings: ShardStrings, arena: Arena): RankedGroups {
  const count = groups.slots.length;
  const sorter = createSorter(arena, count);
  if (keys.length === 1) return rankOnlyKey(keys[0]!, groups, strings, sorter);
  const ranked = keys.map((key, place) => rankKey(key, groups.fields[place]!, strings, sorter));
  // Least significant key first: each pass is stable, so the last one leaves the whole order.
  let order = upTo(count);
  for (const key of ranked.toReversed()) order = sorter.sort(key.codes, null, order);
  sorter.release();
  return { keys: ranked.map((key) => ({ ...key.key, codes: gather(key.codes, order) })), order: gather(groups.slots, order) };
}

/** With one key each group is a value of its own: in order, they are the domain. */
function rankOnlyKey(key: KeyColumn, { slots, fields: [fields] }: Groups, strings: ShardStrings, sorter: Sorter): RankedGroups {
  const { low, high } = orderedWords(key, fields!, strings);
  const present = groupsWhere(fields!.isNull, low.length, 0);
  const placed = key.kind === "code" ? placeRanks(low, present, strings.ranks(key.column).length) : undefined;
  const sorted = placed ?? sorter.sort(low, high, present);
  sorter.release();
  const nulls = groupsWhere(fields!.isNull, low.length, 1);
  if (sorted === present && nulls.length === 0) return { keys: [domainOf(key, low, high, strings)], order: slots };
  const order = nulls.length === 0 ? sorted : concat(sorted, nulls);
  return { keys: [domainOf(key, gather(low, sorted), gather(high, sorted), strings)], order: gather(slots, order) };
}

/** Groups of distinct ranks below an end, in their order: each goes to its place. Undefined where most places would be empty. */
function placeRanks(ranks: Uint32Array, groups: Uint32Array, end: number): Uint32Array | undefined {
  if (end > 4 * groups.length) return undefined;
  const groupAt = new Uint32Array(end);
  for (let k = 0; k < groups.length; k++) groupAt[ranks[groups[k]!]!] = groups[k]! + 1;
  const sorted = new Uint32Array(groups.length);
  let next = 0;
  for (let rank = 0; rank < end; rank++) if (groupAt[rank]! !== 0) sorted[next++] = groupAt[rank]! - 1;
  return sorted;
}

function concat(a: Uint32Array, b: Uint32Array): Uint32Array {
  const both = new Uint32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

interface RankedKey {
  readonly key: PartialKey;
  /** Code of each group, in the groups' own order. */
  readonly codes: Uint32Array;
}

function rankKey(key: KeyColumn, fields: Fields, strings: ShardStrings, sorter: Sorter): RankedKey {
  const { low, high } = orderedWords(key, fields, strings);
  const isNull = fields.isNull;
  const present = groupsWhere(isNull, low.length, 0);
  const sorted = sorter.sort(low, high, present);
  const codes = new Uint32Array(low.length);
  const firsts = new Uint32Array(sorted.length);
  let distinct = 0;
  for (let k = 0; k < sorted.length; k++) {
    const group = sorted[k]!;
    const previous = k === 0 ? -1 : sorted[k - 1]!;
    if (k === 0 || low[group] !== low[previous] || high[group] !== high[previous]) firsts[distinct++] = group;
    codes[group] = distinct - 1;
  }
  for (const group of groupsWhere(isNull, low.length, 1)) codes[group] = distinct;
  const places = firsts.subarray(0, distinct);
  return { key: domainOf(key, gather(low, places), gather(high, places), strings), codes };
}

function groupsWhere(isNull: Uint8Array | null, count: number, wanted: 0 | 1): Uint32Array {
  if (isNull === null) return wanted === 0 ? upTo(count) : new Uint32Array(0);
  const found = new Uint32Array(count);
  let next = 0;
  for (let group = 0; group < count; group++) if (isNull[group]! === wanted) found[next++] = group;
  return found.subarray(0, next);
}

/** Fields as 64-bit words whose unsigned order is the order of the values. */
function orderedWords(key: KeyColumn, fields: Fields, strings: ShardStrings): { low: Uint32Array; high: Uint32Array } {
  if (key.kind === "int") return fields;
  if (key.kind === "code") {
    const ranks = strings.ranks(key.column);
    const low = new Uint32Array(fields.low.length);
    // A null's field is past the ranks; its word is not looked at.
    for (let group = 0; group < low.length; group++) low[group] = ranks[fields.low[group]!] ?? 0;
    return { low, high: fields.high };
  }
  return orderFloats(fields);
}

/** Float bits in value order: negative ones complemented, the others above them. */
function orderFloats(fields: Fields): { low: Uint32Array; high: Uint32Array } {
  const isNegative = (group: number): boolean => fields.high[group]! >>> 31 === 1;
  return {
    low: fields.low.map((bits, group) => (isNegative(group) ? ~bits : bits)),
    high: fields.high.map((bits) => (bits >>> 31 === 1 ? ~bits : bits | 0x8000_0000)),
  };
}

/** The domain of a key from the words of its distinct values, ascending. */
function domainOf(key: KeyColumn, low: Uint32Array, high: Uint32Array, strings: ShardStrings): PartialKey {
  const { column } = key;
  const { dtype } = column;
  if (isTextDtype(dtype)) return textKey(column, dtype, low, strings);
  return { dtype, domain: numberDomain(dtype, key, low, high), codes: null, source: null };
}

function textKey(column: ScanColumn, dtype: TextDtype, ranks: Uint32Array, strings: ShardStrings): PartialKey {
  const dictionary = column.dictionary();
  if (dictionary !== null) return { dtype, domain: { dtype, ...textsOfRanks(dictionary, ranks) }, codes: null, source: { dictionary: dictionary.id, ranks } };
  const poolRanks = strings.ranks(column);
  const byRank = new Uint32Array(poolRanks.length);
  poolRanks.forEach((rank, code) => (byRank[rank] = code));
  return { dtype, domain: { dtype, ...strings.texts(column, gather(byRank, ranks)) }, codes: null, source: null };
}

function numberDomain(dtype: Exclude<Dtype, TextDtype>, key: KeyColumn, low: Uint32Array, high: Uint32Array): Values {
  if (dtype === "bool") return { dtype, array: Uint8Array.from(low, (word) => word + Number(key.minimum)) };
  if (isFloatDtype(dtype)) return { dtype, array: new Float64Array(floatBits(low, high).buffer) };
  return { dtype, array: new BigInt64Array(addTo(low, high, key.minimum).buffer) };
}

/** 64-bit sums of words and a base, as pairs of halves. */
function addTo(low: Uint32Array, high: Uint32Array, base: bigint): Uint32Array {
  const halves = new Uint32Array(low.length * 2);
  const baseLow = Number(BigInt.asUintN(32, base));
  const baseHigh = Number(BigInt.asUintN(32, base >> 32n));
  for (let k = 0; k < low.length; k++) {
    const sum = low[k]! + baseLow;
    halves[2 * k] = sum;
    halves[2 * k + 1] = high[k]! + baseHigh + (sum >= 0x1_0000_0000 ? 1 : 0);
  }
  return halves;
}

function floatBits(low: Uint32Array, high: Uint32Array): Uint32Array {
  const halves = new Uint32Array(low.length * 2);
  for (let k = 0; k < low.length; k++) {
    const isNegative = high[k]! >>> 31 === 0;
    halves[2 * k] = isNegative ? ~low[k]! : low[k]!;
    halves[2 * k + 1] = isNegative ? ~high[k]! : high[k]! & 0x7fff_ffff;
  }
  return halves;
}

function gather(values: Uint32Array, order: Uint32Array): Uint32Array {
  const gathered = new Uint32Array(order.length);
  for (let k = 0; k < order.length; k++) gathered[k] = values[order[k]!]!;
  return gathered;
}

/** Tells whether the words ascend already, as dense groups of an integer key do. */
function isSorted(low: Uint32Array, high: Uint32Array | null, groups: Uint32Array): boolean {
  for (let k = 1; k < groups.length; k++) {
    const [before, after] = [groups[k - 1]!, groups[k]!];
    const order = high === null ? 0 : high[before]! - high[after]!;
    if (order > 0 || (order === 0 && low[before]! > low[after]!)) return false;
  }
  return true;
}

interface Sorter {
  /** The given groups, stably sorted by their word: low alone, or low and high. */
  sort(low: Uint32Array, high: Uint32Array | null, groups: Uint32Array): Uint32Array;
  release(): void;
}

function createSorter(arena: Arena, count: number): Sorter {
  const { kernels } = arena;
  const room = Math.max(count, 1);
  const [keys, keysAside] = [arena.allocate(room * 8), arena.allocate(room * 8)];
  const [payload, payloadAside] = [arena.allocate(room * 4), arena.allocate(room * 4)];
  const halves = new Uint32Array(kernels.memory.buffer, keys, room * 2);
  const payloads = new Uint32Array(kernels.memory.buffer, payload, room);
  return {
    sort(low, high, groups) {
      if (isSorted(low, high, groups)) return groups;
      for (let k = 0; k < groups.length; k++) {
        halves[2 * k] = low[groups[k]!]!;
        halves[2 * k + 1] = high === null ? 0 : high[groups[k]!]!;
      }
      payloads.set(groups);
      kernels.radixSort(keys, payload, keysAside, payloadAside, groups.length);
      return payloads.slice(0, groups.length);
    },
    release: () => [keys, keysAside, payload, payloadAside].forEach((pointer) => arena.free(pointer)),
  };
}
