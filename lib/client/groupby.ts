/** The groupby verb: what a caller writes becomes a call, and its partials, merged along the tree, a Table. */
import { monotonicMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import { suggestion } from "../base/nearest.js";
import { finishQuery } from "../engine/finish.js";
import { mergePartials } from "../engine/merge.js";
import type { Partial } from "../engine/partial.js";
import { decodePartial } from "../engine/partial-bytes.js";
import { columnsOf, encodeQuery, parseQuery, type Query } from "../engine/query.js";
import { createMergeTree, type MergeTree } from "../engine/tree.js";
import type { ClientReply } from "../wire/messages.js";
import type { Answer, Session } from "./session.js";
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
  /** The merged table is the only form of this release. */
  readonly aggregate?: true;
}

/** One object with everything that groupby takes. */
export interface GroupbyQuery extends GroupbyOptions {
  readonly tables: string | readonly string[];
  readonly keys?: readonly string[];
  readonly measures?: readonly unknown[];
  /**
   * Terms `[column, op, value]`, compared exactly: numbers and bigints with every numeric dtype; text with strings; ISO 8601
   * text or a Date with timestamps and dates, a date being its first instant (UTC); true, false, 1 and 0 with bools; a
   * Uint8Array, or text such as '\\x0aff', with bytes.
   */
  readonly where?: readonly unknown[];
}

const optionNames = ["timeout", "signal", "affinity", "cache", "aggregate"];
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
  const query = parseQuery({ keys: input.keys ?? [], measures: input.measures ?? [], where: input.where ?? [], cache: input.cache });
  if (input.aggregate !== undefined && input.aggregate !== true) throw new BquerydError("BAD_QUERY", "aggregate can only be true in this release; ask for keys and measures");
  if (input.affinity !== undefined && typeof input.affinity !== "string") throw new BquerydError("USAGE", "affinity is not a text; give a key such as 'dashboard'");
  const merging = createMerging(limits.mergeBytes);
  const answer = await session.ask({
    verb: "groupby", tables, columns: columnsOf(query), affinity: input.affinity, body: [encodeQuery(query)], isSafe: true,
    timeoutMs: limits.timeoutMs, signal: input.signal, onReply: merging.take,
  });
  return finish(query, merging, answer, startMs);
}

function finish(query: Query, merging: Merging, answer: Answer, startMs: number): Table {
  const { partial, accepted, mergedMs } = merging.result();
  const finishStartMs = monotonicMs();
  const columns = finishQuery(query, partial);
  const endMs = monotonicMs();
  if (answer.cost === null) throw new BquerydError("BAD_MESSAGE", "the answer has no cost; the controller and this client differ in version");
  const numRows = query.keys.length === 0 ? 1 : partial.groups;
  return new Table(columns, numRows, summarize({
    queryId: accepted.queryId, generations: new Map(accepted.shards.map((shard) => [shard.name, shard.generation])), cost: answer.cost,
    workers: answer.workers, retries: answer.retries, queuedMs: answer.queuedMs, mergedMs: mergedMs + endMs - finishStartMs, durationMs: endMs - startMs,
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
