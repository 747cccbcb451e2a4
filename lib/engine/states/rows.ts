/** The rows of each group, which every partial carries, counted once for all states that need them. */
import type { Arena } from "../memory.js";
import { takeCounts } from "./count.js";
import { createSlab, zeroFill, type Accumulator, type RowCounter } from "./slab.js";

/** A row counter over a query's arena. */
export function createRowCounter(arena: Arena, isGrouped: boolean): RowCounter & Pick<Accumulator<Float64Array>, "grow" | "add"> {
  const { kernels } = arena;
  const slab = createSlab(arena, 8, zeroFill(arena, 8));
  let total = 0;
  return {
    pointer: slab.pointer,
    grow: slab.grow,
    add(input, slots) {
      if (isGrouped) kernels.countSlots(slots, input.rows, slab.pointer());
      else total += input.rows;
    },
    take: (order) => (isGrouped ? takeCounts(kernels.memory.buffer, slab.pointer(), order) : new Float64Array(order.length).fill(total)),
    usedSlots: (slotCount) => findUsed(new Uint32Array(kernels.memory.buffer, slab.pointer(), slotCount * 2)),
  };
}

/** Places of the int64 counts, given as halves, that are not 0. */
function findUsed(halves: Uint32Array): Uint32Array {
  const used = new Uint32Array(halves.length / 2);
  let found = 0;
  for (let slot = 0; slot < used.length; slot++) if ((halves[2 * slot]! | halves[2 * slot + 1]!) !== 0) used[found++] = slot;
  return used.slice(0, found);
}
