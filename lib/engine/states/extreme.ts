/** The min and max states: an extreme value of a group, where it has one. */
import { comparison, pick, type Values } from "../values.js";
import type { MergePlan } from "./state.js";

/** The extremes of two runs along a merge plan. */
export function mergeExtremes(
  kind: "min" | "max",
  a: { seen: Uint8Array; values: Values },
  b: { seen: Uint8Array; values: Values },
  plan: MergePlan,
): { seen: Uint8Array; values: Values } {
  const compare = comparison(a.values, b.values);
  const sign = kind === "min" ? 1 : -1;
  const groups = plan.left.length;
  const seen = new Uint8Array(groups);
  const sources = new Int32Array(groups);
  for (let k = 0; k < groups; k++) {
    const left = plan.left[k]!;
    const right = plan.right[k]!;
    const hasLeft = left >= 0 && a.seen[left] === 1;
    const hasRight = right >= 0 && b.seen[right] === 1;
    const takesLeft = hasLeft ? !hasRight || sign * compare(left, right) <= 0 : !hasRight && left >= 0;
    sources[k] = takesLeft ? left : ~right;
    seen[k] = hasLeft || hasRight ? 1 : 0;
  }
  return { seen, values: pick(a.values, b.values, sources) };
}
