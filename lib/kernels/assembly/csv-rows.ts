/**
 * Finds records and fields in text with delimiters (RFC 4180). A record ends with LF, CR or CR LF. A quote that opens a
 * field makes everything up to the closing quote its content, "" standing for one quote; any other quote is a letter.
 *
 * Where quotes are wrong: text after a closing quote spoils its record. If that field went over a line end, its opening
 * quote was the mistake: what is spoiled then ends with the line where it opened, and a new record begins there. The same
 * goes for a field that never closes.
 *
 * A place of a field is two uint32: where it starts, and where it ends (exclusive) with two flags. Quotes are not part
 * of it. The places of column c lie one after another from `fields + c * rowsMax * 8`.
 */

const quote: u32 = 34, lf: u32 = 10, cr: u32 = 13;

/** Flags of the second word of a place; the third, a null, is set by csvNulls. */
export const quotedFlag: u32 = 1 << 31, doubledFlag: u32 = 1 << 30, nullFlag: u32 = 1 << 29;
export const endMask: u32 = nullFlag - 1;

/** Why a record is spoiled. */
const wrongCount: u32 = 1, textAfterQuote: u32 = 2, neverClosed: u32 = 3;

/** A bit for each of 16 bytes that is a delimiter, quote, LF or CR. */
@inline
function findSpecial(at: usize, delimiter: v128): u32 {
  const bytes = v128.load(at);
  const ends = v128.or(i8x16.eq(bytes, i8x16.splat(<i8>lf)), i8x16.eq(bytes, i8x16.splat(<i8>cr)));
  return <u32>i8x16.bitmask(v128.or(ends, v128.or(i8x16.eq(bytes, delimiter), i8x16.eq(bytes, i8x16.splat(<i8>quote)))));
}

/** The first quote from `at`, or some place from `end` on: up to 16 bytes behind it are read. */
@inline
function findQuote(at: usize, end: usize): usize {
  let place = at;
  while (place < end) {
    const mask = <u32>i8x16.bitmask(i8x16.eq(v128.load(place), i8x16.splat(<i8>quote)));
    if (mask != 0) return place + ctz<u32>(mask);
    place += 16;
  }
  return place;
}

/** The place after the first line end from `at` to `end`, or 0. The byte at `end` is read. */
function nextLine(at: usize, end: usize): usize {
  for (let place = at; place < end; place++) {
    const byte = <u32>load<u8>(place);
    if (byte == lf || (byte == cr && load<u8>(place, 1) != lf)) return place + 1;
  }
  return 0;
}

/** The closing quote of the field whose content starts at `at`, or `end`; `hasDoubled` is left true if quotes are doubled inside. */
let hasDoubled: bool = false;
function findClosing(at: usize, end: usize): usize {
  hasDoubled = false;
  let place = findQuote(at, end);
  while (place + 1 < end && load<u8>(place, 1) == quote) {
    hasDoubled = true;
    place = findQuote(place + 2, end);
  }
  return min<usize>(place, end);
}

/**
 * Writes the places of rows [0, rowsMax) at most, and the spoiled records: uint32 start, end, reason (1 another number
 * of fields, 2 text after a closing quote, 3 a quote that never closes) and detail (the number of fields; the place of
 * the opening quote). `state`: uint32 rows, rejects and the place to go on from. Empty lines are left out, but are rows
 * where there is one column. At `bytes` must be a byte to write on, and 32 bytes to read behind it.
 */
export function csvRows(block: usize, bytes: u32, from: u32, columns: u32, delimiterByte: u32, rowsMax: u32, fields: usize, rejectsMax: u32, rejects: usize, state: usize): void {
  const delimiter = i8x16.splat(<i8>delimiterByte);
  const stride = <usize>rowsMax << 3;
  const end = block + bytes;
  // Ends the last record, if nothing else does.
  store<u8>(end, <u8>lf);
  let rows: u32 = 0, rejectCount: u32 = 0;
  let at = block + from, recordStart = at, fieldStart = at;
  let column: u32 = 0, reason: u32 = 0, detail: u32 = 0;
  let slot = fields;
  // The end of a quoted field that a line end follows, with its flags.
  let quotedEnd: u32 = 0;
  while (recordStart < end && rows < rowsMax && rejectCount < rejectsMax) {
    let mask = findSpecial(at, delimiter);
    while (mask == 0) {
      at += 16;
      mask = findSpecial(at, delimiter);
    }
    // Where to go on, if not with the rest of these 16 bytes.
    let jump: usize = 0;
    do {
      const place = at + ctz<u32>(mask);
      mask &= mask - 1;
      const byte = <u32>load<u8>(place);
      if (byte == delimiterByte) {
        if (column < columns) {
          store<u32>(slot, <u32>(fieldStart - block));
          store<u32>(slot, <u32>(place - block), 4);
        }
        slot += stride;
        column++;
        fieldStart = place + 1;
        continue;
      }
      let next = place + 1;
      if (byte == quote) {
        if (place != fieldStart) continue;
        const closing = findClosing(next, end);
        const after = closing < end ? <u32>load<u8>(closing, 1) : 0;
        if (closing < end && (after == delimiterByte || after == lf || after == cr)) {
          const word = <u32>(closing - block) | quotedFlag | (hasDoubled ? doubledFlag : 0);
          fieldStart = next;
          jump = closing + 1;
          if (after != delimiterByte) {
            quotedEnd = word;
            break;
          }
          if (column < columns) {
            store<u32>(slot, <u32>(fieldStart - block));
            store<u32>(slot, word, 4);
          }
          slot += stride;
          column++;
          fieldStart = ++jump;
          break;
        }
        detail = <u32>(place - block);
        next = nextLine(place, closing);
        if (closing < end && next == 0) {
          reason = textAfterQuote;
          jump = closing + 1;
          break;
        }
        reason = closing < end ? textAfterQuote : neverClosed;
        if (next == 0) next = end;
      } else {
        if (byte == cr && load<u8>(next) == lf) next++;
        if (reason == 0) {
          if (column + 1 == columns) {
            store<u32>(slot, <u32>(fieldStart - block));
            store<u32>(slot, quotedEnd != 0 ? quotedEnd : <u32>(place - block), 4);
            rows++;
          } else if (place != recordStart) {
            reason = wrongCount;
            detail = column + 1;
          }
        }
      }
      if (reason != 0) {
        const reject = rejects + (rejectCount++ << 4);
        store<u32>(reject, <u32>(recordStart - block));
        store<u32>(reject, <u32>(min<usize>(next, end) - block), 4);
        store<u32>(reject, reason, 8);
        store<u32>(reject, detail, 12);
        reason = 0;
      }
      recordStart = next;
      fieldStart = next;
      column = 0;
      quotedEnd = 0;
      slot = fields + (<usize>rows << 3);
      if (byte != lf || next >= end || rows == rowsMax || rejectCount == rejectsMax) jump = next;
    } while (mask != 0 && jump == 0);
    at = jump != 0 ? jump : at + 16;
  }
  store<u32>(state, rows);
  store<u32>(state, rejectCount, 4);
  store<u32>(state, <u32>(min<usize>(recordStart, end) - block), 8);
}

