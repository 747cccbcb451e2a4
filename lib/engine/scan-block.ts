/**
 * A query over several shards at once: one grouper and one slab of each state for all of them, so that groups are ranked,
 * taken and sent once. The partial is that of the shards scanned apart and merged along the fixed tree.
 */
import { findDenseSlots } from "./groups/choose.js";
import { keyColumnOf } from "./groups/keys.js";
import { joinTables, type JoinedPart, type JoinedTable } from "./joined-table.js";
import { planMeasures } from "./measures/table.js";
import type { Partial } from "./partial.js";
import { tooManyGroups } from "./partial-limit.js";
import { bytesOfArrays } from "./array-bytes.js";
import { columnsOf, type Query } from "./query/query.js";
import { stopIfAsked, withScan, type ScanContext, type ScanTable } from "./scan.js";
import { bindQuery, planScan, scanChunks, takePartial, type BoundQuery, type ScanPlan } from "./scan-plan.js";
import { definitionOf } from "./states/kinds.js";
import { fewSlotsMax } from "./states/slab.js";
import { canSpanInputs, canSpanShards, needsLeaves, spannedBytes } from "./states/spanning.js";

/** The partial of the first shards of a block: of all, or of the first alone where it pays to scan each apart. */
export interface ScannedBlock {
  readonly partial: Partial;
  readonly shards: number;
}

/** Why shards are not scanned at once: these many are not to, though fewer may; or it does not pay for any. */
export type BlockRefusal = "too many" | "never";

/** Slots that are cleared and merged for every shard may be these many for each of its rows, or this many at least. */
const leafSlotsPerRow = 8;
const leafSlotsFree = 65_536;
/** Where the first shard has more groups than this share of its rows, others would find few of them again. */
const repeatedShare = 1 / 4;
/** The slots of a block may take this part of the memory of a query. */
const memoryShare = 1 / 2;
/** What a slot takes besides its states: its rows, also along with a sum, and its key while it is ranked. */
const slotBytes = 48;

/** Tells whether shards could be scanned at once, as far as the query says. */
export function canScanBlocks(query: Query): boolean {
  return query.keys.length > 0 && query.expand === null && planMeasures(query.measures).states.every(canSpanShards);
}

/** How shards are to be scanned at once. */
export interface BlockOrder {
  /** With fewer groups it does not pay. */
  readonly groupsMin: number;
  /** Whether the shards are an aligned block; of others, what adds up along the fixed tree is refused. */
  readonly isAligned: boolean;
}

/**
 * The partial of a query, for which canScanBlocks holds, over shards that follow each other; `context` has the ordinal of
 * the first. Throws as scanShard does, and names no shard; MEMORY_LIMIT also where the partial of several shards may not
 * fit a message.
 */
export function scanBlock(tables: readonly ScanTable[], query: Query, context: ScanContext, { groupsMin, isAligned }: BlockOrder): ScannedBlock | BlockRefusal {
  const joined = joinTables(tables, columnsOf(query));
  if (joined === undefined) return "too many";
  return withScan(joined, query, context, (scan) => {
    const bound = bindQuery(scan);
    if (!bound.states.every((spec) => canSpanInputs(spec, spec.inputs.map((place) => bound.inputs[place]!)))) return "never";
    if (!isAligned && (hasLeaves(bound) || !bound.states.every(({ kind }) => definitionOf(kind).adding !== undefined))) return "too many";
    const slots = findDenseSlots(bound.keys, joined.rows);
    const refusal = slots === undefined ? refuseHashed(bound) : refuseDense(slots, joined, bound, context.queryBytes, groupsMin);
    if (refusal !== undefined) return refusal;
    const plan = planScan(scan, bound, { isSpanning: true, part: null });
    for (const [place, part] of joined.parts.entries()) {
      scanPart(plan, part, context.ordinal + place);
      if (place === 0 && slots === undefined && !isRepeating(plan, part, groupsMin)) return { partial: takePartial(plan), shards: 1 };
    }
    stopIfAsked(context.shouldStop);
    const partial = takePartial(plan);
    const bytes = bytesOfArrays(partial);
    if (bytes > context.messageBytes) throw tooManyGroups(query, bytes, context.messageBytes);
    return { partial, shards: tables.length };
  }, joined.lease(context.cache, query.cache === false, context.cost));
}

function scanPart(plan: ScanPlan, { chunks, firstChunk }: JoinedPart, ordinal: number): void {
  scanChunks(plan, chunks, firstChunk);
  for (const state of plan.states) state.endShard?.(ordinal);
}

/** Cells of a shard are added up in an order that hashing may change; see createPairSum. */
function refuseHashed(bound: BoundQuery): BlockRefusal | undefined {
  return hasLeaves(bound) ? "never" : undefined;
}

function refuseDense(slots: number, { parts }: JoinedTable, bound: BoundQuery, queryBytes: number, groupsMin: number): BlockRefusal | undefined {
  if (slots < groupsMin) return "never";
  const leafBytes = hasLeaves(bound) ? 16 * (Math.log2(parts.length) + 2) : 0;
  const cellBytes = bound.states.reduce((sum, spec) => sum + spannedBytes(spec) + leafBytes, slotBytes);
  if (slots * cellBytes > queryBytes * memoryShare) return "too many";
  return hasLeaves(bound) && !parts.every((part) => hasManySlots(part, slots, bound)) ? "too many" : undefined;
}

/** Tells whether a shard by itself would add up its floats in the same order, and whether its share of the slots is not too large. */
function hasManySlots({ rows, firstChunk, chunks }: JoinedPart, slots: number, { keys }: BoundQuery): boolean {
  if (rows === 0) return true;
  const own = findDenseSlots(keys.map(({ column }) => keyColumnOf(column, { start: firstChunk, end: firstChunk + chunks.count })), rows);
  return own !== undefined && own > fewSlotsMax && slots <= Math.max(leafSlotsFree, leafSlotsPerRow * rows);
}

function hasLeaves({ states, inputs }: BoundQuery): boolean {
  return states.some((spec) => needsLeaves(spec, spec.inputs.map((place) => inputs[place]!)));
}

/** Tells by the groups of the first shard whether those of others will be the same ones, and enough to be worth it. */
function isRepeating({ grouper, rows, rowsSelected }: ScanPlan, part: JoinedPart, groupsMin: number): boolean {
  const groups = rowsSelected === 0 || grouper === null ? 0 : rows.usedSlots(grouper.capacity()).length;
  return groups >= groupsMin && groups <= Math.max(part.rows, 1) * repeatedShare;
}
