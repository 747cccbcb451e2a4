/** What merging two partials means, group by group: the plain formula that the quick one is compared with. */
import type { Partial, PartialKey } from "../../lib/engine/partial.js";
import { codesOf } from "../../lib/engine/partial.js";
import type { Comoments } from "../../lib/engine/states/comoments.js";
import type { StateColumn } from "../../lib/engine/states/kinds.js";
import type { DecimalSums } from "../../lib/engine/states/decimal-sums.js";
import type { Moments } from "../../lib/engine/states/moments.js";
import type { SeenValues } from "../../lib/engine/states/seen-values.js";
import { bigintSum, limbsOf, type IntSums } from "../../lib/engine/states/whole-sums.js";
import { comparison, countOf, pick, type Values } from "../../lib/engine/values.js";

/** Merged group k is group `left[k]` of one side and `right[k]` of the other; -1 where one lacks it. */
interface Sources {
  readonly left: readonly number[];
  readonly right: readonly number[];
}

/** The merged partial of two of equal dtypes, whose states are counts, sums, extremes, ends, moments and comoments. */
export function mergePlainly(left: Partial, right: Partial): Partial {
  const unions = left.keys.map((key, place) => uniteKeys(key, right.keys[place]!));
  const sources = findSources(left, right, unions);
  const rows = eitherSum(left.rows, right.rows, sources);
  const keys = unions.map(({ key, fromLeft, fromRight }, place) => {
    if (unions.length === 1) return key;
    const [codesLeft, codesRight] = [codesOf(left.keys[place]!, left.groups), codesOf(right.keys[place]!, right.groups)];
    return { ...key, codes: Uint32Array.from(sources.left, (i, k) => (i >= 0 ? fromLeft[codesLeft[i]!]! : fromRight[codesRight[sources.right[k]!]!]!)) };
  });
  return { groups: sources.left.length, keys, rows, states: left.states.map((state, place) => mergeState(state, right.states[place]!, sources, left, right)) };
}

interface Union {
  readonly key: PartialKey;
  /** Place in the union of every value, and of null. */
  readonly fromLeft: readonly number[];
  readonly fromRight: readonly number[];
}

function uniteKeys(left: PartialKey, right: PartialKey): Union {
  const fromLeft: number[] = [];
  const fromRight: number[] = [];
  const taken: number[] = [];
  const compare = comparison(left.domain, right.domain);
  const [countLeft, countRight] = [countOf(left.domain), countOf(right.domain)];
  for (let i = 0, j = 0; i < countLeft || j < countRight;) {
    const order = i === countLeft ? 1 : j === countRight ? -1 : compare(i, j);
    taken.push(order <= 0 ? i : ~j);
    if (order <= 0) fromLeft[i++] = taken.length - 1;
    if (order >= 0) fromRight[j++] = taken.length - 1;
  }
  fromLeft[countLeft] = fromRight[countRight] = taken.length;
  const [a, b] = [left.source, right.source];
  const source = a !== null && a.dictionary === b?.dictionary ? { dictionary: a.dictionary, ranks: Uint32Array.from(taken, (from) => (from >= 0 ? a.ranks[from]! : b.ranks[~from]!)) } : null;
  return { key: { dtype: left.dtype, domain: pick(left.domain, right.domain, Int32Array.from(taken)), codes: null, source }, fromLeft, fromRight };
}

function findSources(left: Partial, right: Partial, unions: readonly Union[]): Sources {
  const found = new Map<string, { places: number[]; left: number; right: number }>();
  const note = (partial: Partial, side: "left" | "right"): void => {
    for (let group = 0; group < partial.groups; group++) {
      const places = unions.map((union, place) => union[side === "left" ? "fromLeft" : "fromRight"][codesOf(partial.keys[place]!, partial.groups)[group]!]!);
      const entry = found.get(places.join()) ?? { places, left: -1, right: -1 };
      entry[side] = group;
      found.set(places.join(), entry);
    }
  };
  note(left, "left");
  note(right, "right");
  const sorted = [...found.values()].sort((a, b) => a.places.map((place, at) => place - b.places[at]!).find((difference) => difference !== 0) ?? 0);
  return { left: sorted.map((entry) => entry.left), right: sorted.map((entry) => entry.right) };
}

function eitherSum(a: Float64Array, b: Float64Array, { left, right }: Sources): Float64Array {
  return Float64Array.from(left, (i, k) => (i >= 0 ? a[i]! : 0) + (right[k]! >= 0 ? b[right[k]!]! : 0));
}

function mergeState(a: StateColumn, b: StateColumn, sources: Sources, left: Partial, right: Partial): StateColumn {
  if (a.kind === "count" && b.kind === "count") {
    return { kind: "count", counts: a.counts === null && b.counts === null ? null : eitherSum(a.counts ?? left.rows, b.counts ?? right.rows, sources) };
  }
  if (a.kind === "sum" && b.kind === "sum") {
    if ("sums" in a && "sums" in b) return { ...a, sums: wholeSums(a.sums, b.sums, sources) };
    if ("pairs" in a && "pairs" in b) return { ...a, decimals: decimalSums(a.decimals, b.decimals, sources), pairs: floatSums(a.pairs, b.pairs, sources) };
  }
  if (a.kind === "moments" && b.kind === "moments") return moments(a, b, sources);
  if (a.kind === "comoments" && b.kind === "comoments") return comoments(a, b, sources);
  if ((a.kind === "min" || a.kind === "max" || a.kind === "first" || a.kind === "last") && b.kind === a.kind) return { ...a, ...seenValues(a.kind, a, b, sources) };
  throw new Error(`no reference for ${a.kind}`);
}

