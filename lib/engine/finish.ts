/** From a merged partial to the columns of the answer. */
import type { FinishedColumn } from "./measures/measure.js";
import { finishMeasures, isLarge, planMeasures, type Finishing } from "./measures/table.js";
import { codesOf, type Partial, type PartialKey } from "./partial.js";
import type { Query } from "./query/query.js";
import { definitionOf } from "./states/kinds.js";
import { blankValues, countOf, pick } from "./values.js";

/** A column of the answer. */
export interface ResultColumn extends FinishedColumn {
  readonly name: string;
}

/**
 * Keys in the order asked, then measures; rows sorted by key. Without keys there is always one row, also when no row of
 * the tables matched. Large columns have rows of the groups alone of which they are wanted. Throws OVERFLOW, and what
 * `requireRoom` does.
 */
export function finishQuery(query: Query, merged: Partial, finishing: Finishing = {}): ResultColumn[] {
  const partial = query.keys.length === 0 && merged.groups === 0 ? oneEmptyGroup(merged) : merged;
  const keys = query.keys.map(({ name }, place) => ({ name, ...finishKey(partial.keys[place]!, partial.groups) }));
  const measures = finishMeasures(planMeasures(query.measures), partial, finishing);
  return [...keys, ...query.measures.map(({ name }, place) => ({ name, ...measures[place]! }))];
}

/** The measures of a query whose columns are large, of the given rows alone; as finishQuery. */
export function finishLarge(query: Query, merged: Partial, rows: Uint32Array, requireRoom: (bytes: number) => void): ReadonlyMap<string, FinishedColumn> {
  const partial = query.keys.length === 0 && merged.groups === 0 ? oneEmptyGroup(merged) : merged;
  const { measures } = planMeasures(query.measures);
  const large = measures.filter(({ measure }) => isLarge(measure));
  const columns = finishMeasures({ measures: large }, partial, { largeOf: rows, requireRoom });
  return new Map(large.map(({ measure: { name } }, place) => [name, columns[place]!]));
}

function finishKey(key: PartialKey, groups: number): FinishedColumn {
  const count = countOf(key.domain);
  if (key.codes === null && groups === count) return { values: key.domain, isNull: null };
  const codes = codesOf(key, groups);
  const isNull = new Uint8Array(groups);
  const sources = new Int32Array(groups);
  for (let group = 0; group < groups; group++) {
    const code = codes[group]!;
    isNull[group] = Number(code === count);
    // The one value of the second run is what null rows hold.
    sources[group] = code === count ? ~0 : code;
  }
  return { values: pick(key.domain, blankValues(key.dtype, 1), sources), isNull: isNull.includes(1) ? isNull : null };
}

function oneEmptyGroup(partial: Partial): Partial {
  return { groups: 1, keys: [], rows: new Float64Array(1), states: partial.states.map((state) => definitionOf(state.kind).empty(state, 1)) };
}
