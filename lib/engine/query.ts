/** The query object that groupby and later SQL share: its checked form, and its bytes. */
import { BquerydError } from "../base/errors.js";
import { formatHex, parseHex } from "../base/hex.js";
import { limits } from "../base/limits.js";
import { suggestion } from "../base/nearest.js";
import { isMeasureOp, measureOps, type MeasureSpec } from "./measures.js";

/** A literal of a where term. Dates arrive as ISO 8601 text; a bigint is one that no number holds exactly. */
export type Literal = number | bigint | string | boolean | Uint8Array;

/** Comparison of a where term, in its one canonical spelling. */
export type TermOp = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in";

/** One `[column, op, value]`; `values` has one literal, or any number above 0 for `in` and `not in`. */
export interface Term {
  readonly column: string;
  readonly op: TermOp;
  readonly values: readonly Literal[];
}

/** How far caches may be used: all, decoded columns only, or none. */
export type CacheUse = true | "columns" | false;

/** A checked query over the shards that a call names. */
export interface Query {
  readonly keys: readonly string[];
  readonly measures: readonly MeasureSpec[];
  readonly where: readonly Term[];
  readonly cache: CacheUse;
}

/** Integers beyond any dtype are compared exactly too, within reason. */
const literalMax = 10n ** 400n;

const termOps = new Map<string, TermOp>([
  ["==", "=="], ["eq", "=="], ["!=", "!="], ["neq", "!="], ["<", "<"], ["<=", "<="], [">", ">"], [">=", ">="],
  ["in", "in"], ["not in", "not in"], ["nin", "not in"],
]);

/**
 * The checked form of what a caller wrote: keys, measures (`'m'`, `[column, op]`, `[column, op, name]`) and where terms.
 * Throws BAD_QUERY naming the part that is wrong.
 */
export function parseQuery(input: { keys: unknown; measures: unknown; where: unknown; cache?: unknown }): Query {
  const keys = requireList("keys", input.keys, limits.keysMax).map(parseKey);
  const measures = requireList("measures", input.measures, limits.measuresMax).map(parseMeasure);
  const where = requireList("where", input.where, limits.termsMax).map(parseTerm);
  if (keys.length === 0 && measures.length === 0) throw bad("a query needs a key or a measure; give at least one of them");
  requireDistinct([...keys, ...measures.map((measure) => measure.name)]);
  return { keys, measures, where, cache: parseCache(input.cache) };
}

/** The columns that answering a query reads, each once, in no meaning order. */
export function columnsOf(query: Query): string[] {
  const names = new Set([...query.keys, ...query.where.map((term) => term.column)]);
  for (const measure of query.measures) if (measure.column !== "*") names.add(measure.column);
  return [...names];
}

/** The bytes of a query: JSON in which bigints, infinities and bytes are tagged, so every literal survives exactly. */
export function encodeQuery(query: Query): Uint8Array {
  const measures = query.measures.map((measure) => [measure.column, measure.op, measure.name]);
  const where = query.where.map((term) => [term.column, term.op, term.values]);
  return new TextEncoder().encode(JSON.stringify({ keys: query.keys, measures, where, cache: query.cache }, tagLiteral));
}

/** The query of bytes from outside; throws BAD_MESSAGE on bytes that are none, BAD_QUERY on one that is wrong. */
export function decodeQuery(bytes: Uint8Array): Query {
  let input: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // A reviver is called for every value; few queries have a tagged one.
    input = text.includes('{"$') ? JSON.parse(text, untagLiteral) : JSON.parse(text);
  } catch (cause) {
    throw new BquerydError("BAD_MESSAGE", "the query frame is not JSON; the client and this process differ in version", { cause });
  }
  if (!isRecord(input)) throw new BquerydError("BAD_MESSAGE", "the query frame is not an object; the client and this process differ in version");
  return parseQuery({ keys: input.keys, measures: input.measures, where: input.where, cache: input.cache });
}

function parseKey(key: unknown): string {
  if (typeof key !== "string" || key === "") throw bad(`key ${show(key)} is not a column name; keys are a list of column names`);
  return key;
}

