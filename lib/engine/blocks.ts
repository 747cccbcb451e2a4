/** Cutting the shards of a task into what is scanned at once: runs or aligned blocks where that can be done and pays, else single shards. */
import type { Partial } from "./partial.js";
import type { BlockRefusal, ScannedBlock } from "./scan-block.js";
import { alignedBlocks, contiguous, isAligned, type Block } from "./tree.js";

/** Shards scanned at once at most: each is an open table. */
const blockShardsMax = 256;

/** What shards are scanned with; all lists of shards are in the order of ordinals and without gaps. */
export interface BlockScanner<S> {
  /** The partial of shards, if it is known. */
  find(shards: readonly S[]): Partial | undefined;
  /** Scans an aligned block of several. */
  scanBlock(shards: readonly S[]): ScannedBlock | BlockRefusal;
  /** Scans several that are no aligned block, if what comes of them may stand for them all. */
  scanRun(shards: readonly S[]): ScannedBlock | undefined;
  scanShard(shard: S): Partial;
}

/** Takes the partial of a block or run, once. */
type Emit = (block: Block, partial: Partial, isKnown: boolean) => void;

/** Gives `emit` the partials of shards, in their order: each of an aligned block, or a run, that was scanned or was known. */
export function scanInBlocks<S extends { readonly ordinal: number }>(shards: readonly S[], scanner: BlockScanner<S>, emit: Emit): void {
  for (const run of contiguous(shards)) {
    const done = scanRun(run, scanner, emit);
    scanByBlocks(run.slice(done), scanner, emit);
  }
}

/** Scans the first shards of a run at once, or none; gives how many. */
function scanRun<S extends { readonly ordinal: number }>(run: readonly S[], scanner: BlockScanner<S>, emit: Emit): number {
  const block = { start: run[0]!.ordinal, size: run.length };
  if (isAligned(block) || run.length > blockShardsMax) return 0;
  const known = scanner.find(run);
  if (known !== undefined) {
    emit(block, known, true);
    return run.length;
  }
  // What is known of a part saves scanning it.
  if (run.some((shard) => scanner.find([shard]) !== undefined) || partsOf(run).some((part) => scanner.find(part) !== undefined)) return 0;
  const scanned = scanner.scanRun(run);
  if (scanned === undefined) return 0;
  emit({ start: block.start, size: scanned.shards }, scanned.partial, false);
  return scanned.shards;
}

function scanByBlocks<S extends { readonly ordinal: number }>(run: readonly S[], scanner: BlockScanner<S>, emit: Emit): void {
  for (const part of partsOf(run)) scanPart(part, scanner, emit);
}

/** Shards as aligned blocks. */
function partsOf<S extends { readonly ordinal: number }>(run: readonly S[]): (readonly S[])[] {
  let start = 0;
  return alignedBlocks(run.map(({ ordinal }) => ordinal), blockShardsMax).map(({ size }) => run.slice(start, (start += size)));
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
