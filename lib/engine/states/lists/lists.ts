/** A list of items for every group of a partial, and merging the lists of two partials group by group. */
import { BquerydError } from "../../../base/errors.js";
import type { MergePlan } from "../merge-plan.js";
import { numbersOf, type DecimalItems } from "./decimals.js";
import { itemsOfKept, keptOf, type Items } from "./items.js";
import { pairKeys } from "./keys.js";

/** Group g's items are those from offsets[g] to offsets[g + 1]. */
export interface ItemLists {
  readonly offsets: Uint32Array;
  readonly items: Items;
}

/** Lists of distinct items in ascending order, and, where they are counted, how many rows had each. */
export interface Tallies extends ItemLists {
  readonly counts: Float64Array | null;
}

/** Most items in the lists of all groups together. */
const itemsMax = 2 ** 29;

/** Throws MEMORY_LIMIT when lists would have more items than fit; `what` names the measures they are for. */
export function requireRoom(count: number, what: string): void {
  if (count <= itemsMax) return;
  throw new BquerydError("MEMORY_LIMIT", `${what} would keep ${count} values, more than ${itemsMax}; filter, or use the approximate measure`, { details: { values: count, valuesMax: itemsMax } });
}

/** The union of two runs of tallies along a merge plan, counts added up. */
export function mergeTallies(left: Tallies, right: Tallies, plan: MergePlan): Tallies {
  const keys = pairKeys(left.items, right.items);
  const target = createTarget(plan.left.length, keys.left.length + keys.right.length, left.counts !== null);
  const [countsLeft, countsRight] = [left.counts ?? none, right.counts ?? none];
  let next = 0;
  for (let k = 0; k < plan.left.length; k++) {
    const [leftList, rightList] = [plan.left[k]!, plan.right[k]!];
    let i = startOf(left.offsets, leftList);
    let j = startOf(right.offsets, rightList);
    const iEnd = endOf(left.offsets, leftList);
    const jEnd = endOf(right.offsets, rightList);
    while (i < iEnd || j < jEnd) {
      // Not below instead of above or equal: whatever a key is, one side goes on.
      const takesLeft = i < iEnd && (j === jEnd || !(keys.right[j]! < keys.left[i]!));
      const takesRight = j < jEnd && (i === iEnd || !(keys.left[i]! < keys.right[j]!));
      target.keys[next] = takesLeft ? keys.left[i]! : keys.right[j]!;
      if (target.counts !== null) target.counts[next] = (takesLeft ? countsLeft[i]! : 0) + (takesRight ? countsRight[j]! : 0);
      if (takesLeft) i += 1;
      if (takesRight) j += 1;
      next += 1;
    }
    target.offsets[k + 1] = next;
  }
  return { offsets: target.offsets, items: keys.restore(target.keys.slice(0, next)), counts: target.counts?.slice(0, next) ?? null };
}

const none = new Float64Array(0);

function createTarget(groups: number, most: number, isCounted: boolean): { offsets: Uint32Array; keys: Float64Array; counts: Float64Array | null } {
  requireRoom(most, "count_distinct, mode or topk");
  return { offsets: new Uint32Array(groups + 1), keys: new Float64Array(most), counts: isCounted ? new Float64Array(most) : null };
}

function startOf(offsets: Uint32Array, list: number): number {
  return list < 0 ? 0 : offsets[list]!;
}

function endOf(offsets: Uint32Array, list: number): number {
  return list < 0 ? 0 : offsets[list + 1]!;
}

/** The `most` largest items of each group of two runs of descending lists, equal ones kept apart, descending. */
export function mergeLargest(left: ItemLists, right: ItemLists, most: number, plan: MergePlan): ItemLists {
  const keys = pairKeys(left.items, right.items);
  const target = createTarget(plan.left.length, Math.min(keys.left.length + keys.right.length, most * plan.left.length), false);
  const count = mergeDescending({ keys: keys.left, offsets: left.offsets, lists: plan.left }, { keys: keys.right, offsets: right.offsets, lists: plan.right }, most, target);
  // Mostly all groups have as many as they may.
  return { offsets: target.offsets, items: keys.restore(count === target.keys.length ? target.keys : target.keys.slice(0, count)) };
}

/** Lists of keys, of which list k of what is made of them is `lists[k]`, -1 standing for none. */
interface KeyLists {
  readonly keys: Float64Array;
  readonly offsets: Uint32Array;
  readonly lists: Int32Array;
}

