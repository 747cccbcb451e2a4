/** The engine of a compute thread: runs tasks over the tables of one directory, and keeps their decoded columns. */
import { join } from "node:path";
import { monotonicMs } from "../base/clock.js";
import { BquerydError, type ErrorCode } from "../base/errors.js";
import { openTable } from "../columns/read/open.js";
import type { Table } from "../columns/read/table.js";
import { ColumnCache, type CacheChange } from "./cache.js";
import { createSpace } from "./memory.js";
import { mergePartials } from "./merge.js";
import type { Partial } from "./partial.js";
import { encodePartial } from "./partial-bytes.js";
import { decodeQuery, type Query } from "./query.js";
import { scanShard, stopIfAsked, type ScanCost } from "./scan.js";
import { createMergeTree, type Block } from "./tree.js";

/** A shard of a task: its ordinal in the call, and the generation to read. */
export interface TaskShard {
  readonly ordinal: number;
  readonly name: string;
  readonly generation: string;
}

/** What running a task cost, as its `done` message carries it. */
export interface TaskCost extends ScanCost {
  shards: number;
  scanMs: number;
  mergeMs: number;
}

/** A task for the engine. */
export interface EngineTask {
  /** As encodeQuery wrote it. */
  readonly query: Uint8Array;
  readonly shards: readonly TaskShard[];
  /** Asked between chunks; true ends the task with CANCELLED. */
  readonly shouldStop: () => boolean;
  /** Takes the encoded partial of each largest block within the task, once each. */
  readonly onBlock: (block: Block, partial: Uint8Array) => void;
}

/** The engine of one compute thread. */
export interface Engine {
  /** Runs a task to its end; throws a BquerydError whose details name the shard where one failed. */
  run(task: EngineTask): TaskCost;
  /** Shards of which columns became or ceased to be wholly cached since the last call, with all that are. */
  takeCacheChanges(): CacheChange[];
  /** Closes tables of these names that earlier tasks left open: they were replaced or removed. */
  forget(names: readonly string[]): void;
  close(): void;
}

const mayBeRepaired: ReadonlySet<ErrorCode> = new Set(["CORRUPT_CHUNK", "CORRUPT_DICTIONARY", "CORRUPT_FOOTER", "GENERATION_GONE", "IO"]);

/** Open tables kept for the next task; each holds a few file descriptors. */
const openTablesMax = 2_048;

/** An engine over `dataDir` with its memory reserved: `cacheBytes` for decoded columns, `queryBytes` for one query. */
export function createEngine({ dataDir, cacheBytes, queryBytes }: { dataDir: string; cacheBytes: number; queryBytes: number }): Engine {
  const space = createSpace(cacheBytes + queryBytes);
  const cache = new ColumnCache(space, cacheBytes);
  const tables = createTableShelf(dataDir);
  const queries = createQueryDecoder();

  function scan(shard: TaskShard, query: Query, task: EngineTask, cost: TaskCost): Partial {
    try {
      return scanShard(tables.open(shard), query, { space, cache, queryBytes, shouldStop: task.shouldStop, cost });
    } catch (cause) {
      // Files may be put right under the same generation: the next task is to open them anew.
      if (cause instanceof BquerydError && mayBeRepaired.has(cause.code)) tables.drop(shard);
      throw nameShard(cause, shard.name);
    }
  }

  function run(task: EngineTask): TaskCost {
    const query = queries.decode(task.query);
    const cost: TaskCost = { shards: 0, shardsPruned: 0, rowsScanned: 0, chunksDecoded: 0, chunksPruned: 0, cacheHits: 0, bytesDecoded: 0, scanMs: 0, mergeMs: 0 };
    const startMs = monotonicMs();
    const end = Math.max(...task.shards.map((shard) => shard.ordinal)) + 1;
    const merge = (left: Partial, right: Partial): Partial => {
      stopIfAsked(task.shouldStop);
      return timed(cost, () => mergePartials(left, right));
    };
    const tree = createMergeTree<Partial>(end, merge, false);
    for (const shard of task.shards) {
      stopIfAsked(task.shouldStop);
      tree.add({ start: shard.ordinal, size: 1 }, scan(shard, query, task, cost));
      cost.shards += 1;
    }
    for (const { block, value } of tree.blocks()) {
      stopIfAsked(task.shouldStop);
      task.onBlock(block, encodePartial(value));
    }
    cost.scanMs = Math.max(0, monotonicMs() - startMs - cost.mergeMs);
    return cost;
  }

  return {
    run(task) {
      try {
        return run(task);
      } catch (cause) {
        throw limitOfMemory(cause);
      }
    },
    takeCacheChanges: () => cache.takeChanges(),
    forget: (names) => { tables.forget(new Set(names)); },
    close() {
      cache.clear();
      tables.close();
    },
  };
}

/** A failure to allocate outside the kernels' memory as what it is; any other failure as it came. */
function limitOfMemory(cause: unknown): unknown {
  if (!(cause instanceof RangeError) || !/allocation failed|Invalid (typed )?array/.test(cause.message)) return cause;
  return new BquerydError("MEMORY_LIMIT", "the groups of the query need more memory than this process can have; group by fewer distinct values", { cause });
}

function timed<T>(cost: TaskCost, work: () => T): T {
  const startMs = monotonicMs();
  const result = work();
  cost.mergeMs += monotonicMs() - startMs;
  return result;
}

/** An operating failure with the shard in its details, so that its task can say which one failed. */
function nameShard(cause: unknown, shard: string): unknown {
  if (!(cause instanceof BquerydError)) return cause;
  return new BquerydError(cause.code, cause.message, { details: { ...cause.details, shard }, cause: cause.cause });
}

/** Decodes queries; the tasks of one query come one after another, so the latest is kept. */
function createQueryDecoder(): { decode(bytes: Uint8Array): Query } {
  let latest: { readonly bytes: Uint8Array; readonly query: Query } | undefined;
  return {
    decode(bytes) {
      if (latest === undefined || Buffer.compare(latest.bytes, bytes) !== 0) latest = { bytes, query: decodeQuery(bytes) };
      return latest.query;
    },
  };
}

interface TableShelf {
  open(shard: TaskShard): Table;
  /** Closes a table, if it is open. */
  drop(shard: TaskShard): void;
  forget(names: ReadonlySet<string>): void;
  close(): void;
}

/** Keeps tables open between tasks, least recently used closed first. */
function createTableShelf(dataDir: string): TableShelf {
  const open = new Map<string, Table>();
  const keyOf = ({ name, generation }: TaskShard): string => `${name} ${generation}`;
  return {
    open(shard) {
      const { name, generation } = shard;
      const key = keyOf(shard);
      const table = open.get(key) ?? openTable(join(dataDir, name), { generation });
      open.delete(key);
      open.set(key, table);
      if (open.size > openTablesMax) {
        const [oldestKey, oldest] = open.entries().next().value!;
        open.delete(oldestKey);
        oldest.close();
      }
      return table;
    },
    drop(shard) {
      open.get(keyOf(shard))?.close();
      open.delete(keyOf(shard));
    },
    forget(names) {
      for (const [key, table] of open) {
        if (!names.has(table.name)) continue;
        table.close();
        open.delete(key);
      }
    },
    close() {
      for (const table of open.values()) table.close();
      open.clear();
    },
  };
}
