/** Nodes of functions of one number, and of bins. */
import { biasOf, isFloatDtype, type Dtype } from "../../../columns/dtypes.js";
import type { Bin } from "../buckets.js";
import type { Expression } from "../tree.js";
import { negatedDtype } from "../types.js";
import { cleanRun } from "./arithmetic.js";
import { coerce, fitRange, mapRange } from "./coerce.js";
import { bitmapBytes, copyNulls, fullOperandOf, fullRange, keptRange, pageOf, requireFits, typedOf, wideRun, type Binding, type Facts, type Node } from "./node.js";

/** The node of a value with its sign turned. Throws DTYPE_MISMATCH. */
export function negateNode(expr: Expression, operand: Node, binding: Binding): Node {
  const dtype = negatedDtype(typedOf(operand));
  const arg = coerce(operand, dtype, binding);
  return isFloatDtype(dtype) ? floatMapNode(expr, 0, arg, binding) : wholeMapNode(expr, 0, arg, binding);
}

/** The node of a kernel's function of int64: 0 negative, 1 magnitude, 2 sign. */
export function wholeMapNode(expr: Expression, op: number, arg: Node, binding: Binding): Node {
  if (arg.dtype === "uint64") return wholeSignNode(expr, arg, binding);
  const { kernels } = binding.arena;
  const [operand, target] = [fullOperandOf(arg, binding), pageOf(binding)];
  return {
    expr, dtype: arg.dtype, sources: arg.sources,
    facts: (chunk) => mapFacts(op, arg.facts(chunk)),
    evaluate(input) {
      const { pointer, nulls } = operand(input);
      requireFits(kernels.exprMapI64(op, pointer, nulls, input.rows, target()), input.rows, expr, "int64");
      return wideRun("int", input.rows, target(), nulls);
    },
  };
}

/** 1, or 0 for 0, of numbers that have no sign: their bin of width 1 is themselves, cut at 1. */
function wholeSignNode(expr: Expression, arg: Node, binding: Binding): Node {
  const { kernels } = binding.arena;
  const [operand, target, one, nulls] = [fullOperandOf(arg, binding), pageOf(binding), pageOf(binding, 8), pageOf(binding, bitmapBytes)];
  const kept = (value: bigint): bigint => value - biasOf("uint64");
  return {
    expr, dtype: arg.dtype, sources: arg.sources,
    facts: (chunk) => ({ ...arg.facts(chunk), range: { least: kept(0n), greatest: kept(1n) } }),
    evaluate({ rows, ...input }) {
      const { pointer, nulls: own } = operand({ rows, ...input });
      new BigInt64Array(kernels.memory.buffer, one(), 1)[0] = kept(1n);
      copyNulls(binding.arena, 0, rows, nulls());
      kernels.exprExtremeI64(0, pointer, 8, 0, one(), 0, 0, rows, target(), nulls());
      return wideRun("int", rows, target(), own);
    },
  };
}

/** The node of a kernel's function of float64. */
export function floatMapNode(expr: Expression, op: number, arg: Node, binding: Binding): Node {
  const { kernels } = binding.arena;
  const [operand, target, nullPage] = [fullOperandOf(arg, binding), pageOf(binding), pageOf(binding, bitmapBytes)];
  return {
    expr, dtype: "float64", sources: arg.sources,
    facts: (chunk) => ({ ...arg.facts(chunk), range: fullRange("float64"), ...(op >= 6 ? { mayBeNull: true } : {}) }),
    evaluate(input) {
      const { pointer, nulls } = operand(input);
      kernels.exprMapF64(op, pointer, input.rows, target());
      copyNulls(binding.arena, nulls, input.rows, nullPage());
      return cleanRun(binding, input.rows, target(), nullPage());
    },
  };
}

/** The node of floats rounded to digits of a fraction, half away from 0. */
export function roundNode(expr: Expression, operand: Node, digits: number, binding: Binding): Node {
  const { kernels } = binding.arena;
  const arg = coerce(operand, "float64", binding);
  const [read, target, nullPage, factor] = [fullOperandOf(arg, binding), pageOf(binding), pageOf(binding, bitmapBytes), pageOf(binding, 8)];
  return {
    expr, dtype: "float64", sources: arg.sources,
    facts: (chunk) => ({ ...arg.facts(chunk), range: fullRange("float64") }),
    evaluate({ rows, ...input }) {
      const { pointer, nulls } = read({ rows, ...input });
      new Float64Array(kernels.memory.buffer, factor(), 1)[0] = 10 ** digits;
      kernels.exprF64(2, pointer, 8, factor(), 0, rows, target());
      kernels.exprMapF64(5, target(), rows, target());
      kernels.exprF64(4, target(), 8, factor(), 0, rows, target());
      // What is too large to be scaled has no digits of a fraction.
      keepWhereInfinite(new Float64Array(kernels.memory.buffer, target(), rows), new Float64Array(kernels.memory.buffer, pointer, rows));
      copyNulls(binding.arena, nulls, rows, nullPage());
      return cleanRun(binding, rows, target(), nullPage());
    },
  };
}

