/** median, quantile and approx_quantile: values at a place in the order of a group's values. */
import { biasOf, isFloatDtype, isTextDtype, type Dtype } from "../../columns/dtypes.js";
import type { MeasureSpec } from "../query/measures.js";
import { binsOf, middleOf, usualError, type DdsketchState } from "../states/ddsketch.js";
import { joinParts, type BagPart, type BagState } from "../states/bag.js";
import { keptOf, type Items, type NumberItems } from "../states/lists/items.js";
import { numbersOf as decimalNumbers, type DecimalItems } from "../states/lists/decimals.js";
import { keysOf } from "../states/lists/keys.js";
import { openSelector } from "../states/lists/select.js";
import { finishFloats, meansNothing, requireState, type FinishedColumn, type MeasureDefinition } from "./measure.js";

/** The value in the middle, or between the two in the middle. */
export const medianMeasure = defineQuantile(() => 0.5);

/** The value at a share `p` of the way from the least to the greatest. */
export const quantileMeasure = defineQuantile(shareOf);

/** The same of numbers from a sketch, within a relative error. */
export const approxQuantileMeasure: MeasureDefinition = {
  check(measure, dtypes) {
    const dtype = dtypes[0]!;
    if (dtype === "bool" || isTextDtype(dtype) || isTime(dtype)) throw meansNothing(measure, 0, dtype, isTime(dtype) ? "use quantile" : "use min, max or topk");
  },
  states: (measure) => [{ kind: "ddsketch", inputs: [0], params: { error: errorOf(measure) } }],
  finish: (states, partial, measure) => finishSketch(requireState(states, 0, "ddsketch"), shareOf(measure), errorOf(measure), partial.groups),
};

function defineQuantile(share: (measure: MeasureSpec) => number): MeasureDefinition {
  return {
    check(measure, dtypes) {
      const dtype = dtypes[0]!;
      if (dtype === "bool" || isTextDtype(dtype)) throw meansNothing(measure, 0, dtype, "use min, max or topk");
    },
    states: () => [{ kind: "bag", inputs: [0], params: {} }],
    finish: (states, partial, measure) => finishBag(requireState(states, 0, "bag"), share(measure), partial.groups),
  };
}

function shareOf({ name, params }: MeasureSpec): number {
  if (params.p === undefined) throw new Error(`the measure '${name}' lacks its p`);
  return params.p;
}

function errorOf({ params }: MeasureSpec): number {
  return params.error ?? usualError;
}

function isTime(dtype: Dtype): dtype is "timestamp" | "date" {
  return dtype === "timestamp" || dtype === "date";
}

