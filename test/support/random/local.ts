/** A query in this process: tasks of random shape on one engine, merged along the tree as a client does. */
import type { Random } from "../../../lib/base/clock.js";
import { type Engine } from "../../../lib/engine/engine.js";
import { finishQuery, type ResultColumn } from "../../../lib/engine/finish.js";
import { mergePartials } from "../../../lib/engine/merge.js";
import type { Partial } from "../../../lib/engine/partial.js";
import { decodePartial } from "../../../lib/engine/partial-bytes.js";
import { encodeQuery, type Query } from "../../../lib/engine/query.js";
import { createMergeTree, type Block } from "../../../lib/engine/tree.js";
import { cellReader } from "../../../lib/client/cells.js";
import { parseTimestamp } from "../../../lib/columns/timestamps.js";
import { oneOf, someOf } from "./draw.js";
import type { StoredShard } from "./store.js";
import type { Value } from "./tables.js";

/** The finished columns of a query over stored shards, cut into random tasks that arrive in a random order. */
export function answerLocally(random: Random, engine: Engine, shards: readonly StoredShard[], query: Query): ResultColumn[] {
  const arrived: { block: Block; bytes: Uint8Array }[] = [];
  for (const task of drawTasks(random, shards)) {
    engine.run({ query: encodeQuery(query), shards: task, shouldStop: () => false, onBlock: (block, bytes) => void arrived.push({ block, bytes }) });
  }
  const tree = createMergeTree<Partial>(shards.length, mergePartials);
  for (const { block, bytes } of someOf(random, arrived, arrived.length)) tree.add(block, decodePartial(bytes));
  return finishQuery(query, tree.root()!);
}

/** Rows of finished columns with timestamps as int64 ns and all int64 as bigint, as the oracle gives them. */
export function rowsOf(columns: readonly ResultColumn[]): Value[][] {
  const readers = columns.map(({ values, isNull }) => {
    const read = cellReader(values);
    return (row: number): Value => {
      if (isNull?.[row] === 1) return null;
      const cell = read(row);
      if (values.dtype === "timestamp") return parseTimestamp(String(cell))!;
      return values.dtype === "int64" ? BigInt(cell as number | bigint) : cell;
    };
  });
  const rows = columns.length === 0 ? 0 : countRows(columns[0]!);
  return Array.from({ length: rows }, (_, row) => readers.map((read) => read(row)));
}

function countRows({ values }: ResultColumn): number {
  return values.dtype === "string" ? values.offsets.length - 1 : values.array.length;
}

function drawTasks(random: Random, shards: readonly StoredShard[]): StoredShard[][] {
  const tasks = Array.from({ length: oneOf(random, [1, 2, 3]) }, (): StoredShard[] => []);
  for (const shard of shards) oneOf(random, tasks).push(shard);
  return tasks.filter((task) => task.length > 0);
}
