/** Nodes that choose between others row by row: CASE, coalesce, least and greatest. */
import { chunkRows, isFloatDtype, isTextDtype, type Dtype, type TextDtype } from "../../../columns/dtypes.js";
import type { ChunkInput, ScanColumn } from "../../scan-column.js";
import type { TextPool } from "../../strings.js";
import { rowsOfInput, type Predicate } from "../../where/predicate.js";
import type { Expression } from "../tree.js";
import { coerce } from "./coerce.js";
import { bitmapBytes, copyNulls, joinFacts, operandOf, pageOf, wideRun, type Binding, type Facts, type Node } from "./node.js";
import { createSubInputs } from "./sub-input.js";
import { codesIn, pooledNode } from "./texts.js";

/** A value to choose where a condition is true; `non-null`: where the value itself is not null. */
export interface Choice {
  readonly when: Predicate | "any" | "non-null";
  readonly node: Node;
}

/** Values and null bits of some rows; a step of 0 stands for one value. */
interface Chosen {
  readonly pointer: number;
  readonly step: number;
  readonly nulls: number;
}

type Reader = (input: ChunkInput) => Chosen;

/**
 * The node of the first choice that holds of a row, null where none does. A choice is computed for the rows that it is
 * chosen for alone, so nothing overflows elsewhere; `read` are columns that conditions read.
 */
export function choiceNode(expr: Expression, dtype: Dtype, choices: readonly Choice[], read: Iterable<ScanColumn>, binding: Binding): Node {
  const nodes = choices.map(({ node }) => coerce(node, dtype, binding));
  const sources = new Set([...read, ...nodes.flatMap((node) => [...node.sources])]);
  if (isTextDtype(dtype)) return { ...textChoices(expr, dtype, choices, nodes, binding), sources, facts: (chunk) => ({ range: null, mayBeNull: true, mayFail: choiceFacts(choices, nodes, chunk).mayFail }) };
  const choose = createChooser(choices, nodes.map((node) => operandOf(node, binding)), 8, binding);
  return {
    expr, dtype, sources,
    facts: (chunk) => choiceFacts(choices, nodes, chunk),
    evaluate(input) {
      const { pointer, nulls } = choose(input);
      return wideRun(isFloatDtype(dtype) ? "float" : "int", input.rows, pointer, nulls);
    },
  };
}

/** The node of the least or greatest of values that are not null. */
export function extremeNode(expr: Expression, dtype: Dtype, args: readonly Node[], isGreatest: boolean, binding: Binding): Node {
  const [first, ...others] = args.map((arg) => coerce(arg, dtype, binding));
  return others.reduce((left, right) => pairNode(expr, dtype, left, right, isGreatest, binding), first!);
}

function pairNode(expr: Expression, dtype: Dtype, left: Node, right: Node, isGreatest: boolean, binding: Binding): Node {
  const { kernels } = binding.arena;
  const [a, b] = [operandOf(left, binding), operandOf(right, binding)];
  const [target, nulls] = [pageOf(binding), pageOf(binding, bitmapBytes)];
  const isFloat = isFloatDtype(dtype);
  return {
    expr, dtype, sources: new Set([...left.sources, ...right.sources]),
    facts: (chunk) => extremeFacts(left.facts(chunk), right.facts(chunk)),
    evaluate(input) {
      const { rows } = input;
      const [x, y] = [a(input), b(input)];
      copyNulls(binding.arena, 0, rows, nulls());
      const nullCount = kernels[isFloat ? "exprExtremeF64" : "exprExtremeI64"](isGreatest ? 1 : 0, x.pointer, x.step, x.nulls, y.pointer, y.step, y.nulls, rows, target(), nulls());
      return wideRun(isFloat ? "float" : "int", rows, target(), nullCount === 0 ? 0 : nulls());
    },
  };
}

function extremeFacts(left: Facts, right: Facts): Facts {
  return { ...joinFacts(left, right), mayBeNull: left.mayBeNull && right.mayBeNull };
}

