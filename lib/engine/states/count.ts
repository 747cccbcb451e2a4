/** The count state: non-null rows of a group. */
import type { MergePlan } from "./state.js";

/** Counts of the groups in the given order, from int64 accumulators in kernel memory. */
export function takeCounts(memory: ArrayBufferLike, pointer: number, order: Uint32Array): Float64Array {
  const counts = new Float64Array(order.length);
  // Halves instead of bigints: a count stays below 2^53.
  const halves = new Uint32Array(memory, pointer);
  for (let k = 0; k < order.length; k++) {
    const at = 2 * order[k]!;
    counts[k] = halves[at + 1]! * 0x1_0000_0000 + halves[at]!;
  }
  return counts;
}

/** The sums of two runs of counts along a merge plan. */
export function mergeCounts(a: Float64Array, b: Float64Array, plan: MergePlan): Float64Array {
  const merged = new Float64Array(plan.left.length);
  for (let k = 0; k < merged.length; k++) {
    const left = plan.left[k]!;
    const right = plan.right[k]!;
    merged[k] = (left >= 0 ? a[left]! : 0) + (right >= 0 ? b[right]! : 0);
  }
  return merged;
}
