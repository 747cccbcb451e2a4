/**
 * Functions of times as SQL: buckets by plain arithmetic on nanoseconds, or on months; time zones as DuckDB's ICU has them,
 * but for hours and less, of which it takes one where the clocks show two.
 */
import type { Expression } from "../../../lib/engine/expressions/tree.js";
import type { TypedSql } from "./sql.js";
import { zoneChanges } from "./zone-changes.js";

type Call = Extract<Expression, { kind: "call" }>;

const dayNs = 86_400_000_000_000n;
const unitNs = new Map([["second", 1_000_000_000n], ["minute", 60_000_000_000n], ["hour", 3_600_000_000_000n], ["day", dayNs], ["week", 7n * dayNs]]);
const unitMonths = new Map([["month", 1], ["quarter", 3], ["year", 12]]);
/** Functions that give a part of a time, by their names in DuckDB. */
const parts = new Map([["year", "year"], ["quarter", "quarter"], ["month", "month"], ["week", "week"], ["day", "day"], ["isodow", "isodow"], ["dayofweek", "dayofweek"], ["dayofyear", "dayofyear"], ["hour", "hour"], ["minute", "minute"], ["second", "second"]]);

/** SQL of a call of a function of times, else undefined. */
export function timeCall(call: Call, inner: (part: Expression) => TypedSql): string | undefined {
  const text = (place: number): string | undefined => {
    const arg = call.args[place];
    return arg?.kind === "literal" && typeof arg.value === "string" ? arg.value : undefined;
  };
  if (call.name === "date_trunc" || call.name === "time_bucket") return bucketSql(text(0)!, inner(call.args[1]!), text(2));
  if (call.name === "date") return daysOf(inner(call.args[0]!));
  if (call.name === "timestamp") return nsOf(inner(call.args[0]!));
  if (call.name === "epoch") return secondsOf(inner(call.args[0]!));
  const part = parts.get(call.name);
  if (part === undefined) return undefined;
  const time = inner(call.args[0]!);
  // A day is a day wherever it is.
  return `${part}(${localTime(nsOf(time), time.dtype === "date" ? undefined : text(1))})::hugeint`;
}

function nsOf({ sql, dtype }: TypedSql): string {
  return dtype === "date" ? `(${sql} * ${dayNs}::hugeint)` : sql;
}

function daysOf({ sql, dtype }: TypedSql): string {
  return dtype === "date" ? sql : `${floorTo(sql, dayNs, 0n)} // ${dayNs}::hugeint`;
}

function secondsOf({ sql, dtype }: TypedSql): string {
  const number = `cast(cast(${sql} as bigint) as double)`;
  return dtype === "date" ? `(${number} * 86400)` : `(${number} / '1e9'::double)`;
}

/** The bucket that a time is in: `7 days`, `month`; of a date and whole days a date again. */
function bucketSql(width: string, time: TypedSql, zone: string | undefined): string {
  const [, digits, unit] = /^(?:(\d+) )?([a-z]+?)s?$/.exec(width)!;
  const count = BigInt(digits ?? 1);
  const isOfDay = unit === "second" || unit === "minute" || unit === "hour";
  if (time.dtype === "date" && !isOfDay) return `(${bucketNs(nsOf(time), unit!, count)}) // ${dayNs}::hugeint`;
  if (zone === undefined) return bucketNs(nsOf(time), unit!, count);
  if (isOfDay) return clockBucket(nsOf(time), count * unitNs.get(unit)!, zone);
  const bucket = bucketNs(`(epoch_us(${localTime(nsOf(time), zone)})::hugeint * 1000)`, unit!, count);
  return `epoch_us(timezone('${zone}', ${wallTime(bucket)}))::hugeint * 1000`;
}

/**
 * Where a bucket of a zone's clock begins. One of an hour at most lies between two changes of the clock, so that an hour
 * that comes twice is two; a longer one begins when the clock first shows its start or more.
 */
function clockBucket(ns: string, width: bigint, zone: string): string {
  const changes = zoneChanges(zone);
  const since = (value: "atNs" | "offsetNs"): string => `(case ${changes.toReversed().map((change) => `when ${ns} >= ${change.atNs}::hugeint then ${change[value]}::hugeint`).join(" ")} end)`;
  const shown = floorTo(`(${ns} + ${since("offsetNs")})`, width, 10_957n * dayNs);
  if (width <= unitNs.get("hour")!) return `greatest(${shown} - ${since("offsetNs")}, ${since("atNs")})`;
  const firsts = changes.map(({ atNs, offsetNs }, place) => {
    const next = changes[place + 1];
    return `when ${next === undefined ? "true" : `shown - ${offsetNs}::hugeint < ${next.atNs}::hugeint`} then greatest(shown - ${offsetNs}::hugeint, ${atNs}::hugeint)`;
  });
  return `(case when ${ns} is null then null ${firsts.join(" ").replaceAll("shown", shown)} end)`;
}

function bucketNs(ns: string, unit: string, count: bigint): string {
  const months = unitMonths.get(unit);
  if (months === undefined) return floorTo(ns, count * unitNs.get(unit)!, (unit === "week" ? 10_959n : 10_957n) * dayNs);
  const place = `(year(${wallTime(ns)})::hugeint * 12 + month(${wallTime(ns)}) - 24001)`;
  const month = `(${floorTo(place, count * BigInt(months), 0n)} + 24000)`;
  return `epoch_us(make_date((${month} // 12)::bigint, (${month} % 12 + 1)::bigint, 1)::timestamp)::hugeint * 1000`;
}

/** The time without zone of nanoseconds; DuckDB's calendar knows microseconds. */
function wallTime(ns: string): string {
  return `make_timestamp((${floorTo(ns, 1_000n, 0n)} // 1000)::bigint)`;
}

function localTime(ns: string, zone: string | undefined): string {
  return zone === undefined ? wallTime(ns) : `timezone('${zone}', timezone('UTC', ${wallTime(ns)}))`;
}

/** The greatest multiple of a width, counted from an origin, that is not above a value. */
function floorTo(sql: string, width: bigint, origin: bigint): string {
  return `(${sql} - (((${sql} - ${origin}::hugeint) % ${width}::hugeint + ${width}::hugeint) % ${width}::hugeint))`;
}
