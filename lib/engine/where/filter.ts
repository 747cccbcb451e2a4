/** Conditions over the rows of a shard: terms under and and or become one mask, what decides early and cheaply first. */
import { chunkRows } from "../../columns/dtypes.js";
import type { Condition } from "../expressions/tree.js";
import { createSubInputs } from "../expressions/evaluate/sub-input.js";
import type { Arena } from "../memory.js";
import { createComparison, createLike, createNullTest } from "./compare.js";
import { createKeptTests, type KeptTests } from "./kept-tests.js";
import { rowsOfInput, type Predicate, type PredicateContext, type Rows } from "./predicate.js";
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
      return joinParts(condition.kind, parts, context, maskAt(depth));
    }
  }
}

/**
 * What is computed may fail, and is not for rows that are decided without it: comparisons of columns come first, the cheap
 * ones before the others, then what is computed in the order written. So which rows fail does not depend on how they are cut
 * into chunks, and neither may statistics spare a chunk what fails in it.
 */
function joinParts(kind: "and" | "or", parts: readonly Predicate[], context: PredicateContext, spare: () => number): Predicate {
  const { arena: { kernels } } = context;
  const inTurn = [...parts.filter((part) => !part.isComputed).toSorted((a, b) => a.cost - b.cost), ...parts.filter((part) => part.isComputed)];
  const combine = kind === "and" ? kernels.maskAnd : kernels.maskOr;
  const settled = kind === "and" ? 0 : 1;
  const maskUndecided = createNarrowing(settled, context, spare);
  return {
    cost: parts.reduce((sum, part) => sum + part.cost, 0),
    isComputed: parts.some((part) => part.isComputed),
    mayFail: (chunk) => parts.some((part) => part.mayFail(chunk)),
    judge: (chunk) => judgeParts(kind, inTurn, chunk),
    mask(rows, mask) {
      const open = openParts(kind, inTurn, rows);
      if (open === undefined || open.length === 0) {
        kernels.bytes.fill(open === undefined ? settled : 1 - settled, mask, mask + rows.rows);
        return;
      }
      for (const [place, part] of open.entries()) {
        if (place === 0) part.mask(rows, mask);
        else if (part.isComputed) maskUndecided(part, rows, mask);
        else {
          part.mask(rows, spare());
          combine(mask, spare(), rows.rows);
        }
        if (kernels.maskCount(mask, rows.rows) === settled * rows.rows) return;
      }
    },
  };
}

function judgeParts(kind: "and" | "or", inTurn: readonly Predicate[], chunk: number): Verdict {
  const failing = inTurn.findIndex((part) => part.mayFail(chunk));
  if (failing === -1) return joinVerdicts(kind, inTurn.map((part) => part.judge(chunk)));
  return inTurn.slice(0, failing).some((part) => part.judge(chunk) === decisiveOf(kind)) ? decisiveOf(kind) : "some";
}

function decisiveOf(kind: "and" | "or"): Verdict {
  return kind === "and" ? "none" : "all";
}

/** The parts that statistics leave open; undefined where one decides the whole, and none before it may fail. */
function openParts(kind: "and" | "or", parts: readonly Predicate[], { chunk }: Rows): readonly Predicate[] | undefined {
  const open: Predicate[] = [];
  for (const part of parts) {
    const verdict = part.judge(chunk);
    if (verdict === decisiveOf(kind) && !open.some((before) => before.mayFail(chunk))) return undefined;
    if (verdict === "some" || verdict === decisiveOf(kind)) open.push(part);
  }
  return open;
}

/** Masks a part for the rows alone that those before it left undecided, which are all that are not `settled`. */
function createNarrowing(settled: 0 | 1, { arena, strings }: PredicateContext, spare: () => number): (part: Predicate, rows: Rows, mask: number) => void {
  const { kernels } = arena;
  const index = lazily(arena, chunkRows * 2);
  const subInputs = createSubInputs({ arena, strings });
  return (part, rows, mask) => {
    if (settled === 1) kernels.maskRangeU8(mask, rows.rows, 0, 0, 0, spare());
    const count = kernels.maskIndex(settled === 1 ? spare() : mask, rows.rows, index());
    if (count === rows.rows) part.mask(rows, mask);
    else {
      part.mask(rowsOfInput(subInputs(rows.input, index(), count)), spare());
      kernels.placeMask(spare(), index(), count, mask);
    }
  };
}

function lazily(arena: Arena, bytes: number): () => number {
  let pointer: number | undefined;
  return () => (pointer ??= arena.allocate(bytes));
}