/** The node of the lower edge of the bin that each number lies in. */
export function binNode(expr: Expression, dtype: Dtype, { width, origin, isWhole }: Bin, operand: Node, binding: Binding): Node {
  const { kernels } = binding.arena;
  const arg = coerce(operand, dtype, binding);
  const [read, target, nullPage] = [fullOperandOf(arg, binding), pageOf(binding), pageOf(binding, bitmapBytes)];
  if (isWhole && !isFloatDtype(dtype)) return wholeBinNode(expr, BigInt(width), BigInt(origin), arg, binding);
  const edges = edgesOf(Number(width), Number(origin));
  return {
    expr, dtype, sources: arg.sources,
    facts: (chunk) => ({ ...arg.facts(chunk), range: fullRange(dtype), mayBeNull: true }),
    evaluate(input) {
      const { pointer, nulls } = read(input);
      kernels.exprFloorF64(pointer, input.rows, edges.width, edges.origin, edges.scale, target());
      copyNulls(binding.arena, nulls, input.rows, nullPage());
      return cleanRun(binding, input.rows, target(), nullPage());
    },
  };
}

/**
 * Width and edge of bins of floats over a common scale. Those that are short decimals are whole over a power of ten, so that
 * an edge is the float nearest to the decimal, as which it is written among the values. A far edge gives way to a near one.
 */
function edgesOf(width: number, far: number): { readonly width: number; readonly origin: number; readonly scale: number } {
  const origin = Math.abs(far / width) < 2 ** 32 ? far : far % width;
  for (let scale = 1; scale <= 1e15 && width * scale < 2 ** 32; scale *= 10) {
    const [whole, edge] = [Math.round(width * scale), Math.round(origin * scale)];
    if (whole / scale === width && edge / scale === origin) return { width: whole, origin: edge, scale };
  }
  return { width, origin, scale: 1 };
}

function wholeBinNode(expr: Expression, width: bigint, origin: bigint, arg: Node, binding: Binding): Node {
  const { kernels } = binding.arena;
  const [read, target] = [fullOperandOf(arg, binding), pageOf(binding)];
  const { dtype } = arg;
  const { least, greatest } = keptRange(dtype === "uint64" ? "uint64" : "int64");
  const edge = (((origin - biasOf(dtype)) % width) + width) % width;
  const floor = (value: bigint): bigint => value - ((((value - edge) % width) + width) % width);
  return {
    expr, dtype, sources: arg.sources,
    facts: (chunk) => fitRange(mapRange(arg.facts(chunk), (value) => floor(BigInt(value))), least, greatest),
    evaluate(input) {
      const { pointer, nulls } = read(input);
      requireFits(kernels.exprFloorI64(pointer, nulls, input.rows, width, edge, target()), input.rows, expr, dtype);
      return wideRun("int", input.rows, target(), nulls);
    },
  };
}

function keepWhereInfinite(target: Float64Array, source: Float64Array): void {
  for (let row = 0; row < target.length; row++) if (!Number.isFinite(target[row])) target[row] = source[row]!;
}

function mapFacts(op: number, { range, ...others }: Facts): Facts {
  if (range === null) return { range, ...others };
  const [a, b] = [BigInt(range.least), BigInt(range.greatest)];
  const { least, greatest } = keptRange("int64");
  const fit = (low: bigint, high: bigint): Facts => fitRange({ range: { least: low, greatest: high }, ...others }, least, greatest);
  if (op === 0) return fit(-b, -a);
  const [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  if (op === 1) return fit(a <= 0n && b >= 0n ? 0n : x < y ? x : y, x > y ? x : y);
  return fit(a < 0n ? -1n : a > 0n ? 1n : 0n, b < 0n ? -1n : b > 0n ? 1n : 0n);
}
