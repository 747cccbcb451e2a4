/** Merging partials: two sorted runs of groups become one, state by state. */
import { BquerydError } from "../base/errors.js";
import type { Dtype } from "../columns/dtypes.js";
import { codesOf, type DomainSource, type Partial, type PartialKey } from "./partial.js";
import { mergeCounts } from "./states/count.js";
import { definitionOf, type StateColumn } from "./states/kinds.js";
import type { MergedRows, MergePlan } from "./states/state.js";
import { comparison, countOf, pick, type Compare } from "./values.js";
import { widenValues, widerDtype } from "./widening.js";

/**
 * The partial of both blocks; the left one holds the earlier shards. Equal inputs give equal bytes. Dtypes that differ
 * are widened; throws SCHEMA_MISMATCH where they cannot be.
 */
export function mergePartials(a: Partial, b: Partial): Partial {
  const [left, right] = widenBoth(a, b);
  const unions = left.keys.map((key, place) => mergeDomains(key, right.keys[place]!));
  const plan = unions.length === 1 ? planValues(unions[0]!, left.groups, right.groups) : planGroups(left, right, unions);
  return {
    groups: plan.left.length,
    keys: unions.map((union, place) => mergedKey(union, left, right, place, plan)),
    rows: mergeCounts(left.rows, right.rows, plan),
    states: left.states.map((state, place) => mergeStates(state, right.states[place]!, plan, { left: left.rows, right: right.rows })),
  };
}

/** The union of two domains, with the place there of each side's values (and, last, of null). */
interface Union {
  readonly key: PartialKey;
  readonly fromLeft: Uint32Array;
  readonly fromRight: Uint32Array;
}

function mergeDomains(left: PartialKey, right: PartialKey): Union {
  const [countLeft, countRight] = [countOf(left.domain), countOf(right.domain)];
  const fromLeft = new Uint32Array(countLeft + 1);
  const fromRight = new Uint32Array(countRight + 1);
  const sources = new Int32Array(countLeft + countRight);
  const compare = domainComparison(left, right);
  let [i, j, next] = [0, 0, 0];
  while (i < countLeft || j < countRight) {
    const order = i === countLeft ? 1 : j === countRight ? -1 : compare(i, j);
    sources[next] = order <= 0 ? i : ~j;
    if (order <= 0) fromLeft[i++] = next;
    if (order >= 0) fromRight[j++] = next;
    next += 1;
  }
  fromLeft[countLeft] = next;
  fromRight[countRight] = next;
  const taken = sources.subarray(0, next);
  return { key: { dtype: left.dtype, domain: pick(left.domain, right.domain, taken), codes: null, source: mergeSources(left.source, right.source, taken) }, fromLeft, fromRight };
}

function domainComparison(left: PartialKey, right: PartialKey): Compare {
  if (left.source === null || left.source.dictionary !== right.source?.dictionary) return comparison(left.domain, right.domain);
  const [ranksLeft, ranksRight] = [left.source.ranks, right.source.ranks];
  return (i, j) => ranksLeft[i]! - ranksRight[j]!;
}

function mergeSources(left: DomainSource | null, right: DomainSource | null, taken: Int32Array): DomainSource | null {
  if (left === null || left.dictionary !== right?.dictionary) return null;
  const ranks = new Uint32Array(taken.length);
  for (let k = 0; k < taken.length; k++) ranks[k] = taken[k]! >= 0 ? left.ranks[taken[k]!]! : right.ranks[~taken[k]!]!;
  return { dictionary: left.dictionary, ranks };
}

/** With one key the groups are the values of the union, and a null group after them. */
function planValues({ fromLeft, fromRight }: Union, groupsLeft: number, groupsRight: number): MergePlan {
  const values = fromLeft[fromLeft.length - 1]!;
  const hasNull = groupsLeft === fromLeft.length || groupsRight === fromRight.length;
  const plan = { left: new Int32Array(values + (hasNull ? 1 : 0)).fill(-1), right: new Int32Array(values + (hasNull ? 1 : 0)).fill(-1) };
  for (let group = 0; group < groupsLeft; group++) plan.left[fromLeft[group]!] = group;
  for (let group = 0; group < groupsRight; group++) plan.right[fromRight[group]!] = group;
  return plan;
}

