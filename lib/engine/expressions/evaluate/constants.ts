/** Constants: literals as tables keep them, and their nodes. */
import { parseDate, parseTimestamp } from "../../../columns/moments.js";
import { biasOf, isFloatDtype, isTextDtype, wholeRange, type Dtype } from "../../../columns/dtypes.js";
import { badQuery } from "../../query/bad-query.js";
import type { Literal } from "../../query/literal.js";
import { dayNs } from "../buckets.js";
import type { Expression } from "../tree.js";
import { createConstantRun, type Binding, type Facts, type Node } from "./node.js";
import { createTextConstant } from "./texts.js";

/** The node of a constant, given as tables keep it. */
export function constantNode(expr: Expression, dtype: Dtype, constant: bigint | number | Uint8Array | null, binding: Binding): Node {
  if (isTextDtype(dtype)) return createTextConstant(expr, dtype, constant instanceof Uint8Array ? constant : null, binding);
  const run = createConstantRun({ constant, dtype }, binding);
  const facts: Facts = typeof constant === "bigint" || typeof constant === "number" ? { range: { least: constant, greatest: constant }, mayBeNull: false, mayFail: false } : { range: null, mayBeNull: true, mayFail: false };
  return { expr, dtype, constant, sources: new Set(), facts: () => facts, evaluate: (input) => run(input.rows) };
}

/** The node of NULL, or of what is that whatever its dtype. */
export function nullNode(expr: Expression, binding: Binding): Node {
  return { ...constantNode(expr, "int64", null, binding), isUntyped: true };
}

/** A literal as tables keep it in a dtype that holds it. Throws BAD_QUERY for a time that the dtype does not reach. */
export function keptValue(value: Literal | null, dtype: Dtype): bigint | number | Uint8Array | null {
  if (value === null) return null;
  if (isTextDtype(dtype)) return value instanceof Uint8Array ? value : new TextEncoder().encode(String(value));
  if (isFloatDtype(dtype)) return Number(value);
  if (dtype === "timestamp" || dtype === "date") return timeValue(String(value), dtype);
  return BigInt(value as number | bigint | boolean) - biasOf(dtype);
}

function timeValue(text: string, dtype: "timestamp" | "date"): bigint {
  const days = parseDate(text);
  const instant = days === undefined ? parseTimestamp(text) : BigInt(days) * dayNs;
  if (instant === undefined) throw badQuery(`'${text.slice(0, 60)}' is no ${dtype}; write it as '2016-01-31' or '2016-01-31T12:30:00Z'`);
  const rest = ((instant % dayNs) + dayNs) % dayNs;
  const value = dtype === "date" ? (instant - rest) / dayNs : instant;
  const { least, greatest } = wholeRange(dtype);
  if (value < least || value > greatest) throw badQuery(`'${text.slice(0, 60)}' lies beyond what a ${dtype} holds`);
  return value;
}
