/**
 * Merging many partials along a tree: of those that only add up, all keys become one first, and then all states go where they
 * belong at once. What comes of it is what merging by twos gives.
 */
import { dtypesOf, mergePartials, packPlaces, placeCodes, placeWords, uniteDomains, type PartialNames, type Places, type Union } from "./merge.js";
import { codesOf, type Partial, type PartialKey } from "./partial.js";
import { placeNumbers } from "./place-values.js";
import type { Placement } from "./placement.js";
import { addAlong, addNumbers, isPair, leavesOf, type Addend, type Tree } from "./states/adding.js";
import { definitionOf, type StateColumn } from "./states/kinds.js";
import { countOf, upTo } from "./values.js";

/** The partial of all leaves. Throws as mergePartials. */
export function mergeTree(tree: Tree<Partial>, names?: PartialNames): Partial {
  if (!isPair(tree)) return tree;
  const partials = leavesOf(tree);
  const merged = partials.length > 2 && areAlike(partials) ? mergeAtOnce(tree, partials) : undefined;
  return merged ?? mergePartials(mergeTree(tree[0], names), mergeTree(tree[1], names), names);
}

/** Tells whether a partial adds up with others of its shape to the same along any tree that keeps their order. */
export function isAssociative({ states }: Partial): boolean {
  return states.every((state) => definitionOf(state.kind).adding?.isAssociative(state) === true);
}

/** Tells whether partials have keys, and all the same dtypes. */
function areAlike([first, ...others]: readonly Partial[]): boolean {
  if (first === undefined || first.keys.length === 0) return false;
  const shape = shapeOf(first);
  return others.every((partial) => shapeOf(partial) === shape);
}

/** A text that partials have in common whose keys and states are of equal dtypes, so that merging widens none. */
export function shapeOf({ keys, states }: Partial): string {
  return JSON.stringify([keys.map(({ dtype }) => dtype), states.map((state) => [state.kind, dtypesOf(state)])]);
}

/** Undefined where some states do not add up in place. */
function mergeAtOnce(tree: Tree<Partial>, partials: readonly Partial[]): Partial | undefined {
  const [first] = partials;
  if (first === undefined || !first.states.every(({ kind }, at) => definitionOf(kind).adding?.start(partials.map(({ states }) => states[at]!), 0) !== undefined)) return undefined;
  const united = first.keys.map((_, key) => uniteAll(partials.map(({ keys }) => keys[key]!), uniteDomains));
  const { groups, places } = placeGroups(partials, united);
  const placesOf = new Map(partials.map((partial, at) => [partial, places[at]!]));
  const states = first.states.map((_, state) => addStates(tree, state, placesOf, groups));
  if (!states.every((state) => state !== undefined)) return undefined;
  const rows = new Float64Array(groups);
  partials.forEach((partial, at) => { addNumbers(partial.rows, places[at]!, rows); });
  return { groups, keys: united.map((key, at) => mergeKeys(key, at, partials, places, groups)), rows, states };
}

/** All of some things as one, and where the entries of each are in it: null where that is 0, 1, 2, ... */
interface United<T> {
  readonly union: T;
  readonly places: readonly (Uint32Array | null)[];
}

/** Unites things by twos, so that what is alike is so early. */
function uniteAll<T>(items: readonly T[], unite: (left: T, right: T) => Union<T>): United<T> {
  const [only] = items;
  if (only === undefined) throw new Error("nothing to unite");
  if (items.length === 1) return { union: only, places: [null] };
  const half = items.length >> 1;
  const [left, right] = [uniteAll(items.slice(0, half), unite), uniteAll(items.slice(half), unite)];
  const { union, placement } = unite(left.union, right.union);
  const through = (next: Uint32Array) => (places: Uint32Array | null): Uint32Array | null => (next.length === placement.count + 1 ? places : places === null ? next : translate(places, next));
  return { union, places: [...left.places.map(through(placement.left)), ...right.places.map(through(placement.right))] };
}

function translate(places: Uint32Array, next: Uint32Array): Uint32Array {
  const found = new Uint32Array(places.length);
  for (let k = 0; k < found.length; k++) found[k] = next[places[k]!]!;
  return found;
}

/** Where the groups of every partial go. */
function placeGroups(partials: readonly Partial[], united: readonly United<PartialKey>[]): { groups: number; places: Uint32Array[] } {
  const [first] = united;
  if (first !== undefined && united.length === 1) {
    const count = countOf(first.union.domain);
    // A null group comes after the values.
    const hasNull = partials.some(({ groups, keys }) => groups > countOf(keys[0]!.domain));
    const identity = upTo(count + 1);
    return { groups: count + Number(hasNull), places: partials.map(({ groups }, at) => (first.places[at] ?? identity).subarray(0, groups)) };
  }
  const words = partials.map((partial, at) => packPlaces(partial, united.map((key) => placesIn(key, at))));
  const { union, places } = uniteAll(words, uniteWords);
  const groups = union[0]?.length ?? 0;
  return { groups, places: partials.map((partial, at) => (places[at] ?? upTo(groups)).subarray(0, partial.groups)) };
}

function placesIn({ union, places }: United<PartialKey>, at: number): Places {
  const count = countOf(union.domain);
  return { count, places: places[at] ?? upTo(count + 1) };
}

function uniteWords(left: Float64Array[], right: Float64Array[]): Union<Float64Array[]> {
  const [countLeft, countRight] = [left[0]?.length ?? 0, right[0]?.length ?? 0];
  const placement: Placement = placeWords(left, right, countLeft, countRight);
  const { count } = placement;
  const union = count === countLeft ? left : left.map((word, at) => placeNumbers(word, placement.left, placeNumbers(right[at]!, placement.right, new Float64Array(count))));
  return { union, placement };
}

function mergeKeys(united: United<PartialKey>, at: number, partials: readonly Partial[], places: readonly Uint32Array[], groups: number): PartialKey {
  // One key: groups are its distinct values in order, so the codes are 0, 1, 2, ... again.
  if (partials[0]!.keys.length === 1) return { ...united.union, codes: null };
  const codes = new Uint32Array(groups);
  partials.forEach((partial, part) => { placeCodes(codesOf(partial.keys[at]!, partial.groups), placesIn(united, part), places[part]!, codes); });
  return { ...united.union, codes };
}

function addStates(tree: Tree<Partial>, state: number, placesOf: ReadonlyMap<Partial, Uint32Array>, groups: number): StateColumn | undefined {
  const addends = (part: Tree<Partial>): Tree<Addend<StateColumn>> =>
    (isPair(part) ? [addends(part[0]), addends(part[1])] : { state: part.states[state]!, places: placesOf.get(part)!, rows: part.rows });
  const { adding } = definitionOf(leavesOf(tree)[0]!.states[state]!.kind);
  return adding === undefined ? undefined : addAlong(adding, addends(tree), groups);
}
