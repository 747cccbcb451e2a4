/**
 * A buddy allocator over the kernels' memory: blocks are powers of two from 64 bytes on, at multiples of their size from
 * the start of the heap, and join again when both halves are free. Decoded chunks are powers of two by nature, so little
 * is lost.
 */
import type { Kernels } from "./kernels.js";

/** Memory for vectors, hash tables and accumulators. */
export interface Heap {
  readonly kernels: Kernels;
  /** Bytes in use, whole blocks counted. */
  readonly usedBytes: number;
  /** The most that was ever in use. */
  readonly peakBytes: number;
  readonly capacityBytes: number;
  /** A block of at least `bytes`, not zeroed, 64-byte aligned; undefined when there is no room. */
  find(bytes: number): number | undefined;
  /** Bytes a block for `bytes` would really take. */
  blockBytes(bytes: number): number;
  /** Gives a block back; throws an assertion on a pointer that is not in use. */
  release(pointer: number): void;
}

/** A block of order k is 2^k bytes. */
const smallestOrder = 6;
const smallestBytes = 64;
const orderCount = 33;

/**
 * A heap over the kernels' memory from `from` on, of `capacityBytes` or what the memory holds, whichever is less. Several
 * heaps may use a memory, each a stretch of its own.
 */
export function createHeap(kernels: Kernels, capacityBytes: number, from = kernels.heapStart): Heap {
  const start = roundUp(from);
  const capacity = roundDown(Math.min(capacityBytes, kernels.bytes.length - start));
  const free = Array.from({ length: orderCount }, createFreeList);
  const orderInUse = new Map<number, number>();
  let [usedBytes, peakBytes] = [0, 0];
  fillFreeLists(free, capacity);

  function find(bytes: number): number | undefined {
    const order = orderOf(bytes);
    const offset = takeBlock(free, order);
    if (offset === undefined) return undefined;
    orderInUse.set(offset, order);
    usedBytes += 2 ** order;
    peakBytes = Math.max(peakBytes, usedBytes);
    return start + offset;
  }

  function release(pointer: number): void {
    const offset = pointer - start;
    const order = orderInUse.get(offset);
    if (order === undefined) throw new Error(`no block in use begins at ${pointer}`);
    orderInUse.delete(offset);
    usedBytes -= 2 ** order;
    giveBlock(free, order, offset);
  }

  return {
    kernels,
    capacityBytes: capacity,
    get usedBytes() { return usedBytes; },
    get peakBytes() { return peakBytes; },
    find,
    blockBytes: (bytes) => 2 ** orderOf(bytes),
    release,
  };
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / smallestBytes) * smallestBytes;
}

function roundDown(bytes: number): number {
  return Math.floor(bytes / smallestBytes) * smallestBytes;
}

/** The order of the smallest block that holds so many bytes; past 4 GB an order that no heap has. */
function orderOf(bytes: number): number {
  if (bytes <= smallestBytes) return smallestOrder;
  return bytes > 2 ** 32 ? Math.ceil(Math.log2(bytes)) : 32 - Math.clz32(bytes - 1);
}

/** Cuts a capacity into blocks by its binary digits, the largest first, which puts each at a multiple of its size. */
function fillFreeLists(free: readonly FreeList[], capacity: number): void {
  let offset = 0;
  for (let order = orderCount - 1; order >= smallestOrder; order--) {
    if (capacity - offset < 2 ** order) continue;
    free[order]!.add(offset);
    offset += 2 ** order;
  }
}

/** Takes a block from the nearest order that has one; upper halves not needed become free. */
function takeBlock(free: readonly FreeList[], order: number): number | undefined {
  let from = order;
  while (from < orderCount && free[from]!.isEmpty()) from++;
  if (from >= orderCount) return undefined;
  const offset = free[from]!.take();
  while (from > order) {
    from--;
    free[from]!.add(offset + 2 ** from);
  }
  return offset;
}

/** Frees a block, joined with its other half as long as that one is free too. */
function giveBlock(free: readonly FreeList[], order: number, offset: number): void {
  let joined = offset;
  let to = order;
  while (to < orderCount - 1 && free[to]!.remove(otherHalf(joined, to))) {
    joined = Math.min(joined, otherHalf(joined, to));
    to++;
  }
  free[to]!.add(joined);
}

/** Where the other half begins of the pair that a block belongs to; offsets may pass 2^31, so no bit operations. */
function otherHalf(offset: number, order: number): number {
  const bytes = 2 ** order;
  return (offset / bytes) % 2 === 0 ? offset + bytes : offset - bytes;
}

/** Free blocks of one order: the last freed is taken first, as its pages are already real memory. */
interface FreeList {
  isEmpty(): boolean;
  add(offset: number): void;
  /** Takes a block; the list must not be empty. */
  take(): number;
  /** Takes out the block at an offset; false when it is not in the list. */
  remove(offset: number): boolean;
}

function createFreeList(): FreeList {
  const offsets: number[] = [];
  const places = new Map<number, number>();

  function add(offset: number): void {
    places.set(offset, offsets.length);
    offsets.push(offset);
  }

  function take(): number {
    const offset = offsets.pop()!;
    places.delete(offset);
    return offset;
  }

  function remove(offset: number): boolean {
    const place = places.get(offset);
    if (place === undefined) return false;
    const last = take();
    if (last === offset) return true;
    offsets[place] = last;
    places.delete(offset);
    places.set(last, place);
    return true;
  }

  return { isEmpty: () => offsets.length === 0, add, take, remove };
}
