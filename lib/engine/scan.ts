/** A query over one shard: chunk after chunk is ruled out or selected, grouped and accumulated; the result is a partial. */
import { BquerydError } from "../base/errors.js";
import { chunkRows } from "../columns/dtypes.js";
import type { Table, TableColumn } from "../columns/read/table.js";
import { createAnswers, type Answers } from "./answers.js";
import { bindExpression } from "./expressions/bind.js";
import type { Expression } from "./expressions/tree.js";
import type { ColumnCache, DecodeCost, Lease } from "./cache.js";
import { createGrouper } from "./groups/choose.js";
import type { Grouper } from "./groups/grouper.js";
import { keyColumnOf, type KeyColumn } from "./groups/keys.js";
import { selectPart, type Part } from "./groups/parts.js";
import { createInputMaker, type ChunkInput, type InputMaker } from "./input.js";
import { checkMeasures, planMeasures } from "./measures/table.js";
import { createArena, type Arena, type Space } from "./memory.js";
import { mergePartials } from "./merge.js";
import type { Partial } from "./partial.js";
import { outsideOf } from "./query/baskets.js";
import type { Query } from "./query/query.js";
import { rankGroups } from "./ranking.js";
import type { ScanColumn } from "./scan-column.js";
import { scanInParts } from "./scan-parts.js";
import { definitionOf } from "./states/kinds.js";
import { createRowCounter } from "./states/rows.js";
import type { Accumulator, AccumulatorContext } from "./states/slab.js";
import { createShardStrings, type ShardStrings } from "./strings.js";
import { partialOfEdges } from "./where/basket-edges.js";
import { expandToBaskets, type BasketMasking } from "./where/baskets.js";
import type { KeptTests } from "./where/kept-tests.js";
import { createMasking, createSelection, type Masking, type Selection } from "./where/selection.js";

/** What a scan cost, added up in place. */
export interface ScanCost extends DecodeCost {
  rowsScanned: number;
  chunksPruned: number;
  /** Chunks of which all that is asked was taken from statistics. */
  chunksFromStatistics: number;
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
  /** What conditions keep for all shards of a task. */
  readonly kept: KeptTests;
  /** The ordinal of the shard in the call. */
  readonly ordinal: number;
}

/** What a scan reads: a table, or what stands for one. */
export type ScanTable = Pick<Table, "name" | "generation" | "rows" | "column">;

/** A scan at work. */
export interface Scan {
  readonly table: ScanTable;
  readonly query: Query;
  readonly context: ScanContext;
  readonly arena: Arena;
  readonly lease: Lease;
  readonly strings: ShardStrings;
  readonly inputs: InputMaker;
}

/**
 * The partial of a query over one shard. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH, MEMORY_LIMIT, CANCELLED and what
 * decoding throws; the memory it took is given back in every case.
 */
export function scanShard(table: ScanTable, query: Query, context: ScanContext): Partial {
  if (query.expand !== null && query.baskets === "ask") return scanEdges(table, query.expand, query, context);
  if (query.keys.length === 0 || !canBeParted(query)) return scanGroups(table, query, context, null);
  return scanInParts(table.rows, context.cost, (part) => scanGroups(table, query, context, part));
}

function canBeParted({ measures }: Query): boolean {
  return planMeasures(measures).states.every(({ kind }) => definitionOf(kind).mindsOtherGroups !== true);
}

function scanEdges(table: ScanTable, expand: string, query: Query, context: ScanContext): Partial {
  const column = table.column(expand);
  return withScan(table, query, context, (scan) => partialOfEdges(maskBaskets(column, scan).edges(), column, context.ordinal, scan.strings));
}

/** The partial of all groups, or of those of a part. */
function scanGroups(table: ScanTable, query: Query, context: ScanContext, part: Part | null): Partial {
  return withScan(table, query, context, (scan) => {
    const plan = planScan(scan, part);
    scanChunks(table, plan, scan.lease, context);
    stopIfAsked(context.shouldStop);
    return takePartial(plan, scan.arena);
  });
}

