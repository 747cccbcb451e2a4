/** Huffman codes of literals (RFC 8878, section 4.2). An entry of the table of all 11-bit prefixes: u8 bits of the code, u8 symbol. */
import { findStreamBits, topBits } from "./zstd-bits";
import { buildRead, countsLog, readCounts } from "./zstd-tables";

const bitsMax: u32 = 11;
const weightLogMax: u32 = 6;

const prefixes = memory.data(2 << bitsMax, 16);
/** Scratch: a weight a symbol, room for the one that is implied; places by weight; the table that decodes weights. */
const weights = memory.data(256, 16);
const places = memory.data((bitsMax + 1) << 2, 16);
const weightTable = memory.data(8 << weightLogMax, 16);

/** A weight stands for itself, without extra bits. */
const weightBases = memory.data<u32>([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
const weightExtras = memory.data(bitsMax + 1);

/** Reads the weights of a code and builds its table; gives the bytes they take, 0 when they are malformed. */
export function readHuffman(source: usize, sourceBytes: u32): u32 {
  if (sourceBytes == 0) return 0;
  const header = <u32>load<u8>(source);
  const isPlain = header >= 128;
  const bytes = isPlain ? (header - 126) >> 1 : header;
  if (bytes >= sourceBytes) return 0;
  const count = isPlain ? readPlainWeights(source + 1, header - 127) : readPackedWeights(source + 1, bytes);
  return count != 0 && buildPrefixes(count) ? bytes + 1 : 0;
}

/** Four bits a weight, the upper half of a byte first. */
function readPlainWeights(source: usize, count: u32): u32 {
  for (let i: u32 = 0; i < count; i++) {
    const pair = <u32>load<u8>(source + (i >> 1));
    store<u8>(weights + i, <u8>((i & 1) == 0 ? pair >> 4 : pair & 15));
  }
  return count;
}

/** Two states take turns until the bits run out, and the other one gives the last weight. Gives the count, 0 when malformed. */
function readPackedWeights(source: usize, sourceBytes: u32): u32 {
  const tableBytes = readCounts(source, sourceBytes, bitsMax + 1, weightLogMax);
  if (tableBytes == 0) return 0;
  buildRead(weightTable, weightBases, weightExtras);
  const stream = source + tableBytes;
  let left = findStreamBits(stream, sourceBytes - tableBytes) - <i32>(countsLog << 1);
  if (left < 0) return 0;
  let state = takeBits(stream, left + <i32>countsLog, countsLog);
  let other = takeBits(stream, left, countsLog);
  for (let count: u32 = 0; count < 254; count++) {
    const entry = load<u64>(weightTable + (state << 3));
    store<u8>(weights + count, <u8>(entry >> 32));
    const bits = <u32>(entry >> 8) & 0xff;
    left -= <i32>bits;
    if (left < 0) {
      store<u8>(weights + count + 1, load<u8>(weightTable + (other << 3), 4));
      return count + 2;
    }
    state = other;
    other = (<u32>(entry >> 16) & 0xffff) + takeBits(stream, left, bits);
  }
  return 0;
}

/** The lowest `count` bits of a backward stream above its `left` lowest ones. */
function takeBits(stream: usize, left: i32, count: u32): u32 {
  return count == 0 ? 0 : <u32>(topBits(stream, left + <i32>count) >> <u64>(64 - count));
}

/** Adds the implied weight and fills the table; gives whether the weights make up a complete code. */
function buildPrefixes(count: u32): bool {
  memory.fill(places, 0, (bitsMax + 1) << 2);
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const weight = <u32>load<u8>(weights + i);
    if (weight > bitsMax) return false;
    sum += (1 << weight) >> 1;
    countWeight(weight);
  }
  const log: u32 = 32 - clz<u32>(sum);
  if (sum == 0 || log > bitsMax) return false;
  const missing = (1 << log) - sum;
  if (popcnt<u32>(missing) != 1) return false;
  const last = ctz<u32>(missing) + 1;
  store<u8>(weights + count, <u8>last);
  countWeight(last);
  // The longest codes come in pairs.
  const longest = load<u32>(places, 4);
  if (longest < 2 || (longest & 1) != 0) return false;
  fillPrefixes(count + 1, log);
  return true;
}

@inline
function countWeight(weight: u32): void {
  store<u32>(places + (weight << 2), load<u32>(places + (weight << 2)) + 1);
}

/** Symbols in order of weight, then of value, each with the prefixes that begin with its code. */
function fillPrefixes(symbols: u32, log: u32): void {
  const widen = bitsMax - log;
  let start: u32 = 0;
  for (let weight: u32 = 1; weight <= log; weight++) {
    const count = load<u32>(places + (weight << 2));
    store<u32>(places + (weight << 2), start);
    start += count << (weight - 1 + widen);
  }
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const weight = <u32>load<u8>(weights + symbol);
    if (weight == 0) continue;
    const from = load<u32>(places + (weight << 2));
    const end = from + (1 << (weight - 1 + widen));
    const entry = <u16>((log + 1 - weight) | (symbol << 8));
    for (let i = from; i < end; i++) store<u16>(prefixes + (i << 1), entry);
    store<u32>(places + (weight << 2), end);
  }
}

/** Decodes one stream of `count` symbols; gives whether it held exactly these. Eight bytes before the stream are read. */
export function decodeStream(stream: usize, streamBytes: u32, target: usize, count: u32): bool {
  const left = findStreamBits(stream, streamBytes);
  return left >= 0 && finishStream(stream, left, target, target + count);
}

