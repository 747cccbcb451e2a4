/** Memory to decode one chunk at a time in: a few megabytes, until a chunk needs more. */
import { BquerydError } from "../../base/errors.js";
import { createHeap, type Heap } from "../../kernels/heap.js";
import { loadKernels } from "../../kernels/kernels.js";

/** The memory of now: another heap once a chunk has needed more. */
export interface Decoder {
  heap: Heap;
}

const usualBytes = 16 * 1024 * 1024;
const mostBytes = 4 * 1024 * 1024 * 1024;

/** A decoder of a few megabytes. Throws MEMORY_LIMIT. */
export function createDecoder(): Decoder {
  return { heap: openHeap(usualBytes) };
}

/** Tells whether a decoder is as large as a new one. */
export function isAsNew({ heap }: Decoder): boolean {
  return heap.kernels.bytes.length === usualBytes;
}

/**
 * What `decode` gives; where it asks `allocate` for more than the heap has, it is called again with a larger one, so it
 * has to let go of what it took when it throws. `what` begins the sentence of MEMORY_LIMIT. Throws as `decode` does.
 */
export function decodeInGrowing<T>(decoder: Decoder, what: string, decode: (heap: Heap, allocate: (bytes: number) => number) => T): T {
  for (;;) {
    const { heap } = decoder;
    let isFull = false;
    try {
      return decode(heap, (bytes) => {
        const pointer = heap.find(bytes);
        if (pointer !== undefined) return pointer;
        isFull = true;
        throw new BquerydError("MEMORY_LIMIT", `${what} needs a block of ${bytes} bytes, which is more than is free; leave the column out`, { details: { bytes } });
      });
    } catch (cause) {
      const bytes = heap.kernels.bytes.length * 4;
      if (!isFull || bytes > mostBytes) throw cause;
      decoder.heap = openHeap(bytes);
    }
  }
}

function openHeap(bytes: number): Heap {
  return createHeap(loadKernels(bytes), bytes);
}
