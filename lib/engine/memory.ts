/** Kernel memory of one compute thread: the decoded-column cache gives way to what a running query needs. */
import { BquerydError } from "../base/errors.js";
import { createHeap, type Heap } from "../kernels/heap.js";
import { loadKernels, type Kernels } from "../kernels/kernels.js";

/** The memory of a compute thread. `reclaim` is asked for room when the heap is full; it says whether it freed any. */
export interface Space {
  readonly kernels: Kernels;
  readonly heap: Heap;
  /** What sets its size: the configuration, or nobody. */
  readonly sizedBy: "query_memory" | "fixed";
  /** A block; asks the cache to give way first. Throws MEMORY_LIMIT when nothing more can be freed. */
  allocate(bytes: number): number;
  onFull(reclaim: () => boolean): void;
}

/**
 * Reserves the memory of a compute thread: caches and queries share it, so both budgets add up to its size; or, of a fixed
 * size, that of who evaluates expressions elsewhere, over what has come already.
 */
export function createSpace(capacityBytes: number, sizedBy: Space["sizedBy"] = "query_memory"): Space {
  const kernels = loadKernels(capacityBytes);
  const heap = createHeap(kernels, capacityBytes - kernels.heapStart);
  let reclaim = (): boolean => false;
  function allocate(bytes: number): number {
    for (;;) {
      const pointer = heap.find(bytes);
      if (pointer !== undefined) return pointer;
      if (!reclaim()) throw new BquerydError("MEMORY_LIMIT", `no room for ${bytes} bytes in a memory of ${heap.capacityBytes}; ${adviceOn(sizedBy)}`, { details: { bytes, capacityBytes: heap.capacityBytes } });
    }
  }
  return { kernels, heap, sizedBy, allocate, onFull: (callback) => void (reclaim = callback) };
}

function adviceOn(sizedBy: Space["sizedBy"]): string {
  return sizedBy === "fixed" ? "write it with fewer and shorter texts" : "raise query_memory or group by fewer distinct values";
}

/** The allocations of one query, given back all at once. */
export interface Arena {
  readonly kernels: Kernels;
  /** A block of at least `bytes`, not zeroed. Throws MEMORY_LIMIT over the budget of the query. */
  allocate(bytes: number): number;
  /** The same, filled with zeros. */
  allocateZeroed(bytes: number): number;
  /** Moves the first `keepBytes` of a block into a larger one and frees the old block. */
  enlarge(pointer: number, keepBytes: number, bytes: number): number;
  free(pointer: number): void;
  /** Frees everything; the arena is used no more. */
  release(): void;
}

/** An arena over a space, bounded by the memory one query may take; `purpose` names what was large in the error. */
export function createArena(space: Space, limitBytes: number, purpose: string): Arena {
  const blocks = new Map<number, number>();
  const { kernels, heap } = space;
  let usedBytes = 0;
  function allocate(bytes: number): number {
    const size = heap.blockBytes(bytes);
    if (usedBytes + size > limitBytes) {
      throw new BquerydError("MEMORY_LIMIT", `${purpose} needs more than the ${limitBytes} bytes ${space.sizedBy === "fixed" ? "that are kept for it" : "of query_memory"}; ${adviceOn(space.sizedBy)}`, { details: { limitBytes, purpose } });
    }
    const pointer = space.allocate(bytes);
    blocks.set(pointer, size);
    usedBytes += size;
    return pointer;
  }
  function free(pointer: number): void {
    const size = blocks.get(pointer);
    if (size === undefined) throw new Error(`block ${pointer} is not of this arena`);
    blocks.delete(pointer);
    usedBytes -= size;
    heap.release(pointer);
  }
  return {
    kernels,
    allocate,
    free,
    allocateZeroed(bytes) {
      const pointer = allocate(bytes);
      kernels.bytes.fill(0, pointer, pointer + bytes);
      return pointer;
    },
    enlarge(pointer, keepBytes, bytes) {
      const larger = allocate(bytes);
      kernels.bytes.copyWithin(larger, pointer, pointer + keepBytes);
      free(pointer);
      return larger;
    },
    release() {
      for (const pointer of blocks.keys()) heap.release(pointer);
      blocks.clear();
      usedBytes = 0;
    },
  };
}
