/** The partials of one query as one, and the columns of its answer; where this runs is up to others. */
import { monotonicMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import { finishQuery } from "../engine/finish.js";
import { isAssociative, mergeTree, shapeOf } from "../engine/merge-tree.js";
import { partialOfNothing } from "../engine/nothing.js";
import type { Partial } from "../engine/partial.js";
import { decodePartial } from "../engine/partial-bytes.js";
import { purposeOf } from "../engine/partial-limit.js";
import { bytesOfArrays } from "../engine/array-bytes.js";
import type { Query } from "../engine/query/query.js";
import { finishResult, type FinishedResult } from "../engine/result/finish-result.js";
import type { Tree } from "../engine/states/adding.js";
import { alignedBlocks, createMergeTree, isAligned, ordinalsOf, type Block } from "../engine/tree.js";
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
  /** What merging took so far. */
  mergedMs(): number;
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

/** The answer of a query for groups, and what it took. */
export interface RenderedGroups {
  readonly result: FinishedResult;
  readonly mergedMs: number;
  readonly renderedMs: number;
}

/** What a merger may take, and whether it is to go on. */
export interface MergerOptions {
  /** Bytes of all partials held; merging them and making the answer takes about as much again. */
  readonly bytesMax: number;
  /** Called before every step that may take long; ends it by throwing. */
  readonly stopIfAsked?: () => void;
}

/** A merger of the partials of so many shards. */
export function createMerger(query: Query, shardCount: number, { bytesMax, stopIfAsked = () => undefined }: MergerOptions): Merger {
  let mergedMs = 0;
  let heldBytes = 0;
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
    const merged = hold(mergeTree(waiting));
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
      mergedMs += monotonicMs() - startMs;
    },
    partial() {
      if (shardCount === 0) return partialOfNothing(query);
      const root = tree.root();
      if (root === undefined || root === null) throw cutShort();
      const startMs = monotonicMs();
      stopIfAsked();
      const partial = mergeTree(root.tree);
      mergedMs += monotonicMs() - startMs;
      return partial;
    },
    mergedMs: () => mergedMs,
  };
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
  const result = finishResult(query, finishQuery(query, partial), query.keys.length === 0 ? 1 : partial.groups);
  return { result, mergedMs: merger.mergedMs(), renderedMs: monotonicMs() - startMs };
}

/** BAD_MESSAGE: the controller says that all has come, and it has not. */
export function cutShort(): BquerydError {
  return new BquerydError("BAD_MESSAGE", "the answer ended before all shards were in; ask again");
}
