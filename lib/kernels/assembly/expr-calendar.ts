/**
 * Calendar arithmetic over int64 instants: steps since 1970, of which `daySteps` make a day (nanoseconds, or 1 for days).
 * Dates after Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years begin in March.
 */
import { isSet } from "./bitmaps";

const epochDays: i64 = 719_468;
const cycleDays: i64 = 146_097;

/** The first instant of the bucket of `months` months, counted from 2000-01, in which each instant lies; the first row that does not fit, n where all do. */
export function exprFloorMonths(values: usize, nulls: usize, n: u32, daySteps: i64, months: i64, target: usize): u32 {
  // Neighbouring rows mostly lie in one bucket.
  let start: i64 = 0, end: i64 = 0;
  for (let i: u32 = 0; i < n; i++) {
    const value = load<i64>(values + (i << 3));
    if (value < start || value >= end) {
      const month = monthOf(floorDivide(value, daySteps)) - 24_000;
      const first = month - modulo(month, months) + 24_000;
      const startDay = dayOfMonth(first), endDay = dayOfMonth(first + months);
      const least = i64.MIN_VALUE / daySteps, greatest = i64.MAX_VALUE / daySteps;
      if (startDay < least && !isSet(nulls, i)) return i;
      start = startDay < least ? i64.MIN_VALUE : startDay * daySteps;
      end = endDay > greatest ? i64.MAX_VALUE : endDay * daySteps;
    }
    store<i64>(target + (i << 3), start);
  }
  return n;
}

/**
 * A part of each instant. 0 year, 1 month, 2 day, 3 hour, 4 minute, 5 second, 6 day of week (Sunday 0), 7 ISO day of week
 * (Monday 1), 8 ISO week, 9 day of year, 10 quarter.
 */
export function exprPart(part: u32, values: usize, n: u32, daySteps: i64, target: usize): void {
  for (let i: u32 = 0; i < n; i++) {
    const value = load<i64>(values + (i << 3));
    const day = floorDivide(value, daySteps);
    store<i64>(target + (i << 3), part >= 3 && part <= 5 ? clockPart(part, value - day * daySteps, daySteps) : calendarPart(part, day));
  }
}

function clockPart(part: u32, rest: i64, daySteps: i64): i64 {
  const seconds = daySteps == 1 ? 0 : rest / 1_000_000_000;
  return part == 3 ? seconds / 3_600 : part == 4 ? (seconds / 60) % 60 : seconds % 60;
}

function calendarPart(part: u32, day: i64): i64 {
  switch (part) {
    case 6: return modulo(day + 4, 7);
    case 7: return modulo(day + 3, 7) + 1;
    case 8: return isoWeek(day);
  }
  const month = monthOf(day);
  switch (part) {
    case 0: return floorDivide(month, 12);
    case 1: return modulo(month, 12) + 1;
    case 2: return day - dayOfMonth(month) + 1;
    case 9: return day - dayOfMonth(month - modulo(month, 12)) + 1;
    default: return modulo(month, 12) / 3 + 1;
  }
}

/** A week belongs to the year of its Thursday. */
function isoWeek(day: i64): i64 {
  const thursday = day - modulo(day + 3, 7) + 3;
  const month = monthOf(thursday);
  return (thursday - dayOfMonth(month - modulo(month, 12))) / 7 + 1;
}

/** Months since January of the year 0. */
function monthOf(day: i64): i64 {
  const shifted = day + epochDays;
  const cycle = floorDivide(shifted, cycleDays);
  const dayOfCycle = shifted - cycle * cycleDays;
  const year = (dayOfCycle - dayOfCycle / 1_460 + dayOfCycle / 36_524 - dayOfCycle / 146_096) / 365;
  const dayOfYear = dayOfCycle - (365 * year + year / 4 - year / 100);
  return (cycle * 400 + year) * 12 + (5 * dayOfYear + 2) / 153 + 2;
}

/** The first day of a month counted from January of the year 0. */
function dayOfMonth(month: i64): i64 {
  const fromMarch = month - 2;
  const year = floorDivide(fromMarch, 12);
  const cycle = floorDivide(year, 400);
  const yearOfCycle = year - cycle * 400;
  const dayOfYear = (153 * (fromMarch - year * 12) + 2) / 5;
  return cycle * cycleDays + yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear - epochDays;
}

@inline
function floorDivide(value: i64, divisor: i64): i64 {
  return value / divisor - <i64>(value % divisor < 0);
}

@inline
function modulo(value: i64, divisor: i64): i64 {
  const rest = value % divisor;
  return rest < 0 ? rest + divisor : rest;
}