/**
 * Decodes four streams, whose sizes but the last stand before them, of a quarter of `count` symbols each, rounded up but
 * for the last; gives whether they held exactly these.
 */
export function decodeStreams(source: usize, sourceBytes: u32, target: usize, count: u32): bool {
  const quarter = (count + 3) >> 2;
  if (sourceBytes < 6 || quarter * 3 > count) return false;
  const bytesA = <u32>load<u16>(source), bytesB = <u32>load<u16>(source, 2), bytesC = <u32>load<u16>(source, 4);
  if (bytesA + bytesB + bytesC > sourceBytes - 6) return false;
  const a = source + 6, b = a + bytesA, c = b + bytesB, d = c + bytesC;
  const bytesD = sourceBytes - 6 - bytesA - bytesB - bytesC;
  const leftA = findStreamBits(a, bytesA), leftB = findStreamBits(b, bytesB), leftC = findStreamBits(c, bytesC), leftD = findStreamBits(d, bytesD);
  if (min(min(leftA, leftB), min(leftC, leftD)) < 0) return false;
  return interleave(a, leftA, b, leftB, c, leftC, d, leftD, target, count);
}

/**
 * Five symbols of each stream between two loads: a word holds 56 or more unread bits at its top, and then a 1 that tells
 * how many have been used; five codes take 55 at most, or 7 bytes with those left over from the round before.
 */
function interleave(a: usize, leftA: i32, b: usize, leftB: i32, c: usize, leftC: i32, d: usize, leftD: i32, target: usize, count: u32): bool {
  const quarter = (count + 3) >> 2;
  const toB = target + quarter, toC = toB + quarter, toD = toC + quarter, end = target + count;
  let atA = wordPlace(a, leftA), atB = wordPlace(b, leftB), atC = wordPlace(c, leftC), atD = wordPlace(d, leftD);
  let wordA = marked(atA, a, leftA), wordB = marked(atB, b, leftB), wordC = marked(atC, c, leftC), wordD = marked(atD, d, leftD);
  let at: usize = 0;
  for (;;) {
    const symbols = <i32>(end - toD - at);
    const bytes = min(min(<i32>(atA - a), <i32>(atB - b)), min(<i32>(atC - c), <i32>(atD - d)));
    let rounds = min(symbols / 5, bytes / 7);
    if (rounds <= 0) break;
    do {
      wordA = put(target + at, wordA);
      wordB = put(toB + at, wordB);
      wordC = put(toC + at, wordC);
      wordD = put(toD + at, wordD);
      wordA = put(target + at + 1, wordA);
      wordB = put(toB + at + 1, wordB);
      wordC = put(toC + at + 1, wordC);
      wordD = put(toD + at + 1, wordD);
      wordA = put(target + at + 2, wordA);
      wordB = put(toB + at + 2, wordB);
      wordC = put(toC + at + 2, wordC);
      wordD = put(toD + at + 2, wordD);
      wordA = put(target + at + 3, wordA);
      wordB = put(toB + at + 3, wordB);
      wordC = put(toC + at + 3, wordC);
      wordD = put(toD + at + 3, wordD);
      wordA = put(target + at + 4, wordA);
      wordB = put(toB + at + 4, wordB);
      wordC = put(toC + at + 4, wordC);
      wordD = put(toD + at + 4, wordD);
      atA -= used(wordA) >> 3;
      wordA = (load<u64>(atA) | 1) << (used(wordA) & 7);
      atB -= used(wordB) >> 3;
      wordB = (load<u64>(atB) | 1) << (used(wordB) & 7);
      atC -= used(wordC) >> 3;
      wordC = (load<u64>(atC) | 1) << (used(wordC) & 7);
      atD -= used(wordD) >> 3;
      wordD = (load<u64>(atD) | 1) << (used(wordD) & 7);
      at += 5;
    } while (--rounds > 0);
  }
  return finishStream(a, unread(a, atA, wordA), target + at, toB) && finishStream(b, unread(b, atB, wordB), toB + at, toC)
    && finishStream(c, unread(c, atC, wordC), toC + at, toD) && finishStream(d, unread(d, atD, wordD), toD + at, end);
}

@inline
function wordPlace(stream: usize, left: i32): usize {
  return stream + ((left + 7) >> 3) - 8;
}

@inline
function marked(at: usize, stream: usize, left: i32): u64 {
  return (load<u64>(at) | 1) << <u64>(64 - (left - (<i32>(at - stream) << 3)));
}

@inline
function used(word: u64): usize {
  return <usize>ctz<u64>(word);
}

@inline
function unread(stream: usize, at: usize, word: u64): i32 {
  return (<i32>(at - stream) << 3) + 64 - <i32>used(word);
}

/** Stores the symbol whose code a word begins with; gives the word without the code. */
@inline
function put(to: usize, word: u64): u64 {
  const entry = <u32>load<u16>(<usize>(word >> 53) << 1, prefixes);
  store<u8>(to, <u8>(entry >> 8));
  return word << <u64>(entry & 63);
}

/** Decodes symbols one by one up to the end of the target; gives whether all `left` bits were used by then. */
function finishStream(stream: usize, left: i32, target: usize, end: usize): bool {
  let unused = left;
  for (let to = target; to < end; to++) {
    if (unused <= 0) return false;
    const entry = <u32>load<u16>(<usize>(topBits(stream, unused) >> 53) << 1, prefixes);
    store<u8>(to, <u8>(entry >> 8));
    unused -= <i32>(entry & 0xff);
  }
  return unused == 0;
}
