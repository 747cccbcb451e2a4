/** Arithmetic of two nodes, negation, and bounds of what they give. */
import { biasOf, type Dtype } from "../../../columns/dtypes.js";
import type { ChunkInput, Run, ScanColumn } from "../../scan-column.js";
import type { ArithmeticOp, Expression } from "../tree.js";
import { arithmeticDtype, isTime, isTimeText } from "../types.js";
import { coerce, fitRange } from "./coerce.js";
import { bitmapBytes, copyNulls, joinNulls, keptRange, operandOf, pageOf, requireFits, typedOf, wideRun, type Binding, type Facts, type Node } from "./node.js";

const opNumbers: Readonly<Record<ArithmeticOp, number>> = { "+": 0, "-": 1, "*": 2, "%": 3, "/": 4 };

/** The node of arithmetic over two others. Throws DTYPE_MISMATCH. */
export function arithmeticNode(expr: Extract<Expression, { kind: "arithmetic" }>, left: Node, right: Node, binding: Binding): Node {
  const dtype = arithmeticDtype(expr, typedOf(left), typedOf(right));
  const [x, y] = isTime(left.dtype) || isTime(right.dtype) ? timeOperands(dtype, left, right, binding) : [left, right].map((side) => coerce(side, dtype, binding));
  if (dtype === "float64") return floatNode(expr, opNumbers[expr.op], x!, y!, binding);
  return wholeNode(expr, dtype, x!, y!, binding);
}

/** The node of a power, as floats. */
export function powerNode(expr: Expression, left: Node, right: Node, binding: Binding): Node {
  return floatNode(expr, 5, coerce(left, "float64", binding), coerce(right, "float64", binding), binding);
}

/** Both sides of a difference of times in one dtype; else the time, and the number of its steps. */
function timeOperands(dtype: Dtype, left: Node, right: Node, binding: Binding): Node[] {
  if (dtype !== "int64") return [left, right].map((side) => (isTime(side.dtype) ? side : coerce(side, side.dtype === "string" || side.isUntyped === true ? dtype : "int64", binding)));
  const common = left.dtype === "timestamp" || right.dtype === "timestamp" ? "timestamp" : "date";
  const isInstantText = [left, right].some((side) => isTimeText(typedOf(side)));
  return [left, right].map((side) => coerce(side, isInstantText || common === "timestamp" ? common : "date", binding));
}

function wholeNode(expr: Extract<Expression, { kind: "arithmetic" }>, dtype: Dtype, left: Node, right: Node, binding: Binding): Node {
  const { arena } = binding;
  const { kernels } = arena;
  const [a, b] = [operandOf(left, binding), operandOf(right, binding)];
  const [target, nullPage] = [pageOf(binding), pageOf(binding, bitmapBytes)];
  const kernel = dtype === "uint64" ? "exprU64" : "exprI64";
  const op = opNumbers[expr.op];
  return {
    expr, dtype, sources: union(left, right),
    facts: (chunk) => wholeFacts(expr.op, dtype, left.facts(chunk), right.facts(chunk)),
    evaluate(input) {
      const [x, y] = [a(input), b(input)];
      let nulls = joinNulls(arena, x.nulls, y.nulls, input.rows, nullPage);
      if (expr.op === "%") nulls = nullZeros(input, nulls, y);
      requireFits(kernels[kernel](op, x.pointer, x.step, y.pointer, y.step, nulls, input.rows, target()), input.rows, expr, dtype);
      if (dtype === "date") requireDates(input.rows, nulls);
      return wideRun("int", input.rows, target(), nulls);
    },
  };
  function requireDates(rows: number, nulls: number): void {
    const { least, greatest } = keptRange("date");
    if (nulls !== 0) kernels.fillNullsI64(target(), nulls, rows, 0n);
    requireFits(kernels.areWithinI64(target(), rows, least, greatest) === 1 ? rows : 0, rows, expr, dtype);
  }
  function nullZeros({ rows }: ChunkInput, nulls: number, divisor: { pointer: number; step: number }): number {
    const zero = right.constant === undefined || right.constant === null ? undefined : BigInt(right.constant as bigint) + biasOf(dtype);
    if (zero !== undefined && zero !== 0n) return nulls;
    if (nulls !== nullPage()) copyNulls(arena, nulls, rows, nullPage());
    if (dtype === "uint64") nullUnsignedZeros(rows, divisor);
    else kernels.exprZeroNulls(divisor.pointer, divisor.step, 0, rows, nullPage());
    return nullPage();
  }
  function nullUnsignedZeros(rows: number, divisor: { pointer: number; step: number }): void {
    const flipped = target();
    const count = divisor.step === 0 ? 1 : rows;
    kernels.bytes.copyWithin(flipped, divisor.pointer, divisor.pointer + count * 8);
    kernels.flipSigns(flipped, count);
    kernels.exprZeroNulls(flipped, divisor.step, 0, rows, nullPage());
  }
}

