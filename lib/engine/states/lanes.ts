/**
 * Cells of accumulators without keys: rows go to several cells in turn, so that no addition waits for the store of the one
 * before, and the cells are joined at the end.
 */
import { chunkRows } from "../../columns/dtypes.js";
import { upTo } from "../values.js";
import { createMergePlan, type MergePlan } from "./merge-plan.js";
import type { AccumulatorContext } from "./slab.js";

const laneCount = 8;

/** Where rows go, and how the cells of one group become one. */
export interface Lanes {
  /** Cells that so many groups take. */
  cells(groups: number): number;
  /** Pointer to the cell of each row. */
  slots(slots: number): number;
  /** The states of groups in the given order, from those of cells; `merge` takes two states of equally many groups. */
  join<S>(order: Uint32Array, take: (cells: Uint32Array) => S, merge: (left: S, right: S, plan: MergePlan) => S): S;
}

/** One cell a group where there are keys, else eight for the only group. */
export function createLanes({ arena, isGrouped }: AccumulatorContext): Lanes {
  if (isGrouped) return { cells: (groups) => groups, slots: (slots) => slots, join: (order, take) => take(order) };
  const pointer = arena.allocate(chunkRows * 4);
  const slots = new Uint32Array(arena.kernels.memory.buffer, pointer, chunkRows);
  for (let row = 0; row < chunkRows; row++) slots[row] = row % laneCount;
  return {
    cells: () => laneCount,
    slots: () => pointer,
    join(order, take, merge) {
      if (order.length === 0) return take(order);
      const pair = createMergePlan(1, Uint32Array.of(0), Uint32Array.of(0));
      return [...upTo(laneCount)].map((lane) => take(Uint32Array.of(lane))).reduce((left, right) => merge(left, right, pair));
    },
  };
}
