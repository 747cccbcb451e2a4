/** A query in this process: tasks of random shape on one engine, merged along the tree as a client does. */
import type { Random } from "../../../lib/base/clock.js";
import type { Engine, EngineTask } from "../../../lib/engine/engine.js";
import { finishQuery, type ResultColumn } from "../../../lib/engine/finish.js";
import type { Partial } from "../../../lib/engine/partial.js";
import { encodeQuery } from "../../../lib/engine/query/bytes.js";
import type { Query } from "../../../lib/engine/query/query.js";
import type { Block } from "../../../lib/engine/tree.js";
import { countOf, isLists } from "../../../lib/engine/values.js";
import { widestDtype } from "../../../lib/engine/widening.js";
import { finishResult } from "../../../lib/engine/result/finish-result.js";
import { isAskApart } from "../../../lib/client/aligned.js";
import { createMerger } from "../../../lib/client/merger.js";
import { askWithBaskets, type Asked } from "../../../lib/client/baskets.js";
import { askForRanges } from "../../../lib/client/ranges.js";
import { summarize } from "../../../lib/client/summary.js";
import { Table, type Column } from "../../../lib/client/table.js";
import type { Dtype } from "../../../lib/columns/dtypes.js";
import { parseDate, parseTimestamp } from "../../../lib/columns/moments.js";
import { oneOf, someOf } from "./draw.js";
import type { StoredShard } from "./store.js";
import type { Value } from "./tables.js";

const noSummary = summarize({
  queryId: "", generations: new Map(), shardsAnswered: 0, leftOut: [], rows: 0, slices: 0, workers: 0, retries: 0, queuedMs: 0, mergedMs: 0, renderedMs: 0, durationMs: 0,
  cost: { shards: 0, shardsPruned: 0, rowsScanned: 0, chunksDecoded: 0, chunksPruned: 0, chunksFromStatistics: 0, partialCacheHits: 0, cacheHits: 0, bytesDecoded: 0, scanMs: 0, mergeMs: 0 },
});

/** The finished columns of a query over stored shards, cut into random tasks that arrive in a random order. */
export function answerLocally(random: Random, engine: Engine, shards: readonly StoredShard[], query: Query): ResultColumn[] {
  return finishQuery(query, partialOf(random, engine, shards, query));
}

/** The table that a client makes of a query over stored shards, which may take several questions. */
export async function answerAsClient(random: Random, engine: Engine, shards: readonly StoredShard[], asked: Query): Promise<Table> {
  const ask = async (part: Query): Promise<Asked> => ({ partial: partialOf(random, engine, shards, part), accepted: { type: "accepted", id: "", queryId: "", attempt: 1, shards: [...shards] } });
  const { query } = await askForRanges(asked, ask);
  const { answer: { partial } } = await askWithBaskets(query, ask, ask);
  const { columns, numRows } = finishResult(query, finishQuery(query, partial), query.keys.length === 0 ? 1 : partial.groups);
  return new Table(columns, numRows, noSummary);
}

/** The partial of a query over stored shards, which were cut into random tasks; asked again for aligned blocks where runs do not do. */
export function partialOf(random: Random, engine: Engine, shards: readonly StoredShard[], query: Query): Partial {
  try {
    return mergedOf(random, engine, shards, query);
  } catch (cause) {
    if (!isAskApart(cause)) throw cause;
    return mergedOf(random, engine, shards, { ...query, blocks: "aligned" });
  }
}

function mergedOf(random: Random, engine: Engine, shards: readonly StoredShard[], query: Query): Partial {
  const arrived: { block: Block; bytes: Uint8Array }[] = [];
  for (const task of drawTasks(random, shards)) {
    engine.run({ query: encodeQuery(query), shards: task, ...schemaOf(shards, query), shouldStop: () => false, onBlock: (block, bytes) => void arrived.push({ block, bytes }) });
  }
  const merger = createMerger(query, shards.length, { bytesMax: Infinity });
  for (const { block, bytes } of someOf(random, arrived, arrived.length)) merger.add(block, bytes);
  return merger.partial();
}

/** What a controller says of columns that are not of one dtype in all shards, or that some may lack. */
function schemaOf(shards: readonly StoredShard[], { missing }: Query): Pick<EngineTask, "widened" | "absent"> {
  const columns = shards.flatMap((shard) => shard.columns ?? []);
  const dtypesOf = new Map(columns.map(({ name }) => [name, columns.filter((column) => column.name === name).map(({ dtype }) => dtype)]));
  const widened = [...dtypesOf].flatMap(([name, dtypes]) => (new Set(dtypes).size < 2 ? [] : [{ name, dtype: widestDtype(dtypes) }]));
  const absent = [...dtypesOf].map(([name, [dtype]]) => ({ name, dtype: dtype! }));
  return { ...(widened.length === 0 ? {} : { widened }), ...(missing === "empty" ? { absent } : {}) };
}

/** Rows of finished columns as the oracle gives them. */
export function rowsOf(columns: readonly ResultColumn[]): Value[][] {
  return valueRows(tableOf(columns));
}

/** Finished columns as a client gets them, with an empty summary. */
export function tableOf(columns: readonly ResultColumn[]): Table {
  const first = columns[0]?.values;
  const rows = first === undefined ? 0 : isLists(first) ? first.offsets.length - 1 : countOf(first);
  return new Table(columns, rows, noSummary);
}

/** Rows of a result as the oracle gives them, each value taken from its column's array. */
export function valueRows(table: Table): Value[][] {
  const columns = table.columns.map(({ name }) => table.column(name));
  return Array.from({ length: table.numRows }, (_, row) => columns.map((column) => valueOf(column, row)));
}

function valueOf(column: Column, row: number): Value {
  const cell = column.get(row);
  if (column.isNull(row)) return cell;
  const value: unknown = column.values[row];
  if (column.dtype !== "list") return itemOf(column.dtype, value, cell);
  return (cell as Value[]).map((item, place) => itemOf(column.item!, (value as ArrayLike<unknown>)[place], item));
}

function itemOf(dtype: Dtype, value: unknown, cell: Value): Value {
  switch (dtype) {
    case "bool": return same(value === 1, cell);
    case "float32": case "float64": case "string": return same(value as number | string, cell);
    case "bytes": return value as Uint8Array;
    case "timestamp": return same(BigInt(value as bigint), parseTimestamp(String(cell)));
    case "date": {
      const days = parseDate(String(cell));
      return same(BigInt(value as number), days === undefined ? undefined : BigInt(days));
    }
    case "int8": case "int16": case "int32": case "int64": case "uint8": case "uint16": case "uint32": case "uint64":
      return same(BigInt(value as number | bigint), BigInt(cell as number | bigint));
  }
}

/** The value, which the cell has to say as well. */
function same(value: Value, cell: Value | undefined): Value {
  if (!Object.is(value, cell)) throw new Error(`${String(value)} in the array is ${String(cell)} in the row`);
  return value;
}

function drawTasks(random: Random, shards: readonly StoredShard[]): StoredShard[][] {
  const tasks = Array.from({ length: oneOf(random, [1, 2, 3]) }, (): StoredShard[] => []);
  for (const shard of shards) oneOf(random, tasks).push(shard);
  return tasks.filter((task) => task.length > 0);
}
