/** A column compared with literals or matched by a pattern: ruled by statistics where they decide, else a mask over the rows. */
import { BquerydError } from "../../base/errors.js";
import { chunkRows } from "../../columns/dtypes.js";
import type { Condition, Term } from "../expressions/tree.js";
import type { Arena } from "../memory.js";
import { isComputed, type ScanColumn } from "../scan-column.js";
import { widthNames } from "../states/slab.js";
import { compileLike } from "./like.js";
import { subjectOf, testOf, type ValueTest } from "./literals.js";
import type { KeptTests } from "./kept-tests.js";
import { predicateOver, type Predicate, type PredicateContext, type Values } from "./predicate.js";
import { createPoolTable, matchDictionary, type TextTest } from "./text-tests.js";
import { judge, judgeNulls } from "./verdict.js";

type Masker = (values: Values, mask: number) => void;

/** The predicate of a comparison with literals. Throws DTYPE_MISMATCH. */
export function createComparison(term: Term, context: PredicateContext): Predicate {
  const column = context.bind(term.operand);
  const test = testOf(term, column);
  return test.kind === "text-compare" || test.kind === "text-set" ? textPredicate(test, column, context) : valuePredicate(test, column, context);
}

/** Patterns in use, compiled once for all shards of a query, which then share what they find in dictionaries. */
const likeTests = new WeakMap<Condition, TextTest>();

/** The predicate of a like. Throws DTYPE_MISMATCH. */
export function createLike(condition: Extract<Condition, { kind: "like" }>, context: PredicateContext): Predicate {
  const column = context.bind(condition.operand);
  if (column.dtype !== "string") {
    throw new BquerydError("DTYPE_MISMATCH", `${subjectOf(condition.operand, column.name)} is ${column.dtype} and cannot be matched by like, which takes strings; use == < > or in`, { details: { column: column.name, dtype: column.dtype, op: "like" } });
  }
  const test = likeTests.get(condition) ?? { kind: "like", pattern: compileLike(condition.pattern), negate: condition.negate };
  likeTests.set(condition, test);
  return textPredicate(test, column, context);
}

/** The predicate of `is null` and `is not null`. */
export function createNullTest({ operand, negate }: Extract<Condition, { kind: "null" }>, context: PredicateContext): Predicate {
  const column = context.bind(operand);
  const areBounds = isComputed(column);
  return predicateOver([column], {
    cost: 1,
    judge: (chunk) => judgeNulls(negate, column.statistics(chunk), areBounds),
    mask(rows, mask) {
      const { nulls } = rows.values(column);
      context.arena.kernels.maskFromBits(nulls, rows.rows, flag(negate), mask);
    },
  });
}

function valuePredicate(test: Exclude<ValueTest, TextTest>, column: ScanColumn, context: PredicateContext): Predicate {
  const { arena } = context;
  const areBounds = isComputed(column);
  const masker = createMasker(test, context);
  return predicateOver([column], {
    cost: test.kind.endsWith("range") ? 1 : 4,
    judge: (chunk) => judge(test, column.statistics(chunk), areBounds),
    mask(rows, mask) {
      const values = rows.values(column);
      masker(values, mask);
      if (values.nulls !== 0) arena.kernels.maskNulls(values.nulls, rows.rows, mask);
    },
  });
}

function createMasker(test: Exclude<ValueTest, TextTest>, { arena, kept }: PredicateContext): Masker {
  const { kernels } = arena;
  switch (test.kind) {
    case "int-range": return (values, mask) => maskIntRange(test, values, mask, arena);
    case "int-set": return createIntSetMasker(test, kept, arena);
    case "float-range": return (values, mask) => kernels.maskRangeF64(values.values, values.rows, test.lo, test.hi, flag(test.negate), mask);
    case "float-set": return createFloatSetMasker(test, kept, arena);
  }
}

