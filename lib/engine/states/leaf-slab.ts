/**
 * Cells of states whose merging rounds, over several shards: each shard has cells of its own, a leaf of the fixed tree,
 * and they are merged slot by slot along that tree, so that the answer is that of shards scanned apart.
 */
import type { Arena } from "../memory.js";
import type { Block } from "../tree.js";

/** Blocks of equal cells, of which at most one a level of the tree is alive. */
export interface LeafSlab {
  /** The cells of the shard at hand; zeros at first. */
  pointer(): number;
  /** Makes room for `groups` groups. */
  grow(groups: number): void;
  /** Ends the shard of an ordinal; shards end in the order of their ordinals. */
  endShard(ordinal: number): void;
  /** The cells of all shards, once these have ended and were an aligned block. */
  merged(): number;
}

interface Cells {
  readonly pointer: number;
  readonly groups: number;
}

/** Cells of zeros; `merge` adds those of later rows to those of earlier ones, in place. Shards without rows change nothing. */
export function createLeafSlab(arena: Arena, bytesEach: number, merge: (earlier: number, later: number, groups: number) => void): LeafSlab {
  let groups = 0;
  let leaf: Cells | null = null;
  const ended: { block: Block; cells: Cells | null }[] = [];

  function enlarge({ pointer, groups: before }: Cells, wanted: number): Cells {
    const larger = arena.enlarge(pointer, before * bytesEach, wanted * bytesEach);
    arena.kernels.bytes.fill(0, larger + before * bytesEach, larger + wanted * bytesEach);
    return { pointer: larger, groups: wanted };
  }

  function mergeCells(earlier: Cells | null, later: Cells | null): Cells | null {
    if (earlier === null || later === null) return earlier ?? later;
    const target = earlier.groups < later.groups ? enlarge(earlier, later.groups) : earlier;
    merge(target.pointer, later.pointer, later.groups);
    arena.free(later.pointer);
    return target;
  }

  return {
    pointer() {
      leaf ??= { pointer: arena.allocateZeroed(groups * bytesEach), groups };
      return leaf.pointer;
    },
    grow(wanted) {
      groups = Math.max(groups, wanted);
      if (leaf !== null && leaf.groups < groups) leaf = enlarge(leaf, groups);
    },
    endShard(ordinal) {
      let [block, cells]: [Block, Cells | null] = [{ start: ordinal, size: 1 }, leaf];
      leaf = null;
      while (ended.length > 0 && areSiblings(ended.at(-1)!.block, block)) {
        const before = ended.pop()!;
        cells = mergeCells(before.cells, cells);
        block = { start: before.block.start, size: 2 * block.size };
      }
      ended.push({ block, cells });
    },
    merged() {
      const [only, another] = ended;
      if (only === undefined || another !== undefined) throw new Error("the shards are no aligned block");
      return only.cells?.pointer ?? arena.allocateZeroed(groups * bytesEach);
    },
  };
}

function areSiblings(a: Block, b: Block): boolean {
  return a.size === b.size && a.start + a.size === b.start && a.start % (2 * a.size) === 0;
}
