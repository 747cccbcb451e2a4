/** The union of two ascending runs of values: where the values of each are in it, and the union itself. */
import { haveSameBytes, placeBy, placeKeys, placeSame, type Placement } from "./placement.js";
import { comparison, copyShort, countOf, isFloats, isText, isWholes, type Text, type Values } from "./values.js";

/** Where distinct values that ascend, of one dtype, are in the union of both runs. */
export function placeDomains(a: Values, b: Values): Placement {
  if (areSame(a, b)) return placeSame(countOf(a));
  const keys = keysOf(a, b);
  return keys === undefined ? placeBy(countOf(a), countOf(b), comparison(a, b)) : placeKeys(...keys);
}

/** Both runs as numbers that order as they do; undefined where there are none. */
function keysOf(a: Values, b: Values): readonly [Float64Array, Float64Array] | undefined {
  if (isText(a) || isText(b)) return undefined;
  if (isWholes(a) || isWholes(b)) return isWholes(a) && isWholes(b) ? wholeKeys(a.array, b.array) : undefined;
  return [new Float64Array(a.array), new Float64Array(b.array)];
}

function areSame(a: Values, b: Values): boolean {
  // Shards of one import have mostly the same values.
  if (isText(a) && isText(b)) return haveSameBytes(a.offsets, b.offsets) && haveSameBytes(a.bytes, b.bytes);
  return !isText(a) && !isText(b) && haveSameBytes(a.array, b.array);
}

/** Whole numbers by their distance from one of them; undefined where a distance is not exact in float64. */
function wholeKeys(a: BigInt64Array, b: BigInt64Array): readonly [Float64Array, Float64Array] | undefined {
  const ends = [a[0], a[a.length - 1], b[0], b[b.length - 1]].filter((end) => end !== undefined);
  const base = ends[0] ?? 0n;
  if (ends.some((end) => end - base > distanceMax || base - end > distanceMax)) return undefined;
  return [distances(a, base), distances(b, base)];
}

const distanceMax = 2n ** 53n;

function distances(wholes: BigInt64Array, base: bigint): Float64Array {
  // Halves instead of bigints, which would be allocated one by one.
  const [baseLow, baseHigh] = [Number(BigInt.asUintN(32, base)), Number(base >> 32n)];
  const halves = new Int32Array(wholes.buffer, wholes.byteOffset, wholes.length * 2);
  const found = new Float64Array(wholes.length);
  for (let k = 0; k < found.length; k++) found[k] = (halves[2 * k + 1]! - baseHigh) * 0x1_0000_0000 + ((halves[2 * k]! >>> 0) - baseLow);
  return found;
}

/**
 * The union of two ascending runs of one dtype, each of whose values is at its place; where both have one, the left one's.
 * The left run itself where it has them all.
 */
export function placeValues(a: Values, b: Values, { count, left, right }: Placement): Values {
  if (a.dtype === b.dtype) {
    if (count === countOf(a)) return a;
    if (isText(a) && isText(b)) return placeTexts(a, b, { count, left, right });
    if (isWholes(a) && isWholes(b)) return { dtype: a.dtype, array: placeInt64(a.array, left, placeInt64(b.array, right, new BigInt64Array(count))) };
    if (isFloats(a) && isFloats(b)) return { dtype: a.dtype, array: placeNumbers(a.array, left, placeNumbers(b.array, right, new Float64Array(count))) };
    if (a.dtype === "bool" && b.dtype === "bool") return { dtype: a.dtype, array: placeNumbers(a.array, left, placeNumbers(b.array, right, new Uint8Array(count))) };
  }
  throw new Error(`no union has values of ${a.dtype} and ${b.dtype}`);
}

/** Puts every number at its place; gives the target. */
export function placeNumbers<A extends Uint8Array | Uint32Array | Float64Array>(source: A, places: Uint32Array, target: A): A {
  for (let k = 0; k < source.length; k++) target[places[k]!] = source[k]!;
  return target;
}

/** Puts every int64 at its place; gives the target. */
export function placeInt64(source: BigInt64Array, places: Uint32Array, target: BigInt64Array): BigInt64Array {
  const from = new Int32Array(source.buffer, source.byteOffset, source.length * 2);
  const to = new Int32Array(target.buffer, target.byteOffset, target.length * 2);
  for (let k = 0; k < source.length; k++) {
    const at = 2 * places[k]!;
    to[at] = from[2 * k]!;
    to[at + 1] = from[2 * k + 1]!;
  }
  return target;
}

function placeTexts(a: Text, b: Text, { count, left, right }: Placement): Text {
  const offsets = new Uint32Array(count + 1);
  placeLengths(b, right, offsets);
  placeLengths(a, left, offsets);
  for (let k = 0; k < count; k++) offsets[k + 1] = offsets[k + 1]! + offsets[k]!;
  const bytes = new Uint8Array(offsets[count]!);
  copyTexts(b, right, offsets, bytes);
  copyTexts(a, left, offsets, bytes);
  return { dtype: a.dtype, offsets, bytes };
}

function placeLengths({ offsets }: Text, places: Uint32Array, lengths: Uint32Array): void {
  for (let k = 0; k < offsets.length - 1; k++) lengths[places[k]! + 1] = offsets[k + 1]! - offsets[k]!;
}

/** Copies texts to their places, those that stay together at once. */
function copyTexts(source: Text, places: Uint32Array, offsets: Uint32Array, bytes: Uint8Array): void {
  const count = source.offsets.length - 1;
  for (let k = 0; k < count;) {
    const first = k++;
    while (k < count && places[k]! === places[k - 1]! + 1) k += 1;
    const start = offsets[places[first]!]!;
    // Texts of both sides that are said to be equal and are not must not reach further than there is room.
    const end = Math.min(bytes.length, start + source.offsets[k]! - source.offsets[first]!);
    copyShort(source.bytes, source.offsets[first]!, bytes, start, end);
  }
}
