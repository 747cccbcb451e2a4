/**
 * Dates and timestamps as text: ISO 8601 to days and nanoseconds since 1970-01-01 UTC and back, in the Gregorian calendar
 * carried back before its time.
 */

/**
 * How a text may be spelled. `strict`: as what is taken for a date or time wherever it stands, with years of four digits;
 * the kernels csvDates and csvTimestamps read the same from bytes. `lenient`: also what can only be meant so where one is
 * asked for: blanks around it, years with a sign and six or seven digits, a comma before the fraction.
 */
export type Spelling = "strict" | "lenient";

/** Year, month, day; hour, minute, second, fraction; sign, hour and minute of the zone. */
const patterns: Readonly<Record<Spelling, RegExp>> = {
  strict: /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?: ?(?:[Zz]|UTC|([+-])(\d{2})(?::?(\d{2}))?))?)?$/,
  lenient: /^([+-]\d{6,7}|\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(?:Z|UTC|([+-])(\d{2})(?::?(\d{2}))?)?$/i,
};
const datePattern = /^([+-]\d{6,7}|\d{4})-(\d{2})-(\d{2})$/;
/** A cycle of the calendar: 400 years from 1 March 0000 on, so that the leap day comes last. */
const cycleDays = 146_097;
/** Days from 0000-03-01 to 1970-01-01. */
const epochDays = 719_468;
const int32Max = 2 ** 31 - 1;
const int64Max = (1n << 63n) - 1n;
const secondNs = 1_000_000_000n;

/** Days of a text; undefined for what is no date, or none that an int32 of days holds. */
export function parseDate(text: string, spelling: Spelling = "lenient"): number | undefined {
  const [, year, month, day] = datePattern.exec(spelling === "lenient" ? text.trim() : text) ?? [];
  if (year === undefined || (spelling === "strict" && year.length !== 4)) return undefined;
  const days = findDays(Number(year), Number(month), Number(day));
  return days !== undefined && days >= -int32Max - 1 && days <= int32Max ? days : undefined;
}

/**
 * Nanoseconds of a date, or of a date and time; without zone it is UTC. Undefined for what is no timestamp, leap seconds
 * included; of the strict ones also for what int64 does not hold, which the lenient may lie beyond.
 */
export function parseTimestamp(text: string, spelling: Spelling = "lenient"): bigint | undefined {
  const match = patterns[spelling].exec(spelling === "lenient" ? text.trim() : text);
  if (match === null) return undefined;
  const [, year, month, day, hour = "0", minute = "0", second = "0", fraction = "", sign, zoneHour = "0", zoneMinute = "0"] = match;
  const days = findDays(Number(year), Number(month), Number(day));
  if (days === undefined || Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  if (Number(zoneHour) > 23 || Number(zoneMinute) > 59) return undefined;
  const zoneSeconds = (Number(zoneHour) * 3_600 + Number(zoneMinute) * 60) * (sign === "-" ? -1 : 1);
  const seconds = days * 86_400 + Number(hour) * 3_600 + Number(minute) * 60 + Number(second) - zoneSeconds;
  const nanoseconds = BigInt(seconds) * secondNs + BigInt(fraction.padEnd(9, "0"));
  const isHeld = nanoseconds >= -int64Max - 1n && nanoseconds <= int64Max;
  return isHeld || spelling === "lenient" ? nanoseconds : undefined;
}

/** ISO 8601 text of days; years before 0 and past 9999 have a sign and at least six digits. */
export function formatDate(days: number): string {
  const { year, month, day } = dateOf(days);
  const digits = String(Math.abs(year));
  const years = year >= 0 && year <= 9_999 ? digits.padStart(4, "0") : `${year < 0 ? "-" : "+"}${digits.padStart(6, "0")}`;
  return `${years}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
}

/** ISO 8601 text of nanoseconds, UTC, with as many digits of a second as needed. */
export function formatTimestamp(value: bigint): string {
  const nanoseconds = ((value % secondNs) + secondNs) % secondNs;
  const whole = new Date(Number((value - nanoseconds) / 1_000_000n)).toISOString().replace(/\.000Z$/, "");
  const fraction = nanoseconds === 0n ? "" : `.${nanoseconds.toString().padStart(9, "0").replace(/0+$/, "")}`;
  return `${whole}${fraction}Z`;
}

/** Undefined for a day that no month has. */
function findDays(year: number, month: number, day: number): number | undefined {
  return month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month) ? undefined : daysOf(year, month, day);
}

/** After Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March. */
function daysOf(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const cycle = Math.floor(marchYear / 400);
  const yearOfCycle = marchYear - cycle * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfCycle = yearOfCycle * 365 + Math.floor(yearOfCycle / 4) - Math.floor(yearOfCycle / 100) + dayOfYear;
  return cycle * cycleDays + dayOfCycle - epochDays;
}

function dateOf(days: number): { year: number; month: number; day: number } {
  const cycle = Math.floor((days + epochDays) / cycleDays);
  const dayOfCycle = days + epochDays - cycle * cycleDays;
  const yearOfCycle = Math.floor((dayOfCycle - Math.floor(dayOfCycle / 1_460) + Math.floor(dayOfCycle / 36_524) - Math.floor(dayOfCycle / 146_096)) / 365);
  const dayOfYear = dayOfCycle - (365 * yearOfCycle + Math.floor(yearOfCycle / 4) - Math.floor(yearOfCycle / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  return { year: yearOfCycle + cycle * 400 + (month <= 2 ? 1 : 0), month, day: dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1 };
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
