/** The rows of a run that are not null, as the kernels of sets, lists and sketches take them: values beside slots. */
import { chunkRows } from "../../columns/dtypes.js";
import type { Dictionary } from "../../columns/files/dictionary.js";
import type { Kernels } from "../../kernels/kernels.js";
import type { Arena } from "../memory.js";
import type { Run } from "../scan-column.js";
import { widthNames } from "./slab.js";

/** Pointers to as many entries as `rows`; good until the next call. */
export interface ValidRows {
  readonly rows: number;
  /** uint32. */
  readonly slots: number;
  readonly values: number;
}

/** Makes them of one run after another, over scratch memory it keeps. */
export interface ValidRowsMaker {
  /** Values of 8 bytes: float64, int64 as kept, or codes as int64. */
  wide(run: Run, slots: number): ValidRows;
  /** Values of 4 bytes, no floats: multiplier * code + offset, modulo 2^32. */
  narrow(run: Run, slots: number, multiplier: bigint, offset: bigint): ValidRows;
}

/** A maker over the arena of a query. */
export function createValidRows(arena: Arena): ValidRowsMaker {
  const { kernels } = arena;
  let values = 0;
  let slotsAside = 0;

  function validSlots(run: Run, slots: number): number {
    if (slotsAside === 0) slotsAside = arena.allocate(chunkRows * 4);
    kernels.dropNulls4(slots, run.nulls, run.rows, slotsAside);
    return slotsAside;
  }

  function widen(run: Run): number {
    if (run.width === 8) return run.values;
    kernels[`expand${widthNames[run.width]}`](run.values, run.rows, run.base, run.step, 8, values);
    return values;
  }

  return {
    wide(run, slots) {
      if (values === 0) values = arena.allocate(chunkRows * 8);
      const wide = widen(run);
      if (run.nulls === 0) return { rows: run.rows, slots, values: wide };
      const rows = kernels.dropNulls8(wide, run.nulls, run.rows, values);
      return { rows, slots: validSlots(run, slots), values };
    },
    narrow(run, slots, multiplier, offset) {
      if (values === 0) values = arena.allocate(chunkRows * 8);
      setNarrow(kernels, run, multiplier, offset, values);
      if (run.nulls === 0) return { rows: run.rows, slots, values };
      const rows = kernels.dropNulls4(values, run.nulls, run.rows, values);
      return { rows, slots: validSlots(run, slots), values };
    },
  };
}

/** Writes multiplier * code + offset, modulo 2^32, of every row of a run that is of no floats. */
export function setNarrow(kernels: Kernels, run: Run, multiplier: bigint, offset: bigint, target: number): void {
  if (run.width === 8) kernels.slotsSetI64(run.values, run.rows, BigInt.asIntN(64, multiplier), BigInt.asIntN(64, offset), target);
  else kernels[`slotsSet${widthNames[run.width]}`](run.values, run.rows, wrap(multiplier), wrap(offset), target);
}

/** What turns rows of codes of a dictionary into rows of their ranks, uint32 as well. */
export function createRanker(dictionary: Dictionary, arena: Arena): (rows: ValidRows) => ValidRows {
  const { kernels } = arena;
  const table = arena.allocate(Math.max(dictionary.count, 1) * 4);
  new Uint32Array(kernels.memory.buffer, table, dictionary.count).set(dictionary.ranks);
  const ranks = arena.allocate(chunkRows * 4);
  return (found) => {
    kernels.translateU32(found.values, found.rows, table, ranks);
    return { ...found, values: ranks };
  };
}

/** A number modulo 2^32, as kernels multiply and add it. */
function wrap(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}
