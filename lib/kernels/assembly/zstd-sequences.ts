/** Sequences of literals and matches of a Zstandard block (RFC 8878, section 3.1.1.3.2). */
import { copyMatch, copyMatchWide } from "./spans";
import { findStreamBits } from "./zstd-bits";
import { buildGiven, buildRead, buildSingle, countsLog, readCounts } from "./zstd-tables";

const lengthBases = memory.data<u32>([
  0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 22, 24, 28, 32, 40, 48, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768,
  65536,
]);
const lengthExtras = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
]);
const matchBases = memory.data<u32>([
  3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 37, 39, 41, 43, 47,
  51, 59, 67, 83, 99, 131, 259, 515, 1027, 2051, 4099, 8195, 16387, 32771, 65539,
]);
const matchExtras = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11,
  12, 13, 14, 15, 16,
]);
/** The value of an offset symbol is 2^symbol and as many extra bits. */
const offsetBases = memory.data(32 << 2, 4);
const offsetExtras = memory.data(32);
for (let symbol: u32 = 0; symbol < 32; symbol++) {
  store<u32>(offsetBases + (symbol << 2), 1 << symbol);
  store<u8>(offsetExtras + symbol, <u8>symbol);
}

/** Counts of the predefined tables. */
const lengthCounts = memory.data<i16>([
  4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1,
]);
const matchCounts = memory.data<i16>([
  1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
  -1, -1, -1, -1, -1, -1, -1,
]);
const offsetCounts = memory.data<i16>([1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1]);

/**
 * A record for each of the three kinds: u32 table in use (0 for none yet) and its logarithm; predefined table and its
 * logarithm; place for a table of the frame; number of symbols; greatest logarithm; bases and extra bits of the symbols.
 */
const kinds = memory.data(3 * 36, 16);
const lengthKind = kinds, offsetKind = kinds + 36, matchKind = kinds + 72;
describe(lengthKind, memory.data(8 << 6, 16), 6, lengthCounts, 36, memory.data(8 << 9, 16), 36, 9, lengthBases, lengthExtras);
describe(offsetKind, memory.data(8 << 5, 16), 5, offsetCounts, 29, memory.data(8 << 8, 16), 32, 8, offsetBases, offsetExtras);
describe(matchKind, memory.data(8 << 6, 16), 6, matchCounts, 53, memory.data(8 << 9, 16), 53, 9, matchBases, matchExtras);

/** The last three offsets, the latest first. */
let recent1: u32 = 0, recent2: u32 = 0, recent3: u32 = 0;

function describe(kind: usize, given: usize, givenLog: u32, counts: usize, countSymbols: u32, own: usize, symbols: u32, logMax: u32, bases: usize, extras: usize): void {
  buildGiven(given, givenLog, counts, countSymbols, bases, extras);
  store<u32>(kind, given, 8);
  store<u32>(kind, givenLog, 12);
  store<u32>(kind, own, 16);
  store<u32>(kind, symbols, 20);
  store<u32>(kind, logMax, 24);
  store<u32>(kind, bases, 28);
  store<u32>(kind, extras, 32);
}

/** Forgets the frame before. */
export function startSequences(): void {
  store<u32>(lengthKind, 0);
  store<u32>(offsetKind, 0);
  store<u32>(matchKind, 0);
  recent1 = 1;
  recent2 = 4;
  recent3 = 8;
}

/**
 * Carries out a section of sequences: writes what they and the literals make from `to` on. The frame began at `target`.
 * Gives the bytes written, -1 when the section is malformed or does not fit. Eight bytes before the section may be
 * read, and 16 behind the literals.
 */
export function decodeSequences(source: usize, sourceBytes: u32, literals: usize, literalBytes: u32, target: usize, to: usize, targetEnd: usize): i32 {
  if (sourceBytes == 0) return -1;
  let count = <u32>load<u8>(source);
  let used: u32 = count == 255 ? 3 : count >= 128 ? 2 : 1;
  if (used > sourceBytes) return -1;
  if (count == 255) count = <u32>load<u16>(source, 1) + 0x7f00;
  else if (count >= 128) count = ((count - 128) << 8) + load<u8>(source, 1);
  if (count == 0) return used == sourceBytes ? putLast(literals, literalBytes, to, targetEnd) : -1;
  if (used == sourceBytes) return -1;
  const modes = <u32>load<u8>(source + used++);
  if ((modes & 3) != 0) return -1;
  let taken = readTable(lengthKind, modes >> 6, source + used, sourceBytes - used);
  if (taken < 0) return -1;
  used += taken;
  taken = readTable(offsetKind, (modes >> 4) & 3, source + used, sourceBytes - used);
  if (taken < 0) return -1;
  used += taken;
  taken = readTable(matchKind, (modes >> 2) & 3, source + used, sourceBytes - used);
  if (taken < 0) return -1;
  used += taken;
  return carryOut(source + used, sourceBytes - used, count, literals, literalBytes, target, to, targetEnd);
}

/** Puts the table of a mode (predefined, one symbol, described, as before) in use; gives the bytes it takes, -1 when malformed. */
function readTable(kind: usize, mode: u32, source: usize, sourceBytes: u32): i32 {
  const own = load<u32>(kind, 16), symbols = load<u32>(kind, 20), bases = load<u32>(kind, 28), extras = load<u32>(kind, 32);
  if (mode == 0) {
    useTable(kind, load<u32>(kind, 8), load<u32>(kind, 12));
    return 0;
  }
  if (mode == 1) {
    if (sourceBytes == 0 || load<u8>(source) >= symbols) return -1;
    buildSingle(own, load<u8>(source), bases, extras);
    useTable(kind, own, 0);
    return 1;
  }
  if (mode == 2) {
    const taken = readCounts(source, sourceBytes, symbols, load<u32>(kind, 24));
    if (taken == 0) return -1;
    buildRead(own, bases, extras);
    useTable(kind, own, countsLog);
    return taken;
  }
  return load<u32>(kind) == 0 ? -1 : 0;
}

