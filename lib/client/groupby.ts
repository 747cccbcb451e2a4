/** The groupby verb: what a caller writes becomes a call, and its partials, merged along the tree, or its rows a Table. */
import { monotonicMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import { finishQuery } from "../engine/finish.js";
import { encodeQuery } from "../engine/query/bytes.js";
import { columnsOf, givesRows, type Query } from "../engine/query/query.js";
import { finishResult, type FinishedResult } from "../engine/result/finish-result.js";
import { addCosts } from "../wire/costs.js";
import type { Cost, LeftOut } from "../wire/messages.js";
import { readQuestion, type GroupbyQuery, type Question } from "./arguments.js";
import { askWithBaskets, type Asked } from "./baskets.js";
import { createMerging, type Accepted, type Taking } from "./merging.js";
import { askForRanges } from "./ranges.js";
import { columnsOfRows, createCollecting, rowsWanted, sliceCredit, type Collected } from "./row-taking.js";
import type { Answer, Asker, Call } from "./session.js";
import { summarize, type Summary } from "./summary.js";
import { Table } from "./table.js";

/** How long a call may take, and what its answer may hold at a time. */
export interface CallLimits {
  readonly timeoutMs: number;
  readonly mergeBytes: number;
}

/** One query to the cluster, of those that an answer takes. */
export interface Part extends Asked {
  /** Null for partials. */
  readonly collected: Collected | null;
  readonly mergedMs: number;
  readonly costs: Costs;
}

/** What the controller says that a query took. */
export interface Costs {
  readonly cost: Cost;
  readonly workers: number;
  readonly retries: number;
  readonly queuedMs: number;
  readonly leftOut: readonly LeftOut[];
}

/** Asks a session and gives the finished table. Throws what the query, the cluster or merging makes fail. */
export async function groupby(session: Asker, input: GroupbyQuery, limits: CallLimits): Promise<Table> {
  const startMs = monotonicMs();
  const question = readQuestion(input);
  const ask = (asked: Query): Promise<Part> => askPart(session, question, asked, { ...limits, timeoutMs: Math.max(1, limits.timeoutMs - (monotonicMs() - startMs)) });
  const ranged = await askForRanges(question.query, ask);
  const { answer, before } = await askWithBaskets(ranged.query, ask);
  return finish(ranged.query, answer, [...ranged.before, ...before], startMs);
}

/** Asks one query, and takes all that comes of it. */
export async function askPart(session: Asker, question: Question, asked: Query, { timeoutMs, mergeBytes }: CallLimits): Promise<Part> {
  if (!givesRows(asked)) {
    const merging = createMerging(asked, mergeBytes);
    const costs = costsOf(await session.ask(callOf(question, asked, timeoutMs, merging)));
    return { ...merging.result(), collected: null, costs };
  }
  const collecting = createCollecting(asked, mergeBytes);
  const costs = costsOf(await session.ask(callOf(question, asked, timeoutMs, collecting)));
  const startMs = monotonicMs();
  const collected = collecting.result();
  return { partial: { groups: 0, keys: [], rows: new Float64Array(0), states: [] }, accepted: collected.accepted, collected, costs, mergedMs: monotonicMs() - startMs };
}

/** The call of a query. */
export function callOf(question: Question, asked: Query, timeoutMs: number, { take }: Pick<Taking<unknown>, "take">): Call {
  const rows = givesRows(asked) ? { rows: { slices: sliceCredit, rowsMax: rowsWanted(asked) } } : {};
  return {
    verb: "groupby", tables: question.tables, columns: columnsOf(asked), affinity: question.affinity, body: [encodeQuery(asked)], isSafe: true,
    timeoutMs, signal: question.signal, asks: { ...question.asks, ...rows }, onReply: take,
  };
}

/** What an answer took; throws BAD_MESSAGE when it does not say. */
export function costsOf({ cost, workers, retries, queuedMs, leftOut = [] }: Answer): Costs {
  if (cost === null) throw new BquerydError("BAD_MESSAGE", "the answer has no cost; the controller and this client differ in version");
  return { cost, workers, retries, queuedMs, leftOut };
}

/** The summary of an answer whose parts are these, the answer itself the last. */
export function summaryOf(parts: readonly Pick<Part, "costs" | "mergedMs">[], facts: { accepted: Accepted; ended: number; rows: number; slices: number; startMs: number; finishMs: number }): Summary {
  const { accepted: { queryId, shards }, ended, rows, slices, startMs, finishMs } = facts;
  const { leftOut, workers } = parts.at(-1)!.costs;
  const sumOf = (amount: (part: Pick<Part, "costs" | "mergedMs">) => number): number => parts.reduce((sum, part) => sum + amount(part), 0);
  const held = new Set(shards.map(({ name }) => name));
  return summarize({
    queryId, generations: new Map(shards.map(({ name, generation }) => [name, generation])), leftOut, workers, rows, slices,
    // Shards that nobody held when the call began have no ordinal.
    shardsAnswered: ended - leftOut.filter(({ name }) => held.has(name)).length,
    cost: parts.map(({ costs }) => costs.cost).reduce(addCosts),
    retries: sumOf(({ costs }) => costs.retries), queuedMs: sumOf(({ costs }) => costs.queuedMs),
    mergedMs: sumOf(({ mergedMs }) => mergedMs) + finishMs, durationMs: monotonicMs() - startMs,
  });
}

function finish(query: Query, answer: Part, before: readonly Part[], startMs: number): Table {
  const { accepted, collected } = answer;
  const finishStartMs = monotonicMs();
  const { columns, numRows } = collected === null ? finishGroups(query, answer) : { columns: columnsOfRows(query, collected.rows), numRows: collected.rows.count };
  return new Table(columns, numRows, summaryOf([...before, answer], {
    accepted, ended: collected?.ended ?? accepted.shards.length, rows: numRows, slices: collected?.slices ?? 0,
    startMs, finishMs: monotonicMs() - finishStartMs,
  }));
}

function finishGroups(query: Query, { partial }: Part): FinishedResult {
  return finishResult(query, finishQuery(query, partial), query.keys.length === 0 ? 1 : partial.groups);
}
