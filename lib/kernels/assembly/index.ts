/** Everything kernels.wasm exports; lib/kernels/kernels.ts says what each one does. */
export { countBits } from "./bitmaps";
export { maxF64, maxI64, maxU16, maxU32, maxU8, minF64, minI64 } from "./extremes";
export * from "./fill";
export { sumSlotsF64, totalF64 } from "./floats";
export * from "./gather";
export { hashGroup1, hashGroupN, hashRebuild1, hashRebuildN } from "./groups";
export { internRebuild, internText } from "./intern";
export * from "./least";
export * from "./lz4";
export * from "./masks";
export * from "./narrow";
export * from "./order";
export * from "./sets";
export * from "./shuffle";
export * from "./slots";
export { countSlots, countSlotsNonNull, sumSlotsI64, sumSlotsU16, sumSlotsU32, sumSlotsU8 } from "./sums";
export * from "./tallies";
export * from "./text-masks";
export { totalU16, totalU32, totalU8 } from "./totals";
export * from "./wide";
export * from "./xxhash";

/** The first byte after the kernels' own scratch memory. */
export function heapBase(): usize {
  return __heap_base;
}