function floatNode(expr: Expression, op: number, left: Node, right: Node, binding: Binding): Node {
  const { arena } = binding;
  const { kernels } = arena;
  const [a, b] = [operandOf(left, binding), operandOf(right, binding)];
  const [target, nullPage] = [pageOf(binding), pageOf(binding, bitmapBytes)];
  return {
    expr, dtype: "float64", sources: union(left, right),
    facts: (chunk) => ({ range: { least: -Infinity, greatest: Infinity }, mayBeNull: true, mayFail: left.facts(chunk).mayFail || right.facts(chunk).mayFail }),
    evaluate(input) {
      const { rows } = input;
      const [x, y] = [a(input), b(input)];
      const joined = joinNulls(arena, x.nulls, y.nulls, rows, nullPage);
      if (joined !== nullPage()) copyNulls(arena, joined, rows, nullPage());
      if (op === 3 || op === 4) kernels.exprZeroNulls(y.pointer, y.step, 1, rows, nullPage());
      kernels.exprF64(op, x.pointer, x.step, y.pointer, y.step, rows, target());
      return cleanRun(binding, rows, target(), nullPage());
    },
  };
}

/** Floats with NaN made null and -0.0 made 0.0; `nulls` is the bitmap of rows that are null already, updated in place. */
export function cleanRun({ arena }: Binding, rows: number, values: number, nulls: number): Run {
  return wideRun("float", rows, values, arena.kernels.cleanF64(values, rows, nulls) === 0 ? 0 : nulls);
}

function union(left: Node, right: Node): Set<ScanColumn> {
  return new Set([...left.sources, ...right.sources]);
}

/** Interval arithmetic over the values themselves; a result that leaves the dtype is an error, so ends may be cut to it. */
function wholeFacts(op: ArithmeticOp, dtype: Dtype, a: Facts, b: Facts): Facts {
  const [mayBeNull, mayFail] = [a.mayBeNull || b.mayBeNull || op === "%", a.mayFail || b.mayFail];
  if (a.range === null || b.range === null) return { range: null, mayBeNull, mayFail };
  const bias = biasOf(dtype);
  const [x, y] = [ends(a.range, bias), ends(b.range, bias)];
  const { least, greatest } = dtype === "timestamp" || dtype === "date" || dtype === "uint64" ? keptRange(dtype) : keptRange("int64");
  const [low, high] = wholeEnds(op, x, y);
  return fitRange({ range: { least: low - bias, greatest: high - bias }, mayBeNull, mayFail }, least, greatest);
}

function ends(range: NonNullable<Facts["range"]>, bias: bigint): [bigint, bigint] {
  return [BigInt(range.least) + bias, BigInt(range.greatest) + bias];
}

function wholeEnds(op: ArithmeticOp, [a, b]: [bigint, bigint], [c, d]: [bigint, bigint]): [bigint, bigint] {
  switch (op) {
    case "+": return [a + c, b + d];
    case "-": return [a - d, b - c];
    case "*": {
      const products = [a * c, a * d, b * c, b * d];
      return [products.reduce((x, y) => (x < y ? x : y)), products.reduce((x, y) => (x > y ? x : y))];
    }
    case "%": {
      // The remainder has the sign of the dividend, and is less than either in magnitude.
      const most = [c < 0n ? -c : c, d < 0n ? -d : d].reduce((x, y) => (x > y ? x : y)) - 1n;
      const [low, high] = [a < 0n ? (-most > a ? -most : a) : 0n, b > 0n ? (most < b ? most : b) : 0n];
      return [low > 0n ? 0n : low, high < 0n ? 0n : high];
    }
    case "/": throw new Error("whole numbers divide as floats");
  }
}