/** Turns the range of values into one of codes, so that the chunk is compared as narrow as it is. */
function maskIntRange({ lo, hi, negate }: Extract<ValueTest, { kind: "int-range" }>, values: Values, mask: number, arena: Arena): void {
  const { kernels } = arena;
  if (values.width === 8) {
    kernels.maskRangeI64(values.values, values.rows, lo, hi, flag(negate), mask);
    return;
  }
  const most = 2n ** BigInt(8 * values.width) - 1n;
  const { base } = values;
  const step = values.step === 0n ? 1n : values.step;
  const codeLow = lo <= base ? 0n : (lo - base + step - 1n) / step;
  const codeHigh = hi < base ? -1n : (hi - base) / step;
  const isEmpty = codeLow > most || codeHigh < codeLow;
  const [low, high] = isEmpty ? [1, 0] : [Number(codeLow), Number(codeHigh < most ? codeHigh : most)];
  kernels[`maskRange${widthNames[values.width]}`](values.values, values.rows, low, high, flag(negate), mask);
}

function createIntSetMasker(test: Extract<ValueTest, { kind: "int-set" }>, kept: KeptTests, arena: Arena): Masker {
  const { kernels } = arena;
  const { negate } = test;
  const lut = once(() => arena.allocate(chunkRows));
  return (values, mask) => {
    const { base, step, rows, width } = values;
    const { pointer, capacity } = kept.set(test);
    if (width === 8) kernels.maskSetI64(values.values, rows, pointer, capacity, flag(negate), mask);
    else if (width === 4) kernels.maskSetU32(values.values, rows, base, step, pointer, capacity, flag(negate), mask);
    else {
      kernels.lutFromSet(base, step, width === 1 ? 256 : 65_536, pointer, capacity, flag(negate), lut());
      kernels[`maskLut${widthNames[width]}`](values.values, rows, lut(), mask);
    }
  };
}

function createFloatSetMasker(test: Extract<ValueTest, { kind: "float-set" }>, kept: KeptTests, { kernels }: Arena): Masker {
  return (values, mask) => {
    const { pointer, capacity } = kept.set(test);
    kernels.maskSetI64(values.values, values.rows, pointer, capacity, flag(test.negate), mask);
  };
}

function textPredicate(test: TextTest, column: ScanColumn, context: PredicateContext): Predicate {
  const dictionary = column.dictionary();
  const { arena } = context;
  const areBounds = isComputed(column);
  const masker = context.kept.masker(test);
  const clearNulls = (values: Values, mask: number): void => {
    if (values.nulls !== 0) arena.kernels.maskNulls(values.nulls, values.rows, mask);
  };
  if (dictionary === null) {
    const table = once(() => createPoolTable(masker, arena));
    return predicateOver([column], {
      cost: 8,
      judge: (chunk) => judge(test, column.statistics(chunk), areBounds),
      mask(rows, mask) {
        const values = rows.values(column);
        if (values.kind === "text") masker(values.values, values.text, values.rows, mask);
        else lookUp(values, table()(context.strings.pool(column)), mask, arena);
        clearNulls(values, mask);
      },
    });
  }
  const matches = matchDictionary(test, dictionary, masker, arena);
  const lut = once(() => {
    const pointer = arena.allocateZeroed(Math.max(1, dictionary.count));
    arena.kernels.bytes.set(matches.codes, pointer);
    return pointer;
  });
  return predicateOver([column], {
    cost: 2,
    judge(chunk) {
      const statistics = column.statistics(chunk);
      if (matches.count === 0) return "none";
      if (matches.count === dictionary.count && statistics.nullCount === 0) return "all";
      return judge(test, statistics, areBounds);
    },
    mask(rows, mask) {
      const values = rows.values(column);
      lookUp(values, lut(), mask, arena);
      clearNulls(values, mask);
    },
  });
}

function lookUp(values: Values, lut: number, mask: number, { kernels }: Arena): void {
  if (values.width === 8) throw new Error("codes are at most 4 bytes wide");
  kernels[`maskLut${widthNames[values.width]}`](values.values, values.rows, lut, mask);
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

function flag(value: boolean): number {
  return value ? 1 : 0;
}
