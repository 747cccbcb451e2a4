/** Arguments of functions that have to be literals: units and widths of buckets, time zones, bins. */
import { badQuery } from "../query/bad-query.js";
import type { Literal } from "../query/literal.js";
import { printExpression } from "./print.js";
import type { Expression } from "./tree.js";
import { isTimeZone } from "./zones.js";

type Call = Extract<Expression, { kind: "call" }>;

/** A width of time: nanoseconds, or months where it is counted in them. */
export interface Bucket {
  readonly months: bigint;
  readonly ns: bigint;
  /** Nanoseconds since 1970, local time, at which some bucket of a width in nanoseconds begins. */
  readonly originNs: bigint;
  /** Whole days, weeks or months, so that a date in it is one. */
  readonly isCalendar: boolean;
}

/** Bins of a width, with an edge; of floats unless all is whole. */
export interface Bin {
  readonly width: number | bigint;
  readonly origin: number | bigint;
  readonly isWhole: boolean;
}

/** Nanoseconds of a day. */
export const dayNs = 86_400_000_000_000n;
/** 2000-01-01 and Monday 2000-01-03, in nanoseconds since 1970. */
const millenniumNs = 10_957n * dayNs;
const mondayNs = 10_959n * dayNs;

const fixedUnits: ReadonlyMap<string, bigint> = new Map([
  ["second", 1_000_000_000n], ["minute", 60_000_000_000n], ["hour", 3_600_000_000_000n], ["day", dayNs], ["week", 7n * dayNs],
]);
const monthUnits: ReadonlyMap<string, bigint> = new Map([["month", 1n], ["quarter", 3n], ["year", 12n]]);
const unitList = [...fixedUnits.keys(), ...monthUnits.keys()].join(", ");
/** Wider buckets would hold all times there are. */
const bucketNsMax = 365_000n * dayNs;
const bucketMonthsMax = 12_000n;

/** The bucket of date_trunc's unit. Throws BAD_QUERY. */
export function readUnit(call: Call): Bucket {
  const unit = readText(call, 0, "a unit such as 'month'").trim().toLowerCase();
  return bucketOf(1n, unit) ?? fail(call, `has no unit '${unit}'; use one of ${unitList}`);
}

/** The bucket of time_bucket's width, such as '15 minutes' or 'week'. Throws BAD_QUERY. */
export function readBucket(call: Call): Bucket {
  const text = readText(call, 0, "a width such as '15 minutes'").trim().toLowerCase();
  const match = /^(?:(\d{1,12})\s*)?([a-z]+?)s?$/.exec(text);
  const count = BigInt(match?.[1] ?? 1);
  const bucket = match === null || count === 0n ? undefined : bucketOf(count, match[2]!);
  if (bucket === undefined) return fail(call, `has no width '${text}'; write it as in '15 minutes', with one of ${unitList}`);
  if (bucket.ns > bucketNsMax || bucket.months > bucketMonthsMax) return fail(call, "has buckets of more than 1,000 years; make them narrower");
  return bucket;
}

/** The time zone at a place of the arguments; undefined where there is none. Throws BAD_QUERY naming one that is unknown. */
export function requireZone(call: Call, place: number): string | undefined {
  if (call.args.length <= place) return undefined;
  const zone = readText(call, place, "a time zone such as 'Europe/Paris'");
  if (!isTimeZone(zone)) fail(call, `has a time zone '${zone.slice(0, 60)}' that is unknown; use a name of the IANA database such as 'Europe/Paris'`);
  return zone;
}

/** Width and edge of bin's bins. Throws BAD_QUERY. */
export function readBin(call: Call): Bin {
  const [width, origin] = [readNumber(call, 1), call.args.length > 2 ? readNumber(call, 2) : 0n];
  if (!(width > 0) || !Number.isFinite(Number(width)) || !Number.isFinite(Number(origin))) return fail(call, "has bins of no width; give a number above 0");
  if (typeof width === "bigint" && width >= 2n ** 63n) return fail(call, "has bins wider than any integer; make them narrower");
  return { width, origin, isWhole: typeof width === "bigint" && typeof origin === "bigint" };
}

/** A whole number among the arguments. Throws BAD_QUERY. */
export function readWhole(call: Call, place: number, least: number, most: number): number {
  const value = readNumber(call, place);
  if (typeof value !== "bigint" || value < least || value > most) return fail(call, `takes a whole number from ${least} to ${most} as argument ${place + 1}`);
  return Number(value);
}

function bucketOf(count: bigint, unit: string): Bucket | undefined {
  const months = monthUnits.get(unit);
  if (months !== undefined) return { months: count * months, ns: 0n, originNs: millenniumNs, isCalendar: true };
  const ns = fixedUnits.get(unit);
  if (ns === undefined) return undefined;
  return { months: 0n, ns: count * ns, originNs: unit === "week" ? mondayNs : millenniumNs, isCalendar: ns >= dayNs };
}

function readText(call: Call, place: number, what: string): string {
  const value = literalAt(call, place);
  return typeof value === "string" ? value : fail(call, `takes ${what} as argument ${place + 1}`);
}

/** Whole numbers as bigint, others as number. */
function readNumber(call: Call, place: number): number | bigint {
  const arg = call.args[place]!;
  // A float that is whole is written within a call that says so.
  const isFloat = arg.kind === "call" && arg.name === "float";
  const value = isFloat ? literalAt(arg, 0) : literalAt(call, place);
  if (typeof value === "bigint") return isFloat ? Number(value) : value;
  if (typeof value !== "number") return fail(call, `takes a number as argument ${place + 1}`);
  return Number.isSafeInteger(value) && !isFloat ? BigInt(value) : value;
}

function literalAt(call: Call, place: number): Literal | null | undefined {
  const arg = call.args[place];
  return arg?.kind === "literal" ? arg.value : undefined;
}

function fail(call: Call, wrong: string): never {
  throw badQuery(`'${printExpression(call).slice(0, 120)}' ${wrong}`);
}
