/** Exact sums of decimals as a part of the sums of floats: by decimal places, so that whole numbers are added to whole numbers. */
import { decimalExponentMax } from "../../columns/files/payload.js";
import type { ArrayReader, Description, StateWriter } from "./bytes.js";
import type { MergePlan } from "./merge-plan.js";
import { readWholes, writeWholes } from "./numbers.js";
import { addIntSums, mergeIntSums, narrowLimbs, type IntSums } from "./whole-sums.js";

/** The sum of a group is `sums` of it divided by 10^places. */
export interface DecimalSums {
  readonly places: number;
  readonly sums: IntSums;
}

/** 10^exponent, exactly, for exponents from 0 to 22. */
export function powerOfTen(exponent: number): number {
  return powers[exponent]!;
}

const powers = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/** The sums of both along a plan; what one side lacks is nothing. All lists ascend in places. */
export function mergeDecimals(left: readonly DecimalSums[], right: readonly DecimalSums[], plan: MergePlan): DecimalSums[] {
  const sumsOf = (all: readonly DecimalSums[], places: number, groups: number): IntSums => all.find((sums) => sums.places === places)?.sums ?? new Float64Array(groups);
  return placesOf([left, right]).map((places) => ({
    places, sums: mergeIntSums(sumsOf(left, places, plan.placesLeft.length), sumsOf(right, places, plan.placesRight.length), plan),
  }));
}

/** Zeros for all that some of the lists have, in limbs where some of them are. */
export function startDecimals(all: readonly (readonly DecimalSums[])[], groups: number): DecimalSums[] {
  return placesOf(all).map((places) => {
    const areLimbs = all.some((list) => list.some((sums) => sums.places === places && sums.sums instanceof Uint32Array));
    return { places, sums: areLimbs ? new Uint32Array(4 * groups) : new Float64Array(groups) };
  });
}

/** Adds sums of groups that go to these places of a sum that startDecimals began; gives what holds the sum from then on. */
export function addDecimals(sum: readonly DecimalSums[], added: readonly DecimalSums[], places: Uint32Array): DecimalSums[] {
  return sum.map((own) => {
    const other = added.find((sums) => sums.places === own.places);
    return other === undefined ? own : { ...own, sums: addIntSums(own.sums, other.sums, places) };
  });
}

/** The sums in the one form that equal sums have. */
export function finishDecimals(sum: readonly DecimalSums[]): DecimalSums[] {
  return sum.map(({ places, sums }) => ({ places, sums: sums instanceof Uint32Array ? narrowLimbs(sums) : sums }));
}

function placesOf(all: readonly (readonly DecimalSums[])[]): number[] {
  return [...new Set(all.flatMap((list) => list.map(({ places }) => places)))].sort((a, b) => a - b);
}

/** Writes lists of sums; what it gives is JSON that readDecimals gets back. */
export function writeDecimals(decimals: readonly DecimalSums[], writer: StateWriter): Description[] {
  return decimals.map(({ places, sums }) => {
    if (sums instanceof Float64Array) return { places, ...writeWholes(sums, writer) };
    writer.array(sums);
    return { places, areLimbs: true };
  });
}

/** Reads what writeDecimals wrote; throws on what is none. */
export function readDecimals(descriptions: unknown, groups: number, reader: ArrayReader): DecimalSums[] {
  if (!Array.isArray(descriptions) || descriptions.length > decimalExponentMax + 1) throw new TypeError("no sums of decimals");
  let least = 0;
  return descriptions.map((description: Description) => {
    const { places, areLimbs } = description;
    if (typeof places !== "number" || !Number.isInteger(places) || places < least || places > decimalExponentMax) throw new RangeError("decimal places do not ascend");
    least = places + 1;
    return { places, sums: areLimbs === true ? reader.uint32(groups * 4) : readWholes(description, groups, reader) };
  });
}
