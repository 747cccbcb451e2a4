/** What a scan groups and accumulates: chunk after chunk is ruled out or selected, and the groups end as a partial. */
import { chunkRows } from "../columns/dtypes.js";
import { createAnswers, type Answers } from "./answers.js";
import type { Expression } from "./expressions/tree.js";
import { createGrouper } from "./groups/choose.js";
import type { Grouper } from "./groups/grouper.js";
import { keyColumnOf, type KeyColumn } from "./groups/keys.js";
import { selectPart, type Part } from "./groups/parts.js";
import { checkMeasures, planMeasures } from "./measures/table.js";
import { mergePartials } from "./merge.js";
import type { Partial } from "./partial.js";
import { rankGroups } from "./ranking.js";
import type { ChunkCut, ChunkInput, ScanColumn } from "./scan-column.js";
import { bind, selectionOf, stopIfAsked, type Scan } from "./scan.js";
import { definitionOf, type StateColumn, type StateSpec } from "./states/kinds.js";
import { createRowCounter } from "./states/rows.js";
import type { Accumulator, AccumulatorContext } from "./states/slab.js";
import type { Selection } from "./where/selection.js";

/** The columns of a query over what a scan reads. */
export interface BoundQuery {
  readonly keys: readonly KeyColumn[];
  readonly inputs: readonly ScanColumn[];
  readonly states: readonly StateSpec[];
}

/** A scan with the groups that it has found so far. */
export interface ScanPlan {
  readonly scan: Scan;
  readonly selection: Selection;
  readonly keys: readonly KeyColumn[];
  readonly grouper: Grouper | null;
  readonly rows: ReturnType<typeof createRowCounter>;
  readonly states: readonly Accumulator<StateColumn>[];
  /** What statistics answer; null where they cannot. */
  readonly answers: Answers | null;
  rowsSelected: number;
}

/** Finds the columns of keys and measures. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH, BAD_QUERY. */
export function bindQuery(scan: Scan): BoundQuery {
  const { query } = scan;
  const measures = planMeasures(query.measures);
  const binned = new Set(measures.states.filter(({ kind }) => kind === "histogram").flatMap((state) => state.inputs));
  const inputs = measures.inputs.map((input, place) => bind(binned.has(place) ? asInstants(input, scan) : input, scan));
  checkMeasures(measures, inputs.map(({ dtype }) => dtype));
  return { inputs, states: measures.states, keys: query.keys.map(({ expr }) => keyColumnOf(bind(expr, scan))) };
}

/** Of a column that is of timestamps in another shard the instants: bins of days are no bins of those. */
function asInstants(input: Expression, { table }: Scan): Expression {
  return input.kind === "column" && table.widened?.(input.name) === "timestamp" ? { kind: "call", name: "timestamp", args: [input] } : input;
}

/** What of the rows is grouped: those of one shard or of several, of all groups or of a part of them. */
export interface PlanScope {
  readonly isSpanning: boolean;
  readonly part: Part | null;
}

/** Makes ready to group and accumulate. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH. */
export function planScan(scan: Scan, { keys, inputs, states: specs }: BoundQuery, { isSpanning, part }: PlanScope): ScanPlan {
  const { table, arena, strings } = scan;
  const isGrouped = keys.length > 0;
  const rows = createRowCounter(arena, isGrouped);
  const grouper = isGrouped ? createGrouper(keys, table.rows, arena, part) : null;
  const context: AccumulatorContext = {
    arena, strings, isGrouped, rows, isSpanning,
    zeroSlots: once(() => arena.allocateZeroed(chunkRows * 4)),
    slotCount: grouper?.slotCount ?? null,
  };
  const states = specs.map((spec) => definitionOf(spec.kind).accumulate(spec.params, spec.inputs.map((place) => inputs[place]!), context));
  for (const accumulator of [rows, ...states]) accumulator.grow(1);
  const selection = selectionOf(scan, isGrouped || inputs.length > 0);
  return { scan, keys, grouper, rows, states, selection: part === null ? selection : selectPart(selection, keys, part, scan), answers: isGrouped ? null : createAnswers(specs, inputs), rowsSelected: 0 };
}

/** Scans the chunks of one shard, `first` being the place of its first one in what is scanned. Throws CANCELLED and what decoding throws. */
export function scanChunks(plan: ScanPlan, chunks: ChunkCut, first = 0): void {
  const { lease, context: { cost, shouldStop } } = plan.scan;
  let pruned = 0;
  for (let chunk = 0; chunk < chunks.count; chunk++) {
    stopIfAsked(shouldStop);
    const rows = chunks.rowsOf(chunk);
    const way = scanChunk(first + chunk, rows, plan);
    lease.returnAll();
    if (way === "pruned") pruned += 1;
    else if (way === "answered") cost.chunksFromStatistics += 1;
    else cost.rowsScanned += rows;
  }
  cost.chunksPruned += pruned;
  if (chunks.count > 0 && pruned === chunks.count) cost.shardsPruned += 1;
}

/** Scans one chunk; pruned where statistics ruled it out unread, answered where they said all there is to know. */
function scanChunk(chunk: number, rows: number, plan: ScanPlan): "scanned" | "pruned" | "answered" {
  const { inputs, lease } = plan.scan;
  const selected = plan.selection.select(chunk, rows);
  if (selected.rows === 0) return selected.isKnown ? "pruned" : "scanned";
  if (selected.isKnown && plan.answers?.add(chunk, rows) === true) return "answered";
  accumulate(inputs.start(lease, chunk, selected.rows, selected.index), plan);
  plan.rowsSelected += selected.rows;
  return "scanned";
}

function accumulate(input: ChunkInput, plan: ScanPlan): void {
  const slots = plan.grouper === null ? 0 : plan.grouper.assign(input);
  const capacity = plan.grouper === null ? 1 : plan.grouper.capacity();
  for (const accumulator of [plan.rows, ...plan.states]) accumulator.grow(capacity);
  const counting = plan.grouper === null ? undefined : plan.states.find((state) => state.addAndCount?.(input, slots, plan.rows.pointer()) === true);
  if (counting === undefined) plan.rows.add(input, slots);
  for (const state of plan.states) {
    // There may be a thousand of them.
    stopIfAsked(plan.scan.context.shouldStop);
    if (state !== counting) state.add(input, slots);
  }
}

/** The partial of the rows scanned so far. */
export function takePartial(plan: ScanPlan): Partial {
  const { arena, strings } = plan.scan;
  if (plan.grouper === null) return takeUngrouped(plan);
  for (const state of plan.states) state.settle?.();
  // Where nothing was selected it is still to be said which dtypes keys and states have.
  const groups = plan.rowsSelected === 0 ? noGroups(plan) : plan.grouper.groups(plan.rows);
  const { keys, order } = rankGroups(groups, plan.keys, strings, arena);
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

function once(make: () => number): () => number {
  let made: number | undefined;
  return () => (made ??= make());
}
