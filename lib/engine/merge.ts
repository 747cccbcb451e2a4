/** Merging partials: two sorted runs of groups become one, state by state. */
import { BquerydError } from "../base/errors.js";
import type { Dtype } from "../columns/dtypes.js";
import { codesOf, type Partial, type PartialKey } from "./partial.js";
import { placeDomains, placeNumbers, placeValues } from "./place-values.js";
import { haveSameBytes, placeBy, placeKeys, placeSame, type Placement } from "./placement.js";
import { mergeCounts } from "./states/count.js";
import { definitionOf, type StateColumn } from "./states/kinds.js";
import { createMergePlan, type MergePlan } from "./states/merge-plan.js";
import type { MergedRows } from "./states/state.js";
import type { Compare } from "./values.js";
import { namingColumn, widenValues, widerDtype } from "./widening.js";

/** What the keys and states of partials are called in errors; the inputs of a state by their places. */
export interface PartialNames {
  readonly keys: readonly string[];
  readonly states: readonly (readonly string[])[];
}

/**
 * The partial of both blocks; the left one holds the earlier shards. Equal inputs give equal bytes. Dtypes that differ
 * are widened; throws SCHEMA_MISMATCH where they cannot be. Arrays of the left side may be those of the partial.
 */
export function mergePartials(a: Partial, b: Partial, names?: PartialNames): Partial {
  const [left, right] = widenBoth(a, b, names);
  const unions = left.keys.map((key, place) => uniteDomains(key, right.keys[place]!));
  const plan = planMerge(left, right, unions);
  return {
    groups: plan.groups,
    keys: unions.map((union, place) => mergeKey(union, left, right, place, plan)),
    rows: mergeCounts(left.rows, right.rows, plan),
    states: left.states.map((state, place) => mergeStates(state, right.states[place]!, plan, { left: left.rows, right: right.rows })),
  };
}

/** Two things as one, and where the entries of each are in it. */
export interface Union<T> {
  readonly union: T;
  readonly placement: Placement;
}

/** The domains of one key as one, without codes; a null's place is behind all values. */
export function uniteDomains(left: PartialKey, right: PartialKey): Union<PartialKey> {
  const isShared = left.source !== null && left.source.dictionary === right.source?.dictionary;
  const placement = isShared ? placeRanks(left.source.ranks, right.source.ranks) : placeDomains(left.domain, right.domain);
  const source = isShared ? { dictionary: left.source.dictionary, ranks: uniteRanks(left.source.ranks, right.source.ranks, placement) } : null;
  return { union: { dtype: left.dtype, domain: placeValues(left.domain, right.domain, placement), codes: null, source }, placement };
}

function placeRanks(left: Uint32Array, right: Uint32Array): Placement {
  return haveSameBytes(left, right) ? placeSame(left.length) : placeKeys(new Float64Array(left), new Float64Array(right));
}

function uniteRanks(left: Uint32Array, right: Uint32Array, placement: Placement): Uint32Array {
  if (placement.count === left.length) return left;
  return placeNumbers(left, placement.left, placeNumbers(right, placement.right, new Uint32Array(placement.count)));
}

function planMerge(left: Partial, right: Partial, unions: readonly Union<PartialKey>[]): MergePlan {
  const [first] = unions;
  if (first !== undefined && unions.length === 1) return planValues(first.placement, left.groups, right.groups);
  const wordsLeft = packPlaces(left, unions.map(({ placement: { count, left: places } }) => ({ count, places })));
  const wordsRight = packPlaces(right, unions.map(({ placement: { count, right: places } }) => ({ count, places })));
  const placement = placeWords(wordsLeft, wordsRight, left.groups, right.groups);
  return createMergePlan(placement.count, placement.left.subarray(0, left.groups), placement.right.subarray(0, right.groups));
}

/** With one key the groups are the values of the union, and a null group after them. */
function planValues({ count, left, right }: Placement, groupsLeft: number, groupsRight: number): MergePlan {
  const hasNull = groupsLeft === left.length || groupsRight === right.length;
  return createMergePlan(count + (hasNull ? 1 : 0), left.subarray(0, groupsLeft), right.subarray(0, groupsRight));
}

/** Where the values of a domain are in a union of `count`; a null's place is the last. */
export interface Places {
  readonly count: number;
  readonly places: Uint32Array;
}

/** The keys of every group as a few numbers that order as the keys do, most significant first: mixed-radix numbers of places. */
export function packPlaces({ keys, groups }: Partial, unions: readonly Places[]): Float64Array[] {
  const words: Float64Array[] = [];
  let room = 0;
  for (const [at, { count, places }] of unions.entries()) {
    const radix = count + 1;
    if (radix > room) {
      words.push(new Float64Array(groups));
      room = Number.MAX_SAFE_INTEGER;
    }
    room = Math.floor(room / radix);
    appendPlaces(words.at(-1)!, radix, codesOf(keys[at]!, groups), places);
  }
  return words;
}

