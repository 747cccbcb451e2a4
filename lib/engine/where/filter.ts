/** Conditions over the rows of a shard: terms under and and or become one mask, what decides early and cheaply first. */
import { chunkRows } from "../../columns/dtypes.js";
import type { Condition } from "../expressions/tree.js";
import type { Arena } from "../memory.js";
import { createComparison, createLike, createNullTest } from "./compare.js";
import { createKeptTests, type KeptTests } from "./kept-tests.js";
import type { Predicate, PredicateContext, Rows } from "./predicate.js";
import { createRelation } from "./relate.js";
import { joinVerdicts, type Verdict } from "./verdict.js";

/** What a filter is made from; without `kept` its tests are kept as long as the arena. */
export interface FilterContext extends Omit<PredicateContext, "scratch" | "kept"> {
  readonly kept?: KeptTests;
}

/**
 * The predicate of a condition. Only what is true selects, so unknown and false are one here: `and` is true where all parts
 * are, `or` where any is, and there is no other connective. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH.
 */
export function createFilter(condition: Condition, source: FilterContext): Predicate {
  const { arena } = source;
  const scratches = [0, 1].map(() => lazily(arena, chunkRows * 8));
  const context: PredicateContext = { ...source, kept: source.kept ?? createKeptTests(arena), scratch: (place) => scratches[place]!() };
  const masks: (() => number)[] = [];
  const maskAt = (depth: number): (() => number) => (masks[depth] ??= lazily(arena, chunkRows));
  return createPredicate(condition, context, maskAt, 0);
}

function createPredicate(condition: Condition, context: PredicateContext, maskAt: (depth: number) => () => number, depth: number): Predicate {
  switch (condition.kind) {
    case "compare": return createComparison(condition, context);
    case "like": return createLike(condition, context);
    case "null": return createNullTest(condition, context);
    case "relate": return createRelation(condition, context);
    case "and": case "or": {
      const parts = condition.parts.map((part) => createPredicate(part, context, maskAt, depth + 1));
      return joinParts(condition.kind, parts, context.arena, maskAt(depth));
    }
  }
}

function joinParts(kind: "and" | "or", parts: readonly Predicate[], { kernels }: Arena, spare: () => number): Predicate {
  const inTurn = parts.toSorted((a, b) => a.cost - b.cost);
  const combine = kind === "and" ? kernels.maskAnd : kernels.maskOr;
  const decisive: Verdict = kind === "and" ? "none" : "all";
  const settled = kind === "and" ? 0 : 1;
  return {
    cost: parts.reduce((sum, part) => sum + part.cost, 0),
    judge: (chunk) => joinVerdicts(kind, parts.map((part) => part.judge(chunk))),
    mask(rows, mask) {
      const open = openParts(inTurn, rows, decisive);
      if (open === undefined || open.length === 0) {
        kernels.bytes.fill(open === undefined ? settled : 1 - settled, mask, mask + rows.rows);
        return;
      }
      for (const [place, part] of open.entries()) {
        part.mask(rows, place === 0 ? mask : spare());
        if (place > 0) combine(mask, spare(), rows.rows);
        if (kernels.maskCount(mask, rows.rows) === settled * rows.rows) return;
      }
    },
  };
}

/** The parts that statistics leave open; undefined where one decides the whole. */
function openParts(parts: readonly Predicate[], { chunk }: Rows, decisive: Verdict): readonly Predicate[] | undefined {
  const open: Predicate[] = [];
  for (const part of parts) {
    const verdict = part.judge(chunk);
    if (verdict === decisive) return undefined;
    if (verdict === "some") open.push(part);
  }
  return open;
}

function lazily(arena: Arena, bytes: number): () => number {
  let pointer: number | undefined;
  return () => (pointer ??= arena.allocate(bytes));
}
