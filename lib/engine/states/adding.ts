/** States that add up in place: those of many partials go into one set of arrays, and none is made for any two of them. */
import { upTo } from "../values.js";

/** How the states of a kind add up. Adding two to nothing, the earlier one first, gives what merging them gives. */
export interface Adding<S> {
  /** Tells whether states such as this add up to the same along any tree that keeps their order. */
  isAssociative(state: S): boolean;
  /** Nothing yet, for so many groups; undefined where the states cannot be added in place. */
  start(states: readonly S[], groups: number): S | undefined;
  /** Adds the states of groups that go to these places, of which `rows` are the rows. In place; what it gives is the sum from then on. */
  add(sum: S, state: S, places: Uint32Array, rows: Float64Array): S;
  /** The sum in the one form that equal sums have; itself without this. */
  finish?(sum: S): S;
}

/** What is merged with what, in order. */
export type Tree<T> = T | readonly [Tree<T>, Tree<T>];

/** Tells whether a tree is a pair of others. */
export function isPair<T extends object>(tree: Tree<T>): tree is readonly [Tree<T>, Tree<T>] {
  return Array.isArray(tree);
}

/** The leaves of a tree, in order. */
export function leavesOf<T extends object>(tree: Tree<T>): T[] {
  return isPair(tree) ? [...leavesOf(tree[0]), ...leavesOf(tree[1])] : [tree];
}

/** The states of one partial, and where its groups go. */
export interface Addend<S> {
  readonly state: S;
  readonly places: Uint32Array;
  readonly rows: Float64Array;
}

/** The sum along a tree, for so many groups; undefined where the states cannot be added in place. */
export function addAlong<S>({ isAssociative, start, add, finish = (sum) => sum }: Adding<S>, tree: Tree<Addend<S>>, groups: number): S | undefined {
  const addends = leavesOf(tree);
  const states = addends.map(({ state }) => state);
  const addTo = (sum: S, { state, places, rows }: Addend<S>): S => add(sum, state, places, rows);
  function sumOf(part: Tree<Addend<S>>, own: readonly Addend<S>[]): S | undefined {
    if (isPair(part) && !states.every(isAssociative)) {
      const sum = sumOf(part[0], leavesOf(part[0]));
      const other = isPair(part[1]) ? wholeOf(part[1]) : part[1];
      return sum === undefined || other === undefined ? undefined : addTo(sum, other);
    }
    const nothing = start(states, groups);
    return nothing === undefined ? undefined : own.reduce(addTo, nothing);
  }
  /** A sum as one to be added: its groups are where they are to go. */
  function wholeOf(part: Tree<Addend<S>>): Addend<S> | undefined {
    const state = sumOf(part, leavesOf(part));
    return state === undefined ? undefined : { state, places: (identity ??= upTo(groups)), rows: none };
  }
  let identity: Uint32Array | undefined;
  const whole = sumOf(tree, addends);
  return whole === undefined ? undefined : finish(whole);
}

const none = new Float64Array(0);

/** Adds numbers, in place, to those at their places. */
export function addNumbers(numbers: Float64Array, places: Uint32Array, sum: Float64Array): void {
  for (let group = 0; group < numbers.length; group++) sum[places[group]!]! += numbers[group]!;
}
