/** The engine of a compute thread: runs tasks over the tables of one directory, and keeps their decoded columns. */
import { monotonicMs } from "../base/clock.js";
import { BquerydError, type ErrorCode } from "../base/errors.js";
import { limits } from "../base/limits.js";
import type { Table } from "../columns/read/table.js";
import { createBlockMerging } from "./block-merging.js";
import { scanInBlocks, type BlockScanner } from "./blocks.js";
import { ColumnCache, type CacheChange } from "./cache.js";
import { createArena, createSpace } from "./memory.js";
import { mergePartials } from "./merge.js";
import { isAssociative, mergeTree } from "./merge-tree.js";
import type { Partial } from "./partial.js";
import { blockKey, createPartialCache } from "./partial-cache.js";
import { encodePartial } from "./partial-bytes.js";
import { namesOf } from "./partial-names.js";
import { tooManyGroups } from "./partial-limit.js";
import { decodeQuery } from "./query/bytes.js";
import { givesRows, type Query } from "./query/query.js";
import { withAbsent } from "./absent.js";
import { joinRuns } from "./runs.js";
import { withWidened } from "./widened.js";
import { scanRows, type RowBudget, type Slice } from "./rows/scan-rows.js";
import { stopIfAsked, type ScanContext, type ScanCost, type ScanTable } from "./scan.js";
import { canScanBlocks, scanBlock, type BlockRefusal, type ScannedBlock } from "./scan-block.js";
import { scanShard } from "./scan-shard.js";
import type { Block } from "./tree.js";
import { createTableShelf } from "./table-shelf.js";
import { createKeptTests, type KeptTests } from "./where/kept-tests.js";

/** A shard of a task: its ordinal in the call, and the generation to read. */
export interface TaskShard {
  readonly ordinal: number;
  readonly name: string;
  readonly generation: string;
}

/** What running a task cost, as its `done` message carries it. */
export interface TaskCost extends ScanCost {
  shards: number;
  /** Shards answered by the partial cache, of which nothing was scanned. */
  partialCacheHits: number;
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
  /** Takes the encoded partials of runs of shards that follow each other, where the query allows for them and they add up in any way; else of each largest aligned block within the task. */
  readonly onBlock: (block: Block, partial: Uint8Array) => void;
  /** Of a query for rows, which gives no partials. */
  readonly rows?: RowsTask;
  /** The dtypes of columns that a shard may lack, for queries that take what is missing for empty. */
  readonly absent?: readonly { readonly name: string; readonly dtype: string }[];
  /** The dtypes that hold those of columns which are not of one dtype in all shards of the call, null where none does. */
  readonly widened?: readonly { readonly name: string; readonly dtype: string | null }[];
}

/** What a task for rows is asked for. */
export interface RowsTask {
  /** How many slices, and rows (null: any number), it may give at most. */
  readonly slices: number;
  readonly rowsMax: number | null;
  /** Where each shard goes on. */
  readonly from: readonly number[];
  readonly onSlice: (slice: Slice & { readonly ordinal: number }) => void;
}

/** What an engine has in memory, in bytes. */
export interface EngineMemory {
  /** Decoded columns. */
  readonly cacheBytes: number;
  readonly partialCacheBytes: number;
  /** The most that a task has used to compute in. */
  readonly queryPeakBytes: number;
}

/** The engine of one compute thread. */
export interface Engine {
  /** Runs a task to its end; throws a BquerydError whose details name the shard where one failed. */
  run(task: EngineTask): TaskCost;
  /** Shards of which columns became or ceased to be wholly cached since the last call, with all that are. */
  takeCacheChanges(): CacheChange[];
  /** Closes tables of these names that earlier tasks left open: they were replaced or removed. */
  forget(names: readonly string[]): void;
  memory(): EngineMemory;
  close(): void;
}

const mayBeRepaired: ReadonlySet<ErrorCode> = new Set(["CORRUPT_CHUNK", "CORRUPT_DICTIONARY", "CORRUPT_FOOTER", "GENERATION_GONE", "IO"]);

/** Where an engine's tables are, and what it may take of memory. */
export interface EngineOptions {
  readonly dataDir: string;
  /** For decoded columns; reserved at the start, as the next. */
  readonly cacheBytes: number;
  /** For one query. */
  readonly queryBytes: number;
  /** For partials of earlier queries, besides; none are kept without it. */
  readonly partialCacheBytes?: number;
  /** For a message with a partial. What a task keeps of partials is bounded by it, too. */
  readonly messageBytes?: number;
  /** Groups from which on several shards are scanned at once; few groups are quickly merged, and kept by shard for the next question. */
  readonly blockGroupsMin?: number;
}

/** A partial of so many groups costs about what scanning a chunk does. */
const manyGroups = 1_024;

