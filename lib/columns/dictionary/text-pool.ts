/** Distinct texts in the kernels' memory, found again by a hash table: what a dictionary is made of while it grows. */
import { BquerydError } from "../../base/errors.js";
import { createHeap, type Heap } from "../../kernels/heap.js";
import { loadKernels } from "../../kernels/kernels.js";
import { createIdle } from "../../kernels/idle.js";
import type { Dictionary } from "../files/dictionary.js";
import type { Texts } from "../texts.js";

/** Texts in order of first appearance. */
export interface TextPool {
  count(): number;
  /**
   * The code of each text: text i is bytes[offsets[i]] up to bytes[offsets[i + 1]]. Undefined when a limit is passed;
   * the texts before are in the pool then.
   */
  intern(offsets: Uint32Array, bytes: Uint8Array): Uint32Array | undefined;
  /** All texts, entry c that of code c: views, good until the next `intern`. */
  texts(): Texts;
  /** Gives the memory back. */
  release(): void;
}

/** Memory for the pools of one write: a little at first, and more when that is used up. */
export interface PoolMemory {
  readonly small: Heap;
  /** Made when first asked for. Throws MEMORY_LIMIT. */
  large(): Heap;
  /** Lets the large heap go if nothing is in it any more. */
  trim(): void;
  /** Ends its use, once all pools in it are released. */
  close(): void;
}

/** Where the parts of a pool lie, and how much they hold. */
interface Blocks {
  readonly heap: Heap;
  /** uint32: how many texts there are. */
  readonly state: number;
  /** `capacity` entries of 16 bytes. */
  readonly table: number;
  readonly capacity: number;
  /** One offset more than the table may have texts. */
  readonly offsets: number;
  readonly bytes: number;
  readonly bytesCapacity: number;
}

const firstCapacity = 256;
const firstBytes = 4_096;
const entryBytes = 16;
/** Address space of the two heaps; only what is used costs memory. */
const smallHeapBytes = 32 * 1024 * 1024;
const largeHeapBytes = 256 * 1024 * 1024;
/** Texts are copied into the kernels' memory in runs of so many bytes, or one by one where they are longer. */
const runBytes = 1024 * 1024;

const idleHeap = createIdle(() => openHeap(smallHeapBytes), ({ usedBytes }) => usedBytes === 0);

/** Memory for pools. Throws MEMORY_LIMIT. */
export function createPoolMemory(): PoolMemory {
  const small = idleHeap.take();
  let large: Heap | undefined;
  return {
    small,
    large: () => (large ??= openHeap(largeHeapBytes)),
    trim() {
      if (large?.usedBytes === 0) large = undefined;
    },
    close: () => { idleHeap.keep(small); },
  };
}

/** A pool that is empty, or begins with the texts of a dictionary. Throws MEMORY_LIMIT. */
export function createPool(memory: PoolMemory, limits: { textsMax: number; bytesMax: number }, start?: Dictionary): TextPool {
  let blocks = requireBlocks(memory, start === undefined ? { texts: 1, bytes: 0 } : { texts: start.count + 1, bytes: start.bytes.length });
  if (start !== undefined) fillBlocks(blocks, start);

  /** Makes room for one text more; false when that passes a limit. */
  function grow(length: number): boolean {
    const count = countOf(blocks);
    const end = endOf(blocks, count);
    if (count >= limits.textsMax || end + length > limits.bytesMax) return false;
    const isBytesFull = end + length > blocks.bytesCapacity;
    return move({
      texts: Math.max(count + 1, textsOf(blocks.capacity)),
      bytes: isBytesFull ? Math.max(end + length, Math.min(2 * (end + length), limits.bytesMax)) : blocks.bytesCapacity,
    });
  }

  /** Moves the texts into new blocks; false when there is no memory for them. */
  function move(room: Room, heaps: readonly (() => Heap)[] = heapsFrom(memory, blocks.heap)): boolean {
    const next = findBlocks(heaps, room);
    if (next === undefined) return false;
    fillBlocks(next, textsIn(blocks));
    releaseBlocks(blocks);
    blocks = next;
    return true;
  }

  /** Interns texts that lie in the memory of the blocks, and puts their codes there; false when a limit is passed. */
  function internRun(source: Scratch, count: number): boolean {
    const { heap: { kernels }, state, table, capacity, offsets, bytes } = blocks;
    const room = Math.min(limits.bytesMax, blocks.bytesCapacity);
    const limit = Math.min(limits.textsMax, textsOf(capacity));
    source.done = kernels.internText(source.offsets, source.bytes, 0, count, source.done, table, capacity, offsets, bytes, room, limit, state, source.codes);
    return source.done === count;
  }

  /** The codes of texts [from, to); undefined when a limit is passed. */
  function internRange(offsets: Uint32Array, bytes: Uint8Array, from: number, to: number, codes: Uint32Array): boolean {
    for (let at = from; at < to;) {
      const { heap } = blocks;
      const source = copyTexts(heap, offsets, bytes, at, to);
      if (source === undefined) {
        if (heap !== memory.small || !move({ texts: textsOf(blocks.capacity), bytes: blocks.bytesCapacity }, [memory.large])) return false;
        continue;
      }
      let hasRoom = true;
      // Growing may move the blocks to another memory, where the texts have to be copied anew.
      while (hasRoom && blocks.heap === heap && !internRun(source, to - at)) hasRoom = grow(offsets[at + source.done + 1]! - offsets[at + source.done]!);
      codes.set(new Uint32Array(heap.kernels.memory.buffer, source.codes, source.done), at);
      heap.release(source.block);
      if (!hasRoom) return false;
      at += source.done;
    }
    return true;
  }

  return {
    count: () => countOf(blocks),
    texts: () => textsIn(blocks),
    intern(offsets, bytes) {
      const codes = new Uint32Array(offsets.length - 1);
      for (let from = 0; from < codes.length;) {
        const to = endOfRun(offsets, from);
        if (!internRange(offsets, bytes, from, to, codes)) return undefined;
        from = to;
      }
      return codes;
    },
    release() { releasePool(memory, blocks); },
  };
}

