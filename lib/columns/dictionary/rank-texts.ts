/** The ranks of a dictionary: the place of each text in order of unsigned bytes. */

/** Bytes that one pass sorts by; the key they are packed into holds their number and the code as well. */
const stepBytes = 5;
const codeBits = 21;
const codeMask = (1 << codeBits) - 1;
/** So few texts are ordered one against another. */
const fewTexts = 12;

/** Texts whose first `depth` bytes are equal: places [from, to) of the order. */
interface Tie {
  readonly from: number;
  readonly to: number;
  readonly depth: number;
}

/**
 * The rank of each of distinct texts, fewer than 2^21. `startRanks` are those of the first texts among themselves, where
 * they are known.
 */
export function rankTexts(offsets: Uint32Array, bytes: Uint8Array, startRanks?: Uint32Array): Uint32Array {
  const count = offsets.length - 1;
  const known = startRanks?.length ?? 0;
  const isMerge = startRanks !== undefined && (count - known) * mergeFactor < known;
  const order = isMerge ? mergeOrder(offsets, bytes, startRanks) : sortCodes(offsets, bytes, 0);
  const ranks = new Uint32Array(count);
  for (let rank = 0; rank < count; rank++) ranks[order[rank]!] = rank;
  return ranks;
}

/** Below this share of new texts, finding the place of each is cheaper than sorting all. */
const mergeFactor = 8;

/** All codes in order, when those of the first texts are known by their ranks. */
function mergeOrder(offsets: Uint32Array, bytes: Uint8Array, startRanks: Uint32Array): Uint32Array {
  const known = new Uint32Array(startRanks.length);
  startRanks.forEach((rank, code) => { known[rank] = code; });
  const added = sortCodes(offsets, bytes, known.length);
  const order = new Uint32Array(known.length + added.length);
  let from = 0;
  for (let i = 0; i < added.length; i++) {
    const to = findPlace(offsets, bytes, known, from, added[i]!);
    order.set(known.subarray(from, to), from + i);
    order[to + i] = added[i]!;
    from = to;
  }
  order.set(known.subarray(from), from + added.length);
  return order;
}

/** How many of the known texts come before a text; `from` of them are sure to. */
function findPlace(offsets: Uint32Array, bytes: Uint8Array, known: Uint32Array, from: number, code: number): number {
  let low = from;
  let high = known.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compareTexts(offsets, bytes, known[middle]!, code, 0) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The codes from `first` on in order of their texts: sorted by a few bytes at a time, ties by the bytes after them. */
function sortCodes(offsets: Uint32Array, bytes: Uint8Array, first: number): Uint32Array {
  const order = new Uint32Array(offsets.length - 1 - first);
  for (let i = 0; i < order.length; i++) order[i] = first + i;
  const keys = new BigUint64Array(order.length);
  const ties: Tie[] = [{ from: 0, to: order.length, depth: 0 }];
  for (let tie = ties.pop(); tie !== undefined; tie = ties.pop()) {
    const { from, to, depth } = tie;
    if (to - from <= fewTexts) order.subarray(from, to).sort((a, b) => compareTexts(offsets, bytes, a, b, depth));
    else sortStep({ offsets, bytes, order: order.subarray(from, to), keys: keys.subarray(from, to) }, tie, ties);
  }
  return order;
}

/** Orders codes by the next bytes of their texts, and adds the ties that are left. */
function sortStep({ offsets, bytes, order, keys }: { offsets: Uint32Array; bytes: Uint8Array; order: Uint32Array; keys: BigUint64Array }, { from, depth }: Tie, ties: Tie[]): void {
  // Written and read as halves: a bigint a text would take longer than the sort.
  const halves = new Uint32Array(keys.buffer, keys.byteOffset, 2 * keys.length);
  for (let i = 0; i < order.length; i++) {
    const code = order[i]!;
    const at = offsets[code]! + depth;
    const left = Math.min(stepBytes, offsets[code + 1]! - at);
    // Bytes past the end count as 0, and fewer bytes come first.
    const high = (left > 0 ? bytes[at]! << 24 : 0) | (left > 1 ? bytes[at + 1]! << 16 : 0) | (left > 2 ? bytes[at + 2]! << 8 : 0) | (left > 3 ? bytes[at + 3]! : 0);
    halves[2 * i + 1] = high;
    halves[2 * i] = ((left > 4 ? bytes[at + 4]! << 24 : 0) | (left << codeBits) | code) >>> 0;
  }
  keys.sort();
  let start = 0;
  for (let i = 0; i < order.length; i++) {
    order[i] = halves[2 * i]! & codeMask;
    const isTied = i > start && halves[2 * i + 1] === halves[2 * start + 1] && (halves[2 * i]! >>> codeBits) === (halves[2 * start]! >>> codeBits);
    if (isTied) continue;
    addTie(ties, from + start, from + i, depth);
    start = i;
  }
  addTie(ties, from + start, from + order.length, depth);
}

function addTie(ties: Tie[], from: number, to: number, depth: number): void {
  if (to - from > 1) ties.push({ from, to, depth: depth + stepBytes });
}

/** Orders two texts by their bytes from `depth` on. */
function compareTexts(offsets: Uint32Array, bytes: Uint8Array, a: number, b: number, depth: number): number {
  const endOfA = offsets[a + 1]!;
  const endOfB = offsets[b + 1]!;
  let inA = offsets[a]! + depth;
  let inB = offsets[b]! + depth;
  for (; inA < endOfA && inB < endOfB; inA++, inB++) {
    const difference = bytes[inA]! - bytes[inB]!;
    if (difference !== 0) return difference;
  }
  return endOfA - inA - (endOfB - inB);
}
