/**
 * Turns the fields of one column, at the places that csvRows found, into values. Rows that do not fit are listed, and
 * `state` gets three uint32: rows that do not fit, hard rows, nulls. Blanks around a value that is no text do not count.
 * Eight bytes before the block are read.
 */
import { floatValue, hardFloat, isBlank, isExact, isNegative, magnitude, noFloat, notANumber, readFloat, readWhole, someFloat } from "./csv-digits";
import { dayNumber, farDate, nanoseconds, noMoment, readMoment, someDate, someTime } from "./csv-moments";
import { endMask, nullFlag } from "./csv-rows";
import { equalBytes } from "./texts";

/** What a value can be; lib/formats/values/infer.ts says what each bit means. */
const boolKind: u32 = 1, negativeKind: u32 = 2, wholeKind: u32 = 4, bigKind: u32 = 8, inexactKind: u32 = 16, floatKind: u32 = 32;
const wordKind: u32 = 64, dateKind: u32 = 128, timestampKind: u32 = 256, farDateKind: u32 = 512, textKind: u32 = 1024;

/** A field without the blanks around it. */
let bareStart: usize = 0;
let bareEnd: usize = 0;

/** Tells whether the field at a place is null: empty without quotes, or marked. */
@inline
function isNull(place: usize): bool {
  const word = load<u32>(place, 4);
  return word == load<u32>(place) || (word & nullFlag) != 0;
}

@inline
function findBare(block: usize, place: usize): void {
  bareStart = block + load<u32>(place);
  bareEnd = block + (load<u32>(place, 4) & endMask);
  if (isBlank(load<u8>(bareStart)) || isBlank(load<u8>(bareEnd - 1))) dropBlanks();
}

function dropBlanks(): void {
  while (bareStart < bareEnd && isBlank(load<u8>(bareStart))) bareStart++;
  while (bareStart < bareEnd && isBlank(load<u8>(bareEnd - 1))) bareEnd--;
}

/** Sets the bit of each null row; gives how many there are. */
export function csvNullBits(fields: usize, rows: u32, nulls: usize): u32 {
  let count: u32 = 0;
  for (let from: u32 = 0; from < rows; from += 8) {
    let bits: u32 = 0;
    const last = min<u32>(8, rows - from);
    for (let i: u32 = 0; i < last; i++) bits |= <u32>isNull(fields + (<usize>(from + i) << 3)) << i;
    store<u8>(nulls + (from >> 3), <u8>bits);
    count += popcnt<u32>(bits);
  }
  return count;
}

@inline
function clearNulls(nulls: usize, rows: u32): void {
  memory.fill(nulls, 0, (rows + 7) >> 3);
}

@inline
function setNull(nulls: usize, row: u32): void {
  store<u8>(nulls + (row >> 3), <u8>(<u32>load<u8>(nulls + (row >> 3)) | (1 << (row & 7))));
}

/** Marks the fields that are spelled like `token`, the quotes around a field included, as nulls. */
export function csvNulls(block: usize, fields: usize, rows: u32, token: usize, tokenBytes: u32): void {
  for (let row: u32 = 0; row < rows; row++) {
    const place = fields + (<usize>row << 3);
    const word = load<u32>(place, 4);
    const quotes = word >> 31;
    const start = load<u32>(place) - quotes;
    if ((word & endMask) + quotes - start == tokenBytes && equalBytes(block + start, token, tokenBytes)) store<u32>(place, word | nullFlag, 4);
  }
}

/** The kinds of all values but nulls, or-ed; numbers of which only JavaScript can tell, as they are so long, are listed. */
export function csvKinds(block: usize, fields: usize, rows: u32, powers: usize, hard: usize, state: usize): u32 {
  let kinds: u32 = 0, hardCount: u32 = 0;
  for (let row: u32 = 0; row < rows; row++) {
    const place = fields + (<usize>row << 3);
    if (isNull(place)) continue;
    findBare(block, place);
    const kind = kindOf(bareStart, bareEnd, powers);
    if (kind == 0) store<u32>(hard + (hardCount++ << 2), row);
    kinds |= kind;
  }
  store<u32>(state, 0);
  store<u32>(state, hardCount, 4);
  return kinds;
}

