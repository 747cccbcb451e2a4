/** From a merged partial to the columns of the answer. */
import { codesOf, type Partial, type PartialKey } from "./partial.js";
import { finishMeasure, statesOf, type FinishedColumn } from "./measures.js";
import type { Query } from "./query.js";
import type { StateColumn } from "./states/state.js";
import { blankValues, countOf, pick } from "./values.js";

/** A column of the answer. */
export interface ResultColumn extends FinishedColumn {
  readonly name: string;
}

/**
 * Keys in the order asked, then measures; rows sorted by key. Without keys there is always one row, also when no row of
 * the tables matched. Throws OVERFLOW.
 */
export function finishQuery(query: Query, merged: Partial): ResultColumn[] {
  const partial = query.keys.length === 0 && merged.groups === 0 ? oneEmptyGroup(merged) : merged;
  const states = statesOf(query.measures);
  const keys = query.keys.map((name, place) => ({ name, ...finishKey(partial.keys[place]!, partial.groups) }));
  return [...keys, ...query.measures.map((measure) => ({ name: measure.name, ...finishMeasure(measure, states, partial) }))];
}

function finishKey(key: PartialKey, groups: number): FinishedColumn {
  const count = countOf(key.domain);
  if (key.codes === null && groups === count) return { values: key.domain, isNull: null };
  const codes = codesOf(key, groups);
  const isNull = Uint8Array.from(codes, (code) => (code === count ? 1 : 0));
  // The one value of the second run is what null rows hold.
  const sources = Int32Array.from(codes, (code) => (code === count ? ~0 : code));
  return { values: pick(key.domain, blankValues(key.dtype, 1), sources), isNull: isNull.includes(1) ? isNull : null };
}

function oneEmptyGroup(partial: Partial): Partial {
  return { groups: 1, keys: [], rows: new Float64Array(1), states: partial.states.map(emptyState) };
}

function emptyState(state: StateColumn): StateColumn {
  switch (state.kind) {
    case "count": return { kind: state.kind, counts: null };
    case "sum-int": return { ...state, sums: new Float64Array(1) };
    case "sum-float": return { kind: state.kind, pairs: new Float64Array(2) };
    case "min": case "max": return { kind: state.kind, seen: new Uint8Array(1), values: blankValues(state.values.dtype, 1) };
  }
}
