/** mode and topk: the most frequent values of a group, or its largest; of any dtype. */
import type { MeasureSpec } from "../query/measures.js";
import { blankValues, upTo } from "../values.js";
import { valuesAt } from "../states/lists/items.js";
import type { Tallies } from "../states/lists/lists.js";
import { flagsOf, requireState, type FinishedColumn, type MeasureDefinition } from "./measure.js";

/** The most frequent value; of equally frequent ones the smallest. */
export const modeMeasure: MeasureDefinition = {
  check: () => undefined,
  states: () => [{ kind: "tally", inputs: [0], params: { isCounted: true } }],
  finish(states, partial) {
    const tallies = requireState(states, 0, "tally");
    return finishMode(tallies, countsOf(tallies), partial.groups);
  },
};

/** At most k values: the largest in descending order, equal ones each, or the most frequent in descending order of counts. */
export const topkMeasure: MeasureDefinition = {
  check: () => undefined,
  states: (measure) => [
    measure.params.by === "count" ? { kind: "tally", inputs: [0], params: { isCounted: true } } : { kind: "largest", inputs: [0], params: { k: sizeOf(measure) } },
  ],
  finish(states, partial, measure) {
    if (measure.params.by === "count") {
      const tallies = requireState(states, 0, "tally");
      return finishFrequent(tallies, countsOf(tallies), sizeOf(measure), partial.groups);
    }
    const { offsets, items } = requireState(states, 0, "largest");
    return { values: { dtype: "list", item: valuesAt(items, upTo(items.array.length)), offsets }, isNull: emptyLists(offsets) };
  },
};

function sizeOf({ name, params }: MeasureSpec): number {
  if (params.k === undefined) throw new Error(`the measure '${name}' lacks its k`);
  return params.k;
}

function countsOf({ counts }: Tallies): Float64Array {
  if (counts === null) throw new Error("a tally lacks its counts");
  return counts;
}

function emptyLists(offsets: Uint32Array): Uint8Array | null {
  return flagsOf(offsets.length - 1, (group) => offsets[group] === offsets[group + 1]);
}

function finishMode({ offsets, items }: Tallies, counts: Float64Array, groups: number): FinishedColumn {
  const isNull = emptyLists(offsets);
  if (items.array.length === 0) return { values: blankValues(items.dtype, groups), isNull };
  const places = new Uint32Array(groups);
  for (let group = 0; group < groups; group++) {
    const [start, end] = [offsets[group]!, offsets[group + 1]!];
    // A group without values shows some value, which its null hides.
    let most = start === end ? 0 : start;
    for (let place = start + 1; place < end; place++) if (counts[place]! > counts[most]!) most = place;
    places[group] = most;
  }
  return { values: valuesAt(items, places), isNull };
}

function finishFrequent({ offsets, items }: Tallies, counts: Float64Array, k: number, groups: number): FinishedColumn {
  const chosen: number[] = [];
  const cut = new Uint32Array(groups + 1);
  for (let group = 0; group < groups; group++) {
    for (const place of mostFrequent(counts, offsets[group]!, offsets[group + 1]!, k)) chosen.push(place);
    cut[group + 1] = chosen.length;
  }
  return { values: { dtype: "list", item: valuesAt(items, Uint32Array.from(chosen)), offsets: cut }, isNull: emptyLists(cut) };
}

/** Places of the k greatest counts from `start` to `end`, greatest first, of equal ones the first. */
function mostFrequent(counts: Float64Array, start: number, end: number, k: number): number[] {
  let best: number[] = [];
  let enough = 0;
  for (let place = start; place < end; place++) {
    if (counts[place]! <= enough) continue;
    best.push(place);
    if (best.length < 2 * k + 64) continue;
    best = bestOf(best, counts, k);
    enough = counts[best[k - 1]!]!;
  }
  return bestOf(best, counts, k);
}

function bestOf(places: number[], counts: Float64Array, k: number): number[] {
  // Stable: equally frequent values stay in ascending order.
  return places.sort((a, b) => counts[b]! - counts[a]!).slice(0, k);
}
