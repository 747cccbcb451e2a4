/**
 * HyperLogLog registers (Flajolet and others, 2007), p = 14, hashes of 64 bits: for each of 2^14 registers the greatest
 * rank of a hash that fell into it. While few are above 0 a group lists those that are.
 */
import { requireRoom } from "./lists/lists.js";
import type { MergePlan } from "./merge-plan.js";

/** Registers of a group. */
export const registerCount = 2 ** 14;
/** A register's rank is from 1 to this, 0 where no hash fell into it. */
export const rankMax = 51;
/** Uint32 words of a group that has all registers, a byte each; as many listed registers are no shorter. */
export const denseWords = registerCount / 4;

/**
 * Group g's words are those from offsets[g] to offsets[g + 1]: denseWords of them hold all registers, fewer list those
 * above 0, ascending: register << 6 | rank.
 */
export interface Registers {
  readonly offsets: Uint32Array;
  readonly words: Uint32Array;
}

/** Puts registers of one group after another. */
export interface RegistersWriter {
  /** Adds a group from register codes that ascend; of equal registers the last counts. */
  addCodes(codes: Uint32Array): void;
  /** Adds a group from all its registers, which begin at a multiple of 4 bytes. */
  addRanks(ranks: Uint8Array): void;
  finish(): Registers;
}

/** Words that a writer has room for at first: most groups have few. */
const firstWords = 16_384;

/** A writer for so many groups, of at most `wordsMax` words. */
export function createRegistersWriter(groups: number, wordsMax: number): RegistersWriter {
  requireRoom(wordsMax, "approx_count_distinct");
  const offsets = new Uint32Array(groups + 1);
  let words = new Uint32Array(Math.min(wordsMax, firstWords));
  const ranksAside = new Uint8Array(registerCount);
  const codesAside = new Uint32Array(denseWords);
  let group = 0;
  let next = 0;

  function reserve(count: number): void {
    if (next + count <= words.length) return;
    const larger = new Uint32Array(Math.min(wordsMax, Math.max(next + count, 2 * words.length)));
    larger.set(words);
    words = larger;
  }

  function addDense(ranks: Uint8Array): void {
    reserve(denseWords);
    words.set(new Uint32Array(ranks.buffer, ranks.byteOffset, denseWords), next);
    next += denseWords;
    offsets[++group] = next;
  }

  function addSparse(codes: Uint32Array): void {
    reserve(codes.length);
    for (let k = 0; k < codes.length; k++) if (isLast(codes, k)) words[next++] = codes[k]!;
    offsets[++group] = next;
  }

  return {
    addCodes(codes) {
      let registers = 0;
      for (let k = 0; k < codes.length; k++) if (isLast(codes, k)) registers += 1;
      if (registers < denseWords) addSparse(codes);
      else addDense(raise(ranksAside.fill(0), codes));
    },
    addRanks(ranks) {
      const codes = listRanks(ranks, codesAside);
      if (codes === undefined) addDense(ranks);
      else addSparse(codes);
    },
    finish: () => ({ offsets, words: words.slice(0, next) }),
  };
}

/** Tells whether no later code is of the same register. */
function isLast(codes: Uint32Array, k: number): boolean {
  return k + 1 === codes.length || codes[k]! >>> 6 !== codes[k + 1]! >>> 6;
}

/** Raises registers, in place, to the ranks of codes. */
function raise(ranks: Uint8Array, codes: Uint32Array): Uint8Array {
  for (const code of codes) if ((code & 63) > ranks[code >>> 6]!) ranks[code >>> 6] = code & 63;
  return ranks;
}

/** The registers above 0 as codes, which `codes` holds; undefined where they are too many to be listed. */
function listRanks(ranks: Uint8Array, codes: Uint32Array): Uint32Array | undefined {
  let found = 0;
  for (let register = 0; register < registerCount; register++) {
    if (ranks[register] === 0) continue;
    if (found === denseWords - 1) return undefined;
    codes[found++] = (register << 6) | ranks[register]!;
  }
  return codes.subarray(0, found);
}

