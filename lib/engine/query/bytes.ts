/**
 * The bytes of a query: UTF-8 JSON of the object that a caller could have written (parseQuery), expressions as text.
 * Literals that JSON has no form for are tagged: {"$int": decimal digits}, {"$float": "Infinity" or "-Infinity"},
 * {"$bytes": "\\x" and two hexadecimal digits a byte}.
 */
import { BquerydError } from "../../base/errors.js";
import { formatHex, parseHex } from "../../base/hex.js";
import { printExpression } from "../expressions/print.js";
import type { Expression } from "../expressions/tree.js";
import { integerDigitsMax } from "./literal.js";
import type { MeasureSpec } from "./measures.js";
import { parseQuery, type Query } from "./query.js";
import { writeWhere } from "./where.js";

// Making one takes longer than what it does here.
const [encoder, decoder] = [new TextEncoder(), new TextDecoder("utf-8", { fatal: true })];
const integerPattern = new RegExp(`^-?\\d{1,${integerDigitsMax}}$`);

/** The bytes of a query; every literal survives exactly. */
export function encodeQuery(query: Query): Uint8Array {
  const measures: unknown[] = query.measures.map(writeMeasure);
  for (const { name, expr, place } of query.computed) measures.splice(place, 0, { expr: printExpression(expr), as: name });
  const { aggregate, blocks, cache, limit, missing, offset } = query;
  const written = {
    keys: query.keys.map(({ name, expr }) => (isColumn(expr, name) ? name : { expr: printExpression(expr), as: name })),
    measures, where: writeWhere(query.where), having: writeWhere(query.having),
    order: query.order.map(({ name, descending }) => [name, descending ? "desc" : "asc"]),
    expand_filter_column: query.expand, baskets: query.baskets, blocks, aggregate, cache, limit, missing, offset,
  };
  return encoder.encode(JSON.stringify(written, tagLiteral));
}

/** The query of bytes from outside; throws BAD_MESSAGE on bytes that are none, BAD_QUERY on one that is wrong. */
export function decodeQuery(bytes: Uint8Array): Query {
  let input: unknown;
  try {
    const text = decoder.decode(bytes);
    // A reviver is called for every value; few queries have a tagged one.
    input = text.includes('{"$') ? JSON.parse(text, untagLiteral) : JSON.parse(text);
  } catch (cause) {
    throw new BquerydError("BAD_MESSAGE", "the query frame is not JSON; the client and this process differ in version", { cause });
  }
  if (!isRecord(input)) throw new BquerydError("BAD_MESSAGE", "the query frame is not an object; the client and this process differ in version");
  return parseQuery({ ...input, keys: input.keys, measures: input.measures });
}

function writeMeasure({ name, op, inputs, params }: MeasureSpec): unknown {
  const [only] = inputs;
  // Rows take no other form.
  if (op === "sum" && inputs.length === 1 && only !== undefined && name !== "*" && isColumn(only, name)) return name;
  const written = inputs.map((input) => (input.kind === "column" && input.name !== "*" ? input.name : { expr: printExpression(input) }));
  const columns = written.length === 0 ? "*" : written.length === 1 ? written[0] : written;
  return Object.keys(params).length === 0 ? [columns, op, name] : [columns, op, name, params];
}

function isColumn(expr: Expression, name: string): boolean {
  return expr.kind === "column" && expr.name === name;
}

function tagLiteral(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return { $int: value.toString() };
  if (typeof value === "number" && !Number.isFinite(value)) return { $float: String(value) };
  if (value instanceof Uint8Array) return { $bytes: formatHex(value) };
  return value;
}

function untagLiteral(_key: string, value: unknown): unknown {
  if (!isRecord(value)) return value;
  if (typeof value.$int === "string" && integerPattern.test(value.$int)) return BigInt(value.$int);
  if (typeof value.$bytes === "string") return parseHex(value.$bytes) ?? value;
  if (value.$float === "Infinity" || value.$float === "-Infinity") return Number(value.$float);
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
