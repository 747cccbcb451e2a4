/** What a task keeps of its partials until it sends them: siblings are merged as long as what comes of it fits a message. */
import type { Partial } from "./partial.js";
import { bytesOfArrays } from "./array-bytes.js";
import type { Scanned } from "./runs.js";
import { createMergeTree, isAligned, type Block } from "./tree.js";

/** Collects the partials of the blocks of a task. */
export interface BlockMerging {
  /** Adds a block or run; what has been merged so far is given away where it would be too much. */
  add(block: Block, partial: Partial): void;
  /** Gives the rest away. */
  end(): void;
}

/** How blocks are merged and where they go. */
export interface BlockMergingOptions {
  /** Bytes that all partials kept take at most, unless it is a single one; what is given away is merged by others. */
  readonly bytesMax: number;
  merge(left: Partial, right: Partial): Partial;
  /** Puts together what is given away at once, in order of ordinals, as far as it goes. */
  join(scanned: readonly Scanned[]): readonly Scanned[];
  /** Takes each of what comes of that, once. */
  give(block: Block, partial: Partial): void;
}

/** A partial and what it takes. */
interface Kept {
  readonly partial: Partial;
  readonly bytes: number;
}

/** A merging of blocks of the first `count` ordinals. */
export function createBlockMerging(count: number, { bytesMax, merge, join, give }: BlockMergingOptions): BlockMerging {
  let keptBytes = 0;
  let runs: Scanned[] = [];
  const tree = createMergeTree<Kept>(count, (left, right) => {
    // What comes of them takes no more than both, and less when it is sent.
    if (left.bytes + right.bytes > bytesMax) return undefined;
    const partial = merge(left.partial, right.partial);
    const bytes = bytesOfArrays(partial);
    keptBytes += bytes - left.bytes - right.bytes;
    return { partial, bytes };
  }, false);
  function end(): void {
    const blocks = tree.take().map(({ block, value }): Scanned => ({ block, value: value.partial }));
    const scanned = [...blocks, ...runs].sort((a, b) => a.block.start - b.block.start);
    runs = [];
    for (const { block, value } of join(scanned)) give(block, value);
    keptBytes = 0;
  }
  return {
    add(block, partial) {
      const bytes = bytesOfArrays(partial);
      if (keptBytes + bytes > bytesMax) end();
      keptBytes += bytes;
      if (isAligned(block)) tree.add(block, { partial, bytes });
      else runs.push({ block, value: partial });
    },
    end,
  };
}
