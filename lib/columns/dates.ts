/** Dates as text: ISO 8601 to days since 1970-01-01 and back, in the Gregorian calendar carried back before its time. */

const pattern = /^([+-]\d{6,7}|\d{4})-(\d{2})-(\d{2})$/;
/** A cycle of the calendar: 400 years from 1 March 0000 on, so that the leap day comes last. */
const cycleDays = 146_097;
/** Days from 0000-03-01 to 1970-01-01. */
const epochDays = 719_468;
const int32Max = 2 ** 31 - 1;

/** Days of a text; undefined for what is no date, or none that an int32 of days holds. */
export function parseDate(text: string): number | undefined {
  const match = pattern.exec(text.trim());
  if (match === null) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return undefined;
  const days = daysOf(year, month, day);
  return days >= -int32Max - 1 && days <= int32Max ? days : undefined;
}

/** ISO 8601 text of days; years before 0 and past 9999 have a sign and at least six digits. */
export function formatDate(days: number): string {
  const { year, month, day } = dateOf(days);
  const digits = String(Math.abs(year));
  const years = year >= 0 && year <= 9_999 ? digits.padStart(4, "0") : `${year < 0 ? "-" : "+"}${digits.padStart(6, "0")}`;
  return `${years}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
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
