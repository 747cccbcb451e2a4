/**
 * Tables of finite state entropy (RFC 8878, section 4.1). An entry of 8 bytes: u8 extra bits of the value, u8 bits to
 * read for the next state, u16 base of the next state, u32 base of the value.
 */
import { bitsAt } from "./zstd-bits";

/** A stream of states and values needs no wider table. */
const logMax: u32 = 9;
const symbolsMax: u32 = 53;

/** Scratch: how often each symbol stands in the table (i16, -1 for less than once), its next place, symbols by state. */
const counts = memory.data(symbolsMax << 1, 16);
const nexts = memory.data(symbolsMax << 1, 16);
const spread = memory.data(1 << logMax, 16);

/** What readCounts found beside the bytes it took. */
export let countsLog: u32 = 0;
let countsSymbols: u32 = 0;

/** Reads a description of a table of at most `symbols` symbols and 2^log states; gives the bytes it takes, 0 when it is malformed. */
export function readCounts(source: usize, sourceBytes: u32, symbols: u32, log: u32): u32 {
  countsLog = bitsAt(source, sourceBytes, 0, 4) + 5;
  if (countsLog > log) return 0;
  let place: u32 = 4;
  let left: i32 = 1 << countsLog;
  let symbol: u32 = 0;
  while (left > 0) {
    if (symbol == symbols) return 0;
    // A count up to left + 1 takes its bits, or one bit less for the lowest values, which would be unused otherwise.
    const bits = 32 - clz<u32>(<u32>left + 1);
    const short: u32 = (1 << bits) - 2 - <u32>left;
    let value = bitsAt(source, sourceBytes, place, bits);
    const low = value & ((1 << (bits - 1)) - 1);
    if (low < short) {
      value = low;
      place += bits - 1;
    } else {
      if (value != low) value -= short;
      place += bits;
    }
    store<i16>(counts + (symbol++ << 1), <i16>(<i32>value - 1));
    left -= value == 0 ? 1 : <i32>value - 1;
    if (value != 1) continue;
    let zeros: u32;
    do {
      zeros = bitsAt(source, sourceBytes, place, 2);
      place += 2;
      if (symbol + zeros > symbols) return 0;
      for (let i: u32 = 0; i < zeros; i++) store<i16>(counts + (symbol++ << 1), 0);
    } while (zeros == 3);
  }
  countsSymbols = symbol;
  const bytes = (place + 7) >> 3;
  return left == 0 && bytes <= sourceBytes ? bytes : 0;
}

/** Builds the table of the counts that were read. */
export function buildRead(table: usize, bases: usize, extras: usize): void {
  build(table, countsLog, countsSymbols, bases, extras);
}

/** Builds a table of 2^log states from given counts. */
export function buildGiven(table: usize, log: u32, given: usize, symbols: u32, bases: usize, extras: usize): void {
  memory.copy(counts, given, symbols << 1);
  build(table, log, symbols, bases, extras);
}

/** Builds the table of one symbol, which takes no bits. */
export function buildSingle(table: usize, symbol: u32, bases: usize, extras: usize): void {
  putEntry(table, load<u8>(extras + symbol), 0, 0, load<u32>(bases + (symbol << 2)));
}

/** The counts add up to 2^log, a count of -1 as one. */
function build(table: usize, log: u32, symbols: u32, bases: usize, extras: usize): void {
  spreadSymbols(log, symbols);
  const size: u32 = 1 << log;
  for (let state: u32 = 0; state < size; state++) {
    const symbol = <u32>load<u8>(spread + state);
    const next = <u32>load<u16>(nexts + (symbol << 1));
    store<u16>(nexts + (symbol << 1), <u16>(next + 1));
    const bits = log - (31 - clz<u32>(next));
    putEntry(table + (state << 3), load<u8>(extras + symbol), bits, (next << bits) - size, load<u32>(bases + (symbol << 2)));
  }
}

@inline
function putEntry(entry: usize, extra: u32, bits: u32, next: u32, base: u32): void {
  store<u64>(entry, <u64>(extra | (bits << 8) | (next << 16)) | (<u64>base << 32));
}

/** Gives every state its symbol: those of less than one state from the end, the others in strides over the rest. */
function spreadSymbols(log: u32, symbols: u32): void {
  const size: u32 = 1 << log;
  let end = size;
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const count = load<i16>(counts + (symbol << 1));
    store<i16>(nexts + (symbol << 1), count < 0 ? 1 : count);
    if (count < 0) store<u8>(spread + --end, <u8>symbol);
  }
  const stride = (size >> 1) + (size >> 3) + 3;
  let place: u32 = 0;
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const count = <i32>load<i16>(counts + (symbol << 1));
    for (let i = 0; i < count; i++) {
      store<u8>(spread + place, <u8>symbol);
      do place = (place + stride) & (size - 1); while (place >= end);
    }
  }
}