/** Walks both sorted runs of groups; keys compare as places in the unions. */
function planGroups(left: Partial, right: Partial, unions: readonly Union[]): MergePlan {
  const sources: MergePlan = { left: new Int32Array(left.groups + right.groups), right: new Int32Array(left.groups + right.groups) };
  const placesLeft = unions.map((union, place) => translate(codesOf(left.keys[place]!, left.groups), union.fromLeft));
  const placesRight = unions.map((union, place) => translate(codesOf(right.keys[place]!, right.groups), union.fromRight));
  const compare = placesComparison(placesLeft, placesRight);
  let [i, j, next] = [0, 0, 0];
  while (i < left.groups || j < right.groups) {
    const order = i === left.groups ? 1 : j === right.groups ? -1 : compare(i, j);
    sources.left[next] = order <= 0 ? i++ : -1;
    sources.right[next] = order >= 0 ? j++ : -1;
    next += 1;
  }
  return { left: sources.left.subarray(0, next), right: sources.right.subarray(0, next) };
}

function placesComparison(left: readonly Uint32Array[], right: readonly Uint32Array[]): Compare {
  return (i, j) => {
    for (let place = 0; place < left.length; place++) {
      const difference = left[place]![i]! - right[place]![j]!;
      if (difference !== 0) return difference;
    }
    return 0;
  };
}

function translate(codes: Uint32Array, table: Uint32Array): Uint32Array {
  const translated = new Uint32Array(codes.length);
  for (let k = 0; k < codes.length; k++) translated[k] = table[codes[k]!]!;
  return translated;
}

function mergedKey(union: Union, left: Partial, right: Partial, place: number, plan: MergePlan): PartialKey {
  // One key: groups are its distinct values in order, so the codes are 0, 1, 2, ... again.
  if (left.keys.length === 1) return union.key;
  const fromLeft = left.keys[place]!.codes;
  const fromRight = right.keys[place]!.codes;
  const codes = new Uint32Array(plan.left.length);
  for (let k = 0; k < codes.length; k++) {
    const i = plan.left[k]!;
    const j = plan.right[k]!;
    codes[k] = i >= 0 ? union.fromLeft[fromLeft === null ? i : fromLeft[i]!]! : union.fromRight[fromRight === null ? j : fromRight[j]!]!;
  }
  return { ...union.key, codes };
}

function mergeStates(left: StateColumn, right: StateColumn, plan: MergePlan, rows: MergedRows): StateColumn {
  if (left.kind !== right.kind) throw mismatch(`one holds ${left.kind} where the other holds ${right.kind}`);
  return definitionOf(left.kind).merge(left, right, plan, rows);
}

/** Both partials with equal dtypes. */
function widenBoth(left: Partial, right: Partial): [Partial, Partial] {
  if (left.keys.length !== right.keys.length || left.states.length !== right.states.length) throw mismatch("they answer different queries");
  const keys = left.keys.map((key, place) => commonDtypes([key.dtype], [right.keys[place]!.dtype], "a key"));
  const states = left.states.map((state, place) => commonDtypes(dtypesOf(state), dtypesOf(right.states[place]!), "a measured column"));
  if (![...keys, ...states].some((common) => common !== null)) return [left, right];
  const widen = (partial: Partial): Partial => ({
    ...partial,
    keys: partial.keys.map((key, place) => widenKey(key, keys[place]?.[0])),
    states: partial.states.map((state, place) => widenState(state, states[place] ?? null)),
  });
  return [widen(left), widen(right)];
}

/** Dtypes that hold both sides; null where they are equal. */
function commonDtypes(left: readonly Dtype[], right: readonly Dtype[], what: string): readonly Dtype[] | null {
  if (left.length === right.length && left.every((dtype, place) => dtype === right[place])) return null;
  return left.map((one, place) => {
    const other = right[place];
    const common = other === undefined ? undefined : widerDtype(one, other);
    if (common === undefined) throw mismatch(`${what} is ${one} in one shard and ${other ?? "absent"} in another`);
    return common;
  });
}

function widenKey(key: PartialKey, dtype: Dtype | undefined): PartialKey {
  return dtype === undefined || dtype === key.dtype ? key : { ...key, dtype, domain: widenValues(key.domain, dtype) };
}

function widenState(state: StateColumn, dtypes: readonly Dtype[] | null): StateColumn {
  return dtypes === null || commonDtypes(dtypesOf(state), dtypes, "") === null ? state : definitionOf(state.kind).widen(state, dtypes);
}

function dtypesOf(state: StateColumn): readonly Dtype[] {
  return definitionOf(state.kind).dtypes(state);
}

function mismatch(reason: string): BquerydError {
  return new BquerydError("SCHEMA_MISMATCH", `the shards of this query differ in schema: ${reason}; import them again with one schema`);
}
