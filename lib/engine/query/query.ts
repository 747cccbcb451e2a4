/** The query object that groupby and SQL share: its checked form, made from what a caller wrote. */
import { limits } from "../../base/limits.js";
import { suggestion } from "../../base/nearest.js";
import { addColumns, columnsOfCondition } from "../expressions/columns.js";
import { parseCondition } from "../expressions/parse.js";
import { findTextAdvice } from "../expressions/text-advice.js";
import type { Condition } from "../expressions/tree.js";
import { badQuery, show } from "./bad-query.js";
import { parseBaskets, type BasketUse } from "./baskets.js";
import { parseKey, type KeySpec } from "./keys.js";
import { parseMeasures, type ComputedSpec, type MeasureSpec } from "./measures.js";
import { parseWhere } from "./where.js";

/** A column of the result that its rows are ordered by; nulls come last either way. */
export interface OrderSpec {
  readonly name: string;
  readonly descending: boolean;
}

/** Shards that follow each other, where their partials add up to the same along any tree, or aligned blocks alone. */
export type BlockUse = "any" | "aligned";

/** How far caches may be used: all, decoded columns only, or none. */
export type CacheUse = true | "columns" | false;

/** A checked query over the shards that a call names. */
export interface Query {
  readonly keys: readonly KeySpec[];
  readonly measures: readonly MeasureSpec[];
  readonly computed: readonly ComputedSpec[];
  /** Null selects every row. */
  readonly where: Condition | null;
  /** The column whose runs of equal values are selected whole. */
  readonly expand: string | null;
  /** What other shards know of its baskets. */
  readonly baskets: BasketUse;
  /** Which shards a worker may merge before it answers; see tree.ts. */
  readonly blocks: BlockUse;
  /** Over the columns of the result. */
  readonly having: Condition | null;
  readonly order: readonly OrderSpec[];
  readonly limit: number | null;
  readonly offset: number;
  /** False asks for the selected rows themselves. */
  readonly aggregate: boolean;
  /** Whether unknown tables and columns are errors, or empty. */
  readonly missing: "error" | "empty";
  readonly cache: CacheUse;
}

/** What a caller may write; everything has the default of groupby where it is absent. */
export interface QueryInput {
  readonly keys: unknown;
  readonly measures: unknown;
  readonly where?: unknown;
  readonly expand_filter_column?: unknown;
  /** Set by the client itself. */
  readonly baskets?: unknown;
  readonly blocks?: unknown;
  readonly having?: unknown;
  readonly order?: unknown;
  readonly limit?: unknown;
  readonly offset?: unknown;
  readonly aggregate?: unknown;
  readonly missing?: unknown;
  readonly cache?: unknown;
}

/**
 * The checked form of what a caller wrote. Keys: names, or `{expr, as}`. Measures: `'m'`, `[column, op]`, `[column, op,
 * name]`, `[column, op, name, params]`, where the column may be `{expr}` or a list of several, or `{expr, as}` for
 * arithmetic over keys and measures. Conditions: lists of terms, or text. Throws BAD_QUERY naming the part that is wrong.
 */
export function parseQuery(input: QueryInput): Query {
  const keys = requireList("keys", input.keys, limits.keysMax).map(parseKey);
  if (input.aggregate === false) requireNoOps(input.measures);
  const { measures, computed } = parseMeasures(requireList("measures", input.measures, limits.measuresMax));
  return checkQuery({
    keys, measures, computed,
    where: parseConditions(input.where),
    expand: parseExpand(input.expand_filter_column),
    baskets: parseBaskets(input.baskets),
    blocks: parseOneOf("blocks", input.blocks, ["any", "aligned"]),
    having: parseConditions(input.having),
    order: parseOrder(input.order),
    limit: parseCount("limit", input.limit, null),
    offset: parseCount("offset", input.offset, 0),
    aggregate: parseOneOf("aggregate", input.aggregate, [true, false]),
    missing: parseOneOf("missing", input.missing, ["error", "empty"]),
    cache: parseOneOf("cache", input.cache, [true, "columns", false]),
  });
}

/** The query, if its parts fit each other; throws BAD_QUERY naming what does not. */
export function checkQuery(query: Query): Query {
  const names = outputNames(query);
  if (names.length === 0) throw badQuery(`a query needs a key or a measure; ${query.aggregate ? "give at least one of them" : "name the columns that rows are wanted of as keys, as in rows('taxi', ['id1', 'v1'])"}`);
  requireDistinct(names);
  if (!query.aggregate) return checkRowQuery(query, names);
  const inner = [...query.keys, ...query.measures].map(({ name }) => name);
  for (const { name, expr } of query.computed) requireKnown(`the computed measure '${name}'`, addColumns(expr, new Set()), inner);
  requireKnown("having", columnsOfCondition(query.having), names, (name) => findTextAdvice(query.having, name));
  requireKnown("order", query.order.map(({ name }) => name), names, (name) => findQuoted(name, names));
  return query;
}

/** Tells whether shards answer a query with rows, and not with partials. */
export function givesRows({ aggregate, expand, baskets }: Query): boolean {
  return !aggregate && !(expand !== null && baskets === "ask");
}

