/** Selecting one of many numbers by its place in their order. */

/** Shorter lists are halved around pivots; in longer ones all but a small share is ruled out first. */
const longList = 64;
const bucketCount = 256;
const buckets = new Uint32Array(bucketCount);

/** Rounds after which a list that cuts badly is sorted instead. */
const roundsMax = 64;

/** The numbers that sorting would put at a place and behind it, the same one where the place is the last. */
export interface Neighbours {
  readonly low: number;
  readonly high: number;
}

/** The neighbours at a place of `list`, of which the order changes. */
export function selectNeighbours(list: Float64Array, place: number): Neighbours {
  return narrowDown(list, place) ?? selectBoth(list, place);
}

/**
 * Counts the numbers in buckets of equal width and looks only into that of the place, without a branch that could not be
 * foreseen; undefined where that rules out too few of them.
 */
function narrowDown(list: Float64Array, place: number): Neighbours | undefined {
  if (list.length < longList) return undefined;
  let [least, greatest] = [list[0]!, list[0]!];
  for (let at = 1; at < list.length; at++) {
    const value = list[at]!;
    least = value < least ? value : least;
    greatest = value > greatest ? value : greatest;
  }
  const scale = (bucketCount - 1) / (greatest - least);
  if (!(scale > 0 && scale < Infinity)) return undefined;
  buckets.fill(0);
  for (let at = 0; at < list.length; at++) buckets[((list[at]! - least) * scale) | 0]! += 1;
  let [bucket, before] = [0, 0];
  while (before + buckets[bucket]! <= place) before += buckets[bucket++]!;
  const inside = buckets[bucket]!;
  if (inside > list.length >> 2) return undefined;
  const chosen = new Float64Array(inside);
  let [next, above] = [0, Infinity];
  for (let at = 0; at < list.length; at++) {
    const value = list[at]!;
    const own = ((value - least) * scale) | 0;
    if (own === bucket) chosen[next++] = value;
    else if (own > bucket && value < above) above = value;
  }
  const { low, high } = selectBoth(chosen, place - before);
  return { low, high: place - before + 1 < inside || above === Infinity ? high : above };
}

function selectBoth(list: Float64Array, place: number): Neighbours {
  const low = selectPlace(list, place);
  let high = list[place + 1] ?? low;
  for (let at = place + 2; at < list.length; at++) if (list[at]! < high) high = list[at]!;
  return { low, high };
}

/**
 * The number that sorting would put at a place. The list is changed: before the place stand smaller or equal numbers,
 * behind it greater or equal ones. No number may be NaN.
 */
function selectPlace(list: Float64Array, place: number): number {
  let [low, high] = [0, list.length - 1];
  for (let round = 0; low < high; round++) {
    if (round === roundsMax) {
      list.subarray(low, high + 1).sort();
      break;
    }
    const pivot = medianOfThree(list[low]!, list[(low + high) >>> 1]!, list[high]!);
    let [i, j] = [low, high];
    while (i <= j) {
      while (list[i]! < pivot) i += 1;
      while (list[j]! > pivot) j -= 1;
      if (i > j) break;
      const swapped = list[i]!;
      list[i++] = list[j]!;
      list[j--] = swapped;
    }
    // Between j and i stand numbers equal to the pivot.
    if (place <= j) high = j;
    else if (place >= i) low = i;
    else break;
  }
  return list[place]!;
}

function medianOfThree(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}
