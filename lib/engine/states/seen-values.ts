/** A value for every group that has one: what min, max, first and last hold. */
import { biasOf, isFloatDtype, isTextDtype, type Dtype } from "../../columns/dtypes.js";
import { placeInt64 } from "../place-values.js";
import { blankValues, comparison, isFloats, isWholes, pick, type Text, type Values, type Wholes } from "../values.js";
import { widenValues } from "../widening.js";
import type { Adding } from "./adding.js";
import { requireDtype, requireFlags, requireWholes, type ArrayReader, type Description, type StateWriter } from "./bytes.js";
import { readInt64s, writeInt64s } from "./int64s.js";
import { spread, type MergePlan } from "./merge-plan.js";

/** `values` has an entry a group, which means something where `seen` is 1. */
export interface SeenValues {
  readonly seen: Uint8Array;
  readonly values: Values;
}

/** Which of two values a group keeps: the lesser, the greater, that of the left side, or that of the right one. */
export type Preference = "min" | "max" | "first" | "last";

/** The values of two runs along a merge plan; of a group that has none on either side, what the left one holds if it has the group. */
export function mergeSeen(a: SeenValues, b: SeenValues, plan: MergePlan, preference: Preference): SeenValues {
  const { groups, placesLeft, placesRight } = plan;
  const seen = spread(a.seen, placesLeft, new Uint8Array(groups).fill(isAbsent));
  if (isFloats(a.values)) return addSeen({ seen, values: { dtype: a.values.dtype, array: spread(a.values.array, placesLeft, new Float64Array(groups)) } }, b, placesRight, preference);
  if (isWholes(a.values)) return addSeen({ seen, values: { dtype: a.values.dtype, array: placeInt64(a.values.array, placesLeft, new BigInt64Array(groups)) } }, b, placesRight, preference);
  const takes = preferred(a.values, b.values, preference);
  const sources = plan.left.slice();
  for (let group = 0; group < placesRight.length; group++) {
    const place = placesRight[group]!;
    const known = seen[place]!;
    const hasRight = b.seen[group]!;
    if (known === isAbsent || (hasRight === 1 && (known === 0 || takes(sources[place]!, group)))) sources[place] = ~group;
    seen[place] = known === isAbsent ? hasRight : known | hasRight;
  }
  return { seen, values: pick(a.values, b.values, sources) };
}

/** How numbers are added; of texts and bools there is room for those of two sides alone. */
export function seenAdding<K extends Preference>(kind: K): Adding<SeenValues & { readonly kind: K }> {
  return {
    isAssociative: () => true,
    start([first], groups) {
      const values = first === undefined ? undefined : blankValues(first.values.dtype, groups);
      return values === undefined || !(isFloats(values) || isWholes(values)) ? undefined : { kind, seen: new Uint8Array(groups).fill(isAbsent), values };
    },
    add: (sum, state, places) => addSeen(sum, state, places, kind),
  };
}

/** Of a group, in the flags of a merge under way: no side so far has such a group. */
const isAbsent = 2;

function addSeen<S extends SeenValues>(sum: S, { seen, values }: SeenValues, places: Uint32Array, preference: Preference): S {
  if (isFloats(sum.values) && isFloats(values)) preferFloats(sum.seen, sum.values.array, seen, values.array, places, preference);
  else if (isWholes(sum.values) && isWholes(values)) preferWholes(sum.seen, sum.values.array, seen, values.array, places, preference);
  else throw new Error(`cannot add ${values.dtype} to ${sum.values.dtype}`);
  return sum;
}

/** Puts, in place, the floats of the right side where they are preferred. */
function preferFloats(seen: Uint8Array, array: Float64Array, seenRight: Uint8Array, right: Float64Array, places: Uint32Array, preference: Preference): void {
  // The greater of two is the lesser of both turned round.
  const sign = preference === "min" ? 1 : -1;
  const isLast = preference === "last";
  const isFirst = preference === "first";
  for (let group = 0; group < places.length; group++) {
    const place = places[group]!;
    const known = seen[place]!;
    const hasRight = seenRight[group]!;
    const value = right[group]!;
    const takes = known === 1 ? isLast || (!isFirst && sign * value < sign * array[place]!) : known === isAbsent;
    if (takes ? hasRight === 1 || known === isAbsent : known === 0 && hasRight === 1) array[place] = value;
    seen[place] = known === isAbsent ? hasRight : known | hasRight;
  }
}

