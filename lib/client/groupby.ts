/** The groupby verb: what a caller writes becomes a call, and its partials, merged along the tree, a Table. */
import { monotonicMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import { suggestion } from "../base/nearest.js";
import { finishQuery } from "../engine/finish.js";
import { mergePartials } from "../engine/merge.js";
import type { Partial } from "../engine/partial.js";
import { decodePartial } from "../engine/partial-bytes.js";
import { encodeQuery } from "../engine/query/bytes.js";
import { columnsOf, parseQuery, type Query } from "../engine/query/query.js";
import { finishResult } from "../engine/result/finish-result.js";
import { createMergeTree, type MergeTree } from "../engine/tree.js";
import { addCosts } from "../wire/costs.js";
import type { ClientReply, Cost } from "../wire/messages.js";
import { askWithBaskets, type Asked } from "./baskets.js";
import { askForRanges } from "./ranges.js";
import type { Session } from "./session.js";
import { summarize } from "./summary.js";
import { Table } from "./table.js";

/** Options of groupby; `timeout` in seconds. */
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
  /** The merged table is the only form of this release. */
  readonly aggregate?: true;
}

/** One object with everything that groupby takes. */
export interface GroupbyQuery extends GroupbyOptions {
  readonly tables: string | readonly string[];
  /** Names of columns, or `{expr, as}`: expressions as text. */
  readonly keys?: readonly (string | { readonly expr: string; readonly as?: string })[];
  readonly measures?: readonly unknown[];
  /**
   * Terms `[column, op, value]`, compared exactly: numbers and bigints with every numeric dtype; text with strings; ISO 8601
   * text or a Date with timestamps and dates, a date being its first instant (UTC); true, false, 1 and 0 with bools; a
   * Uint8Array, or text such as '\\x0aff', with bytes.
   */
  readonly where?: readonly unknown[] | string;
}

const optionNames = ["timeout", "signal", "affinity", "cache", "expand_filter_column", "having", "order", "limit", "offset", "aggregate"];
const queryNames = ["tables", "keys", "measures", "where", ...optionNames];

/** The arguments of groupby, positional or one object, as one object. Throws USAGE naming what is not known. */
export function readArguments(args: readonly unknown[]): GroupbyQuery {
  const [first, keys, measures, where = [], options = {}] = args;
  if (args.length === 1 && isRecord(first)) {
    requireKnown(first, queryNames);
    return first as unknown as GroupbyQuery;
  }
  if (!isRecord(options)) throw new BquerydError("USAGE", "the options of groupby are not an object; write groupby(tables, keys, measures, where, {timeout: 10})");
  requireKnown(options, optionNames);
  return { ...options, tables: first, keys, measures, where } as unknown as GroupbyQuery;
}

/** Asks a session and gives the finished table. Throws what the query, the cluster or merging makes fail. */
export async function groupby(session: Session, input: GroupbyQuery, limits: { timeoutMs: number; mergeBytes: number }): Promise<Table> {
  const startMs = monotonicMs();
  const tables = readTables(input.tables);
  const query = parseQuery({ keys: input.keys ?? [], measures: input.measures ?? [], where: input.where ?? [], expand_filter_column: input.expand_filter_column, having: input.having, order: input.order, limit: input.limit, offset: input.offset, cache: input.cache });
  if (input.aggregate !== undefined && input.aggregate !== true) throw new BquerydError("BAD_QUERY", "aggregate can only be true in this release; ask for keys and measures");
  if (input.affinity !== undefined && typeof input.affinity !== "string") throw new BquerydError("USAGE", "affinity is not a text; give a key such as 'dashboard'");
  const ask = async (asked: Query): Promise<Part> => {
    const merging = createMerging(limits.mergeBytes);
    const { cost, workers, retries, queuedMs } = await session.ask({
      verb: "groupby", tables, columns: columnsOf(asked), affinity: input.affinity, body: [encodeQuery(asked)], isSafe: true,
      timeoutMs: Math.max(1, limits.timeoutMs - (monotonicMs() - startMs)), signal: input.signal, onReply: merging.take,
    });
    if (cost === null) throw new BquerydError("BAD_MESSAGE", "the answer has no cost; the controller and this client differ in version");
    return { ...merging.result(), cost, workers, retries, queuedMs };
  };
  const ranged = await askForRanges(query, ask);
  const { answer, before } = await askWithBaskets(ranged.query, ask);
  return finish(ranged.query, answer, [...ranged.before, ...before], startMs);
}