function wholeSums(a: IntSums, b: IntSums, { left, right }: Sources): IntSums {
  const sums = left.map((i, k) => (i >= 0 ? bigintSum(a, i) : 0n) + (right[k]! >= 0 ? bigintSum(b, right[k]!) : 0n));
  const isExact = sums.every((sum) => Number.isSafeInteger(Number(sum)));
  return isExact ? Float64Array.from(sums, Number) : Uint32Array.from(sums.flatMap((sum) => [...limbsOf(sum)]));
}

/** What a side lacks of some places is nothing. */
function decimalSums(a: readonly DecimalSums[], b: readonly DecimalSums[], sources: Sources): DecimalSums[] {
  const of = (all: readonly DecimalSums[], places: number, groups: readonly number[]): IntSums => all.find((sums) => sums.places === places)?.sums ?? new Float64Array(Math.max(0, ...groups) + 1);
  const places = [...new Set([...a, ...b].map((sums) => sums.places))].sort((x, y) => x - y);
  return places.map((each) => ({ places: each, sums: wholeSums(of(a, each, sources.left), of(b, each, sources.right), sources) }));
}

function floatSums(a: Float64Array | null, b: Float64Array | null, { left, right }: Sources): Float64Array | null {
  if (a === null || b === null) {
    const [some, at] = a === null ? [b, right] : [a, left];
    return some && Float64Array.from(at.flatMap((i) => (i >= 0 ? [some[2 * i]!, Number.isFinite(some[2 * i]!) ? some[2 * i + 1]! : 0] : [0, 0])));
  }
  return Float64Array.from(left.flatMap((i, k) => {
    const j = right[k]!;
    const [x, y] = [i >= 0 ? a[2 * i]! : 0, j >= 0 ? b[2 * j]! : 0];
    const rest = (i >= 0 ? a[2 * i + 1]! : 0) + (j >= 0 ? b[2 * j + 1]! : 0);
    const sum = x + y;
    const part = sum - x;
    return [sum, Number.isFinite(sum) ? rest + ((x - (sum - part)) + (y - part)) : 0];
  }));
}

function moments(a: Moments, b: Moments, { left, right }: Sources): Moments {
  const cells = left.map((i, k) => {
    const j = right[k]!;
    const [x, y] = [i >= 0 ? a.counts[i]! : 0, j >= 0 ? b.counts[j]! : 0];
    if (y === 0) return x === 0 ? [0, 0, 0] : [x, a.means[i]!, a.squares[i]!];
    if (x === 0) return [y, b.means[j]!, b.squares[j]!];
    const distance = b.means[j]! - a.means[i]!;
    const share = y / (x + y);
    return [x + y, a.means[i]! + distance * share, a.squares[i]! + b.squares[j]! + distance * distance * x * share];
  });
  const member = (at: number): Float64Array => Float64Array.from(cells, (cell) => cell[at]!);
  return { kind: "moments", counts: member(0), means: member(1), squares: member(2) };
}

function comoments(a: Comoments, b: Comoments, { left, right }: Sources): Comoments {
  const read = ({ counts, meansX, meansY, squaresX, squaresY, products }: Comoments, at: number): number[] => [counts, meansX, meansY, squaresX, squaresY, products].map((array) => array[at]!);
  const cells = left.map((i, k) => {
    const j = right[k]!;
    const [x, y] = [i >= 0 ? a.counts[i]! : 0, j >= 0 ? b.counts[j]! : 0];
    if (y === 0) return x === 0 ? [0, 0, 0, 0, 0, 0] : read(a, i);
    if (x === 0) return read(b, j);
    const [dx, dy] = [b.meansX[j]! - a.meansX[i]!, b.meansY[j]! - a.meansY[i]!];
    const share = y / (x + y);
    return [
      x + y, a.meansX[i]! + dx * share, a.meansY[i]! + dy * share, a.squaresX[i]! + b.squaresX[j]! + dx * dx * x * share,
      a.squaresY[i]! + b.squaresY[j]! + dy * dy * x * share, a.products[i]! + b.products[j]! + dx * dy * x * share,
    ];
  });
  const member = (at: number): Float64Array => Float64Array.from(cells, (cell) => cell[at]!);
  return { kind: "comoments", counts: member(0), meansX: member(1), meansY: member(2), squaresX: member(3), squaresY: member(4), products: member(5) };
}

function seenValues(kind: "min" | "max" | "first" | "last", a: SeenValues, b: SeenValues, { left, right }: Sources): { seen: Uint8Array; values: Values } {
  const compare = comparison(a.values, b.values);
  const keepsLeft = { min: (i: number, j: number) => compare(i, j) <= 0, max: (i: number, j: number) => compare(i, j) >= 0, first: () => true, last: () => false }[kind];
  const picks = left.map((i, k) => {
    const j = right[k]!;
    const [hasLeft, hasRight] = [i >= 0 && a.seen[i] === 1, j >= 0 && b.seen[j] === 1];
    const isLeft = hasLeft ? !hasRight || keepsLeft(i, j) : !hasRight && i >= 0;
    return { from: isLeft ? i : ~j, seen: Number(hasLeft || hasRight) };
  });
  return { seen: Uint8Array.from(picks, ({ seen }) => seen), values: pick(a.values, b.values, Int32Array.from(picks, ({ from }) => from)) };
}
