/** A query over one shard: chunk after chunk is ruled out or selected, grouped and accumulated; the result is a partial. */
import { BquerydError } from "../base/errors.js";
import { chunkRows } from "../columns/dtypes.js";
import type { Table } from "../columns/read/table.js";
import type { ColumnCache, DecodeCost, Lease } from "./cache.js";
import { createGrouper } from "./groups/choose.js";
import type { Grouper } from "./groups/grouper.js";
import { keyColumnOf, type KeyColumn } from "./groups/keys.js";
import { createInputMaker, type ChunkInput, type InputMaker } from "./input.js";
import { checkMeasure, statesOf } from "./measures.js";
import { createArena, type Arena, type Space } from "./memory.js";
import type { Partial } from "./partial.js";
import { createPredicate, type Predicate } from "./predicate.js";
import type { Query } from "./query.js";
import { rankGroups } from "./ranking.js";
import { createAccumulator, createRowCounter } from "./states/accumulate.js";
import type { Accumulator, AccumulatorContext } from "./states/slab.js";
import { createShardStrings, type ShardStrings } from "./strings.js";

/** What a scan cost, added up in place. */
export interface ScanCost extends DecodeCost {
  rowsScanned: number;
  chunksPruned: number;
  shardsPruned: number;
}

/** What a scan runs in. */
export interface ScanContext {
  readonly space: Space;
  readonly cache: ColumnCache;
  readonly queryBytes: number;
  /** Asked between chunks; true ends the scan with CANCELLED. */
  readonly shouldStop: () => boolean;
  readonly cost: ScanCost;
}

/**
 * The partial of a query over one shard. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH, MEMORY_LIMIT, CANCELLED and what
 * decoding throws; the memory it took is given back in every case.
 */
export function scanShard(table: Table, query: Query, context: ScanContext): Partial {
  const arena = createArena(context.space, context.queryBytes, purposeOf(query));
  const lease = context.cache.lease(table, query.cache === false, context.cost);
  try {
    const plan = planScan(table, query, arena);
    scanChunks(table, plan, lease, context);
    stopIfAsked(context.shouldStop);
    return takePartial(plan, arena);
  } finally {
    lease.returnAll();
    arena.release();
  }
}

/** Throws CANCELLED when the query is no longer wanted. */
export function stopIfAsked(shouldStop: () => boolean): void {
  if (shouldStop()) throw new BquerydError("CANCELLED", "the query was cancelled");
}

interface ScanPlan {
  readonly arena: Arena;
  readonly strings: ShardStrings;
  readonly predicates: readonly Predicate[];
  readonly keys: readonly KeyColumn[];
  readonly grouper: Grouper | null;
  readonly rows: ReturnType<typeof createRowCounter>;
  readonly states: readonly Accumulator[];
  readonly inputs: InputMaker;
  /** Masks of the chunk and of one term, and the index of its selected rows. */
  readonly mask: number;
  readonly termMask: number;
  readonly index: number;
  rowsSelected: number;
}

function planScan(table: Table, query: Query, arena: Arena): ScanPlan {
  const strings = createShardStrings(arena);
  for (const measure of query.measures) if (measure.column !== "*") checkMeasure(measure, table.column(measure.column).dtype);
  const predicates = query.where.map((term) => createPredicate(term, table.column(term.column), arena));
  const keys = query.keys.map((name) => keyColumnOf(table.column(name)));
  const isGrouped = keys.length > 0;
  const rows = createRowCounter(arena, isGrouped);
  const context: AccumulatorContext = { arena, strings, isGrouped, zeroSlots: once(() => arena.allocateZeroed(chunkRows * 4)) };
  const states = statesOf(query.measures).map(({ kind, column }) => createAccumulator(kind, table.column(column), context));
  return {
    arena, strings, predicates, keys, rows, states,
    grouper: keys.length === 0 ? null : createGrouper(keys, table.rows, arena),
    inputs: createInputMaker(arena, strings),
    mask: arena.allocate(chunkRows), termMask: arena.allocate(chunkRows), index: arena.allocate(chunkRows * 2),
    rowsSelected: 0,
  };
}

