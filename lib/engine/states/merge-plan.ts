/** Where the groups of a merged partial come from, and where those of its two sides go. */
import { placeNumbers } from "../place-values.js";

/**
 * The groups of a merged partial. Group i of the left side is at `placesLeft[i]`, group j of the right one at
 * `placesRight[j]`, both ascending, and every merged group is at a place of a side. A side of as many groups as there are
 * merged is at 0, 1, 2, ...
 */
export interface MergePlan {
  readonly groups: number;
  readonly placesLeft: Uint32Array;
  readonly placesRight: Uint32Array;
  /** The same the other way round: merged group k is group `left[k]` of one side and `right[k]` of the other, -1 where one lacks it. */
  readonly left: Int32Array;
  readonly right: Int32Array;
}

/** The plan of groups that go to these places. */
export function createMergePlan(groups: number, placesLeft: Uint32Array, placesRight: Uint32Array): MergePlan {
  let [left, right]: (Int32Array | undefined)[] = [];
  // Few states ask where a group comes from.
  return {
    groups, placesLeft, placesRight,
    get left() { return (left ??= sourcesOf(groups, placesLeft)); },
    get right() { return (right ??= sourcesOf(groups, placesRight)); },
  };
}

function sourcesOf(groups: number, places: Uint32Array): Int32Array {
  const sources = new Int32Array(groups).fill(-1);
  for (let group = 0; group < places.length; group++) sources[places[group]!] = group;
  return sources;
}

/** The numbers of one side as numbers of merged groups, 0 for groups that the side lacks; always a new array. */
export function spread<A extends Uint8Array | Float64Array>(numbers: A, places: Uint32Array, blank: A): A {
  if (numbers.length < blank.length) return placeNumbers(numbers, places, blank);
  blank.set(numbers);
  return blank;
}
