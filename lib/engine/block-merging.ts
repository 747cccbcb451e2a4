/** What a task keeps of its partials until it sends them: siblings are merged as long as what comes of it fits a message. */
import type { Partial } from "./partial.js";
import { bytesOfPartials } from "./partial-size.js";
import { createMergeTree, type Block } from "./tree.js";

/** Collects the partials of the blocks of a task. */
export interface BlockMerging {
  /** Adds a block; what has been merged so far is given away where it would be too much. */
  add(block: Block, partial: Partial): void;
  /** Gives the rest away. */
  end(): void;
}

/** How blocks are merged and where they go. */
export interface BlockMergingOptions {
  /** Bytes that all partials kept take at most, unless it is a single one; what is given away is merged by others. */
  readonly bytesMax: number;
  merge(left: Partial, right: Partial): Partial;
  /** Takes a largest block of those merged, once each. */
  give(block: Block, partial: Partial): void;
}

/** A partial and what it takes. */
interface Kept {
  readonly partial: Partial;
  readonly bytes: number;
}

/** A merging of blocks of the first `count` ordinals. */
export function createBlockMerging(count: number, { bytesMax, merge, give }: BlockMergingOptions): BlockMerging {
  let keptBytes = 0;
  const tree = createMergeTree<Kept>(count, (left, right) => {
    // What comes of them takes no more than both, and less when it is sent.
    if (left.bytes + right.bytes > bytesMax) return undefined;
    const partial = merge(left.partial, right.partial);
    const bytes = bytesOfPartials(partial);
    keptBytes += bytes - left.bytes - right.bytes;
    return { partial, bytes };
  }, false);
  function end(): void {
    for (const { block, value } of tree.take()) give(block, value.partial);
    keptBytes = 0;
  }
  return {
    add(block, partial) {
      const bytes = bytesOfPartials(partial);
      if (keptBytes + bytes > bytesMax) end();
      keptBytes += bytes;
      tree.add(block, { partial, bytes });
    },
    end,
  };
}
