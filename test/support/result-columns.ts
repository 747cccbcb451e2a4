/** Results from plain values. */
import type { SharedStrings } from "../../lib/client/column-values.js";
import { summarize } from "../../lib/client/summary.js";
import { Table } from "../../lib/client/table.js";
import { biasOf, type Dtype } from "../../lib/columns/dtypes.js";
import { packBytes, packStrings } from "../../lib/columns/texts.js";
import type { ResultColumn } from "../../lib/engine/finish.js";
import type { Values } from "../../lib/engine/values.js";
import type { StoredValue } from "./read-table.js";

/** A table of columns, of which nobody knows what it took; see Table for `shared`. */
export function tableOf(columns: readonly ResultColumn[], rows: number, shared: SharedStrings | null = null): Table {
  const cost = { shards: 0, shardsPruned: 0, rowsScanned: 0, chunksDecoded: 0, chunksPruned: 0, chunksFromStatistics: 0, partialCacheHits: 0, cacheHits: 0, bytesDecoded: 0, scanMs: 0, mergeMs: 0 };
  const nothing = { slices: 0, workers: 0, retries: 0, queuedMs: 0, mergedMs: 0, renderedMs: 0, durationMs: 0 };
  return new Table(columns, rows, summarize({ queryId: "", generations: new Map(), shardsAnswered: 0, leftOut: [], rows, cost, ...nothing }), shared);
}

/** A column of these values; a null row holds something that is not blank, and other things for other `filler`s. */
export function resultColumn(name: string, dtype: Dtype, values: readonly StoredValue[], filler = 7): ResultColumn {
  return { name, values: valuesFrom(dtype, values, filler), isNull: values.includes(null) ? Uint8Array.from(values, (value) => Number(value === null)) : null };
}

/** A column of lists; what is null has no items. */
export function listColumn(name: string, item: Dtype, lists: readonly (readonly StoredValue[] | null)[]): ResultColumn {
  const offsets = new Uint32Array(lists.length + 1);
  lists.forEach((list, row) => { offsets[row + 1] = offsets[row]! + (list?.length ?? 0); });
  const isNull = lists.includes(null) ? Uint8Array.from(lists, (list) => Number(list === null)) : null;
  return { name, values: { dtype: "list", item: valuesFrom(item, lists.flatMap((list) => list ?? []), 0), offsets }, isNull };
}

/** Values as the engine holds them. */
function valuesFrom(dtype: Dtype, values: readonly StoredValue[], filler: number): Values {
  switch (dtype) {
    case "string": return { dtype, ...packStrings(values.map((value) => (typeof value === "string" ? value : `null ${filler}`))) };
    case "bytes": return { dtype, ...packBytes(values.map((value) => (value instanceof Uint8Array ? value : Uint8Array.of(filler)))) };
    case "float32": case "float64": return { dtype, array: Float64Array.from(values, (value) => (typeof value === "number" ? value : filler)) };
    case "bool": return { dtype, array: Uint8Array.from(values, (value) => (value === null ? filler % 2 : Number(value))) };
    default: return { dtype, array: BigInt64Array.from(values, (value) => (typeof value === "bigint" ? value - biasOf(dtype) : BigInt(filler))) };
  }
}
