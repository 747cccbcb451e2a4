/** Memory for decoding: blocks of the caller's heap that stay with a vector, and scratch memory of this thread. */
import { BquerydError } from "../../base/errors.js";
import { createHeap, type Heap } from "../../kernels/heap.js";
import { loadKernels } from "../../kernels/kernels.js";
import type { Vector } from "../vector.js";

/** Blocks taken while a vector is made. */
export interface Room {
  readonly heap: Heap;
  /** A block that the vector will own. */
  keep(bytes: number): number;
  /** A block for the time of `use`. */
  borrow(bytes: number, use: (pointer: number) => void): void;
  /** What has been kept, as a vector says it. */
  owned(): Pick<Vector, "owned" | "ownedBytes">;
}

/** What `make` gives; when it fails every block is given back. `allocate` gives memory of the heap or throws. */
export function withRoom<T>(heap: Heap, allocate: (bytes: number) => number, make: (room: Room) => T): T {
  const owned: number[] = [];
  let ownedBytes = 0;
  try {
    return make({
      heap,
      keep(bytes) {
        owned.push(allocate(bytes));
        ownedBytes += heap.blockBytes(bytes);
        return owned.at(-1)!;
      },
      borrow(bytes, use) {
        const pointer = allocate(bytes);
        try {
          use(pointer);
        } finally {
          heap.release(pointer);
        }
      },
      owned: () => ({ owned, ownedBytes }),
    });
  } catch (cause) {
    for (const pointer of owned) heap.release(pointer);
    throw cause;
  }
}

const usualBytes = 16 * 1024 * 1024;
/** A larger heap is not kept after its use. */
const keptBytesMax = 64 * 1024 * 1024;
/** Heaps of this thread, one for each use within another. */
const kept: (Heap | undefined)[] = [];
let depth = 0;

/**
 * What `use` gives, with a heap of this thread that has room for blocks of `bytes` together; whatever it allocates there
 * it gives back. Throws MEMORY_LIMIT.
 */
export function withScratch<T>(bytes: number, use: (heap: Heap, allocate: (bytes: number) => number) => T): T {
  const heap = findScratch(bytes);
  depth++;
  try {
    return use(heap, (wanted) => {
      const pointer = heap.find(wanted);
      if (pointer === undefined) throw new BquerydError("MEMORY_LIMIT", `no room for ${wanted} bytes to decode a chunk; rewrite the table with shorter chunks`, { details: { bytes: wanted } });
      return pointer;
    });
  } finally {
    depth--;
  }
}

function findScratch(bytes: number): Heap {
  // A block takes up to twice its bytes, and starts at a multiple of its size.
  const needed = 4 * bytes;
  const found = kept[depth];
  if (found !== undefined && found.capacityBytes >= needed && found.usedBytes === 0) return found;
  const capacity = Math.max(usualBytes, needed);
  const heap = createHeap(loadKernels(capacity + usualBytes), capacity);
  if (capacity <= keptBytesMax) kept[depth] = heap;
  return heap;
}
