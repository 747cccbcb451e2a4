/** Nodes in other dtypes: what arithmetic and choices bring their operands to. */
import { biasOf, isFloatDtype, isTextDtype, type Dtype } from "../../../columns/dtypes.js";
import { dayNs } from "../buckets.js";
import { isInteger } from "../types.js";
import { constantNode, keptValue } from "./constants.js";
import { fullOperandOf, keptRange, pageOf, requireFits, wideRun, type Binding, type Facts, type Node } from "./node.js";

/**
 * The node with its values in another dtype that commonDtype or a function asks for: integers as wider ones or floats,
 * dates as timestamps and back, text literals as times. Throws BAD_QUERY for a text that is no time. At run time OVERFLOW.
 */
export function coerce(node: Node, dtype: Dtype, binding: Binding): Node {
  if (node.dtype === dtype) return node;
  if (node.constant !== undefined) return coerceConstant(node, dtype, binding);
  if (isFloatDtype(dtype)) return isFloatDtype(node.dtype) ? { ...node, dtype } : toFloat(node, dtype, binding);
  if (dtype === "timestamp" && node.dtype === "date") return daysToInstants(node, binding);
  if (dtype === "date" && node.dtype === "timestamp") return instantsToDays(node, binding);
  if (dtype === "uint64") return toUnsigned(node, binding);
  if (node.dtype === "uint64") return { ...toSigned(node, binding), dtype };
  return { ...node, dtype };
}

function coerceConstant(node: Node, dtype: Dtype, binding: Binding): Node {
  const { constant, expr } = node;
  if (constant === null || constant === undefined) return constantNode(expr, dtype, null, binding);
  if (constant instanceof Uint8Array) {
    return constantNode(expr, dtype, isTextDtype(dtype) ? constant : keptValue(new TextDecoder("utf-8", { ignoreBOM: true }).decode(constant), dtype), binding);
  }
  if (typeof constant === "number") return constantNode(expr, dtype, constant, binding);
  const value = constant + biasOf(node.dtype);
  if (isFloatDtype(dtype)) return constantNode(expr, dtype, Number(value), binding);
  if (node.dtype === "date" && dtype === "timestamp") return constantNode(expr, dtype, value * dayNs, binding);
  const kept = node.dtype === "timestamp" && dtype === "date" ? floorDivide(value, dayNs) : value - biasOf(dtype);
  const { least, greatest } = isInteger(dtype) ? keptRange(dtype) : keptRange("int64");
  requireFits(kept < least || kept > greatest ? 0 : 1, 1, expr, dtype);
  return constantNode(expr, dtype, kept, binding);
}

function toFloat(node: Node, dtype: Dtype, binding: Binding): Node {
  const { kernels } = binding.arena;
  const [operand, target] = [fullOperandOf(node, binding), pageOf(binding)];
  const isUnsigned = node.dtype === "uint64";
  const bias = biasOf(node.dtype);
  return {
    expr: node.expr, dtype, sources: node.sources,
    // Rounding keeps order, so the floats of the ends are the ends of the floats.
    facts: (chunk) => mapRange(node.facts(chunk), (value) => Number(typeof value === "bigint" ? value + bias : value)),
    evaluate(input) {
      const { pointer, nulls } = operand(input);
      if (isUnsigned) kernels.floatsOfU64(pointer, input.rows, target());
      else kernels.floatsOfI64(pointer, input.rows, target());
      return wideRun("float", input.rows, target(), nulls);
    },
  };
}

function toSigned(node: Node, binding: Binding): Node {
  const { kernels } = binding.arena;
  const [operand, target] = [fullOperandOf(node, binding), pageOf(binding)];
  const { greatest } = keptRange("int64");
  return {
    expr: node.expr, dtype: "int64", sources: node.sources,
    facts: (chunk) => fitRange(mapRange(node.facts(chunk), (value) => BigInt(value) + biasOf("uint64")), 0n, greatest),
    evaluate(input) {
      const { pointer, nulls } = operand(input);
      requireFits(kernels.exprToSigned(pointer, nulls, input.rows, target()), input.rows, node.expr, "int64");
      return wideRun("int", input.rows, target(), nulls);
    },
  };
}

/** Unsigned integers of other dtypes as uint64. */
function toUnsigned(node: Node, binding: Binding): Node {
  const { kernels } = binding.arena;
  const [operand, target] = [fullOperandOf(node, binding), pageOf(binding)];
  return {
    expr: node.expr, dtype: "uint64", sources: node.sources,
    facts: (chunk) => mapRange(node.facts(chunk), (value) => BigInt(value) - biasOf("uint64")),
    evaluate(input) {
      const { pointer, nulls } = operand(input);
      kernels.bytes.copyWithin(target(), pointer, pointer + input.rows * 8);
      kernels.flipSigns(target(), input.rows);
      return wideRun("int", input.rows, target(), nulls);
    },
  };
}

function daysToInstants(node: Node, binding: Binding): Node {
  const { kernels } = binding.arena;
  const [operand, target, factor] = [fullOperandOf(node, binding), pageOf(binding), pageOf(binding, 8)];
  const { least, greatest } = keptRange("timestamp");
  return {
    expr: node.expr, dtype: "timestamp", sources: node.sources,
    facts: (chunk) => fitRange(mapRange(node.facts(chunk), (value) => BigInt(value) * dayNs), least, greatest),
    evaluate(input) {
      const { pointer, nulls } = operand(input);
      new BigInt64Array(kernels.memory.buffer, factor(), 1)[0] = dayNs;
      requireFits(kernels.exprI64(2, pointer, 8, factor(), 0, nulls, input.rows, target()), input.rows, node.expr, "timestamp");
      return wideRun("int", input.rows, target(), nulls);
    },
  };
}

function instantsToDays(node: Node, binding: Binding): Node {
  const { kernels } = binding.arena;
  const [operand, target] = [fullOperandOf(node, binding), pageOf(binding)];
  return {
    expr: node.expr, dtype: "date", sources: node.sources,
    facts: (chunk) => mapRange(node.facts(chunk), (value) => floorDivide(BigInt(value), dayNs)),
    evaluate(input) {
      const { pointer, nulls } = operand(input);
      kernels.exprFloorDivide(pointer, input.rows, dayNs, target());
      return wideRun("int", input.rows, target(), nulls);
    },
  };
}

/** Facts with both ends of the range put through a function that keeps order. */
export function mapRange({ range, ...others }: Facts, map: (value: bigint | number) => bigint | number): Facts {
  return { range: range === null ? null : { least: map(range.least), greatest: map(range.greatest) }, ...others };
}

/** Facts with the range cut to what a dtype holds, beyond which values are errors. */
export function fitRange({ range, mayBeNull, mayFail }: Facts, least: bigint, greatest: bigint): Facts {
  if (range === null) return { range, mayBeNull, mayFail };
  const [low, high] = [BigInt(range.least), BigInt(range.greatest)];
  return { range: { least: clamp(low, least, greatest), greatest: clamp(high, least, greatest) }, mayBeNull, mayFail: mayFail || low < least || high > greatest };
}

/** The nearest value within a range. */
export function clamp(value: bigint, least: bigint, greatest: bigint): bigint {
  return value < least ? least : value > greatest ? greatest : value;
}

function floorDivide(value: bigint, divisor: bigint): bigint {
  const rest = ((value % divisor) + divisor) % divisor;
  return (value - rest) / divisor;
}
