/**
 * The one binary tree along which partials are merged: its leaves are the ordinals of the ordered shard list, so an answer
 * does not depend on who merged what, or when.
 */

/** Ordinals start to start + size: a block of the tree if it is aligned, else a run that is none. */
export interface Block {
  readonly start: number;
  readonly size: number;
}

/** Collects the values of blocks and merges siblings as soon as both are there. */
export interface MergeTree<T> {
  /** Adds a block; throws an assertion on one that overlaps another or is not aligned. */
  add(block: Block, value: T): void;
  /** Tells whether none of the ordinals of a block or run has been added, and the first is one of the list. */
  hasRoomFor(block: Block): boolean;
  /** What has been merged so far, in order of ordinals. */
  entries(): { block: Block; value: T }[];
  /** The same; the tree keeps none of it. */
  take(): { block: Block; value: T }[];
  /** The value of the whole list once every ordinal has been added, else undefined. */
  root(): T | undefined;
}

/**
 * A tree over `count` ordinals. Places from `count` on are empty leaves: where one side of a merge is empty, the other
 * side is the result. With `isWhole` false (a worker's batch) such places are left to whoever has the whole list, as are
 * siblings of which `merge` gives undefined.
 */
export function createMergeTree<T>(count: number, merge: (left: T, right: T) => T | undefined, isWhole = true): MergeTree<T> {
  const nodes = new Map<number, { block: Block; value: T }>();
  const covered = new Uint8Array(count);
  let missing = count;

  function lift(block: Block, value: T): void {
    for (;;) {
      const isRight = (block.start / block.size) % 2 === 1;
      const siblingStart = isRight ? block.start - block.size : block.start + block.size;
      const sibling = nodes.get(siblingStart);
      const parent = { start: Math.min(block.start, siblingStart), size: block.size * 2 };
      if (sibling?.block.size === block.size) {
        const merged = isRight ? merge(sibling.value, value) : merge(value, sibling.value);
        if (merged === undefined) break;
        nodes.delete(siblingStart);
        value = merged;
      } else if (!isWhole || isRight || siblingStart < count || (block.start === 0 && block.size >= count)) break;
      block = parent;
    }
    nodes.set(block.start, { block, value });
  }

  const entries = (): { block: Block; value: T }[] => [...nodes.values()].sort((a, b) => a.block.start - b.block.start);

  return {
    add(block, value) {
      cover(covered, block);
      missing -= Math.min(block.size, count - block.start);
      lift(block, value);
    },
    hasRoomFor: ({ start, size }) => start >= 0 && start < count && !covered.subarray(start, start + size).includes(1),
    entries,
    take() {
      const taken = entries();
      nodes.clear();
      return taken;
    },
    root: () => (missing === 0 ? nodes.get(0)?.value : undefined),
  };
}

function cover(covered: Uint8Array, block: Block): void {
  const { start, size } = block;
  if (!isAligned(block) || start < 0 || start >= covered.length || covered.subarray(start, start + size).includes(1)) throw new Error(`block ${start}+${size} of ${covered.length} does not fit the tree`);
  covered.fill(1, start, start + size);
}

/** Tells whether a block has a power of two for its size and starts at a multiple of it. */
export function isAligned({ start, size }: Block): boolean {
  return 2 ** Math.round(Math.log2(size)) === size && start % size === 0;
}

/** The ordinals of a block or run, ascending. */
export function ordinalsOf({ start, size }: Block): number[] {
  return Array.from({ length: size }, (_, offset) => start + offset);
}

/** Things with ordinals, ascending, cut where one is missing. */
export function contiguous<S extends { readonly ordinal: number }>(things: readonly S[]): S[][] {
  const runs: S[][] = [];
  let next: number | undefined;
  for (const thing of things) {
    if (thing.ordinal === next) runs.at(-1)!.push(thing);
    else runs.push([thing]);
    next = thing.ordinal + 1;
  }
  return runs;
}

/** The ordinals as the fewest aligned blocks of at most `sizeMax`, ascending. */
export function alignedBlocks(ordinals: readonly number[], sizeMax: number): Block[] {
  const blocks: Block[] = [];
  for (let index = 0; index < ordinals.length;) {
    const start = ordinals[index]!;
    let size = 1;
    while (start % (2 * size) === 0 && 2 * size <= sizeMax && ordinals[index + 2 * size - 1] === start + 2 * size - 1) size *= 2;
    blocks.push({ start, size });
    index += size;
  }
  return blocks;
}
