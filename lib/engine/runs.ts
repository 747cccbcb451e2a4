/** Runs of shards: partials that add up to the same along any tree are put together as far as their shards follow each other. */
import { isAssociative, shapeOf } from "./merge-tree.js";
import type { Partial } from "./partial.js";
import type { Tree } from "./states/adding.js";
import type { Block } from "./tree.js";

/** The partial of a block, or of a run. */
export interface Scanned {
  readonly block: Block;
  readonly value: Partial;
}

/** Partials, in the order of their shards: those that follow each other as one, merged by `merge`, where all of a run are alike and associative. */
export function joinRuns(scanned: readonly Scanned[], merge: (run: Tree<Partial>) => Partial): Scanned[] {
  return cutRuns(scanned).flatMap((run) => {
    const [first] = run;
    if (first === undefined || run.length === 1 || !areOfOneKind(run)) return run;
    const size = run.reduce((sum, { block }) => sum + block.size, 0);
    return [{ block: { start: first.block.start, size }, value: merge(run.map(({ value }): Tree<Partial> => value).reduce((left, right) => [left, right])) }];
  });
}

function cutRuns(scanned: readonly Scanned[]): Scanned[][] {
  const runs: Scanned[][] = [];
  let next: number | undefined;
  for (const part of scanned) {
    if (part.block.start === next) runs.at(-1)!.push(part);
    else runs.push([part]);
    next = part.block.start + part.block.size;
  }
  return runs;
}

function areOfOneKind(run: readonly Scanned[]): boolean {
  return run.every(({ value }) => isAssociative(value) && shapeOf(value) === shapeOf(run[0]!.value));
}
