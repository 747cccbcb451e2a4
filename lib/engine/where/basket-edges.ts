/**
 * The answers of shards to what their outermost baskets are, as a partial: a group a shard, its key the ordinal, with the
 * first and the last value as states min and max, where null was not seen, and flags as a state count. So they are merged
 * as any partial is, and stay in order.
 */
import { BquerydError } from "../../base/errors.js";
import { isTextDtype } from "../../columns/dtypes.js";
import type { TableColumn } from "../../columns/read/table.js";
import type { Partial } from "../partial.js";
import type { BasketFacts } from "../query/baskets.js";
import type { StateColumn } from "../states/kinds.js";
import type { SeenValues } from "../states/seen-values.js";
import type { ShardStrings } from "../strings.js";
import { blankValues, comparison, isWholes, singleValue } from "../values.js";
import { reachBaskets, type Piece } from "./basket-chain.js";
import type { BasketEdges, BasketValue } from "./baskets.js";

const firstHit = 1;
const lastHit = 2;
const single = 4;

/** The partial of a shard; one without rows, of which `edges` is undefined, has no group. */
export function partialOfEdges(edges: BasketEdges | undefined, column: TableColumn, ordinal: number, strings: ShardStrings): Partial {
  const groups = edges === undefined ? 0 : 1;
  const flags = edges === undefined ? 0 : (edges.isFirstHit ? firstHit : 0) | (edges.isLastHit ? lastHit : 0) | (edges.isSingle ? single : 0);
  const seenOf = (value: BasketValue): SeenValues => seenValue(value, groups, column, strings);
  return {
    groups,
    keys: [{ dtype: "int64", domain: { dtype: "int64", array: new BigInt64Array(groups).fill(BigInt(ordinal)) }, codes: null, source: null }],
    rows: new Float64Array(groups).fill(column.rows),
    states: [
      { kind: "min", ...seenOf(edges?.firstValue ?? null) },
      { kind: "max", ...seenOf(edges?.lastValue ?? null) },
      { kind: "count", counts: new Float64Array(groups).fill(flags) },
    ],
  };
}

function seenValue(value: BasketValue, groups: number, column: TableColumn, strings: ShardStrings): SeenValues {
  const { dtype } = column;
  if (value === null) return { seen: new Uint8Array(groups), values: blankValues(dtype, groups) };
  const values = isTextDtype(dtype) ? { dtype, ...strings.texts(column, Uint32Array.of(Number(value))) } : singleValue(dtype, value);
  return { seen: Uint8Array.of(1), values };
}

/** What each shard is to be told, from the merged answers of all. Throws BAD_MESSAGE on a partial that is none of these. */
export function factsOf(merged: Partial): BasketFacts {
  const [ordinals, [first, last, flags]] = [merged.keys[0]?.domain, merged.states];
  if (ordinals === undefined || !isWholes(ordinals) || first?.kind !== "min" || last?.kind !== "max" || flags?.kind !== "count" || flags.counts === null) {
    throw new BquerydError("BAD_MESSAGE", "the answer about baskets is none; the worker and this client differ in version");
  }
  const isSame = sameValues(last, first);
  const pieces = Array.from(flags.counts, (bits, at): Piece => ({
    isFirstHit: (bits & firstHit) !== 0,
    isLastHit: (bits & lastHit) !== 0,
    isSingle: () => (bits & single) !== 0,
    continues: () => at > 0 && isSame(at - 1, at),
  }));
  const reached = reachBaskets(pieces, { first: false, last: false });
  const ordinalsWhere = (isReached: readonly boolean[]): number[] => Array.from(ordinals.array, Number).filter((_, at) => isReached[at]);
  return { first: ordinalsWhere(reached.first), last: ordinalsWhere(reached.last) };
}

function sameValues(a: SeenValues & StateColumn, b: SeenValues & StateColumn): (i: number, j: number) => boolean {
  const compare = comparison(a.values, b.values);
  return (i, j) => a.seen[i] === b.seen[j] && (a.seen[i] === 0 || compare(i, j) === 0);
}
