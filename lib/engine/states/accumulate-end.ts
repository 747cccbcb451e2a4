/** Accumulators of first and last values: 64 bits a group, which are an int64 as kept, a float64, or the code of a text. */
import { isFloatDtype, isTextDtype, type Dtype, type TextDtype } from "../../columns/dtypes.js";
import type { ScanColumn } from "../scan-column.js";
import type { Values } from "../values.js";
import { seenTexts, type SeenValues } from "./seen-values.js";
import { createSlab, slotsOr, takeWords, widthNames, zeroFill, type Accumulator, type AccumulatorContext } from "./slab.js";

/** An accumulator of the first or last value of each group. */
export function createEnd(kind: "first" | "last", column: ScanColumn, context: AccumulatorContext): Accumulator<SeenValues> {
  const { arena } = context;
  const { kernels } = arena;
  const { dtype } = column;
  const kept = createSlab(arena, 8, zeroFill(arena, 8));
  const seen = createSlab(arena, 1, zeroFill(arena, 1));
  return {
    grow(groups) {
      kept.grow(groups);
      seen.grow(groups);
    },
    add(input, slots) {
      const run = input.run(column);
      // A float is 64 bits like any other.
      kernels[`${kind}Slots${widthNames[run.width]}`](slotsOr(slots, context), run.values, run.nulls, run.rows, run.base, run.step, seen.pointer(), kept.pointer());
    },
    take(order) {
      const flags = kernels.bytes.subarray(seen.pointer());
      const taken = new Uint8Array(order.length);
      for (let k = 0; k < taken.length; k++) taken[k] = flags[order[k]!]!;
      const picked = new BigInt64Array(takeWords(kernels.memory.buffer, kept.pointer(), order));
      return isTextDtype(dtype) ? takeTexts(taken, picked, column, dtype, context) : { seen: taken, values: valuesOf(dtype, picked) };
    },
  };
}

function takeTexts(seen: Uint8Array, codes: BigInt64Array, column: ScanColumn, dtype: TextDtype, { strings }: AccumulatorContext): SeenValues {
  return seenTexts(seen, (k) => Number(codes[k]!), (wanted) => ({ dtype, ...strings.texts(column, wanted) }));
}

function valuesOf(dtype: Exclude<Dtype, TextDtype>, bits: BigInt64Array): Values {
  if (isFloatDtype(dtype)) return { dtype, array: new Float64Array(bits.buffer) };
  if (dtype === "bool") return { dtype, array: Uint8Array.from(bits, (value) => (value === 1n ? 1 : 0)) };
  return { dtype, array: bits };
}
