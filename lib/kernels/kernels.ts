/**
 * The WebAssembly kernels and the memory they run in. All loops over rows live here. Pointers and counts are numbers
 * (byte offsets into `memory`); "slots" is a uint32 array with the group of each row; a "mask" is a byte a row, 1 where
 * the row is selected, else 0; an "index" is a uint16 array of selected rows of a chunk; "nulls" is a bitmap pointer, 0
 * for none. W in a name is U8, U16, U32 (unsigned codes of that width) or I64. `base` and `step` turn a code into the
 * int64 `base + step * code`.
 */
import { readFileSync } from "node:fs";
import { BquerydError } from "../base/errors.js";
import type { CsvKernels } from "./csv-kernels.js";
import type { ExpressionKernels } from "./expression-kernels.js";
import type { GroupKernels } from "./group-kernels.js";
import type { ListKernels } from "./list-kernels.js";
import type { SelectionKernels } from "./selection-kernels.js";
import type { StorageKernels } from "./storage-kernels.js";

/** What kernels.wasm exports (sources in assembly/). Each is tested against a plain reference in test/unit/kernels-*.test.ts. */
export interface KernelFunctions extends StorageKernels, SelectionKernels, GroupKernels, ExpressionKernels, ListKernels, CsvKernels {}

/** The kernels bound to their memory, which never grows, so views over it stay good for ever. */
export interface Kernels extends KernelFunctions {
  readonly memory: WebAssembly.Memory;
  /** The whole memory. */
  readonly bytes: Uint8Array;
  /** First byte free for the heap. */
  readonly heapStart: number;
}

const pageBytes = 65_536;
let compiled: WebAssembly.Module | undefined;

/**
 * Kernels with a memory of `memoryBytes` (rounded up to 64 KB, at most 4 GB), reserved once; only pages that are
 * touched cost real memory. Throws MEMORY_LIMIT when the address space cannot be had.
 */
export function loadKernels(memoryBytes: number): Kernels {
  const pages = Math.min(Math.ceil(memoryBytes / pageBytes), 65_536);
  let memory: WebAssembly.Memory;
  try {
    memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (cause) {
    throw new BquerydError("MEMORY_LIMIT", `cannot reserve ${pages * pageBytes} bytes of memory for the kernels; lower cache_memory or query_memory`, { details: { bytes: pages * pageBytes }, cause });
  }
  compiled ??= new WebAssembly.Module(readFileSync(new URL("kernels.wasm", import.meta.url)));
  const instance = new WebAssembly.Instance(compiled, { env: { memory } });
  const { heapBase, ...functions } = instance.exports as unknown as KernelFunctions & { heapBase(): number };
  return {
    ...functions,
    // A 64-bit integer leaves WebAssembly signed.
    xxh64: (pointer, bytes) => BigInt.asUintN(64, functions.xxh64(pointer, bytes)),
    gcdI64: (values, n, base) => BigInt.asUintN(64, functions.gcdI64(values, n, base)),
    memory,
    bytes: new Uint8Array(memory.buffer),
    heapStart: heapBase(),
  };
}
