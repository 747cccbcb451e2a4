/** Batches made of aligned blocks, which a worker can merge along the fixed tree before it answers. */
import { alignedBlocks, ordinalsOf } from "../../engine/tree.js";
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

/**
 * The same for ordinals of which each block that is left over costs much: whole blocks alone, fewer ordinals if need be.
 * Of equal blocks those come first that have more of what `isNear`.
 */
export function chooseBlocks(ordinals: readonly number[], size: number, isNear: (ordinal: number) => boolean): number[] {
  const batch: number[] = [];
  const blocks = alignedBlocks(ordinals, size).map((block) => ({ block, near: ordinalsOf(block).filter(isNear).length }));
  for (const { block } of blocks.sort((a, b) => b.block.size - a.block.size || b.near - a.near)) {
    if (block.size <= size - batch.length) batch.push(...ordinalsOf(block));
  }
  return batch.sort((a, b) => a - b);
}