/** The registers of both sides along a merge plan, the greater of each two. */
export function mergeRegisters(left: Registers, right: Registers, plan: MergePlan): Registers {
  let wordsMax = 0;
  for (let k = 0; k < plan.left.length; k++) wordsMax += Math.min(denseWords, wordsOf(left, plan.left[k]!).length + wordsOf(right, plan.right[k]!).length);
  const writer = createRegistersWriter(plan.left.length, wordsMax);
  const ranks = new Uint8Array(registerCount);
  for (let k = 0; k < plan.left.length; k++) {
    const [a, b] = [wordsOf(left, plan.left[k]!), wordsOf(right, plan.right[k]!)];
    if (a.length < denseWords && b.length < denseWords) writer.addCodes(joinCodes(a, b));
    else writer.addRanks(raiseWords(raiseWords(ranks.fill(0), a), b));
  }
  return writer.finish();
}

function wordsOf({ offsets, words }: Registers, group: number): Uint32Array {
  return group < 0 ? words.subarray(0, 0) : words.subarray(offsets[group], offsets[group + 1]);
}

/** Codes of both in ascending order, which puts the greater rank of a register last. */
function joinCodes(a: Uint32Array, b: Uint32Array): Uint32Array {
  const joined = new Uint32Array(a.length + b.length);
  let [i, j] = [0, 0];
  for (let k = 0; k < joined.length; k++) joined[k] = j === b.length || (i < a.length && a[i]! <= b[j]!) ? a[i++]! : b[j++]!;
  return joined;
}

function raiseWords(ranks: Uint8Array, words: Uint32Array): Uint8Array {
  if (words.length < denseWords) return raise(ranks, words);
  const other = new Uint8Array(words.buffer, words.byteOffset, registerCount);
  for (let register = 0; register < registerCount; register++) if (other[register]! > ranks[register]!) ranks[register] = other[register]!;
  return ranks;
}

/**
 * How many distinct values a group has had: the improved raw estimator of Ertl (New cardinality estimation algorithms for
 * HyperLogLog sketches, 2017, algorithm 6), which needs no correction for small or large numbers.
 */
export function estimateDistinct(registers: Registers, group: number): number {
  const ofRank = countRanks(wordsOf(registers, group));
  let sum = registerCount * tau(1 - ofRank[rankMax]! / registerCount);
  for (let rank = rankMax - 1; rank >= 1; rank--) sum = 0.5 * (sum + ofRank[rank]!);
  sum += registerCount * sigma(ofRank[0]! / registerCount);
  return Math.round((registerCount * registerCount) / (2 * Math.LN2 * sum));
}

function countRanks(words: Uint32Array): Float64Array {
  const ofRank = new Float64Array(64);
  if (words.length < denseWords) {
    ofRank[0] = registerCount - words.length;
    for (const code of words) ofRank[code & 63]! += 1;
  } else for (const rank of new Uint8Array(words.buffer, words.byteOffset, registerCount)) ofRank[rank]! += 1;
  return ofRank;
}

function sigma(share: number): number {
  if (share === 1) return Infinity;
  let [power, weight, sum] = [share, 1, share];
  for (;;) {
    power *= power;
    const before = sum;
    sum += power * weight;
    weight += weight;
    if (sum === before) return sum;
  }
}

function tau(share: number): number {
  if (share === 0 || share === 1) return 0;
  let [root, weight, sum] = [share, 1, 1 - share];
  for (;;) {
    root = Math.sqrt(root);
    const before = sum;
    weight *= 0.5;
    sum -= (1 - root) ** 2 * weight;
    if (sum === before) return sum / 3;
  }
}

/** Throws where the words of some group are no registers. */
export function requireRegisters(registers: Registers): Registers {
  for (let group = 0; group < registers.offsets.length - 1; group++) {
    const words = wordsOf(registers, group);
    if (words.length > denseWords) throw new RangeError("more registers than there are");
    if (words.length === denseWords) requireRanks(new Uint8Array(words.buffer, words.byteOffset, registerCount));
    else requireCodes(words);
  }
  return registers;
}

function requireRanks(ranks: Uint8Array): void {
  for (const rank of ranks) if (rank > rankMax) throw new RangeError("a rank is none");
}

function requireCodes(codes: Uint32Array): void {
  for (let k = 0; k < codes.length; k++) {
    const code = codes[k]!;
    if (code >>> 6 >= registerCount || (code & 63) === 0 || (code & 63) > rankMax || (k > 0 && codes[k - 1]! >>> 6 >= code >>> 6)) throw new RangeError("a register is none");
  }
}