function appendPlaces(word: Float64Array, radix: number, codes: Uint32Array, places: Uint32Array): void {
  // A domain that is the union has its values where they were.
  if (places.length === radix) for (let group = 0; group < word.length; group++) word[group] = word[group]! * radix + codes[group]!;
  else for (let group = 0; group < word.length; group++) word[group] = word[group]! * radix + places[codes[group]!]!;
}

/** Where groups are in the union, by such numbers. */
export function placeWords(left: readonly Float64Array[], right: readonly Float64Array[], countLeft: number, countRight: number): Placement {
  const [a, b] = [left[0], right[0]];
  // Without keys there is one group, if any.
  if (a === undefined || b === undefined) return placeKeys(new Float64Array(countLeft), new Float64Array(countRight));
  if (left.every((word, at) => haveSameBytes(word, right[at]!))) return placeSame(countLeft);
  return left.length === 1 ? placeKeys(a, b) : placeBy(countLeft, countRight, wordsComparison(left, right));
}

function wordsComparison(left: readonly Float64Array[], right: readonly Float64Array[]): Compare {
  return (i, j) => {
    for (let at = 0; at < left.length; at++) {
      const difference = left[at]![i]! - right[at]![j]!;
      if (difference !== 0) return difference;
    }
    return 0;
  };
}

function mergeKey({ union: key, placement }: Union<PartialKey>, left: Partial, right: Partial, place: number, plan: MergePlan): PartialKey {
  // One key: groups are its distinct values in order, so the codes are 0, 1, 2, ... again.
  if (left.keys.length === 1) return key;
  const [codesLeft, codesRight] = [codesOf(left.keys[place]!, left.groups), codesOf(right.keys[place]!, right.groups)];
  if (plan.groups === left.groups && placement.count === placement.left.length - 1) return { ...key, codes: codesLeft };
  const codes = new Uint32Array(plan.groups);
  placeCodes(codesRight, { count: placement.count, places: placement.right }, plan.placesRight, codes);
  placeCodes(codesLeft, { count: placement.count, places: placement.left }, plan.placesLeft, codes);
  return { ...key, codes };
}

/** Puts the codes of groups, as places in the union of domains, where the groups go. */
export function placeCodes(codes: Uint32Array, { count, places: table }: Places, places: Uint32Array, target: Uint32Array): void {
  if (table.length === count + 1) placeNumbers(codes, places, target);
  else for (let group = 0; group < codes.length; group++) target[places[group]!] = table[codes[group]!]!;
}

function mergeStates(left: StateColumn, right: StateColumn, plan: MergePlan, rows: MergedRows): StateColumn {
  if (left.kind !== right.kind) throw mismatch(`one holds ${left.kind} where the other holds ${right.kind}`);
  return definitionOf(left.kind).merge(left, right, plan, rows);
}

/** Both partials with equal dtypes. */
function widenBoth(left: Partial, right: Partial, names: PartialNames | undefined): [Partial, Partial] {
  if (left.keys.length !== right.keys.length || left.states.length !== right.states.length) throw mismatch("they answer different queries");
  const keys = left.keys.map((key, place) => commonDtypes([key.dtype], [right.keys[place]!.dtype], [names?.keys[place] ?? "a key"]));
  const states = left.states.map((state, place) => commonDtypes(dtypesOf(state), dtypesOf(right.states[place]!), names?.states[place] ?? []));
  if (![...keys, ...states].some((common) => common !== null)) return [left, right];
  const widen = (partial: Partial): Partial => ({
    ...partial,
    keys: partial.keys.map((key, place) => namingColumn(names?.keys[place], () => widenKey(key, keys[place]?.[0]))),
    states: partial.states.map((state, place) => namingColumn(names?.states[place]?.[0], () => widenState(state, states[place] ?? null))),
  });
  return [widen(left), widen(right)];
}

/** Dtypes that hold both sides; null where they are equal. */
function commonDtypes(left: readonly Dtype[], right: readonly Dtype[], names: readonly string[]): readonly Dtype[] | null {
  if (left.length === right.length && left.every((dtype, place) => dtype === right[place])) return null;
  return left.map((one, place) => {
    const other = right[place];
    const common = other === undefined ? undefined : widerDtype(one, other);
    if (common === undefined) throw mismatch(`${names[place] ?? "a measured column"} is ${one} in one shard and ${other ?? "absent"} in another`);
    return common;
  });
}

function widenKey(key: PartialKey, dtype: Dtype | undefined): PartialKey {
  return dtype === undefined || dtype === key.dtype ? key : { ...key, dtype, domain: widenValues(key.domain, dtype) };
}

function widenState(state: StateColumn, dtypes: readonly Dtype[] | null): StateColumn {
  return dtypes === null || commonDtypes(dtypesOf(state), dtypes, []) === null ? state : definitionOf(state.kind).widen(state, dtypes);
}

/** The dtypes of the inputs of a state. */
export function dtypesOf(state: StateColumn): readonly Dtype[] {
  return definitionOf(state.kind).dtypes(state);
}

function mismatch(reason: string): BquerydError {
  return new BquerydError("SCHEMA_MISMATCH", `the shards of this query differ in schema: ${reason}; import them again with one schema`);
}
