/** Batches made of aligned blocks, which a worker can merge along the fixed tree before it answers, or of stretches, where it can merge these. */
import { alignedBlocks, contiguous, ordinalsOf } from "../../../engine/tree.js";
import type { Block } from "../../../wire/messages.js";

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

/**
 * The same for ordinals of which each stretch costs much, wherever it begins: one stretch, at the start or the end of a
 * longer one so that what is left is not cut; of equally long ones the first that has most of what `isNear`.
 */
export function chooseRun(ordinals: readonly number[], size: number, isNear: (ordinal: number) => boolean): number[] {
  let best: number[] = [];
  let mostNear = -1;
  for (const run of contiguous(ordinals.map((ordinal) => ({ ordinal })))) {
    const all = run.map(({ ordinal }) => ordinal);
    for (const stretch of [all.slice(0, size), all.slice(-size)]) {
      const near = stretch.filter(isNear).length;
      if (stretch.length < best.length || (stretch.length === best.length && near <= mostNear)) continue;
      best = stretch;
      mostNear = near;
    }
  }
  return best;
}