/** What reads as a measure with an op would come as the plain column, under whatever name it has. */
function requireNoOps(measures: unknown): void {
  const entries: readonly unknown[] = Array.isArray(measures) ? measures : [];
  const written = entries.find((entry): entry is readonly unknown[] => Array.isArray(entry));
  if (written === undefined) return;
  const [column, op] = written;
  throw badQuery(`aggregate: false takes column names, and no measure such as ${typeof op === "string" ? `'${op}'` : show(op)} of ${typeof column === "string" ? `'${column}'` : show(column)}; name the column alone, or write {expr, as} for another name`);
}

/** A query for rows: its measures are columns, and what it computes is computed of every row. */
function checkRowQuery(query: Query, names: readonly string[]): Query {
  if (query.having !== null) throw badQuery("aggregate: false gives rows, and having selects groups; put the condition into where");
  requireKnown("order", query.order.map(({ name }) => name), names, (name) => findQuoted(name, names));
  return query;
}

/** The names of the result's columns: keys, then measures and computed ones in the order asked. */
export function outputNames(query: Query): string[] {
  const names = query.measures.map(({ name }) => name);
  for (const { name, place } of query.computed) names.splice(place, 0, name);
  return [...query.keys.map(({ name }) => name), ...names];
}

/** The columns that answering a query reads, each once, in no meaning order. */
export function columnsOf(query: Query): string[] {
  const names = columnsOfCondition(query.where);
  for (const { expr } of query.keys) addColumns(expr, names);
  for (const { inputs } of query.measures) for (const input of inputs) addColumns(input, names);
  if (!query.aggregate) for (const { expr } of query.computed) addColumns(expr, names);
  if (query.expand !== null) names.add(query.expand);
  return [...names];
}

/** A condition as text, or as a list of terms; null for none. */
function parseConditions(written: unknown): Condition | null {
  if (written === undefined || written === null) return null;
  return typeof written === "string" ? parseCondition(written) : parseWhere(written);
}

function parseExpand(column: unknown): string | null {
  if (column === undefined || column === null) return null;
  if (typeof column !== "string" || column === "") throw badQuery(`expand_filter_column ${show(column)} is not a column name; give one such as 'basket'`);
  return column;
}

function parseOrder(written: unknown): OrderSpec[] {
  if (written === undefined || written === null) return [];
  const order = requireList("order", written, limits.orderMax).map(parseOrderEntry);
  requireDistinctOrder(order);
  return order;
}

function parseOrderEntry(entry: unknown): OrderSpec {
  const parts: readonly unknown[] = Array.isArray(entry) ? entry : [entry, "asc"];
  const [name, direction] = parts;
  const word = typeof direction === "string" ? direction.toLowerCase() : "";
  if (parts.length !== 2 || typeof name !== "string" || name === "" || (word !== "asc" && word !== "desc")) {
    throw badQuery(`order ${show(entry)} does not read as a name or [name, 'asc' or 'desc']`);
  }
  return { name, descending: word === "desc" };
}

function requireDistinctOrder(order: readonly OrderSpec[]): void {
  const twice = order.find(({ name }, place) => order.findIndex((other) => other.name === name) !== place);
  if (twice !== undefined) throw badQuery(`order names '${twice.name}' twice; once settles it`);
}

function parseCount<T extends number | null>(what: string, value: unknown, absent: T): number | T {
  if (value === undefined || value === null) return absent;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw badQuery(`${what} is ${show(value)}; give a whole number from 0 on`);
  return value;
}

/** The first choice is the default. */
function parseOneOf<const T>(what: string, value: unknown, choices: readonly T[]): T {
  if (value === undefined) return choices[0]!;
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw badQuery(`${what} ${show(value)} is unknown; use ${choices.map((choice) => (typeof choice === "string" ? `'${choice}'` : String(choice))).join(" or ")}`);
  return found;
}

function requireList(what: string, value: unknown, most: number): readonly unknown[] {
  if (!Array.isArray(value)) throw badQuery(`${what} is ${show(value)}; give a list`);
  if (value.length > most) throw badQuery(`${what} has ${value.length} entries; the limit is ${most}`);
  return value;
}

function requireDistinct(names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw badQuery(`the result would have two columns named '${name}'; name a measure with [column, op, name]`);
    seen.add(name);
  }
}

function requireKnown(what: string, used: Iterable<string>, known: readonly string[], adviceOn: (name: string) => string | undefined = () => undefined): void {
  for (const name of used) {
    if (known.includes(name)) continue;
    const advice = adviceOn(name);
    throw badQuery(`${what} names '${name}', which is no column of the result${advice === undefined ? suggestion(name, known, `it has ${known.join(", ").slice(0, 200)}`) : `; ${advice}`}`);
  }
}

/** Advice on a name that is known but for the quotes that expressions would have it in. */
function findQuoted(name: string, known: readonly string[]): string | undefined {
  const [, , bare] = /^(["'`])(.*)\1$/.exec(name) ?? [];
  return bare !== undefined && known.includes(bare) ? `names stand without quotes here: ${bare}` : undefined;
}
