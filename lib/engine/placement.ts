/**
 * Two ascending runs of distinct keys become one: where the entries of each are in their union. Runs of partials are mostly
 * alike but for a few entries, or not at all alike, so the walks take one way whatever comes: no branch of theirs depends on
 * the keys.
 */
import { upTo, type Compare } from "./values.js";

/** Places of both sides in their union, ascending; one entry more than a side has keys, the last being the count, where null is. */
export interface Placement {
  readonly count: number;
  readonly left: Uint32Array;
  readonly right: Uint32Array;
}

/** The placement of runs of numbers; whatever these are, the walk ends and no place is given twice on one side. */
export function placeKeys(left: Float64Array, right: Float64Array): Placement {
  const [placesLeft, placesRight] = [new Uint32Array(left.length + 1), new Uint32Array(right.length + 1)];
  const [countLeft, countRight] = [left.length, right.length];
  let [i, j, next] = [0, 0, 0];
  while (i < countLeft && j < countRight) {
    const a = left[i]!;
    const b = right[j]!;
    placesLeft[i] = next;
    placesRight[j] = next++;
    // Not above instead of below or equal: of what is no number, both sides go on.
    i += Number(!(a > b));
    j += Number(!(a < b));
  }
  return finishPlacement({ placesLeft, placesRight, i, j, next });
}

/** The same of runs that are compared by value i of the left one and value j of the right one. */
export function placeBy(countLeft: number, countRight: number, compare: Compare): Placement {
  const [placesLeft, placesRight] = [new Uint32Array(countLeft + 1), new Uint32Array(countRight + 1)];
  let [i, j, next] = [0, 0, 0];
  while (i < countLeft && j < countRight) {
    const order = compare(i, j);
    placesLeft[i] = next;
    placesRight[j] = next++;
    i += Number(!(order > 0));
    j += Number(!(order < 0));
  }
  return finishPlacement({ placesLeft, placesRight, i, j, next });
}

/** The placement of two runs of the same keys. */
export function placeSame(count: number): Placement {
  const places = upTo(count + 1);
  return { count, left: places, right: places };
}

/** Tells whether two arrays of one kind hold the same bytes. */
export function haveSameBytes(a: Uint8Array | Uint32Array | Float64Array | BigInt64Array, b: typeof a): boolean {
  return a.byteLength === b.byteLength && Buffer.compare(bytesOf(a), bytesOf(b)) === 0;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** What is left of one side comes last; then null. */
function finishPlacement({ placesLeft, placesRight, i, j, next }: { placesLeft: Uint32Array; placesRight: Uint32Array; i: number; j: number; next: number }): Placement {
  for (let at = i; at < placesLeft.length - 1; at++) placesLeft[at] = next++;
  for (let at = j; at < placesRight.length - 1; at++) placesRight[at] = next++;
  placesLeft[placesLeft.length - 1] = next;
  placesRight[placesRight.length - 1] = next;
  return { count: next, left: placesLeft, right: placesRight };
}