/** The same with whole numbers, by halves: bigints would be allocated one by one. */
function preferWholes(seen: Uint8Array, array: BigInt64Array, seenRight: Uint8Array, right: BigInt64Array, places: Uint32Array, preference: Preference): void {
  const sign = preference === "min" ? 1 : -1;
  const isLast = preference === "last";
  const isFirst = preference === "first";
  const to = new Int32Array(array.buffer, array.byteOffset, array.length * 2);
  const from = new Int32Array(right.buffer, right.byteOffset, right.length * 2);
  for (let group = 0; group < places.length; group++) {
    const place = places[group]!;
    const known = seen[place]!;
    const hasRight = seenRight[group]!;
    const high = from[2 * group + 1]! - to[2 * place + 1]!;
    const order = high === 0 ? (from[2 * group]! >>> 0) - (to[2 * place]! >>> 0) : high;
    const takes = known === 1 ? isLast || (!isFirst && sign * order < 0) : known === isAbsent;
    if (takes ? hasRight === 1 || known === isAbsent : known === 0 && hasRight === 1) {
      to[2 * place] = from[2 * group]!;
      to[2 * place + 1] = from[2 * group + 1]!;
    }
    seen[place] = known === isAbsent ? hasRight : known | hasRight;
  }
}

/** Tells whether value j of the right side is preferred to value i of the left one. */
function preferred(left: Values, right: Values, preference: Preference): (i: number, j: number) => boolean {
  if (preference === "first" || preference === "last") return () => preference === "last";
  const compare = comparison(left, right);
  return preference === "min" ? (i, j) => compare(i, j) > 0 : (i, j) => compare(i, j) < 0;
}

/** No value for any group. */
export function unseenValues(dtype: Dtype, groups: number): SeenValues {
  return { seen: new Uint8Array(groups), values: blankValues(dtype, groups) };
}

/** The texts of the groups that have one, by their codes; the others hold empty text. */
export function seenTexts(seen: Uint8Array, codeOf: (k: number) => number, textOf: (codes: Uint32Array) => Text): SeenValues {
  const codes: number[] = [];
  seen.forEach((flag, k) => {
    if (flag === 1) codes.push(codeOf(k));
  });
  const packed = textOf(Uint32Array.from(codes));
  const offsets = new Uint32Array(seen.length + 1);
  let at = 0;
  seen.forEach((flag, k) => {
    if (flag === 1) at += 1;
    offsets[k + 1] = packed.offsets[at]!;
  });
  return { seen, values: { ...packed, offsets } };
}

/** The same values in a wider dtype. */
export function widenSeen({ seen, values }: SeenValues, dtype: Dtype): SeenValues {
  return { seen, values: widenValues(isWholes(values) ? zeroUnseen(seen, values) : values, dtype) };
}

/** What unseen entries hold may be exact in no wider dtype. */
function zeroUnseen(seen: Uint8Array, { dtype, array }: Wholes): Wholes {
  const zero = -biasOf(dtype);
  return { dtype, array: array.map((value, group) => (seen[group] === 1 ? value : zero)) };
}

/** Writes flags, unless all are 1, and values. */
export function writeSeen({ seen, values }: SeenValues, writer: StateWriter): Description {
  const { dtype } = values;
  const areAllSeen = !seen.includes(0);
  if (!areAllSeen) writer.array(seen);
  if (isWholes(values)) return { dtype, areAllSeen, ...writeInt64s(values.array, writer) };
  writer.values(values);
  return { dtype, areAllSeen };
}

/** Reads what writeSeen wrote; throws on what is none. */
export function readSeen(description: Description, groups: number, reader: ArrayReader): SeenValues {
  const dtype = requireDtype(description["dtype"]);
  const seen = description["areAllSeen"] === true ? new Uint8Array(groups).fill(1) : requireFlags(reader.uint8(groups));
  if (dtype === "bool" || isFloatDtype(dtype) || isTextDtype(dtype)) return { seen, values: reader.values(dtype, groups) };
  return { seen, values: requireWholes({ dtype, array: readInt64s(description, groups, reader) }) };
}