/** The kinds of a value, or 0 for a hard one. */
function kindOf(at: usize, end: usize, powers: usize): u32 {
  if (at == end) return textKind;
  if (readWhole(at, end, false)) {
    if (isNegative && magnitude > 1 << 63) return 0;
    const kind = isNegative && magnitude != 0 ? negativeKind : magnitude >> 63 == 0 ? wholeKind : bigKind;
    return isExact(magnitude) ? kind : kind | inexactKind;
  }
  const found = readFloat(at, end, false, powers);
  if (found == hardFloat) return 0;
  if (found == notANumber) return wordKind;
  if (found == someFloat) return floatValue == Infinity || floatValue == -Infinity ? wordKind : floatKind;
  if (readBool(at, end, false) < 2) return boolKind;
  const moment = readMoment(at, end);
  if (moment == noMoment) return textKind;
  return moment == someTime ? timestampKind : moment == someDate ? dateKind : dateKind | farDateKind;
}

/** 0, 1, or 2 for a text that is no bool. */
function readBool(at: usize, end: usize, lenient: bool): u32 {
  const count = <u32>(end - at);
  if (count == 4) {
    const word = load<u32>(at);
    return word == 0x65757274 || word == 0x65757254 || word == 0x45555254 ? 1 : 2;
  }
  if (count == 5) {
    const word = load<u32>(at), last = <u32>load<u8>(at, 4);
    return ((word == 0x736c6166 || word == 0x736c6146) && last == 101) || (word == 0x534c4146 && last == 69) ? 0 : 2;
  }
  const digit = <u32>load<u8>(at) - 48;
  return lenient && count == 1 && digit < 2 ? digit : 2;
}

/** Bools as bytes; a lenient reader takes 0 and 1 too. */
export function csvBools(block: usize, fields: usize, rows: u32, lenient: bool, values: usize, nulls: usize, misfits: usize, state: usize): void {
  let nullCount: u32 = 0, misfitCount: u32 = 0;
  clearNulls(nulls, rows);
  for (let row: u32 = 0; row < rows; row++) {
    const place = fields + (<usize>row << 3);
    let value: u32 = 0;
    if (isNull(place)) {
      setNull(nulls, row);
      nullCount++;
    } else {
      findBare(block, place);
      value = readBool(bareStart, bareEnd, lenient);
      if (value == 2) store<u32>(misfits + (misfitCount++ << 2), row);
    }
    store<u8>(values + row, <u8>value);
  }
  finish(state, misfitCount, 0, nullCount);
}

/** Whole numbers from least to greatest as int64. */
export function csvInts(block: usize, fields: usize, rows: u32, lenient: bool, least: i64, greatest: i64, values: usize, nulls: usize, misfits: usize, state: usize): void {
  let nullCount: u32 = 0, misfitCount: u32 = 0;
  clearNulls(nulls, rows);
  for (let row: u32 = 0; row < rows; row++) {
    const place = fields + (<usize>row << 3);
    let value: i64 = 0;
    if (isNull(place)) {
      setNull(nulls, row);
      nullCount++;
    } else {
      findBare(block, place);
      const fits = readWhole(bareStart, bareEnd, lenient) && magnitude <= (<u64>1 << 63) - (isNegative ? 0 : 1);
      value = isNegative ? -<i64>magnitude : <i64>magnitude;
      if (!fits || value < least || value > greatest) store<u32>(misfits + (misfitCount++ << 2), row);
    }
    store<i64>(values + (<usize>row << 3), value);
  }
  finish(state, misfitCount, 0, nullCount);
}

