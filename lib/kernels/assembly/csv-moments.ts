/** Reads dates and timestamps from text, as the strict ones of lib/columns/moments.ts are spelled. */

/** What readMoment read last. */
export let dayNumber: i32 = 0;
export let nanoseconds: i64 = 0;

/** What readMoment found: nothing; a date; one whose midnight no timestamp can be; a date and time. */
export const noMoment: u32 = 0, someDate: u32 = 1, farDate: u32 = 2, someTime: u32 = 3;

const dash: u32 = 45, colon: u32 = 58, point: u32 = 46, plus: u32 = 43;
const notANumber: u32 = 100;
const nanosecondsOfSecond: i64 = 1000000000;
const secondsOfDay: i64 = 86400;
/** Days whose midnights are timestamps, either way from 1970. */
const nearDays: i32 = 106751;
/** The first and the last whole second of which some nanosecond is a timestamp, and the nanoseconds where they begin and end. */
const firstSecond: i64 = -9223372037, firstFraction: i64 = 145224192, lastSecond: i64 = 9223372036, lastFraction: i64 = 854775807;

/** Two digits as a number, or 100. */
@inline
function readPair(at: usize): u32 {
  const tens = <u32>load<u8>(at) - 48, ones = <u32>load<u8>(at, 1) - 48;
  return tens < 10 && ones < 10 ? tens * 10 + ones : notANumber;
}

/** Reads a date into dayNumber, or a date and time into nanoseconds; a date that is near sets both. */
export function readMoment(at: usize, end: usize): u32 {
  const count = <u32>(end - at);
  if (count < 10 || !readDate(at)) return noMoment;
  if (count > 10) return readTime(at + 10, end) ? someTime : noMoment;
  if (dayNumber > nearDays || dayNumber < -nearDays) return farDate;
  nanoseconds = <i64>dayNumber * secondsOfDay * nanosecondsOfSecond;
  return someDate;
}

function readDate(at: usize): bool {
  const century = readPair(at), years = readPair(at + 2), month = readPair(at + 5), day = readPair(at + 8);
  if (load<u8>(at, 4) != dash || load<u8>(at, 7) != dash || century == notANumber || years == notANumber) return false;
  const year = century * 100 + years;
  if (month - 1 >= 12 || day - 1 >= daysOfMonth(year, month)) return false;
  dayNumber = dayOf(year, month, day);
  return true;
}

@inline
function daysOfMonth(year: u32, month: u32): u32 {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return 30 + ((month + (month >> 3)) & 1);
}

/** Days from 1970-01-01; years that begin in March put the odd day last (Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
@inline
function dayOf(year: u32, month: u32, day: u32): i32 {
  const shifted = <i32>year - (month <= 2 ? 1 : 0);
  const era = (shifted >= 0 ? shifted : shifted - 399) / 400;
  const yearOfEra = shifted - era * 400;
  const dayOfYear = (153 * (<i32>month + (month > 2 ? -3 : 9)) + 2) / 5 + <i32>day - 1;
  return era * 146097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719468;
}

/** Reads what follows the date into nanoseconds. */
function readTime(from: usize, end: usize): bool {
  const between = <u32>load<u8>(from);
  if ((between != 32 && (between | 32) != 116) || end - from < 6 || load<u8>(from, 3) != colon) return false;
  const hour = readPair(from + 1), minute = readPair(from + 4);
  let second: u32 = 0;
  let fraction: i64 = 0;
  let at = from + 6;
  if (end - at >= 3 && load<u8>(at) == colon) {
    second = readPair(at + 1);
    at += 3;
    if (at < end && load<u8>(at) == point) {
      const start = ++at;
      for (; at < end && <u32>load<u8>(at) - 48 < 10; at++) {
        if (at - start == 9) return false;
        fraction = fraction * 10 + load<u8>(at) - 48;
      }
      if (at == start) return false;
      for (let place = at - start; place < 9; place++) fraction *= 10;
    }
  }
  if (hour > 23 || minute > 59 || second > 59 || !readZone(at, end)) return false;
  const seconds = <i64>dayNumber * secondsOfDay + <i64>(hour * 3600 + minute * 60 + second) - offsetSeconds;
  if (seconds < firstSecond || seconds > lastSecond) return false;
  if ((seconds == firstSecond && fraction < firstFraction) || (seconds == lastSecond && fraction > lastFraction)) return false;
  nanoseconds = seconds * nanosecondsOfSecond + fraction;
  return true;
}

/** Reads a zone, or its absence, up to the end. */
let offsetSeconds: i64 = 0;
function readZone(from: usize, end: usize): bool {
  offsetSeconds = 0;
  if (from == end) return true;
  const at = load<u8>(from) == 32 ? from + 1 : from;
  const count = <u32>(end - at);
  const sign = <u32>load<u8>(at);
  if (count == 1) return (sign | 32) == 122;
  if (count == 3 && (load<u32>(at) & 0xffffff) == 0x435455) return true;
  const hasColon = count == 6 && load<u8>(at, 3) == colon;
  if ((sign != plus && sign != dash) || (count != 3 && count != 5 && !hasColon)) return false;
  const hours = readPair(at + 1), minutes = count == 3 ? 0 : readPair(end - 2);
  if (hours > 23 || minutes > 59) return false;
  const offset = <i64>(hours * 3600 + minutes * 60);
  offsetSeconds = sign == dash ? -offset : offset;
  return true;
}