@inline
function useTable(kind: usize, table: usize, log: u32): void {
  store<u32>(kind, table);
  store<u32>(kind, log, 4);
}

/** Writes the literals after the last sequence; gives how many, -1 when they do not fit. */
function putLast(literals: usize, count: usize, to: usize, targetEnd: usize): i32 {
  if (count > targetEnd - to) return -1;
  memory.copy(to, literals, count);
  return <i32>count;
}

/** The next `count` bits, at most 31, of a word whose lowest `left` bits are the unread ones of them and more. */
@inline
function bitsOf(word: u64, left: u32, count: u32): u32 {
  return <u32>(word >> <u64>left) & ((1 << count) - 1);
}

/**
 * The loop over sequences. `left` counts the unread bits of `word`, which lies at `at`: 57 or more after a refill, and a
 * sequence takes 31 + 16 for offset and match, 16 + 26 for literals and the next states. A word that begins more than 8
 * bytes before the stream means that it was too short; one bit too many shows at the end.
 */
function carryOut(stream: usize, streamBytes: u32, count: u32, literals: usize, literalBytes: u32, target: usize, start: usize, targetEnd: usize): i32 {
  const streamBits = findStreamBits(stream, streamBytes);
  if (streamBits < 0) return -1;
  const lengthTable = <usize>load<u32>(lengthKind), offsetTable = <usize>load<u32>(offsetKind), matchTable = <usize>load<u32>(matchKind);
  const literalsEnd = literals + literalBytes;
  let at = stream + streamBytes - 8;
  let word = load<u64>(at);
  let left = <u32>streamBits - (streamBytes << 3) + 64;
  left -= load<u32>(lengthKind, 4);
  let lengthState = bitsOf(word, left, load<u32>(lengthKind, 4));
  left -= load<u32>(offsetKind, 4);
  let offsetState = bitsOf(word, left, load<u32>(offsetKind, 4));
  left -= load<u32>(matchKind, 4);
  let matchState = bitsOf(word, left, load<u32>(matchKind, 4));
  let first = recent1, second = recent2, third = recent3;
  let from = literals;
  let to = start;
  for (let more = count;;) {
    at -= (64 - left) >> 3;
    left = 64 - ((64 - left) & 7);
    if (at < stream - 8) return -1;
    word = load<u64>(at);
    const lengthEntry = load<u64>(lengthTable + (lengthState << 3));
    const offsetEntry = load<u64>(offsetTable + (offsetState << 3));
    const matchEntry = load<u64>(matchTable + (matchState << 3));
    const offsetExtra = <u32>offsetEntry & 0xff, matchExtra = <u32>matchEntry & 0xff, lengthExtra = <u32>lengthEntry & 0xff;
    left -= offsetExtra;
    const value = <u32>(offsetEntry >> 32) + bitsOf(word, left, offsetExtra);
    left -= matchExtra;
    const length = <usize>(matchEntry >> 32) + bitsOf(word, left, matchExtra);
    if (offsetExtra + matchExtra + lengthExtra > 30) {
      at -= (64 - left) >> 3;
      left = 64 - ((64 - left) & 7);
      if (at < stream - 8) return -1;
      word = load<u64>(at);
    }
    left -= lengthExtra;
    const run = <usize>(lengthEntry >> 32) + bitsOf(word, left, lengthExtra);

    let offset = value - 3;
    if (value > 3) {
      third = second;
      second = first;
      first = offset;
    } else {
      const recent = value - <u32>(run != 0);
      offset = recent == 0 ? first : recent == 1 ? second : recent == 2 ? third : first - 1;
      if (offset == 0) return -1;
      if (recent > 1) third = second;
      if (recent > 0) {
        second = first;
        first = offset;
      }
    }

    const room = targetEnd - to;
    if (run > literalsEnd - from || run + length > room || <usize>offset > to - target + run) return -1;
    if (room - run - length >= 16) {
      v128.store(to, v128.load(from));
      for (let i: usize = 16; i < run; i += 16) v128.store(to + i, v128.load(from + i));
      copyMatchWide(to + run, offset, length);
    } else {
      memory.copy(to, from, run);
      copyMatch(to + run, room - run, offset, length);
    }
    from += run;
    to += run + length;

    if (--more == 0) break;
    left -= <u32>(lengthEntry >> 8) & 0xff;
    lengthState = (<u32>lengthEntry >> 16) + bitsOf(word, left, <u32>(lengthEntry >> 8) & 0xff);
    left -= <u32>(matchEntry >> 8) & 0xff;
    matchState = (<u32>matchEntry >> 16) + bitsOf(word, left, <u32>(matchEntry >> 8) & 0xff);
    left -= <u32>(offsetEntry >> 8) & 0xff;
    offsetState = (<u32>offsetEntry >> 16) + bitsOf(word, left, <u32>(offsetEntry >> 8) & 0xff);
  }
  if ((<i32>(at - stream) << 3) + <i32>left != 0) return -1;
  recent1 = first;
  recent2 = second;
  recent3 = third;
  const last = putLast(from, literalsEnd - from, to, targetEnd);
  return last < 0 ? -1 : <i32>(to - start) + last;
}