/** Whole numbers as uint64. */
export function csvUint64s(block: usize, fields: usize, rows: u32, lenient: bool, values: usize, nulls: usize, misfits: usize, state: usize): void {
  let nullCount: u32 = 0, misfitCount: u32 = 0;
  clearNulls(nulls, rows);
  for (let row: u32 = 0; row < rows; row++) {
    const place = fields + (<usize>row << 3);
    let value: u64 = 0;
    if (isNull(place)) {
      setNull(nulls, row);
      nullCount++;
    } else {
      findBare(block, place);
      const fits = readWhole(bareStart, bareEnd, lenient) && (!isNegative || magnitude == 0);
      value = magnitude;
      if (!fits) store<u32>(misfits + (misfitCount++ << 2), row);
    }
    store<u64>(values + (<usize>row << 3), value);
  }
  finish(state, misfitCount, 0, nullCount);
}

/**
 * Numbers as float64; NaN is null. Rows listed in `hard` are spelled as numbers, and left to the caller. `powers` has
 * 16 bytes for each power of ten from -348 to 347: the lower and the upper word of its first 128 bits, the rest cut.
 */
export function csvFloats(block: usize, fields: usize, rows: u32, lenient: bool, powers: usize, values: usize, nulls: usize, misfits: usize, hard: usize, state: usize): void {
  let nullCount: u32 = 0, misfitCount: u32 = 0, hardCount: u32 = 0;
  clearNulls(nulls, rows);
  for (let row: u32 = 0; row < rows; row++) {
    const place = fields + (<usize>row << 3);
    let value: f64 = 0;
    if (isNull(place)) {
      setNull(nulls, row);
      nullCount++;
    } else {
      findBare(block, place);
      const found = readFloat(bareStart, bareEnd, lenient, powers);
      if (found == someFloat) {
        value = floatValue;
      } else if (found == noFloat) {
        store<u32>(misfits + (misfitCount++ << 2), row);
      } else if (found == hardFloat) {
        store<u32>(hard + (hardCount++ << 2), row);
      } else {
        setNull(nulls, row);
        nullCount++;
      }
    }
    store<f64>(values + (<usize>row << 3), value);
  }
  finish(state, misfitCount, hardCount, nullCount);
}

/** Dates as int32 days. */
export function csvDates(block: usize, fields: usize, rows: u32, values: usize, nulls: usize, misfits: usize, state: usize): void {
  let nullCount: u32 = 0, misfitCount: u32 = 0;
  clearNulls(nulls, rows);
  for (let row: u32 = 0; row < rows; row++) {
    const place = fields + (<usize>row << 3);
    let value: i32 = 0;
    if (isNull(place)) {
      setNull(nulls, row);
      nullCount++;
    } else {
      findBare(block, place);
      const found = readMoment(bareStart, bareEnd);
      value = dayNumber;
      if (found != someDate && found != farDate) store<u32>(misfits + (misfitCount++ << 2), row);
    }
    store<i32>(values + (<usize>row << 2), value);
  }
  finish(state, misfitCount, 0, nullCount);
}

/** Dates, at midnight, and timestamps as int64 nanoseconds. */
export function csvTimestamps(block: usize, fields: usize, rows: u32, values: usize, nulls: usize, misfits: usize, state: usize): void {
  let nullCount: u32 = 0, misfitCount: u32 = 0;
  clearNulls(nulls, rows);
  for (let row: u32 = 0; row < rows; row++) {
    const place = fields + (<usize>row << 3);
    let value: i64 = 0;
    if (isNull(place)) {
      setNull(nulls, row);
      nullCount++;
    } else {
      findBare(block, place);
      const found = readMoment(bareStart, bareEnd);
      value = nanoseconds;
      if (found != someDate && found != someTime) store<u32>(misfits + (misfitCount++ << 2), row);
    }
    store<i64>(values + (<usize>row << 3), value);
  }
  finish(state, misfitCount, 0, nullCount);
}

@inline
function finish(state: usize, misfits: u32, hard: u32, nulls: u32): void {
  store<u32>(state, misfits);
  store<u32>(state, hard, 4);
  store<u32>(state, nulls, 8);
}
