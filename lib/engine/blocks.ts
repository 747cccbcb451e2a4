/** Cutting the shards of a task into what is scanned at once: aligned blocks where that can be done and pays, else single shards. */
import type { Partial } from "./partial.js";
import type { BlockRefusal, ScannedBlock } from "./scan-block.js";
import { alignedBlocks, type Block } from "./tree.js";

/** Shards of a block at most: each is an open table. */
const blockShardsMax = 256;

/** What shards are scanned with; all lists of shards are in the order of ordinals and without gaps. */
export interface BlockScanner<S> {
  /** The partial of shards, if it is known. */
  find(shards: readonly S[]): Partial | undefined;
  /** Scans an aligned block of several. */
  scanBlock(shards: readonly S[]): ScannedBlock | BlockRefusal;
  scanShard(shard: S): Partial;
}

/** Takes the partial of a block, once. */
type Emit = (block: Block, partial: Partial, isKnown: boolean) => void;

/** Gives `emit` the partials of shards, in their order: each of an aligned block that was scanned, or was known. */
export function scanInBlocks<S extends { readonly ordinal: number }>(shards: readonly S[], scanner: BlockScanner<S>, emit: Emit): void {
  let start = 0;
  for (const { size } of alignedBlocks(shards.map(({ ordinal }) => ordinal), blockShardsMax)) {
    scanPart(shards.slice(start, start + size), scanner, emit);
    start += size;
  }
}

function scanPart<S extends { readonly ordinal: number }>(shards: readonly S[], scanner: BlockScanner<S>, emit: Emit): void {
  const [first] = shards;
  if (first === undefined) return;
  const give = (partial: Partial, size: number): void => { emit({ start: first.ordinal, size }, partial, false); };
  const known = scanner.find(shards);
  if (known !== undefined) {
    emit({ start: first.ordinal, size: shards.length }, known, true);
    return;
  }
  if (shards.length === 1) {
    give(scanner.scanShard(first), 1);
    return;
  }
  // What is known of a single shard saves scanning it.
  const scanned = shards.some((shard) => scanner.find([shard]) !== undefined) ? "too many" : scanner.scanBlock(shards);
  if (scanned === "never") for (const shard of shards) scanPart([shard], scanner, emit);
  else if (scanned === "too many") for (const half of halvesOf(shards)) scanPart(half, scanner, emit);
  else {
    give(scanned.partial, scanned.shards);
    if (scanned.shards < shards.length) for (let size = 1; size < shards.length; size *= 2) scanPart(shards.slice(size, 2 * size), scanner, emit);
  }
}

function halvesOf<S>(shards: readonly S[]): (readonly S[])[] {
  return [shards.slice(0, shards.length / 2), shards.slice(shards.length / 2)];
}