/** Calls `work` with a scan of a shard, and gives the memory that it took back in every case. */
export function withScan<T>(table: ScanTable, query: Query, context: ScanContext, work: (scan: Scan) => T): T {
  const arena = createArena(context.space, context.queryBytes, purposeOf(query));
  const lease = context.cache.lease(table, query.cache === false, context.cost);
  try {
    const strings = createShardStrings(arena);
    return work({ table, query, context, arena, lease, strings, inputs: createInputMaker(arena, strings) });
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
  readonly selection: Selection;
  readonly keys: readonly KeyColumn[];
  readonly grouper: Grouper | null;
  readonly rows: ReturnType<typeof createRowCounter>;
  readonly states: readonly Accumulator[];
  readonly inputs: InputMaker;
  /** What statistics answer; null where they cannot. */
  readonly answers: Answers | null;
  rowsSelected: number;
}

function planScan(scan: Scan, part: Part | null): ScanPlan {
  const { table, query, arena, strings } = scan;
  const measures = planMeasures(query.measures);
  const inputs = measures.inputs.map((input) => bind(input, scan));
  checkMeasures(measures, inputs.map(({ dtype }) => dtype));
  const keys = query.keys.map(({ expr }) => keyColumnOf(bind(expr, scan)));
  const isGrouped = keys.length > 0;
  const rows = createRowCounter(arena, isGrouped);
  const context: AccumulatorContext = { arena, strings, isGrouped, zeroSlots: once(() => arena.allocateZeroed(chunkRows * 4)), rows };
  const states = measures.states.map((spec) => definitionOf(spec.kind).accumulate(spec, spec.inputs.map((place) => inputs[place]!), context));
  return {
    arena, strings, keys, rows, states,
    selection: part === null ? selectionOf(scan) : selectPart(selectionOf(scan), keys, part, scan),
    grouper: keys.length === 0 ? null : createGrouper(keys, Math.ceil(table.rows / (part?.parts ?? 1)), arena),
    inputs: scan.inputs,
    answers: isGrouped ? null : createAnswers(measures.states, inputs),
    rowsSelected: 0,
  };
}

/** The rows that a query selects, by whole baskets where it asks for them. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH. */
export function selectionOf(scan: Scan): Selection {
  const { table, query: { expand }, arena } = scan;
  return createSelection(expand === null ? maskRows(scan) : maskBaskets(table.column(expand), scan), arena);
}

function maskRows(scan: Scan): Masking {
  const { query, arena, lease, strings, inputs, context: { kept } } = scan;
  return createMasking(query.where, { arena, strings, lease, inputs, kept, bind: (expr) => bind(expr, scan) });
}

function maskBaskets(column: TableColumn, scan: Scan): BasketMasking {
  const { query: { baskets }, arena, lease, inputs, context: { ordinal, shouldStop } } = scan;
  return expandToBaskets(maskRows(scan), column, outsideOf(baskets, ordinal), { arena, lease, inputs, stop: () => { stopIfAsked(shouldStop); } });
}

/** The column of an expression over the shard of a scan. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH. */
export function bind(expr: Expression, { table, arena, strings }: Scan): ScanColumn {
  return bindExpression(expr, table, { arena, strings });
}

function scanChunks(table: ScanTable, plan: ScanPlan, lease: Lease, { cost, shouldStop }: ScanContext): void {
  const chunkCount = Math.ceil(table.rows / chunkRows);
  let pruned = 0;
  for (const accumulator of [plan.rows, ...plan.states]) accumulator.grow(1);
  for (let chunk = 0; chunk < chunkCount; chunk++) {
    stopIfAsked(shouldStop);
    const rows = Math.min(chunkRows, table.rows - chunk * chunkRows);
    const way = scanChunk(chunk, rows, plan, lease);
    lease.returnAll();
    if (way === "pruned") pruned += 1;
    else if (way === "answered") cost.chunksFromStatistics += 1;
    else cost.rowsScanned += rows;
  }
  cost.chunksPruned += pruned;
  if (chunkCount > 0 && pruned === chunkCount) cost.shardsPruned += 1;
}

/** Scans one chunk; pruned where statistics ruled it out unread, answered where they said all there is to know. */
function scanChunk(chunk: number, rows: number, plan: ScanPlan, lease: Lease): "scanned" | "pruned" | "answered" {
  const selected = plan.selection.select(chunk, rows);
  if (selected.rows === 0) return selected.isKnown ? "pruned" : "scanned";
  if (selected.isKnown && plan.answers?.add(chunk, rows) === true) return "answered";
  accumulate(plan.inputs.start(lease, chunk, selected.rows, selected.index), plan);
  plan.rowsSelected += selected.rows;
  return "scanned";
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
  const scanned: Partial = { groups: order.length, keys: [], rows: plan.rows.take(order), states: plan.states.map((state) => state.take(order)) };
  const answered = plan.answers?.take();
  return answered === undefined || answered.groups === 0 ? scanned : mergePartials(scanned, answered);
}

function noGroups(plan: ScanPlan): ReturnType<Grouper["groups"]> {
  const none = new Uint32Array(0);
  return { slots: none, fields: plan.keys.map(() => ({ low: none, high: none, isNull: null })) };
}

function purposeOf(query: Query): string {
  return query.keys.length === 0 ? "the query" : `grouping by ${query.keys.map(({ name }) => `'${name}'`).join(", ")}`;
}

function once(make: () => number): () => number {
  let made: number | undefined;
  return () => (made ??= make());
}

