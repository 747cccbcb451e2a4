/** Kernel memory of one compute thread: a part for what queries compute with, and one for decoded columns, which give way. */
import { BquerydError } from "../base/errors.js";
import { createHeap, type Heap } from "../kernels/heap.js";
import { loadKernels, type Kernels } from "../kernels/kernels.js";

/** Memory that blocks are taken from. */
export interface Region {
  readonly kernels: Kernels;
  readonly heap: Heap;
  /** What sets its size: the configuration, or nobody. */
  readonly sizedBy: "query_memory" | "fixed";
  /** A block; asks the cache to give way first. Throws MEMORY_LIMIT when nothing more can be freed. */
  allocate(bytes: number): number;
}

/** The memory of a compute thread; as a region it is that of decoded columns, and of what tasks keep beside them. */
export interface Space extends Region {
  /**
   * What the query at hand computes in: empty before and after, so that how far its memory goes, and with it whether a
   * shard is scanned part by part, does not depend on what was asked or cached before.
   */
  readonly query: Region;
  /** `reclaim` is asked for room when there is none; it says whether it freed any. */
  onFull(reclaim: () => boolean): void;
}

/** The sizes of a space, in bytes, and what sets them. */
export interface SpaceOptions {
  /** Of all memory that is for the query at hand; without, all that there is serves both. */
  readonly queryBytes?: number;
  /** The configuration, unless the space is that of who evaluates expressions elsewhere, over what has come already. */
  readonly sizedBy?: Region["sizedBy"];
}

/** Reserves the memory of a compute thread. */
export function createSpace(capacityBytes: number, { queryBytes = capacityBytes, sizedBy = "query_memory" }: SpaceOptions = {}): Space {
  const kernels = loadKernels(capacityBytes);
  const queries = createHeap(kernels, Math.min(queryBytes, capacityBytes - kernels.heapStart));
  const restBytes = capacityBytes - kernels.heapStart - queries.capacityBytes;
  const rest = restBytes <= 0 ? queries : createHeap(kernels, restBytes, kernels.heapStart + queries.capacityBytes);
  const strays = new Set<number>();
  let reclaim = (): boolean => false;

  /** Where all that could give way is in use, what is decoded has to be among what queries compute with. */
  function findStray(bytes: number): number | undefined {
    const pointer = rest === queries ? undefined : queries.find(bytes);
    if (pointer !== undefined) strays.add(pointer);
    return pointer;
  }
  const heap: Heap = {
    ...rest,
    get usedBytes() { return rest.usedBytes; },
    get peakBytes() { return rest.peakBytes; },
    find: (bytes) => rest.find(bytes) ?? findStray(bytes),
    release: (pointer) => { (strays.delete(pointer) ? queries : rest).release(pointer); },
  };
  return {
    kernels, heap, sizedBy,
    allocate: (bytes) => takeFrom(rest, bytes, () => reclaim()) ?? findStray(bytes) ?? refuse(rest, bytes, sizedBy),
    query: { kernels, heap: queries, sizedBy, allocate: (bytes) => takeFrom(queries, bytes, () => (rest === queries || strays.size > 0) && reclaim()) ?? refuse(queries, bytes, sizedBy) },
    onFull: (callback) => void (reclaim = callback),
  };
}

function takeFrom(heap: Heap, bytes: number, reclaim: () => boolean): number | undefined {
  for (;;) {
    const pointer = heap.find(bytes);
    if (pointer !== undefined || !reclaim()) return pointer;
  }
}

function refuse({ capacityBytes }: Heap, bytes: number, sizedBy: Region["sizedBy"]): never {
  throw new BquerydError("MEMORY_LIMIT", `no room for ${bytes} bytes in a memory of ${capacityBytes}; ${adviceOn(sizedBy)}`, { details: { bytes, capacityBytes } });
}

function adviceOn(sizedBy: Region["sizedBy"]): string {
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

/** An arena over a region, bounded by the memory one query may take; `purpose` names what was large in the error. */
export function createArena(region: Region, limitBytes: number, purpose: string): Arena {
  const blocks = new Map<number, number>();
  const { kernels, heap } = region;
  let usedBytes = 0;
  function allocate(bytes: number): number {
    const size = heap.blockBytes(bytes);
    if (usedBytes + size > limitBytes) {
      throw new BquerydError("MEMORY_LIMIT", `${purpose} needs more than the ${limitBytes} bytes ${region.sizedBy === "fixed" ? "that are kept for it" : "of query_memory"}; ${adviceOn(region.sizedBy)}`, { details: { limitBytes, purpose } });
    }
    const pointer = region.allocate(bytes);
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