function parseMeasure(measure: unknown): MeasureSpec {
  if (typeof measure === "string" && measure !== "") return { column: measure, op: "sum", name: measure };
  if (!Array.isArray(measure)) throw bad(`measure ${show(measure)} is neither a column name nor [column, op, name]`);
  const parts: readonly unknown[] = measure;
  const [column, op, name = column] = parts;
  if (measure.length < 2 || measure.length > 3 || typeof column !== "string" || column === "") {
    throw bad(`measure ${show(measure)} does not read as [column, op] or [column, op, name]`);
  }
  if (typeof op !== "string" || !isMeasureOp(op)) {
    throw bad(`measure op ${show(op)} of column '${column}' is unknown${suggestion(String(op), measureOps, `use one of ${measureOps.join(", ")}`)}`);
  }
  if (column === "*" && op !== "count") throw bad(`measure ['*', '${op}'] means nothing; only count takes '*'`);
  if (typeof name !== "string" || name === "") throw bad(`measure name ${show(name)} of ['${column}', '${op}'] is not a text`);
  return { column, op, name };
}

function parseTerm(term: unknown): Term {
  if (!Array.isArray(term) || term.length !== 3) throw bad(`where term ${show(term)} does not read as [column, op, value]`);
  const parts: readonly unknown[] = term;
  const [column, written, value] = parts;
  if (typeof column !== "string" || column === "") throw bad(`where term ${show(term)} does not start with a column name`);
  const op = typeof written === "string" ? termOps.get(written.trim().toLowerCase()) : undefined;
  if (op === undefined) throw bad(`where op ${show(written)} on column '${column}' is unknown; use one of == != < <= > >= in, not in`);
  const isListOp = op === "in" || op === "not in";
  if (!isListOp) return { column, op, values: [parseLiteral(column, Array.isArray(value) && value.length === 1 ? value[0] : value)] };
  const list: unknown = value instanceof Set ? [...value] : value;
  if (!Array.isArray(list)) throw bad(`'${op}' on column '${column}' takes a list; got ${show(value)}`);
  if (list.length === 0) throw bad(`'${op}' on column '${column}' has an empty list; give at least one value`);
  if (list.length > limits.inListMax) throw bad(`'${op}' on column '${column}' has ${list.length} values; the limit is ${limits.inListMax}`);
  return { column, op, values: list.map((item: unknown) => parseLiteral(column, item)) };
}

function parseLiteral(column: string, value: unknown): Literal {
  switch (typeof value) {
    case "string": case "boolean": return value;
    case "bigint":
      if (value > literalMax || value < -literalMax) throw bad(`an integer of more than 400 digits is compared with column '${column}'; no column holds one`);
      return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
    case "number":
      if (Number.isNaN(value)) throw bad(`NaN is compared with column '${column}'; a missing value is a null and no comparison finds it`);
      return value;
    default:
      if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
      // A copy, and no Buffer: those turn themselves into another form of JSON.
      if (value instanceof Uint8Array) return new Uint8Array(value);
      throw bad(`${show(value)} cannot be compared with column '${column}'; give a number, bigint, text, boolean, Date or Uint8Array`);
  }
}

function parseCache(cache: unknown): CacheUse {
  if (cache === undefined) return true;
  if (cache === true || cache === false || cache === "columns") return cache;
  throw bad(`cache ${show(cache)} is unknown; use true, 'columns' or false`);
}

function requireList(what: string, value: unknown, most: number): unknown[] {
  if (!Array.isArray(value)) throw bad(`${what} is ${show(value)}; give a list`);
  if (value.length > most) throw bad(`${what} has ${value.length} entries; the limit is ${most}`);
  return value;
}

function requireDistinct(names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw bad(`the result would have two columns named '${name}'; name a measure with [column, op, name]`);
    seen.add(name);
  }
}

function tagLiteral(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return { $int: value.toString() };
  if (typeof value === "number" && !Number.isFinite(value)) return { $float: String(value) };
  if (value instanceof Uint8Array) return { $bytes: formatHex(value) };
  return value;
}

function untagLiteral(_key: string, value: unknown): unknown {
  if (!isRecord(value)) return value;
  if (typeof value.$int === "string" && /^-?\d{1,400}$/.test(value.$int)) return BigInt(value.$int);
  if (typeof value.$bytes === "string") return parseHex(value.$bytes) ?? value;
  if (value.$float === "Infinity" || value.$float === "-Infinity") return Number(value.$float);
  return value;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function show(value: unknown): string {
  const text = typeof value === "bigint" ? `${value}n` : (JSON.stringify(value, showLiteral) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function showLiteral(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  return value instanceof Uint8Array ? formatHex(value) : value;
}

function bad(message: string): BquerydError {
  return new BquerydError("BAD_QUERY", message);
}
