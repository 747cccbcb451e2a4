/** Trees made into nodes: columns are found, dtypes settled, constants folded. */
import { BquerydError } from "../../../base/errors.js";
import { isFloatDtype, isTextDtype } from "../../../columns/dtypes.js";
import { chunksOf, mayFail, type ChunkInput, type ScanColumn } from "../../scan-column.js";
import { createFilter } from "../../where/filter.js";
import { widerDtype } from "../../widening.js";
import { columnsOfCondition } from "../columns.js";
import type { Expression } from "../tree.js";
import { commonDtype, literalDtype, resultsOf } from "../types.js";
import { arithmeticNode } from "./arithmetic.js";
import { callNode } from "./calls.js";
import { choiceNode, type Choice } from "./choices.js";
import { coerce } from "./coerce.js";
import { constantNode, keptValue, nullNode } from "./constants.js";
import { narrowed } from "./narrow.js";
import { negateNode } from "./numbers.js";
import { poolSpace, typedOf, type Binding, type ColumnSource, type Facts, type Node } from "./node.js";

/** Binds what conditions compare. */
type Bind = (expr: Expression) => ScanColumn;

/** The node of an expression over columns. Throws UNKNOWN_COLUMN, DTYPE_MISMATCH, BAD_QUERY, and OVERFLOW in what is constant. */
export function compile(expr: Expression, table: ColumnSource, binding: Binding, bind: Bind): Node {
  const inner = (part: Expression): Node => compile(part, table, binding, bind);
  switch (expr.kind) {
    case "literal": {
      const dtype = literalDtype(expr.value);
      if (dtype === null) return nullNode(expr, binding);
      return constantNode(expr, dtype, keptValue(expr.value, dtype), binding);
    }
    case "column": return widenedNode(columnNode(expr, table.column(expr.name), binding), expr.name, table, binding);
    case "negate": return fold(negateNode(expr, inner(expr.operand), binding), binding);
    case "arithmetic": {
      const [left, right] = narrowEach([inner(expr.left), inner(expr.right)], binding);
      return fold(arithmeticNode(expr, left!, right!, binding), binding);
    }
    case "call": return fold(callNode(expr, narrowEach(argumentsOf(expr).map(inner), binding), chunksOf(table).count, binding), binding);
    case "case": return caseNode(expr, resultsOf(expr).map(inner), table, binding, bind);
  }
}

/** What is joined is joined at once, however it is written: each text on the way would be made for nothing. */
function argumentsOf({ name, args }: Extract<Expression, { kind: "call" }>): readonly Expression[] {
  if (name !== "concat") return args;
  return args.flatMap((arg) => (arg.kind === "call" && arg.name === "concat" ? argumentsOf(arg) : [arg]));
}

function caseNode(expr: Extract<Expression, { kind: "case" }>, results: readonly Node[], table: ColumnSource, binding: Binding, bind: Bind): Node {
  const dtype = commonDtype(expr, results.map(typedOf));
  if (dtype === null) return nullNode(expr, binding);
  const read = new Set<ScanColumn>();
  const choices = results.map((node, place): Choice => {
    const branch = expr.branches[place];
    if (branch === undefined) return { when: "any", node };
    for (const name of columnsOfCondition(branch.when)) read.add(table.column(name));
    return { when: createFilter(branch.when, { arena: binding.arena, strings: binding.strings, bind }), node };
  });
  return fold(choiceNode(expr, dtype, choices, read, binding), binding);
}

function columnNode(expr: Expression, column: ScanColumn, binding: Binding): Node {
  const { dtype } = column;
  const node: Node = { expr, dtype, sources: new Set([column]), facts: (chunk) => factsOf(column, chunk), evaluate: (input) => input.run(column) };
  if (!isTextDtype(dtype)) return node;
  const dictionary = column.dictionary();
  return { ...node, texts: dictionary === null ? poolSpace(() => binding.strings.pool(column), binding) : { count: () => dictionary.count, texts: () => dictionary } };
}

/** Throws SCHEMA_MISMATCH where the tables of the call have nothing in common. */
function widenedNode(node: Node, name: string, { widened }: ColumnSource, binding: Binding): Node {
  const dtype = widened?.(name);
  if (dtype === undefined) return node;
  if (dtype === null || widerDtype(node.dtype, dtype) !== dtype) {
    throw new BquerydError("SCHEMA_MISMATCH", `column '${name}' is ${node.dtype} in one shard and ${dtype ?? "of another kind"} in others, which expressions cannot take for one; import the shards again with one schema`, { details: { column: name, dtype: node.dtype } });
  }
  return coerce(node, dtype, binding);
}

function factsOf(column: ScanColumn, chunk: number): Facts {
  const { minimum, maximum, nullCount } = column.statistics(chunk);
  const isRange = minimum !== null && maximum !== null && typeof minimum !== "object" && typeof maximum !== "object";
  return { range: isRange ? { least: minimum, greatest: maximum } : null, mayBeNull: nullCount > 0, mayFail: mayFail(column, chunk) };
}

/** Operands that read one column each where all together read several: what is few is computed once a code. */
function narrowEach(nodes: readonly Node[], binding: Binding): readonly Node[] {
  const sources = new Set(nodes.flatMap((node) => [...node.sources]));
  if (sources.size < 2) return nodes;
  return nodes.map((node) => (node.expr.kind === "column" ? node : narrowed(node, binding)));
}

/** The node, which asks whether to go on before it does. */
function stoppable(node: Node, { stop }: Binding): Node {
  if (stop === undefined) return node;
  return {
    ...node,
    evaluate(input) {
      stop();
      return node.evaluate(input);
    },
  };
}

/** A node that reads nothing as the constant that it is. */
function fold(node: Node, binding: Binding): Node {
  if (node.constant !== undefined) return node;
  if (node.sources.size > 0) return stoppable(node, binding);
  const input: ChunkInput = {
    rows: 1,
    chunk: 0,
    run: (column) => {
      if ("compute" in column) return column.compute(input);
      throw new Error("a constant reads no column");
    },
  };
  const { nulls, values, width, base, step } = node.evaluate(input);
  const { buffer } = binding.arena.kernels.memory;
  if (nulls !== 0 && (new Uint8Array(buffer, nulls, 1)[0]! & 1) === 1) return constantNode(node.expr, node.dtype, null, binding);
  if (isFloatDtype(node.dtype)) return constantNode(node.expr, node.dtype, new Float64Array(buffer, values, 1)[0]!, binding);
  if (width === 8) return constantNode(node.expr, node.dtype, new BigInt64Array(buffer, values, 1)[0]!, binding);
  const code = codeAt(buffer, values, width);
  if (!isTextDtype(node.dtype)) return constantNode(node.expr, node.dtype, base + step * BigInt(code), binding);
  const { offsets, bytes } = node.texts!.texts();
  return constantNode(node.expr, node.dtype, bytes.slice(offsets[code], offsets[code + 1]), binding);
}

function codeAt(buffer: ArrayBufferLike, pointer: number, width: 1 | 2 | 4): number {
  const view = new DataView(buffer);
  return width === 1 ? view.getUint8(pointer) : width === 2 ? view.getUint16(pointer, true) : view.getUint32(pointer, true);
}