/**
 * Finds where text that may go on, unless it is the last, can be cut between two records. `state` gets four uint32: the last such place; whether
 * a record follows that is longer than `recordBytesMax`; where that one starts; and where to go on after the line in
 * which its open quote is, or 0 without one. The text must start with a record. 32 bytes behind it may be read.
 */
export function csvCut(block: usize, bytes: u32, delimiterByte: u32, recordBytesMax: u32, isLast: bool, state: usize): void {
  const end = block + bytes;
  let at = block, recordStart = block, cut = block;
  // A spoiled record shows its reason only to who sees it up to here.
  let heldUntil = block;
  let openQuote: usize = 0;
  let isTooLong = false;
  let isOpen = true;
  while (isOpen && at < end) {
    let mask = findSpecial(at, i8x16.splat(<i8>quote));
    let jump: usize = 0;
    while (mask != 0 && jump == 0) {
      const place = at + ctz<u32>(mask);
      mask &= mask - 1;
      let next = place + 1;
      if (place >= end) {
        isOpen = false;
        break;
      }
      if (load<u8>(place) == quote) {
        if (place != recordStart && load<u8>(place - 1) != delimiterByte) continue;
        const closing = findClosing(next, end);
        isTooLong = closing < end && closing - recordStart > recordBytesMax;
        // What follows the closing quote tells whether it is one.
        if (isTooLong || closing + 1 >= end) {
          openQuote = place;
          isOpen = false;
          break;
        }
        const after = <u32>load<u8>(closing, 1);
        jump = closing + 1;
        if (after != delimiterByte && after != lf && after != cr) {
          const line = nextLine(place, closing);
          if (line != 0) {
            heldUntil = closing + 1;
            recordStart = line;
            jump = line;
          }
        }
        continue;
      }
      isTooLong = place - recordStart > recordBytesMax;
      // Behind a CR, LF may follow.
      if (isTooLong || (load<u8>(place) == cr && next == end && !isLast)) {
        isOpen = false;
        break;
      }
      if (load<u8>(place) == cr && next < end && load<u8>(next) == lf) jump = ++next;
      recordStart = next;
      if (next > heldUntil) cut = next;
    }
    at = jump != 0 ? jump : at + 16;
  }
  // A line end of two bytes, the second yet to come, is not part of a record.
  isTooLong = isTooLong || end - recordStart > recordBytesMax + (isLast ? 0 : 2);
  const line: usize = openQuote == 0 ? 0 : nextLine(openQuote, end);
  store<u32>(state, <u32>(cut - block));
  store<u32>(state, <u32>isTooLong, 4);
  store<u32>(state, <u32>(recordStart - block), 8);
  store<u32>(state, line == 0 || line >= end ? 0 : <u32>(line - block), 12);
}

/** Line ends in a run of bytes: LF, CR and CR LF count once each; a CR at the end counts. 16 bytes behind may be read. */
export function csvLines(block: usize, bytes: u32): u32 {
  let count: u32 = 0;
  let wasCr: u32 = 0;
  for (let from: u32 = 0; from < bytes; from += 16) {
    const vector = v128.load(block + from);
    const left = bytes - from;
    const used: u32 = left >= 16 ? 0xffff : (1 << left) - 1;
    const lfs = <u32>i8x16.bitmask(i8x16.eq(vector, i8x16.splat(<i8>lf))) & used;
    const crs = <u32>i8x16.bitmask(i8x16.eq(vector, i8x16.splat(<i8>cr))) & used;
    // An LF right after a CR belongs to it.
    count += popcnt<u32>(crs) + popcnt<u32>(lfs & ~((crs << 1) | wasCr));
    wasCr = crs >> 15;
  }
  return count;
}
