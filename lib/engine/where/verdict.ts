/** What the statistics of a chunk say of a condition before any row of it is read. */
import type { ChunkStatistics } from "../../columns/read/table.js";
import type { TextTest } from "./text-tests.js";
import type { ValueTest } from "./literals.js";

/** No row matches, every row does, or the rows must be looked at. */
export type Verdict = "none" | "all" | "some";

type Extreme = bigint | number | Uint8Array;

/**
 * The verdict of a test on a chunk. Of a computed column (`areBounds`) extremes are bounds, and so is the count of nulls.
 */
export function judge(test: ValueTest | TextTest, { minimum, maximum, nullCount, rows }: ChunkStatistics, areBounds: boolean): Verdict {
  if (!areBounds && nullCount === rows) return "none";
  if (minimum === null || maximum === null) return "some";
  const verdict = judgeValues(test, minimum, maximum);
  return verdict === "all" && nullCount > 0 ? "some" : verdict;
}

/** The verdict of `is null`; of `is not null` where negated. */
export function judgeNulls(isNegated: boolean, { nullCount, rows }: ChunkStatistics, areBounds: boolean): Verdict {
  if (nullCount === 0) return turn("none", isNegated);
  return !areBounds && nullCount === rows ? turn("all", isNegated) : "some";
}

/**
 * The verdict of a set of orders between values from [least, greatest] of the left and of the right side; `accept`: bit 0
 * for below, bit 1 for equal, bit 2 for above. Numbers compare exactly, whatever their kinds.
 */
export function judgeOrders(accept: number, left: readonly [Extreme, Extreme], right: readonly [Extreme, Extreme]): Verdict {
  const [canBeBelow, canBeAbove] = [compare(left[0], right[1]) < 0, compare(left[1], right[0]) > 0];
  const canBeEqual = compare(left[0], right[1]) <= 0 && compare(left[1], right[0]) >= 0;
  const possible = (canBeBelow ? 1 : 0) | (canBeEqual ? 2 : 0) | (canBeAbove ? 4 : 0);
  if ((possible & accept) === 0) return "none";
  return (possible & ~accept) === 0 ? "all" : "some";
}

/** The verdict of all parts at once, or of any. */
export function joinVerdicts(kind: "and" | "or", verdicts: readonly Verdict[]): Verdict {
  const [decisive, neutral]: readonly Verdict[] = kind === "and" ? ["none", "all"] : ["all", "none"];
  if (verdicts.includes(decisive!)) return decisive!;
  return verdicts.every((verdict) => verdict === neutral) ? neutral! : "some";
}

function judgeValues(test: ValueTest | TextTest, minimum: Extreme, maximum: Extreme): Verdict {
  switch (test.kind) {
    case "int-range": case "float-range": {
      if (minimum instanceof Uint8Array || maximum instanceof Uint8Array) return "some";
      const inside = test.lo <= minimum && maximum <= test.hi;
      const outside = test.lo > test.hi || maximum < test.lo || minimum > test.hi;
      return turn(inside ? "all" : outside ? "none" : "some", test.negate);
    }
    case "int-set": case "float-set": return turn(judgeSet(test.values, true, minimum, maximum), test.negate);
    case "text-set": return turn(judgeSet(test.known.texts, test.known.areAll, minimum, maximum), test.negate);
    // Truncated extremes are still bounds, so this holds every side a value may lie on, if not only those.
    case "text-compare": return judgeOrders(test.accept, [minimum, maximum], [test.literal, test.literal]);
    case "like": return turn(judgeLike(test, minimum, maximum), test.negate);
  }
}

/** `areAll` false: only the least and the greatest value of the set are given. */
function judgeSet(values: BigInt64Array | Float64Array | readonly Uint8Array[], areAll: boolean, minimum: Extreme, maximum: Extreme): Verdict {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(values[middle]!, minimum) < 0) low = middle + 1;
    else high = middle;
  }
  if (low === values.length || compare(values[low]!, maximum) > 0) return areAll || low === 0 || low === values.length ? "none" : "some";
  return compare(minimum, maximum) === 0 ? "all" : "some";
}

function judgeLike({ pattern: { prefix, isPrefixOnly } }: Extract<TextTest, { kind: "like" }>, minimum: Extreme, maximum: Extreme): Verdict {
  if (!(minimum instanceof Uint8Array && maximum instanceof Uint8Array)) return "some";
  const [low, high] = [minimum, maximum].map((extreme) => Buffer.compare(extreme.subarray(0, prefix.length), prefix));
  // A maximum that is shorter than the prefix and equal so far lies below all that begin with it.
  if (high! < 0 || low! > 0) return "none";
  return isPrefixOnly && low === 0 && high === 0 ? "all" : "some";
}

function compare(a: Extreme, b: Extreme): number {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}

function turn(verdict: Verdict, isNegated: boolean): Verdict {
  if (!isNegated || verdict === "some") return verdict;
  return verdict === "all" ? "none" : "all";
}
