/** Dates and timestamps as text files spell them. The kernels csvDates and csvTimestamps read the same from bytes. */

const dateText = /^(\d{4})-(\d{2})-(\d{2})$/;
const timestampText = /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?: ?(?:[Zz]|UTC|([+-])(\d{2})(?::?(\d{2}))?))?$/;
const dayMs = 86_400_000;
const daySeconds = 86_400n;
const leastNanoseconds = -(1n << 63n);
const greatestNanoseconds = (1n << 63n) - 1n;

/** Days from 1970-01-01 to a `YYYY-MM-DD`; undefined for anything else, days that no month has included. */
export function parseDays(text: string): number | undefined {
  const [, year, month, day] = dateText.exec(text) ?? [];
  if (year === undefined) return undefined;
  const midnight = new Date(0);
  midnight.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  // The calendar rolls 31 April over to May.
  if (midnight.getUTCMonth() !== Number(month) - 1 || midnight.getUTCDate() !== Number(day)) return undefined;
  return midnight.getTime() / dayMs;
}

/**
 * Nanoseconds from 1970-01-01 UTC to a date, or to a date and time: `YYYY-MM-DD`, `T` or a blank, `HH:MM`, seconds and
 * up to nine digits of a fraction if any, and a zone if any: Z, UTC or an offset. Without zone it is UTC. Undefined for
 * anything else, leap seconds and what int64 cannot hold included.
 */
export function parseNanoseconds(text: string): bigint | undefined {
  const days = parseDays(text);
  if (days !== undefined) return withinRange(BigInt(days) * daySeconds * 1_000_000_000n);
  const [, date, hour, minute, second = "0", fraction = "", sign, zoneHour = "0", zoneMinute = "0"] = timestampText.exec(text) ?? [];
  const day = date === undefined ? undefined : parseDays(date);
  if (day === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  if (Number(zoneHour) > 23 || Number(zoneMinute) > 59) return undefined;
  const offset = (Number(zoneHour) * 3_600 + Number(zoneMinute) * 60) * (sign === "-" ? -1 : 1);
  const seconds = Number(hour) * 3_600 + Number(minute) * 60 + Number(second) - offset;
  return withinRange((BigInt(day) * daySeconds + BigInt(seconds)) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0")));
}

function withinRange(nanoseconds: bigint): bigint | undefined {
  return nanoseconds < leastNanoseconds || nanoseconds > greatestNanoseconds ? undefined : nanoseconds;
}