function scanChunks(table: Table, plan: ScanPlan, lease: Lease, context: ScanContext): void {
  const chunkCount = Math.ceil(table.rows / chunkRows);
  let pruned = 0;
  for (const accumulator of [plan.rows, ...plan.states]) accumulator.grow(1);
  for (let chunk = 0; chunk < chunkCount; chunk++) {
    stopIfAsked(context.shouldStop);
    const rows = Math.min(chunkRows, table.rows - chunk * chunkRows);
    const isPruned = scanChunk(chunk, rows, plan, lease);
    lease.returnAll();
    if (isPruned) pruned += 1;
    else context.cost.rowsScanned += rows;
  }
  context.cost.chunksPruned += pruned;
  if (chunkCount > 0 && pruned === chunkCount) context.cost.shardsPruned += 1;
}

/** Scans one chunk; true when statistics ruled it out unread. */
function scanChunk(chunk: number, rows: number, plan: ScanPlan, lease: Lease): boolean {
  const toTest: Predicate[] = [];
  for (const predicate of plan.predicates) {
    const verdict = predicate.judge(predicate.column.statistics(chunk));
    if (verdict === "none") return true;
    if (verdict === "some") toTest.push(predicate);
  }
  const selected = selectRows(chunk, rows, toTest, plan, lease);
  if (selected === 0) return false;
  const input = plan.inputs.start(lease, chunk, selected, selected === rows ? 0 : plan.index);
  accumulate(input, plan);
  plan.rowsSelected += selected;
  return false;
}

/** Writes the index of the rows that every term selects, unless all do; gives how many. */
function selectRows(chunk: number, rows: number, predicates: readonly Predicate[], plan: ScanPlan, lease: Lease): number {
  const { kernels } = plan.arena;
  let selected = rows;
  for (const [place, predicate] of predicates.entries()) {
    const target = place === 0 ? plan.mask : plan.termMask;
    predicate.mask(lease.vector(predicate.column, chunk), target);
    if (place > 0) kernels.maskAnd(plan.mask, plan.termMask, rows);
    selected = kernels.maskCount(plan.mask, rows);
    if (selected === 0) return 0;
  }
  if (selected < rows) kernels.maskIndex(plan.mask, rows, plan.index);
  return selected;
}

function accumulate(input: ChunkInput, plan: ScanPlan): void {
  const slots = plan.grouper === null ? 0 : plan.grouper.assign(input);
  const capacity = plan.grouper === null ? 1 : plan.grouper.capacity();
  for (const accumulator of [plan.rows, ...plan.states]) accumulator.grow(capacity);
  const counting = plan.grouper === null ? undefined : plan.states.find((state) => state.addAndCount?.(input, slots, plan.rows.pointer()) === true);
  if (counting === undefined) plan.rows.add(input, slots);
  for (const state of plan.states) if (state !== counting) state.add(input, slots);
}

function takePartial(plan: ScanPlan, arena: Arena): Partial {
  if (plan.grouper === null) return takeUngrouped(plan);
  // A shard of which nothing was selected still says which dtypes its keys and states have.
  const groups = plan.rowsSelected === 0 ? noGroups(plan) : plan.grouper.groups(plan.rows);
  const { keys, order } = rankGroups(groups, plan.keys, plan.strings, arena);
  return { groups: order.length, keys, rows: plan.rows.take(order), states: plan.states.map((state) => state.take(order)) };
}

function takeUngrouped(plan: ScanPlan): Partial {
  const order = new Uint32Array(plan.rowsSelected === 0 ? 0 : 1);
  return { groups: order.length, keys: [], rows: plan.rows.take(order), states: plan.states.map((state) => state.take(order)) };
}

function noGroups(plan: ScanPlan): ReturnType<Grouper["groups"]> {
  const none = new Uint32Array(0);
  return { slots: none, fields: plan.keys.map(() => ({ low: none, high: none, isNull: null })) };
}

function purposeOf(query: Query): string {
  return query.keys.length === 0 ? "the query" : `grouping by ${query.keys.map((key) => `'${key}'`).join(", ")}`;
}

function once(make: () => number): () => number {
  let made: number | undefined;
  return () => (made ??= make());
}