/** A share as the decimal number that it is written as: binary holds but a neighbour of 0.57, and 57 of 100 are meant. */
interface Share {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

function readShare(share: number): Share {
  const [, whole = "0", digits = "", exponent = "0"] = /^(\d+)(?:\.(\d+))?(?:e([-+]\d+))?$/.exec(String(share)) ?? [];
  const scale = digits.length - Number(exponent);
  return { numerator: BigInt(whole + digits), denominator: 10n ** BigInt(Math.max(scale, 0)) };
}

/** Place of a share among values in order: that of the lower neighbour, and what is left over in parts of the denominator. */
interface Place {
  readonly place: number;
  readonly rest: number | bigint;
}

function createPlacer({ numerator, denominator }: Share): (count: number) => Place {
  const [top, bottom] = [Number(numerator), Number(denominator)];
  return (count) => {
    const exact = (count - 1) * top;
    // Whole numbers below 2^53 divide without error.
    if (exact <= Number.MAX_SAFE_INTEGER && bottom <= Number.MAX_SAFE_INTEGER) return { place: Math.floor(exact / bottom), rest: exact % bottom };
    const large = BigInt(count - 1) * numerator;
    return { place: Number(large / denominator), rest: large % denominator };
  };
}

function finishBag({ dtype, parts }: BagState, written: number, groups: number): FinishedColumn {
  const share = readShare(written);
  const { lists, restore } = keyedParts(dtype, parts, groups);
  const { lows, highs, rests, isNull } = selectAll(lists, createPlacer(share), groups);
  if (isTime(dtype)) return finishTimes(dtype, wholesOf(restore, lows, isNull), wholesOf(restore, highs, isNull), { rests, share }, isNull);
  const [low, high] = [numbersOf(restore, lows, isNull), numbersOf(restore, highs, isNull)];
  const exact = isFloatDtype(dtype) ? null : exactlyBetween(dtype, () => [wholesOf(restore, lows, isNull), wholesOf(restore, highs, isNull)], { rests, share });
  return finishFloats(groups, (group) => {
    if (isNull?.[group] === 1) return null;
    const [x, y] = [low[group]!, high[group]!];
    if (exact !== null && (Math.abs(x) > evenMax || Math.abs(y) > evenMax)) return exact(group);
    return between(x, y, Number(rests[group]!) / Number(share.denominator));
  });
}

/** Whole numbers up to here have differences, and middles, that a float64 holds. */
const evenMax = 2 ** 52;

/** Quantiles of groups whose numbers are large: those between whole numbers as kept, rounded once. */
function exactlyBetween(dtype: Dtype, restored: () => readonly [BigInt64Array, BigInt64Array], { rests, share: { denominator } }: { rests: readonly (number | bigint)[]; share: Share }): (group: number) => number {
  let ends: readonly [BigInt64Array, BigInt64Array] | undefined;
  return (group) => {
    const [lows, highs] = (ends ??= restored());
    const low = lows[group]! + biasOf(dtype);
    return ratioOf(low * denominator + (highs[group]! - lows[group]!) * BigInt(rests[group]!), denominator);
  };
}

/** The float64 nearest to a fraction. */
function ratioOf(numerator: bigint, denominator: bigint): number {
  if (numerator % denominator === 0n) return Number(numerator / denominator);
  // So many bits before the point that what is cut off matters by one bit alone, which stands for all of it.
  const shift = Math.max(0, 4 * (denominator.toString(16).length + 20 - numerator.toString(16).length));
  const magnitude = ((numerator < 0n ? -numerator : numerator) << BigInt(shift)) / denominator | 1n;
  const half = shift >> 1;
  return (Number(magnitude) / 2 ** half / 2 ** (shift - half)) * (numerator < 0n ? -1 : 1);
}

/** Of every group the keys at its place and behind it, and what is left over of the place. */
interface Selected {
  readonly lows: Float64Array;
  readonly highs: Float64Array;
  readonly rests: readonly (number | bigint)[];
  /** Groups without keys; null where there are none. */
  readonly isNull: Uint8Array | null;
}

function selectAll(lists: readonly KeyLists[], placeOf: (count: number) => Place, groups: number): Selected {
  const [lows, highs, isNull] = [new Float64Array(groups), new Float64Array(groups), new Uint8Array(groups)];
  const rests: (number | bigint)[] = [];
  const selector = openSelector();
  try {
    for (let group = 0; group < groups; group++) {
      const count = countKeys(lists, group);
      const { place, rest } = placeOf(count);
      rests.push(rest);
      isNull[group] = count === 0 ? 1 : 0;
      if (count === 0) continue;
      gatherKeys(lists, group, selector.list(count));
      const { low, high } = selector.select(place);
      lows[group] = low;
      highs[group] = high;
    }
  } finally {
    selector.close();
  }
  return { lows, highs, rests, isNull: isNull.includes(1) ? isNull : null };
}

interface KeyLists {
  readonly lists: Int32Array | null;
  readonly offsets: Uint32Array;
  readonly keys: Float64Array | Int32Array;
}

/** The parts with keys that compare across all of them. */
function keyedParts(dtype: Dtype, mixed: readonly BagPart[], groups: number): { lists: readonly KeyLists[]; restore(keys: Float64Array): Items } {
  const decimals = mixed.filter((part): part is BagPart & { items: DecimalItems } => part.items.form === "decimals");
  const [first] = decimals;
  if (first !== undefined && decimals.length === mixed.length && decimals.every(({ items }) => items.exponent === first.items.exponent)) {
    const restore = (keys: Float64Array): Items => decimalNumbers({ ...first.items, array: Int32Array.from(keys) });
    return { lists: decimals.map(({ lists, offsets, items }) => ({ lists, offsets, keys: items.array })), restore };
  }
  const parts = mixed.map((part) => (part.items.form === "decimals" ? { ...part, items: decimalNumbers(part.items) } : part));
  const numbers = parts.filter((part): part is typeof part & { items: NumberItems } => part.items.form === "numbers");
  if (numbers.length === parts.length && !isTextDtype(dtype)) {
    return { lists: numbers.map(({ lists, offsets, items }) => ({ lists, offsets, keys: items.array })), restore: (keys) => ({ form: "numbers", dtype, array: keys }) };
  }
  const { lists, offsets, items } = joinParts(parts, groups);
  if (items.form === "decimals") throw new Error("decimals have become numbers");
  const { left: keys, restore } = keysOf(items);
  return { lists: [{ lists, offsets, keys }], restore };
}

function countKeys(parts: readonly KeyLists[], group: number): number {
  let count = 0;
  for (const { lists, offsets } of parts) {
    const list = lists === null ? group : lists[group]!;
    if (list >= 0) count += offsets[list + 1]! - offsets[list]!;
  }
  return count;
}

/** Copies the keys of a group together. */
function gatherKeys(parts: readonly KeyLists[], group: number, target: Float64Array): void {
  let next = 0;
  for (const { lists, offsets, keys } of parts) {
    const list = lists === null ? group : lists[group]!;
    if (list < 0) continue;
    const end = offsets[list + 1]!;
    for (let at = offsets[list]!; at < end; at++) target[next++] = keys[at]!;
  }
}

/** Keys of groups that have none are not for restoring. */
function present(keys: Float64Array, isNull: Uint8Array | null): Float64Array {
  return isNull === null ? keys : keys.filter((_key, group) => isNull[group] === 0);
}

/** Whole numbers as kept, 0 where there is none. */
function wholesOf(restore: (keys: Float64Array) => Items, keys: Float64Array, isNull: Uint8Array | null): BigInt64Array {
  const found = restore(present(keys, isNull));
  if (found.form === "texts") throw new Error("a bag of texts");
  const kept = keptOf(found);
  let next = 0;
  return BigInt64Array.from(keys, (_key, group) => (isNull?.[group] === 1 ? 0n : kept[next++]!));
}

/** The numbers themselves, those beyond 2^53 rounded. */
function numbersOf(restore: (keys: Float64Array) => Items, keys: Float64Array, isNull: Uint8Array | null): Float64Array {
  const { form, dtype } = restore(keys.slice(0, 0));
  if (form === "numbers") {
    const { array } = restore(keys);
    if (array instanceof Float64Array) return array;
  }
  const bias = biasOf(dtype);
  return Float64Array.from(wholesOf(restore, keys, isNull), (kept) => Number(kept + bias));
}

function between(low: number, high: number, fraction: number): number {
  if (fraction === 0 || low === high) return low;
  const distance = high - low;
  // Two numbers may be further apart than the greatest.
  return Number.isFinite(distance) ? low + distance * fraction : low * (1 - fraction) + high * fraction;
}

/** In whole units, towards the lower one. */
function finishTimes(dtype: "timestamp" | "date", lows: BigInt64Array, highs: BigInt64Array, { rests, share }: { rests: readonly (number | bigint)[]; share: Share }, isNull: Uint8Array | null): FinishedColumn {
  const array = lows.map((low, group) => low + ((highs[group]! - low) * BigInt(rests[group]!)) / share.denominator);
  return { values: { dtype, array }, isNull };
}

function finishSketch({ offsets, items, counts }: DdsketchState, written: number, error: number, groups: number): FinishedColumn {
  const bins = binsOf(error);
  const placeOf = createPlacer(readShare(written));
  return finishFloats(groups, (group) => {
    const [start, end] = [offsets[group]!, offsets[group + 1]!];
    if (start === end) return null;
    let total = 0;
    for (let at = start; at < end; at++) total += counts![at]!;
    const { place } = placeOf(total);
    let [at, passed] = [start, counts![start]!];
    while (passed <= place && at + 1 < end) passed += counts![++at]!;
    return middleOf(Number(items.array[at]!), bins);
  });
}