/** Where the run of texts that begins at `from` ends: after `runBytes`, or after one text. */
function endOfRun(offsets: Uint32Array, from: number): number {
  const count = offsets.length - 1;
  if (offsets[count]! - offsets[from]! <= runBytes) return count;
  let to = from + 1;
  while (to < count && offsets[to + 1]! - offsets[from]! <= runBytes) to++;
  return to;
}

/** Texts in borrowed memory, with room for their codes. */
interface Scratch {
  readonly block: number;
  readonly offsets: number;
  readonly codes: number;
  /** As if all texts lay there, those before `from` too: addresses wrap round, so that it may lie below 0. */
  readonly bytes: number;
  /** Texts that have their code. */
  done: number;
}

/** Texts [from, to) copied into a heap; undefined where there is no room. */
function copyTexts(heap: Heap, offsets: Uint32Array, bytes: Uint8Array, from: number, to: number): Scratch | undefined {
  const [first, end] = [offsets[from]!, offsets[to]!];
  const offsetBytes = 4 * (to - from + 1);
  const block = heap.find(2 * offsetBytes + end - first);
  if (block === undefined) return undefined;
  new Uint32Array(heap.kernels.memory.buffer, block, to - from + 1).set(offsets.subarray(from, to + 1));
  heap.kernels.bytes.set(bytes.subarray(first, end), block + 2 * offsetBytes);
  return { block, offsets: block, codes: block + offsetBytes, bytes: block + 2 * offsetBytes - first, done: 0 };
}

/** What blocks have to hold. */
interface Room {
  readonly texts: number;
  readonly bytes: number;
}

/** Texts a table may hold: at most five of eight places. */
function textsOf(capacity: number): number {
  return (capacity * 5) / 8;
}

function countOf({ heap, state }: Blocks): number {
  return new Uint32Array(heap.kernels.memory.buffer, state, 1)[0]!;
}

function endOf({ heap, offsets }: Blocks, count: number): number {
  return new Uint32Array(heap.kernels.memory.buffer, offsets, count + 1)[count]!;
}

function textsIn(blocks: Blocks): Texts {
  const { buffer } = blocks.heap.kernels.memory;
  const offsets = new Uint32Array(buffer, blocks.offsets, countOf(blocks) + 1);
  return { offsets, bytes: new Uint8Array(buffer, blocks.bytes, offsets.at(-1)), codes: null };
}

/** Fills empty blocks with texts. */
function fillBlocks({ heap: { kernels }, state, table, capacity, offsets, bytes }: Blocks, texts: Pick<Texts, "offsets" | "bytes">): void {
  const count = texts.offsets.length - 1;
  const { buffer } = kernels.memory;
  new Uint32Array(buffer, offsets, count + 1).set(texts.offsets);
  kernels.bytes.set(texts.bytes, bytes);
  kernels.internRebuild(offsets, bytes, count, table, capacity);
  new Uint32Array(buffer, state, 1)[0] = count;
}

function heapsFrom(memory: PoolMemory, heap: Heap): readonly (() => Heap)[] {
  return heap === memory.small ? [() => heap, memory.large] : [() => heap];
}

function requireBlocks(memory: PoolMemory, room: Room): Blocks {
  const blocks = findBlocks(heapsFrom(memory, memory.small), room);
  if (blocks !== undefined) return blocks;
  throw new BquerydError("MEMORY_LIMIT", "the dictionaries of the columns take more memory than there is; import fewer columns at once");
}

/** Empty blocks in the first heap that has room; undefined where none has. */
function findBlocks(heaps: readonly (() => Heap)[], { texts, bytes }: Room): Blocks | undefined {
  let capacity = firstCapacity;
  while (textsOf(capacity) < texts) capacity *= 2;
  for (const heapOf of heaps) {
    const heap = heapOf();
    const bytesCapacity = heap.blockBytes(Math.max(firstBytes, bytes));
    const found = [4, capacity * entryBytes, 4 * (textsOf(capacity) + 1), bytesCapacity].map((size) => heap.find(size));
    const [state, table, offsets, pool] = found;
    if (state !== undefined && table !== undefined && offsets !== undefined && pool !== undefined) {
      heap.kernels.bytes.fill(0, state, state + 4).fill(0, offsets, offsets + 4).fill(0, table, table + capacity * entryBytes);
      return { heap, state, table, capacity, offsets, bytes: pool, bytesCapacity };
    }
    for (const pointer of found) if (pointer !== undefined) heap.release(pointer);
  }
  return undefined;
}

function releasePool(memory: PoolMemory, blocks: Blocks): void {
  releaseBlocks(blocks);
  memory.trim();
}

function releaseBlocks({ heap, state, table, offsets, bytes }: Blocks): void {
  for (const pointer of [state, table, offsets, bytes]) heap.release(pointer);
}

function openHeap(bytes: number): Heap {
  return createHeap(loadKernels(bytes), bytes);
}
