/** The partials of one query as one, and the columns of its answer; where this runs is up to others. */
import { monotonicMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import { isAssociative, mergeTree, shapeOf } from "../engine/merge-tree.js";
import { partialOfNothing } from "../engine/nothing.js";
import type { Partial } from "../engine/partial.js";
import { decodePartial } from "../engine/partial-bytes.js";
import type { PartialNames } from "../engine/merge.js";
import { namesOf } from "../engine/partial-names.js";
import { purposeOf } from "../engine/partial-limit.js";
import { bytesOfArrays } from "../engine/array-bytes.js";
import type { Query } from "../engine/query/query.js";
import { finishGroups, type FinishedResult } from "../engine/result/finish-result.js";
import type { Tree } from "../engine/states/adding.js";
import { alignedBlocks, createMergeTree, isAligned, ordinalsOf, type Block, type MergeTree } from "../engine/tree.js";
import { askApart } from "./aligned.js";

/** Partials as they come. */
export interface Merger {
  /**
   * Adds the bytes of a block or run, or null for a shard that is left out. Throws BAD_MESSAGE, SCHEMA_MISMATCH, MEMORY_LIMIT,
   * and what askRuns knows where runs cannot be put together with the rest.
   */
  add(block: Block, bytes: Uint8Array | null): void;
  /** The partial of all shards. Throws BAD_MESSAGE when one is missing: a short answer must not look whole. */
  partial(): Partial;
  /** The partial of the shards that have come, as if the others were left out; undefined where none has, or where there is no room for it beside them. */
  partialSoFar(): Partial | undefined;
  /** Shards that have come, and how many of them are not left out. */
  counts(): ShardCounts;
  /** Throws MEMORY_LIMIT where the columns of the answer take more than may be held. */
  requireColumns(bytes: number): void;
  /** What merging took so far. */
  mergedMs(): number;
}

/** How far the shards of an answer are. */
export interface ShardCounts {
  /** Shards that have come or were left out. */
  readonly done: number;
  /** Shards that have come. */
  readonly answered: number;
}

/** Partials that are siblings, not merged yet: many at once are merged in less time than by twos. */
interface Waiting {
  readonly tree: Tree<Partial>;
  readonly count: number;
  readonly bytes: number;
}

/** Partials that wait for each other at most, and their share of the memory there is. */
const waitingMax = 16;
const waitingShare = 1 / 8;

/** Columns that are never too large, however little may be held. */
const columnsFreeBytes = 65_536;

/** The answer of a query for groups, and what it took. */
export interface RenderedGroups {
  readonly result: FinishedResult;
  readonly mergedMs: number;
  readonly renderedMs: number;
}

/** What a merger may take, and whether it is to go on. */
export interface MergerOptions {
  /** Bytes of all partials held, and of the columns of the answer; merging takes about as much again. */
  readonly bytesMax: number;
  /** Called before every step that may take long; ends it by throwing. */
  readonly stopIfAsked?: () => void;
}

/** A merger of the partials of so many shards. */
export function createMerger(query: Query, shardCount: number, { bytesMax, stopIfAsked = () => undefined }: MergerOptions): Merger {
  const names = namesOf(query);
  let [mergedMs, heldBytes, done, leftOut] = [0, 0, 0, 0];
  // A shard that is left out is null, and nothing beside whatever it is merged with.
  const tree = createMergeTree<Waiting | null>(shardCount, (left, right) => {
    if (left === null || right === null) return left ?? right;
    const both: Waiting = { tree: [left.tree, right.tree], count: left.count + right.count, bytes: left.bytes + right.bytes };
    return both.count < waitingMax && both.bytes <= bytesMax * waitingShare ? both : merge(both);
  });
  function hold(partial: Partial): Waiting {
    const bytes = bytesOfArrays(partial);
    heldBytes += bytes;
    return { tree: partial, count: 1, bytes };
  }
  function merge({ tree: waiting, bytes }: Waiting): Waiting {
    stopIfAsked();
    const merged = hold(mergeTree(waiting, names));
    heldBytes -= bytes;
    return merged;
  }
  function requireRoom(bytes: number): void {
    if (heldBytes + bytes <= bytesMax) return;
    throw new BquerydError("MEMORY_LIMIT", `${purposeOf(query)} takes ${heldBytes + bytes} bytes to merge, more than the ${bytesMax} of merge_memory; raise it or group by fewer distinct values`, { details: { heldBytes, bytes, mergeBytes: bytesMax } });
  }
  const requireFitting = createFitting();
  return {
    add(block, bytes) {
      const startMs = monotonicMs();
      stopIfAsked();
      if (!tree.hasRoomFor(block) || (!isAligned(block) && block.start + block.size > shardCount)) throw misplaced(block);
      const partial = bytes === null ? null : decodePartial(bytes, requireRoom);
      if (partial !== null) requireFitting(block, partial);
      // A run stands at its first shards, and there is nothing at the others: what adds up in any way does so there.
      const places = isAligned(block) ? [block] : alignedBlocks(ordinalsOf(block), block.size);
      for (const [at, place] of places.entries()) tree.add(place, partial === null || at > 0 ? null : hold(partial));
      const size = Math.min(block.size, shardCount - block.start);
      done += size;
      if (partial === null) leftOut += size;
      mergedMs += monotonicMs() - startMs;
    },
    partial() {
      if (shardCount === 0) return partialOfNothing(query);
      const root = tree.root();
      if (root === undefined || root === null) throw cutShort();
      const startMs = monotonicMs();
      stopIfAsked();
      const partial = mergeTree(root.tree, names);
      mergedMs += monotonicMs() - startMs;
      return partial;
    },
    partialSoFar: () => (2 * heldBytes > bytesMax ? undefined : mergeSoFar(tree, shardCount, names)),
    counts: () => ({ done, answered: done - leftOut }),
    requireColumns(bytes) {
      if (bytes > Math.max(bytesMax, columnsFreeBytes)) throw new BquerydError("MEMORY_LIMIT", `${purposeOf(query)} gives columns of ${bytes} bytes, more than the ${bytesMax} of merge_memory; raise it, set a limit, or ask for less of each group`, { details: { bytes, mergeBytes: bytesMax } });
    },
    mergedMs: () => mergedMs,
  };
}

/** Merges what a tree holds along the tree of the whole list, in which all that is missing is nothing. The tree stays as it is. */
function mergeSoFar(tree: MergeTree<Waiting | null>, shardCount: number, names: PartialNames): Partial | undefined {
  const held = tree.entries();
  const whole = createMergeTree<Tree<Partial> | null>(shardCount, (left, right) => (left === null || right === null ? left ?? right : [left, right]));
  for (const { block, value } of held) whole.add(block, value?.tree ?? null);
  const missing = Array.from({ length: shardCount }, (_, ordinal) => ordinal).filter((ordinal) => whole.hasRoomFor({ start: ordinal, size: 1 }));
  for (const block of alignedBlocks(missing, shardCount)) whole.add(block, null);
  const root = whole.root();
  return root === undefined || root === null ? undefined : mergeTree(root, names);
}

/** Throws where a partial and those before cannot be one answer: beside a run all have to be of one shape. What does not add up in any order is not in the run, where it is nothing. */
function createFitting(): (block: Block, partial: Partial) => void {
  let first: Partial | undefined;
  let [hasRun, isMixed] = [false, false];
  return (block, partial) => {
    const addsUp = isAssociative(partial);
    if (!isAligned(block) && !addsUp) throw new BquerydError("BAD_MESSAGE", "a partial of shards that are no block does not add up in any order; a worker is broken");
    isMixed ||= first !== undefined && shapeOf(partial) !== shapeOf(first);
    first ??= partial;
    hasRun ||= !isAligned(block);
    if (hasRun && isMixed) throw askApart();
  };
}

function misplaced({ start, size }: Block): BquerydError {
  return new BquerydError("BAD_MESSAGE", `a partial of the shards ${start} to ${start + size - 1} came twice, or there are no such shards; ask again`);
}

/** The answer of what was merged. Throws as a merger, and OVERFLOW, DTYPE_MISMATCH, BAD_QUERY. */
export function renderGroups(query: Query, merger: Merger): RenderedGroups {
  const partial = merger.partial();
  const startMs = monotonicMs();
  const result = finishGroups(query, partial, (bytes) => { merger.requireColumns(bytes); });
  return { result, mergedMs: merger.mergedMs(), renderedMs: monotonicMs() - startMs };
}

/** What the answer would be over the shards that have come. */
export interface Draft extends ShardCounts {
  readonly result: FinishedResult;
  /** What it took to make it. */
  readonly tookMs: number;
}

/**
 * The answer over what a merger has so far, in arrays of its own; undefined where there is none: nothing has come, there is
 * no room for it, or it cannot be, as where a sum leaves its dtype that will come back. The merger goes on as if nothing was.
 */
export function draftGroups(query: Query, merger: Merger): Draft | undefined {
  const startMs = monotonicMs();
  try {
    const partial = merger.partialSoFar();
    if (partial === undefined) return undefined;
    const result = finishGroups(query, partial, (bytes) => { merger.requireColumns(bytes); });
    // What the result holds may be what the merger holds, and whoever gets the table may write into it.
    return { ...merger.counts(), result: structuredClone(result), tookMs: monotonicMs() - startMs };
  } catch (cause) {
    // What fails to be allocated now may be smaller in the end.
    if (cause instanceof BquerydError || cause instanceof RangeError) return undefined;
    throw cause;
  }
}

/** BAD_MESSAGE: the controller says that all has come, and it has not. */
export function cutShort(): BquerydError {
  return new BquerydError("BAD_MESSAGE", "the answer ended before all shards were in; ask again");
}
