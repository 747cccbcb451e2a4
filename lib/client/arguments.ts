/** What callers of groupby and rows write, and the call that it becomes. */
import { BquerydError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { suggestion } from "../base/nearest.js";
import { show } from "../engine/query/bad-query.js";
import { columnsOf, parseQuery, type Query } from "../engine/query/query.js";
import type { OnPartial } from "./drafts.js";
import { listNames, optionNames } from "./option-names.js";
import type { Call } from "./session.js";

/** Options of groupby and rows; `timeout` in seconds, of rows for the whole loop that takes them. */
export interface GroupbyOptions {
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Calls of one key share a queue, and the queues are served in turn; by default a client has its own. */
  readonly affinity?: string;
  /** false bypasses every cache, 'columns' uses decoded columns only. */
  readonly cache?: boolean | "columns";
  /**
   * Rows with the same value of this column that follow each other, nulls being equal, are a basket, over the borders of
   * shards too; where selects the whole basket of every row for which it is true.
   */
  readonly expand_filter_column?: string;
  /** Terms as in `where`, or text, over the columns of the result: the groups for which it is not true are left out. */
  readonly having?: readonly unknown[] | string;
  /** Names of columns of the result, or [name, 'asc' or 'desc']; nulls come last, ties in the order of the keys. */
  readonly order?: readonly (string | readonly [string, "asc" | "desc"])[];
  /** At most so many rows, from the one at `offset` on, counted from 0. */
  readonly limit?: number;
  readonly offset?: number;
  /**
   * false gives the selected rows themselves, in the order of shards, or in the one asked; measures are names of columns
   * then, and `{expr, as}` is computed of every row.
   */
  readonly aggregate?: boolean;
  /** 'empty' takes tables and columns that are not there for empty. */
  readonly missing?: "error" | "empty";
  /** 'allow' answers without the shards that cannot be had; the summary names them. */
  readonly partial?: "error" | "allow";
  /** The generations to read, by shard, as in the summary of an earlier answer; GENERATION_GONE where one is no longer kept. */
  readonly generations?: ReadonlyMap<string, string> | Readonly<Record<string, string>>;
  /**
   * Of groupby: is given tables while the answer fills, each what the answer would be over the shards that are in, at most
   * ten a second, fewer where they are large, and in the end the answer itself. The next one waits until a promise that it
   * returns is settled, and so does the answer. What it throws fails the call.
   */
  readonly onPartial?: OnPartial;
}

/** One object with everything that groupby takes. */
export interface GroupbyQuery extends GroupbyOptions {
  readonly tables: string | readonly string[];
  /** Names of columns, or `{expr, as}`: expressions as text. */
  readonly keys?: readonly (string | { readonly expr: string; readonly as?: string })[] | undefined;
  readonly measures?: readonly unknown[];
  /**
   * Terms `[column, op, value]`, compared exactly: numbers and bigints with every numeric dtype; text with strings; ISO 8601
   * text or a Date with timestamps and dates, a date being its first instant (UTC); true, false, 1 and 0 with bools; a
   * Uint8Array, or text such as '\\x0aff', with bytes.
   */
  readonly where?: readonly unknown[] | string;
}

/** The arguments of a verb, positional or one object, as one object. Throws USAGE naming what is not known, or out of its place. */
export function readArguments(verb: "groupby" | "rows", args: readonly unknown[]): GroupbyQuery {
  const [first, keys, measures, where = [], options = {}] = args;
  if (args.length === 1 && isRecord(first)) {
    const query = requireWatchable(verb, first as unknown as GroupbyQuery);
    requireKnown(verb, first, [...listNames, ...optionNames(verb)]);
    return query;
  }
  requireInPlace(verb, { keys, measures, where });
  if (!isRecord(options)) throw new BquerydError("USAGE", `the options of ${verb} are not an object; write ${verb}(tables, keys, measures, where, {timeout: 10})`);
  const query = requireWatchable(verb, { ...options, tables: first, keys, measures, where } as unknown as GroupbyQuery);
  requireKnown(verb, options, optionNames(verb));
  return query;
}

/** Rows are not to be had before their turn, and come as they are done anyway. */
function requireWatchable(verb: "groupby" | "rows", query: GroupbyQuery): GroupbyQuery {
  const { onPartial, aggregate }: { readonly onPartial?: unknown; readonly aggregate?: unknown } = query;
  if (onPartial === undefined) return query;
  if (verb === "rows" || aggregate === false) throw new BquerydError("USAGE", "onPartial is for groups; rows come as they are done with for await (const table of rpc.rows(...))");
  if (typeof onPartial !== "function") throw new BquerydError("USAGE", "onPartial is no function; write {onPartial: (table, {fraction}) => console.log(fraction)}");
  return query;
}

/** What is asked of a cluster. */
export interface Question {
  readonly tables: readonly string[];
  readonly query: Query;
  readonly affinity: string | undefined;
  readonly asks: NonNullable<Call["asks"]>;
  readonly signal: AbortSignal | undefined;
  readonly onPartial: OnPartial | undefined;
}

/** The question of checked arguments. Throws BAD_QUERY, USAGE. */
export function readQuestion(input: GroupbyQuery): Question {
  const { keys = [], measures = [], affinity, signal, tables, partial = "error", generations, onPartial } = input;
  const query = parseQuery({ ...input, keys, measures });
  if (affinity !== undefined && typeof affinity !== "string") throw new BquerydError("USAGE", "affinity is not a text; give a key such as 'dashboard'");
  requireShort("affinity", affinity ?? "", limits.affinityMax);
  requireColumns(columnsOf(query));
  if (partial !== "error" && partial !== "allow") throw new BquerydError("USAGE", `partial ${show(partial)} is unknown; use 'error' or 'allow'`);
  return {
    tables: readTables(tables), query, affinity, signal, onPartial,
    asks: {
      ...(query.missing === "empty" ? { missing: query.missing } : {}),
      ...(partial === "allow" ? { partial } : {}),
      ...(generations === undefined ? {} : { generations: readGenerations(generations) }),
    },
  };
}

function readGenerations(generations: unknown): { name: string; generation: string }[] {
  const isReadable = generations instanceof Map || isRecord(generations);
  if (!isReadable) throw new BquerydError("USAGE", "generations is neither a Map nor an object; give summary.generations of an earlier answer");
  const entries: [unknown, unknown][] = generations instanceof Map ? [...generations] : Object.entries(generations);
  if (entries.length === 0) throw new BquerydError("USAGE", "generations is empty; give summary.generations of an earlier answer, a Map, which JSON loses: Object.fromEntries makes an object of it");
  return entries.map(([name, generation]) => {
    if (typeof name === "string" && typeof generation === "string" && /^[0-9a-f]{64}$/.test(generation)) return { name, generation };
    throw new BquerydError("USAGE", `the generation of ${String(name)} is no text of 64 hexadecimal digits; give summary.generations of an earlier answer`);
  });
}

function readTables(tables: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(tables) ? tables : [tables];
  if (list.length === 0) throw new BquerydError("BAD_QUERY", "the list of tables is empty; name at least one table");
  requireFew("tables", list.length, limits.shardsMax);
  return list.map((name) => {
    if (typeof name !== "string" || name === "") throw new BquerydError("BAD_QUERY", `${show(name)} is not the name of a table; give a text such as 'taxi' or 'taxi.bcolz'`);
    requireShort("the name of a table", name, limits.tableNameMax);
    return name;
  });
}

/** Options in the place of what stands before them would otherwise be told of as a wrong list. */
function requireInPlace(verb: "groupby" | "rows", lists: Readonly<Record<string, unknown>>): void {
  for (const [place, given] of Object.entries(lists)) {
    const isOptions = isRecord(given) && Object.keys(given).length > 0 && Object.keys(given).every((name) => optionNames(verb).includes(name));
    if (isOptions) throw new BquerydError("USAGE", `options stand in the place of ${place}; they come fifth, as in ${verb}('taxi', ['id1'], ['v1'], [], {limit: 10})`);
  }
}

function requireColumns(names: readonly string[]): void {
  requireFew("columns", names.length, limits.columnsMax);
  for (const name of names) requireShort("the name of a column", name, limits.columnNameMax);
}

function requireFew(what: string, count: number, countMax: number): void {
  if (count > countMax) throw new BquerydError("BAD_QUERY", `the query names ${count} ${what}; the limit is ${countMax}`, { details: { limit: countMax } });
}

/** What is longer would be no message of the protocol. */
function requireShort(what: string, text: string, charactersMax: number): void {
  if (text.length <= charactersMax) return;
  throw new BquerydError("BAD_QUERY", `${what} has ${text.length} characters ('${text.slice(0, 40)}...'); the limit is ${charactersMax}`, { details: { limit: charactersMax } });
}

function requireKnown(verb: string, options: Record<string, unknown>, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new BquerydError("USAGE", `${verb} has no option '${name}'${suggestion(name, known, `it takes ${known.join(", ")}`)}`, { details: { option: name } });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