/** Puts the `most` largest keys of every list into the target, and gives how many there are in all. */
function mergeDescending(left: KeyLists, right: KeyLists, most: number, target: Pick<KeyLists, "keys" | "offsets">): number {
  const { keys: keysLeft, offsets: offsetsLeft, lists: listsLeft } = left;
  const { keys: keysRight, offsets: offsetsRight, lists: listsRight } = right;
  const { keys, offsets } = target;
  let next = 0;
  for (let k = 0; k < listsLeft.length; k++) {
    const leftList = listsLeft[k]!;
    const rightList = listsRight[k]!;
    let i = startOf(offsetsLeft, leftList);
    let j = startOf(offsetsRight, rightList);
    const iEnd = endOf(offsetsLeft, leftList);
    const jEnd = endOf(offsetsRight, rightList);
    const end = next + Math.min(most, iEnd - i + jEnd - j);
    while (next < end) {
      // What a side lacks is below all else, or equal to it, and then the same.
      const a = i < iEnd ? keysLeft[i]! : -Infinity;
      const b = j < jEnd ? keysRight[j]! : -Infinity;
      const takesLeft = Number(a >= b);
      keys[next++] = takesLeft === 1 ? a : b;
      i += takesLeft;
      j += 1 - takesLeft;
    }
    offsets[k + 1] = next;
  }
  return next;
}

/** Which lists become one: list k is list `left[k]` of one side and `right[k]` of the other, -1 standing for none. */
export type ListPlan = Pick<MergePlan, "left" | "right">;

/** Lists as bags have them. */
export interface BagLists {
  readonly offsets: Uint32Array;
  readonly items: Items | DecimalItems;
}

/** The lists of both sides along a plan, the left one's items first. Not for texts. */
export function joinLists(left: BagLists, right: BagLists, plan: ListPlan): BagLists {
  if (left.items.form !== "decimals" || right.items.form !== "decimals" || left.items.exponent !== right.items.exponent) return joinItems(withItems(left), withItems(right), plan);
  const array = new Int32Array(left.items.array.length + right.items.array.length);
  requireRoom(array.length, "median or quantile");
  const offsets = new Uint32Array(plan.left.length + 1);
  joinArrays(left.items.array, left.offsets, right.items.array, right.offsets, plan, 1, array, offsets);
  return { offsets, items: { ...left.items, array } };
}

function withItems({ offsets, items }: BagLists): ItemLists {
  return { offsets, items: items.form === "decimals" ? numbersOf(items) : items };
}

function joinItems(left: ItemLists, right: ItemLists, plan: ListPlan): ItemLists {
  const count = left.items.array.length + right.items.array.length;
  requireRoom(count, "median or quantile");
  const offsets = new Uint32Array(plan.left.length + 1);
  if (left.items.form === "numbers" && right.items.form === "numbers") {
    const array = new Float64Array(count);
    joinArrays(left.items.array, left.offsets, right.items.array, right.offsets, plan, 1, array, offsets);
    return { offsets, items: { ...left.items, array } };
  }
  const [a, b] = [halvesOf(left.items), halvesOf(right.items)];
  const halves = new Uint32Array(count * 2);
  joinArrays(a, left.offsets, b, right.offsets, plan, 2, halves, offsets);
  const { dtype } = left.items.form === "wholes" ? left.items : right.items;
  if (dtype === "string" || dtype === "bytes" || dtype === "bool" || dtype === "float32" || dtype === "float64") throw new Error(`${dtype} is not kept as int64`);
  return { offsets, items: itemsOfKept(dtype, new BigInt64Array(halves.buffer)) };
}

function halvesOf(items: Items): Uint32Array {
  if (items.form === "texts") throw new Error("texts are not joined");
  const kept = keptOf(items);
  return new Uint32Array(kept.buffer, kept.byteOffset, kept.length * 2);
}

/** Entries of `width` elements each are copied list after list into `target`; `offsets` gets where each list ends. */
function joinArrays<A extends Float64Array | Uint32Array | Int32Array>(a: A, offsetsA: Uint32Array, b: A, offsetsB: Uint32Array, plan: ListPlan, width: number, target: A, offsets: Uint32Array): void {
  let next = 0;
  for (let k = 0; k < plan.left.length; k++) {
    next += copyList(a, offsetsA, plan.left[k]!, width, target, next);
    next += copyList(b, offsetsB, plan.right[k]!, width, target, next);
    offsets[k + 1] = next;
  }
}

/** Copies a list to where entry `to` of the target is; gives how many entries it has. */
function copyList<A extends Float64Array | Uint32Array | Int32Array>(source: A, offsets: Uint32Array, list: number, width: number, target: A, to: number): number {
  const [start, end] = [startOf(offsets, list), endOf(offsets, list)];
  // Lists of groups are often short, for which a loop beats TypedArray.set several times over.
  if (end - start > 64) target.set(source.subarray(start * width, end * width), to * width);
  else for (let at = start * width, next = to * width; at < end * width; at++) target[next++] = source[at]!;
  return end - start;
}
