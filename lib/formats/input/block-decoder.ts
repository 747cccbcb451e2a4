/** Compressed blocks of foreign files, decoded in kernels within the size that is expected of them. */
import { loadKernels } from "../../kernels/kernels.js";
import type { Kernels } from "../../kernels/kernels.js";

/** The compressions that kernels undo: a raw LZ4 block, a raw Snappy block, one Zstandard frame. */
export type BlockCodec = "lz4" | "snappy" | "zstd";

const memoryBytesMin = 8 * 1024 * 1024;
/** Larger memory is not kept from one block to the next. */
const keptBytesMax = 32 * 1024 * 1024;
const slackBytes = 64;

let kernels: Kernels | undefined;

/**
 * Exactly `rawBytes` bytes, which nobody writes to any more; undefined for a malformed block. Large ones lie in memory of
 * kernels, which cannot be transferred to another thread. Throws MEMORY_LIMIT.
 */
export function decodeBlock(codec: BlockCodec, stored: Uint8Array, rawBytes: number): Uint8Array | undefined {
  const held = requireKernels(stored.length + rawBytes + slackBytes);
  const source = held.heapStart;
  const target = source + Math.ceil(stored.length / 16) * 16;
  held.bytes.set(stored, source);
  const decoded = decode(held, codec)(source, stored.length, target, rawBytes);
  if (decoded !== rawBytes) return undefined;
  return held === kernels ? held.bytes.slice(target, target + rawBytes) : held.bytes.subarray(target, target + rawBytes);
}

function decode(held: Kernels, codec: BlockCodec): Kernels["lz4Decode"] {
  switch (codec) {
    case "lz4": return held.lz4Decode;
    case "snappy": return held.snappyDecode;
    case "zstd": return held.zstdDecode;
  }
}

/** The kernels' memory cannot grow, so a larger one takes its place; that of a large block goes with what was decoded. */
function requireKernels(bytes: number): Kernels {
  if (bytes > keptBytesMax) return loadKernels(bytes + memoryBytesMin);
  if (kernels === undefined || kernels.heapStart + bytes > kernels.bytes.length) {
    kernels = undefined;
    kernels = loadKernels(Math.max(memoryBytesMin, 2 * bytes));
  }
  return kernels;
}
