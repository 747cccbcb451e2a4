/** The partials of one query as one, and the columns of its answer; where this runs is up to others. */
import { monotonicMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import { finishQuery } from "../engine/finish.js";
import { isAssociative, mergeTree, shapeOf } from "../engine/merge-tree.js";
import { partialOfNothing } from "../engine/nothing.js";
import type { Partial } from "../engine/partial.js";
import { decodePartial } from "../engine/partial-bytes.js";
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
}

/** Partials that wait for each other at most. */
const waitingMax = 16;

/** The answer of a query for groups, and what it took. */
export interface RenderedGroups {
  readonly result: FinishedResult;
  readonly mergedMs: number;
  readonly renderedMs: number;
}

/** A merger of the partials of so many shards; `stopIfAsked` is called before every step that may take long, and ends it by throwing. */
export function createMerger(query: Query, shardCount: number, stopIfAsked: () => void = () => undefined): Merger {
  let mergedMs = 0;
  // A shard that is left out is null, and nothing beside whatever it is merged with.
  const tree = createMergeTree<Waiting | null>(shardCount, (left, right) => {
    if (left === null || right === null) return left ?? right;
    const both: Waiting = { tree: [left.tree, right.tree], count: left.count + right.count };
    return both.count < waitingMax ? both : merge(both);
  });
  function merge({ tree: waiting }: Waiting): Waiting {
    stopIfAsked();
    return { tree: mergeTree(waiting), count: 1 };
  }
  const requireFitting = createFitting();
  return {
    add(block, bytes) {
      const startMs = monotonicMs();
      stopIfAsked();
      if (!tree.hasRoomFor(block) || (!isAligned(block) && block.start + block.size > shardCount)) throw misplaced(block);
      const partial = bytes === null ? null : decodePartial(bytes);
      if (partial !== null) requireFitting(block, partial);
      // A run stands at its first shards, and there is nothing at the others: what adds up in any way does so there.
      const places = isAligned(block) ? [block] : alignedBlocks(ordinalsOf(block), block.size);
      for (const [at, place] of places.entries()) tree.add(place, partial === null || at > 0 ? null : { tree: partial, count: 1 });
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

/** Throws where a partial and those before cannot be one answer: beside a run all have to be associative, and of one shape. */
function createFitting(): (block: Block, partial: Partial) => void {
  let first: Partial | undefined;
  let [hasRun, isMixed] = [false, false];
  return (block, partial) => {
    const addsUp = isAssociative(partial);
    if (!isAligned(block) && !addsUp) throw new BquerydError("BAD_MESSAGE", "a partial of shards that are no block does not add up in any order; a worker is broken");
    isMixed ||= !addsUp || (first !== undefined && shapeOf(partial) !== shapeOf(first));
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