/** An engine over the tables of a directory. */
export function createEngine({ dataDir, cacheBytes, queryBytes, partialCacheBytes = 0, messageBytes = limits.frameBytesMax, blockGroupsMin = manyGroups }: EngineOptions): Engine {
  const space = createSpace(cacheBytes + queryBytes, { queryBytes });
  const cache = new ColumnCache(space, cacheBytes);
  const partials = createPartialCache(partialCacheBytes);
  const shards = createShardReader(dataDir, { space, cache, queryBytes, messageBytes });
  const queries = createQueryDecoder();

  /** Scans shards of a task, or takes what is known of them. */
  function scannerOf(work: Work): BlockScanner<TaskShard> {
    const { query, task } = work;
    // What a shard lacks, or is widened to, may be of another dtype when the others are others.
    const isUniform = task.absent === undefined && task.widened === undefined;
    const isKept = query.cache === true && isUniform;
    const canSpan = isUniform && canScanBlocks(query);
    const keep = (scanned: readonly TaskShard[], partial: Partial): void => { if (isKept) partials.keep(blockKey(query, scanned), partial); };
    function scanAtOnce(some: readonly TaskShard[], isAligned: boolean): ScannedBlock | BlockRefusal {
      const scanned = shards.readBlock(some, work, (tables, context) => scanBlock(tables, query, context, { groupsMin: blockGroupsMin, isAligned }));
      // A first shard alone was read as one of all: its partial may be of another form than if it had been asked for alone.
      if (typeof scanned === "object" && scanned.shards === some.length && (isAligned || isAssociative(scanned.partial))) keep(some, scanned.partial);
      return scanned;
    }
    return {
      find: (asked) => (isKept ? partials.find(blockKey(query, asked)) : undefined),
      scanShard(shard) {
        const partial = shards.read(shard, work, (table, context) => scanShard(table, query, context));
        keep([shard], partial);
        return partial;
      },
      scanBlock: (block) => (canSpan ? scanAtOnce(block, true) : "never"),
      scanRun(run) {
        const scanned = canSpan && query.blocks !== "aligned" ? scanAtOnce(run, false) : "never";
        return typeof scanned === "object" && isAssociative(scanned.partial) ? scanned : undefined;
      },
    };
  }

  function run(task: EngineTask): TaskCost {
    const query = queries.decode(task.query);
    if ((task.rows !== undefined) !== givesRows(query)) throw new BquerydError("BAD_MESSAGE", "a query for rows is asked for partials, or another one for rows; the client is broken");
    const arena = createArena(space, queryBytes, "the condition");
    const cost: TaskCost = { ...nothingScanned, shards: 0, partialCacheHits: 0, scanMs: 0, mergeMs: 0 };
    const work: Work = { task, query, cost, kept: createKeptTests(arena, () => { stopIfAsked(task.shouldStop); }) };
    try {
      if (task.rows !== undefined) sendRows(task.rows, work, shards);
      else runShards(work, scannerOf(work), messageBytes);
      return cost;
    } finally {
      arena.release();
    }
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
    forget: (names) => { shards.forget(new Set(names)); },
    memory: () => ({ cacheBytes: cache.usedBytes, partialCacheBytes: partials.usedBytes, queryPeakBytes: space.query.heap.peakBytes }),
    close() {
      cache.clear();
      partials.clear();
      shards.close();
    },
  };
}

/** A task being run, and what its shards share. */
interface Work {
  readonly task: EngineTask;
  readonly query: Query;
  readonly cost: TaskCost;
  readonly kept: KeptTests;
}

/** Gives slices of one shard after another until there are enough of them. */
function sendRows(asked: RowsTask, work: Work, reader: ShardReader): void {
  const { task: { shards }, query, cost } = work;
  const startMs = monotonicMs();
  const budget: RowBudget = { slices: asked.slices, rows: asked.rowsMax ?? Infinity };
  for (const [place, shard] of shards.entries()) {
    if (budget.slices <= 0 || budget.rows <= 0) break;
    const emit = (slice: Slice): void => { asked.onSlice({ ...slice, ordinal: shard.ordinal }); };
    const isWhole = reader.read(shard, work, (table, context) => scanRows(table, query, context, asked.from[place] ?? 0, budget, emit));
    if (isWhole) cost.shards += 1;
  }
  cost.scanMs = monotonicMs() - startMs;
}