function choiceFacts(choices: readonly Choice[], nodes: readonly Node[], chunk: number): Facts {
  const facts = nodes.map((node) => node.facts(chunk));
  const { range, mayFail } = facts.reduce(joinFacts, { range: null, mayBeNull: false, mayFail: false });
  const last = choices.at(-1);
  const isCoalesce = choices.every(({ when }) => when === "non-null");
  const mayBeNull = isCoalesce ? facts.every((fact) => fact.mayBeNull) : last?.when !== "any" || facts.some((fact) => fact.mayBeNull);
  const mayTestFail = choices.some(({ when }) => typeof when === "object" && when.mayFail(chunk));
  return { range, mayBeNull, mayFail: mayFail || mayTestFail };
}

function textChoices(expr: Expression, dtype: TextDtype, choices: readonly Choice[], nodes: readonly Node[], binding: Binding): Node {
  return pooledNode(expr, dtype, nodes, binding, (pool: () => TextPool) => {
    const readers = nodes.map((node): Reader => {
      const codes = codesIn(node, pool, null, binding);
      return (input) => ({ ...codes(input), step: 4 });
    });
    return createChooser(choices, readers, 4, binding);
  });
}

function createChooser(choices: readonly Choice[], readers: readonly Reader[], width: 4 | 8, binding: Binding): (input: ChunkInput) => { pointer: number; nulls: number } {
  const { kernels } = binding.arena;
  const [target, nulls] = [pageOf(binding, chunkRows * width), pageOf(binding, bitmapBytes)];
  const [mask, others] = [pageOf(binding, chunkRows), pageOf(binding, chunkRows)];
  const [picked, chosenIndex] = [pageOf(binding, chunkRows * 2), pageOf(binding, chunkRows * 2)];
  const rests = [pageOf(binding, chunkRows * 2), pageOf(binding, chunkRows * 2)] as const;
  const [restInputs, chosenInputs] = [createSubInputs(binding), createSubInputs(binding)];

  /** Lists the rows of `index` whose mask is 1. */
  function list(from: number, rows: number, index: number, into: number): number {
    const count = kernels.maskIndex(from, rows, picked());
    kernels.gather2(index, picked(), count, into);
    return count;
  }

  function place({ pointer, step, nulls: own }: Chosen, index: number, rows: number): void {
    kernels[width === 4 ? "exprPlace4" : "exprPlace8"](pointer, step, own, index, rows, target(), nulls());
  }

  /** Places a choice for those of the rows that it holds of, and masks the others. */
  function choose(when: Choice["when"], read: Reader, rest: ChunkInput, index: number): void {
    const { rows } = rest;
    if (when === "any" || when === "non-null") {
      const chosen = read(rest);
      place(chosen, index, rows);
      if (when === "any") kernels.bytes.fill(0, others(), others() + rows);
      else kernels.maskFromBits(chosen.nulls, rows, 0, others());
      return;
    }
    when.mask(rowsOfInput(rest), mask());
    kernels.maskRangeU8(mask(), rows, 0, 0, 0, others());
    const count = list(mask(), rows, index, chosenIndex());
    if (count > 0) place(read(count === rows ? rest : chosenInputs(rest, picked(), count)), chosenIndex(), count);
  }

  return (input) => {
    kernels.bytes.fill(0xff, nulls(), nulls() + ((input.rows + 7) >> 3));
    // Rows without a choice hold code 0, which is looked up like any other.
    if (width === 4) kernels.bytes.fill(0, target(), target() + input.rows * 4);
    kernels.bytes.fill(1, mask(), mask() + input.rows);
    kernels.maskIndex(mask(), input.rows, rests[0]());
    let rest = input;
    for (const [at, { when }] of choices.entries()) {
      const [index, next] = [rests[at % 2]!(), rests[(at + 1) % 2]!()];
      choose(when, readers[at]!, rest, index);
      const count = list(others(), rest.rows, index, next);
      if (count === 0) break;
      if (count < rest.rows) rest = restInputs(input, next, count);
    }
    const hasNulls = kernels.countBits(nulls(), input.rows) > 0;
    return { pointer: target(), nulls: hasNulls ? nulls() : 0 };
  };
}