/** One query to the cluster, of those that an answer takes. */
interface Part extends Asked {
  readonly mergedMs: number;
  readonly cost: Cost;
  readonly workers: number;
  readonly retries: number;
  readonly queuedMs: number;
}

function finish(query: Query, answer: Part, before: readonly Part[], startMs: number): Table {
  const { partial, accepted } = answer;
  const sumOf = (part: (asked: Part) => number): number => before.reduce((sum, asked) => sum + part(asked), part(answer));
  const finishStartMs = monotonicMs();
  const { columns, numRows } = finishResult(query, finishQuery(query, partial), query.keys.length === 0 ? 1 : partial.groups);
  const endMs = monotonicMs();
  return new Table(columns, numRows, summarize({
    queryId: accepted.queryId, generations: new Map(accepted.shards.map((shard) => [shard.name, shard.generation])), cost: before.reduce((sum, { cost }) => addCosts(sum, cost), answer.cost),
    workers: answer.workers, retries: sumOf(({ retries }) => retries), queuedMs: sumOf(({ queuedMs }) => queuedMs),
    mergedMs: sumOf(({ mergedMs }) => mergedMs) + endMs - finishStartMs, durationMs: endMs - startMs,
  }));
}

type Accepted = Extract<ClientReply, { type: "accepted" }>;

interface Merging {
  take(reply: Extract<ClientReply, { type: "accepted" | "partial" }>, body: readonly Uint8Array[]): void;
  /** Throws BAD_MESSAGE when a shard is missing: a short answer must not look whole. */
  result(): { partial: Partial; accepted: Accepted; mergedMs: number };
}

function createMerging(mergeBytes: number): Merging {
  let accepted: Accepted | undefined;
  let tree: MergeTree<Partial> | undefined;
  let takenBytes = 0;
  let mergedMs = 0;

  function addPartial(reply: Extract<ClientReply, { type: "partial" }>, body: readonly Uint8Array[]): void {
    // A new attempt has voided the partials of earlier ones.
    if (tree === undefined || reply.attempt !== accepted?.attempt || body[0] === undefined) return;
    takenBytes += body[0].length;
    if (takenBytes > mergeBytes) {
      throw new BquerydError("MEMORY_LIMIT", `the partial answers passed ${mergeBytes} bytes, the limit of merge_memory; raise it or group by fewer distinct values`, { details: { mergeBytes } });
    }
    const startMs = monotonicMs();
    tree.add(reply.block, decodePartial(body[0]));
    mergedMs += monotonicMs() - startMs;
  }

  return {
    take(reply, body) {
      if (reply.type === "partial") {
        addPartial(reply, body);
        return;
      }
      accepted = reply;
      tree = createMergeTree(reply.shards.length, mergePartials);
      takenBytes = 0;
    },
    result() {
      const partial = tree?.root();
      if (partial === undefined || accepted === undefined) throw new BquerydError("BAD_MESSAGE", "the answer ended before all shards were in; ask again");
      return { partial, accepted, mergedMs };
    },
  };
}

function readTables(tables: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(tables) ? tables : [tables];
  if (list.length === 0) throw new BquerydError("BAD_QUERY", "the list of tables is empty; name at least one table");
  return list.map((name) => {
    if (typeof name !== "string" || name === "") throw new BquerydError("BAD_QUERY", `${JSON.stringify(name) ?? String(name)} is not the name of a table; give a text such as 'taxi' or 'taxi.bcolz'`);
    return name;
  });
}

function requireKnown(options: Record<string, unknown>, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new BquerydError("USAGE", `groupby has no option '${name}'${suggestion(name, known, `it takes ${known.join(", ")}`)}`, { details: { option: name } });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