/** Merges the partials of all shards as far as the task goes, along the tree or by runs, and gives them away. */
function runShards({ task, query, cost }: Work, scanner: BlockScanner<TaskShard>, messageBytes: number): void {
  const startMs = monotonicMs();
  const end = Math.max(...task.shards.map((shard) => shard.ordinal)) + 1;
  const names = namesOf(query);
  const merge = (left: Partial, right: Partial): Partial => {
    stopIfAsked(task.shouldStop);
    return timed(cost, () => mergePartials(left, right, names));
  };
  const blocks = createBlockMerging(end, {
    bytesMax: messageBytes, merge,
    join: (scanned) => (query.blocks === "aligned" ? scanned : joinRuns(scanned, (run) => timed(cost, () => mergeTree(run, names)))),
    give(block, partial) {
      stopIfAsked(task.shouldStop);
      task.onBlock(block, encodePartial(partial, (bytes) => { if (bytes > messageBytes) throw tooManyGroups(query, bytes, messageBytes); }));
    },
  });
  scanInBlocks(task.shards, scanner, (block, partial, isKnown) => {
    stopIfAsked(task.shouldStop);
    blocks.add(block, partial);
    cost.shards += block.size;
    if (isKnown) cost.partialCacheHits += block.size;
  });
  blocks.end();
  cost.scanMs = Math.max(0, monotonicMs() - startMs - cost.mergeMs);
}

/** A failure to allocate outside the kernels' memory as what it is; any other failure as it came. */
export function limitOfMemory(cause: unknown): unknown {
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

/** Bytes of a query up to which it is kept beside the latest, and how many are. */
const keptQueryBytesMax = 2_048;
const keptQueriesMax = 64;

/** Decodes queries; the tasks of one query come one after another, and small questions again and again, so these are kept. */
function createQueryDecoder(): { decode(bytes: Uint8Array): Query } {
  let latest: { readonly bytes: Uint8Array; readonly query: Query } | undefined;
  const kept = new Map<string, Query>();
  function decodeSmall(bytes: Uint8Array): Query {
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    const query = kept.get(key) ?? decodeQuery(bytes);
    kept.delete(key);
    kept.set(key, query);
    if (kept.size > keptQueriesMax) kept.delete(kept.keys().next().value!);
    return query;
  }
  return {
    decode(bytes) {
      if (latest !== undefined && Buffer.compare(latest.bytes, bytes) === 0) return latest.query;
      latest = { bytes, query: bytes.length <= keptQueryBytesMax ? decodeSmall(bytes) : decodeQuery(bytes) };
      return latest.query;
    },
  };
}

/** Reads shards, each as the table it is or, for queries that take what is missing for empty, with what it lacks. */
interface ShardReader {
  /** Calls `doing` with a shard; its failure names the shard. */
  read<T>(shard: TaskShard, work: Work, doing: (table: ScanTable, context: ScanContext) => T): T;
  /** Calls `doing` with several, once; where that fails, to be cancelled aside, the shards are to be read by fewer, and fail by name. */
  readBlock(shards: readonly TaskShard[], work: Work, doing: (tables: readonly ScanTable[], context: ScanContext) => ScannedBlock | BlockRefusal): ScannedBlock | BlockRefusal;
  forget(names: ReadonlySet<string>): void;
  close(): void;
}

function createShardReader(dataDir: string, memory: Pick<ScanContext, "space" | "cache" | "queryBytes" | "messageBytes">): ShardReader {
  const tables = createTableShelf(dataDir);
  const contextOf = ({ task, kept }: Work, cost: ScanCost, { ordinal }: TaskShard): ScanContext => ({ ...memory, shouldStop: task.shouldStop, cost, kept, ordinal });
  return {
    read(shard, work, doing) {
      const { task, cost } = work;
      try {
        const table = tables.open(shard);
        return doing(asAsked(table, task), contextOf(work, cost, shard));
      } catch (cause) {
        // Files may be put right under the same generation: the next task is to open them anew.
        if (cause instanceof BquerydError && mayBeRepaired.has(cause.code)) tables.drop(shard);
        throw nameShard(cause, shard.name);
      }
    },
    readBlock(shards, work, doing) {
      const cost: ScanCost = { ...nothingScanned };
      try {
        const scanned = doing(shards.map((shard) => tables.open(shard)), contextOf(work, cost, shards[0]!));
        addCost(work.cost, cost);
        return scanned;
      } catch (cause) {
        if (!(cause instanceof BquerydError) || cause.code === "CANCELLED") throw cause;
        return "too many";
      }
    },
    forget: tables.forget,
    close: tables.close,
  };
}

function asAsked(table: Table, { absent, widened }: EngineTask): ScanTable {
  const whole: ScanTable = absent === undefined ? table : withAbsent(table, absent);
  return widened === undefined ? whole : withWidened(whole, widened);
}

const nothingScanned: ScanCost = { shardsPruned: 0, rowsScanned: 0, chunksDecoded: 0, chunksPruned: 0, chunksFromStatistics: 0, cacheHits: 0, bytesDecoded: 0 };

function addCost(sum: ScanCost, more: ScanCost): void {
  sum.shardsPruned += more.shardsPruned;
  sum.rowsScanned += more.rowsScanned;
  sum.chunksDecoded += more.chunksDecoded;
  sum.chunksPruned += more.chunksPruned;
  sum.chunksFromStatistics += more.chunksFromStatistics;
  sum.cacheHits += more.cacheHits;
  sum.bytesDecoded += more.bytesDecoded;
}
