/** Measures over rows cut into shards, answered by an engine in this process and merged along the tree, as plain values. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Random } from "../../lib/base/clock.js";
import { biasOf, type Dtype } from "../../lib/columns/dtypes.js";
import { createEngine, type Engine, type TaskShard } from "../../lib/engine/engine.js";
import { finishQuery } from "../../lib/engine/finish.js";
import { mergePartials } from "../../lib/engine/merge.js";
import type { Partial } from "../../lib/engine/partial.js";
import { decodePartial } from "../../lib/engine/partial-bytes.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery, type Query } from "../../lib/engine/query/query.js";
import { finishResult } from "../../lib/engine/result/finish-result.js";
import { createMergeTree } from "../../lib/engine/tree.js";
import { countOf, isFloats, isLists, isText, type Lists, type Values } from "../../lib/engine/values.js";
import type { StoredValue } from "./read-table.js";
import { writeTable, type PlainColumn } from "./write-table.js";

/** A value of an answer: bigint for whole dtypes, as in tables. */
export type Answer = StoredValue | StoredValue[];

/** An engine over a directory of its own. */
export interface Measuring {
  /** The rows of a query over shards of the given columns, merged in the order of their ordinals. */
  ask(shards: readonly (readonly PlainColumn[])[], query: MeasuringQuery): Promise<Answer[][]>;
  /** The bytes of the whole partial, its blocks having been merged as they arrived in a random order. */
  partialBytes(shards: readonly (readonly PlainColumn[])[], query: MeasuringQuery): Promise<Uint8Array[]>;
  close(): Promise<void>;
}

/** What is asked; no keys unless given. */
export interface MeasuringQuery {
  readonly keys?: readonly unknown[];
  readonly measures: readonly unknown[];
  readonly where?: readonly unknown[] | string;
  readonly having?: readonly unknown[] | string;
  readonly order?: readonly unknown[];
  readonly limit?: number;
  readonly offset?: number;
}

/** Opens an engine with so much memory for queries. */
export async function openMeasuring(queryBytes = 64 * 2 ** 20): Promise<Measuring> {
  const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-measuring-"));
  const engine = createEngine({ dataDir, cacheBytes: 4 * 2 ** 20, queryBytes, partialCacheBytes: 0 });
  let tables = 0;
  // No table takes the place of another: a writer looks at all that is left of those before, which takes longer than to write.
  async function partials(shards: readonly (readonly PlainColumn[])[], query: Query): Promise<Uint8Array[]> {
    return Promise.all(shards.map(async (columns, ordinal) => {
      const name = `t-${tables++}.bcolz`;
      return scanOne(engine, query, { ordinal, name, generation: await writeTable(join(dataDir, name), columns) });
    }));
  }
  return {
    async ask(shards, asked) {
      const query = parseQuery({ keys: [], where: [], ...asked });
      const tree = createMergeTree<Partial>(shards.length, mergePartials);
      (await partials(shards, query)).forEach((bytes, start) => tree.add({ start, size: 1 }, decodePartial(bytes)));
      const merged = tree.root()!;
      const { columns } = finishResult(query, finishQuery(query, merged), query.keys.length === 0 ? 1 : merged.groups);
      return rowsOf(columns.map(({ values, isNull }) => readAnswers(values, isNull)));
    },
    partialBytes: (shards, asked) => partials(shards, parseQuery({ keys: [], where: [], ...asked })),
    async close() {
      engine.close();
      await rm(dataDir, { recursive: true });
    },
  };
}

function scanOne(engine: Engine, query: Query, shard: TaskShard): Uint8Array {
  let found: Uint8Array | undefined;
  engine.run({ query: encodeQuery(query), shards: [shard], shouldStop: () => false, onBlock: (_block, bytes) => (found = bytes) });
  if (found === undefined) throw new Error("the engine gave no partial");
  return found;
}

/** Rows cut into `count` shards at random places, some of them empty. */
export function cutRows(random: Random, columns: readonly PlainColumn[], count: number): PlainColumn[][] {
  const rows = columns[0]!.values.length;
  const cuts = Array.from({ length: count - 1 }, () => Math.floor(random() * (rows + 1))).sort((a, b) => a - b);
  const ends = [...cuts, rows];
  return ends.map((end, shard) => columns.map((column) => ({ ...column, values: column.values.slice(shard === 0 ? 0 : ends[shard - 1]!, end) })));
}

function rowsOf(columns: readonly Answer[][]): Answer[][] {
  return Array.from({ length: columns[0]!.length }, (_, row) => columns.map((column) => column[row]!));
}

function readAnswers(values: Values | Lists, isNull: Uint8Array | null): Answer[] {
  if (!isLists(values)) return readValues(values).map((value, row) => (isNull?.[row] === 1 ? null : value));
  const items = readValues(values.item);
  return Array.from({ length: values.offsets.length - 1 }, (_, row) => (isNull?.[row] === 1 ? null : items.slice(values.offsets[row], values.offsets[row + 1])));
}

function readValues(values: Values): StoredValue[] {
  if (isText(values)) return Array.from({ length: countOf(values) }, (_, k) => textAt(values.dtype, values.bytes.slice(values.offsets[k], values.offsets[k + 1])));
  if (isFloats(values)) return [...values.array];
  if (values.dtype === "bool") return Array.from(values.array, (flag) => flag === 1);
  return Array.from(values.array, (kept) => kept + biasOf(values.dtype));
}

function textAt(dtype: Dtype, bytes: Uint8Array): StoredValue {
  return dtype === "string" ? new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes) : bytes;
}

/** The order of values of one dtype: texts by bytes, false before true. */
export function compareStored(a: StoredValue, b: StoredValue): number {
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return a! < b! ? -1 : a! > b! ? 1 : 0;
}
