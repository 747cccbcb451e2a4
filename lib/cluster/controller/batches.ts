/** Batches made of aligned blocks, which a worker can merge along the fixed tree before it answers. */
import type { Block } from "../../wire/messages.js";

/**
 * `size` of the given ordinals (ascending, distinct), or all if they are fewer, ascending: the largest aligned blocks
 * among them first, of equal ones the first, and then loose ordinals from the end. A block is the ordinals k * 2^j up to
 * (k + 1) * 2^j.
 */
export function chooseBatch(ordinals: readonly number[], size: number): number[] {
  const chosen: Block[] = [];
  let room = size;
  for (const block of alignedBlocks(ordinals, size).sort((a, b) => b.size - a.size)) {
    if (block.size > room) continue;
    chosen.push(block);
    room -= block.size;
  }
  const batch = new Set(chosen.flatMap(ordinalsOf));
  for (let index = ordinals.length - 1; index >= 0 && batch.size < size; index--) batch.add(ordinals[index]!);
  return [...batch].sort((a, b) => a - b);
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

/** Tells whether a block has a power of two for its size and starts at a multiple of it. */
export function isAligned({ start, size }: Block): boolean {
  return 2 ** Math.round(Math.log2(size)) === size && start % size === 0;
}

function ordinalsOf({ start, size }: Block): number[] {
  return Array.from({ length: size }, (_, offset) => start + offset);
}
