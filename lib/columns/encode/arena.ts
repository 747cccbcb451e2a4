/** Scratch memory of the kernels for encoding one chunk at a time. */
import { BquerydError } from "../../base/errors.js";
import { loadKernels, type Kernels } from "../../kernels/kernels.js";

const usualBytes = 16 * 1024 * 1024;
const alignment = 64;

/** Memory handed out from the start on and taken back all at once. */
export interface Arena {
  /** The kernels of now: another instance after a `start` that needed more memory. */
  kernels(): Kernels;
  /** Takes everything back and makes room for `bytes`. Throws MEMORY_LIMIT. */
  start(bytes: number): void;
  /** Aligned memory, not zeroed, good until the next `start`. */
  take(bytes: number): number;
}

/** An arena of a few megabytes that grows for chunks of long texts. */
export function createArena(): Arena {
  let kernels = loadKernels(usualBytes);
  let next = kernels.heapStart;
  return {
    kernels: () => kernels,
    start(bytes) {
      if (kernels.heapStart + bytes > kernels.bytes.length) kernels = loadLarger(kernels.heapStart + bytes);
      next = kernels.heapStart;
    },
    take(bytes) {
      const pointer = Math.ceil(next / alignment) * alignment;
      next = pointer + bytes;
      if (next > kernels.bytes.length) throw new Error(`the arena was started too small for ${bytes} bytes more`);
      return pointer;
    },
  };
}

function loadLarger(bytes: number): Kernels {
  const most = 4 * 1024 * 1024 * 1024;
  if (bytes > most) throw new BquerydError("MEMORY_LIMIT", `encoding a chunk of texts takes ${bytes} bytes of at most ${most}; leave the column out or shorten its values`, { details: { bytes } });
  return loadKernels(Math.min(most, bytes * 2));
}
