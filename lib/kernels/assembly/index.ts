/** Everything kernels.wasm exports; lib/kernels/kernels.ts says what each one does. */
export { bitUnshuffle } from "./bit-shuffle";
export { countBits } from "./bitmaps";
export * from "./baskets";
export * from "./blosclz";
export * from "./cells";
export * from "./clean";
export * from "./code-floats";
export * from "./decimal";
export * from "./ends";
export { csvBools, csvDates, csvFloats, csvInts, csvKinds, csvNullBits, csvNulls, csvTimestamps, csvUint64s } from "./csv-columns";
export { csvCut, csvLines, csvRows } from "./csv-rows";
export { csvIntern, csvTexts } from "./csv-texts";
export { areWithinF64, areWithinI64, maxF64, maxI64, maxU16, maxU32, maxU8, minF64, minI64 } from "./extremes";
export * from "./fill";
export { sumSlotsF64, totalF64 } from "./floats";
export * from "./expr-arithmetic";
export * from "./expr-calendar";
export * from "./expr-choices";
export * from "./expr-functions";
export * from "./expr-zones";
export * from "./gather";
export { hashGroup1, hashGroupN, hashRebuild1, hashRebuildN } from "./groups";
export * from "./histograms";
export { internRebuild, internText } from "./intern";
export * from "./largest";
export * from "./least";
export * from "./like";
export * from "./lz4";
export * from "./lz4-encode";
export * from "./mask-bits";
export * from "./masks";
export * from "./moments";
export * from "./narrow";
export * from "./order";
export * from "./rebase";
export * from "./run-slots";
export * from "./scatter";
export * from "./relate";
export * from "./sets";
export { shuffle, unshuffle } from "./shuffle";
export * from "./sketches";
export * from "./slots";
export * from "./snappy";
export { countSlots, countSlotsNonNull, sumSlotsI64, sumSlotsU16, sumSlotsU32, sumSlotsU8 } from "./sums";
export * from "./tallies";
export * from "./text-extremes";
export * from "./text-masks";
export { totalU16, totalU32, totalU8 } from "./totals";
export * from "./valid";
export * from "./wide";
export * from "./widen";
export * from "./xxhash";
export * from "./zstd";

/** The first byte after the kernels' own scratch memory. */
export function heapBase(): usize {
  return __heap_base;
}
