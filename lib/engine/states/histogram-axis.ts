/**
 * The bins of one input of a histogram: edges as they are printed, and as values of a column are compared with them. Of
 * numbers edge i is low + i * (high - low) / bins in float64; of times the same in whole nanoseconds or days, rounded
 * down.
 */
import { BquerydError } from "../../base/errors.js";
import { parseDate, parseTimestamp } from "../../columns/moments.js";
import { biasOf, isFloatDtype, wholeRange, type Dtype, type FloatDtype, type IntegerDtype } from "../../columns/dtypes.js";
import type { Literal } from "../query/literal.js";
import type { Values } from "../values.js";
import type { StateParam } from "./state.js";

/** Dtypes that histograms are of. */
export type BinnedDtype = IntegerDtype | FloatDtype | "timestamp" | "date";

/** What an axis is made from: low and high are numbers, or text for times. */
export interface AxisSpec {
  readonly bins: number;
  readonly low: StateParam;
  readonly high: StateParam;
}

/** Edges that values are compared with: float64, or int64 as columns keep them. */
export interface AxisEdges {
  /** As a result shows them: float64, or the dtype of times. */
  readonly shown: Values;
  /** One more than there are bins that some value may be in; none of those are left out but last ones. */
  readonly compared: Float64Array | BigInt64Array;
  /** Where every value lies, if that is outside of all bins. */
  readonly outside: "under" | "over" | null;
  /** (distance from the first compared edge + offset) * inverse is about the bin. */
  readonly offset: number;
  readonly inverse: number;
  /** Whether rounding moved no compared edge by a quarter of a bin, of floats by 2^-20 of one, and they are less than 2^63 apart. */
  readonly isEven: boolean;
}

const dayNs = 86_400_000_000_000n;

/** Tells whether histograms of a dtype mean something. */
export function isBinnedDtype(dtype: Dtype): dtype is BinnedDtype {
  return dtype !== "bool" && dtype !== "string" && dtype !== "bytes";
}

/** The edges of an axis over a dtype. Throws BAD_QUERY for ends that are none of it, or do not ascend. */
export function axisEdges(spec: AxisSpec, dtype: BinnedDtype): AxisEdges {
  return dtype === "timestamp" || dtype === "date" ? timeEdges(spec, dtype) : numberEdges(spec, dtype);
}

/** An end of an axis as states carry it: edges are float64, and so may be their ends; null for what is none. */
export function axisEnd(end: Literal | null): StateParam {
  if (typeof end === "bigint") return Number(end);
  return typeof end === "object" ? null : end;
}

function timeEdges({ bins, low, high }: AxisSpec, dtype: "timestamp" | "date"): AxisEdges {
  const [from, to] = [axisTime(low, dtype), axisTime(high, dtype)];
  const width = to - from;
  requireAscending(width > 0n, low, high);
  const edges = BigInt64Array.from({ length: bins + 1 }, (_, edge) => from + (BigInt(edge) * width) / BigInt(bins));
  return { shown: { dtype, array: edges }, compared: edges, outside: null, offset: 0, inverse: bins / Number(width), isEven: width >= 4n * BigInt(bins) && width < 2n ** 63n };
}

/** An end of an axis of times, in nanoseconds or days since 1970. Throws BAD_QUERY for what is none. */
export function axisTime(end: StateParam, dtype: "timestamp" | "date"): bigint {
  const days = typeof end === "string" ? parseDate(end) : undefined;
  const time = days === undefined ? undefined : BigInt(days);
  const instant = typeof end !== "string" ? undefined : time === undefined ? parseTimestamp(end) : time * dayNs;
  const found = dtype === "date" ? time : instant;
  if (found === undefined || found < wholeRange(dtype).least || found > wholeRange(dtype).greatest) {
    throw new BquerydError("BAD_QUERY", `a histogram of ${dtype} cannot end at ${JSON.stringify(end)}; write it as '2016-01-31'${dtype === "date" ? "" : " or '2016-01-31T12:30:00Z'"}`);
  }
  return found;
}

function numberEdges({ bins, low, high }: AxisSpec, dtype: IntegerDtype | FloatDtype): AxisEdges {
  if (typeof low !== "number" || typeof high !== "number") {
    throw new BquerydError("BAD_QUERY", `a histogram of ${dtype} cannot go from ${JSON.stringify(low)} to ${JSON.stringify(high)}; give numbers`);
  }
  requireAscending(high > low && Number.isFinite(high - low), low, high);
  const width = (high - low) / bins;
  const edges = Float64Array.from({ length: bins + 1 }, (_, edge) => (edge === bins ? high : Math.min(high, low + edge * width)));
  const inverse = Math.min(bins / (high - low), Number.MAX_VALUE);
  const shown: Values = { dtype: "float64", array: edges };
  // Where numbers are as small as float64 goes, they and the inverse are rounded by more than that.
  const isEven = width > Math.max(Math.abs(low), Math.abs(high), 2 ** -900) * 2 ** -30;
  if (isFloatDtype(dtype)) return { shown, compared: edges, outside: null, offset: 0, inverse, isEven };
  const { compared, outside } = wholeEdges(edges, dtype);
  const [first = 0n, last = 0n] = [compared[0], compared.at(-1)];
  return {
    shown, compared, outside, inverse,
    offset: Math.max(0, Number(first + biasOf(dtype)) - low),
    isEven: isEven && compared.length > bins && last - first < 2n ** 63n,
  };
}

/**
 * Edges among whole numbers as they are kept: a number is at or past an edge when it is so of the edge rounded up, and
 * past the last when it is so of it rounded down. No number is at or past an edge above int64: the bins from there on are
 * left out, and the one before them has all that is left.
 */
function wholeEdges(edges: Float64Array, dtype: IntegerDtype): Pick<AxisEdges, "outside"> & { compared: BigInt64Array } {
  const [least, greatest] = [-(2n ** 63n), 2n ** 63n - 1n];
  const last = edges.length - 1;
  const kept = Array.from(edges, (edge, place) => BigInt(place === last ? Math.floor(edge) : Math.ceil(edge)) - biasOf(dtype));
  const end = kept[last]!;
  const starts = kept.slice(0, last).filter((edge) => edge <= greatest).map((edge) => (edge < least ? least : edge));
  const outside = end < least ? "over" : starts.length === 0 ? "under" : null;
  const compared = outside === null ? [...starts, starts.length < last || end > greatest ? greatest : end] : [];
  return { compared: BigInt64Array.from(compared), outside };
}

function requireAscending(isAscending: boolean, low: StateParam, high: StateParam): void {
  if (!isAscending) throw new BquerydError("BAD_QUERY", `a histogram cannot go from ${JSON.stringify(low)} to ${JSON.stringify(high)}; give finite ends, the lower one first`);
}
