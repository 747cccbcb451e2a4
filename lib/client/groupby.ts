/** The groupby verb: what a caller writes becomes a call, and its partials, merged along the tree, or its rows a Table. */
import { monotonicMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import { encodeQuery } from "../engine/query/bytes.js";
import { columnsOf, givesRows, type Query } from "../engine/query/query.js";
import type { FinishedResult } from "../engine/result/finish-result.js";
import { addCosts, noCost } from "../wire/costs.js";
import type { Cost, LeftOut } from "../wire/messages.js";
import { withAdvice } from "./advice.js";
import { readQuestion, type GroupbyQuery, type Question } from "./arguments.js";
import { askWithBaskets, type Asked } from "./baskets.js";
import { askRuns, type Differing } from "./aligned.js";
import { showDrafts, within, type Drafted } from "./drafts.js";
import type { SharedStrings } from "./column-values.js";
import type { KeptAnswer, KeptAnswers } from "./kept-answers.js";
import type { MergeThread } from "./merge-thread.js";
import { createAnswering, createMerging, type Answering, type Taking } from "./merging.js";
import { askWithRanges } from "./ranges.js";
import { createOrdering } from "./row-ordering.js";
import { columnsOfRows, createCollecting, rowsWanted, sliceCredit } from "./row-taking.js";
import type { Accepted, Answer, Asker, Call } from "./session.js";
import { summarize, type Summary } from "./summary.js";
import { Table } from "./table.js";

/** How long a call may take, what its answer may hold at a time, and who merges what is large. */
export interface CallLimits {
  readonly timeoutMs: number;
  readonly mergeBytes: number;
  readonly mergeThread: MergeThread;
  readonly differing: Differing;
  /** Answers of earlier calls; none are kept without it. */
  readonly answers?: KeptAnswers;
}

/** One query to the cluster, of those that an answer takes. */
export interface Part {
  readonly accepted: Accepted;
  readonly mergedMs: number;
  readonly costs: Costs;
}

/** The query that is the answer. */
interface Answered extends Part {
  readonly result: FinishedResult;
  readonly renderedMs: number;
  /** Shards that ended, or were left out. */
  readonly ended: number;
  /** Slices of rows. */
  readonly slices: number;
  /** Whether it was computed for this call, or has been kept since an earlier one. */
  readonly isNew: boolean;
  /** The strings of its columns, where these are kept for later calls; else null. */
  readonly shared: SharedStrings | null;
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
  const limitsNow = (): CallLimits => ({ ...limits, timeoutMs: Math.max(1, limits.timeoutMs - (monotonicMs() - startMs)) });
  const askFirst = (asked: Query): Promise<Part & Asked> => askPartial(session, question, asked, limitsNow());
  const askLast = (asked: Query): Promise<Answered> => (givesRows(asked) ? askRows(session, question, asked, limitsNow()) : askKept(session, question, asked, limitsNow));
  try {
    const { answer, before } = await askWithRanges(question.query, (asked) => askWithBaskets(asked, askLast, askFirst), askFirst);
    const table = tableOf(answer, before, startMs);
    if (question.onPartial !== undefined) {
      const of = answer.accepted.shards.length;
      await within(question.onPartial(table, { fraction: 1, shards: of, of }), { timeoutMs: limitsNow().timeoutMs, signal: question.signal });
    }
    return table;
  } catch (failure) {
    throw withAdvice(failure, question.query);
  }
}

/** Asks a query of which the partial itself is wanted, which is small. */
export async function askPartial(session: Asker, question: Question, asked: Query, { timeoutMs, mergeBytes, differing }: CallLimits): Promise<Part & Asked> {
  const endMs = monotonicMs() + timeoutMs;
  return askRuns(question.tables, asked, differing, async (query) => {
    const merging = createMerging(query, mergeBytes);
    const costs = costsOf(await session.ask(callOf(question, query, Math.max(1, endMs - monotonicMs()), merging)));
    return { ...merging.result(), costs };
  });
}

/** Asks for groups, unless an answer has been kept and nothing has changed since; keeps what comes. */
async function askKept(session: Asker, question: Question, asked: Query, limitsNow: () => CallLimits): Promise<Answered> {
  const { answers, differing } = limitsNow();
  const key = answers?.keyOf(question, asked) ?? null;
  const kept = key === null ? undefined : answers?.find(key);
  const answered = await askRuns(question.tables, asked, differing, (query) => askGroups(session, question, query, limitsNow(), kept));
  if (key === null || answers === undefined || !answered.isNew || answered.costs.leftOut.length > 0) return answered;
  return { ...answered, shared: answers.keep(key, answered) };
}

async function askGroups(session: Asker, question: Question, asked: Query, limits: CallLimits, kept: KeptAnswer | undefined): Promise<Answered> {
  const asks = { ...question.asks, ...(kept === undefined ? {} : { known: kept.digest }) };
  return askThread(session, { ...question, asks }, asked, limits, (fail) => createShown(question, asked, limits, fail), async (answering, answer, leftMs) => {
    const costs = costsOf(answer);
    if (answer.unchanged === true) return unchanged(kept, costs);
    const rendered = await answering.finish(leftMs(), question.signal);
    return { ...rendered, costs, ended: rendered.accepted.shards.length, slices: 0, isNew: true, shared: null };
  });
}

/** What takes the answer, and shows whoever watches how it fills. */
function createShown({ onPartial }: Question, asked: Query, limits: CallLimits, fail: (error: unknown) => void): Answering {
  const answering = createAnswering(asked, limits, fail);
  if (onPartial === undefined) return answering;
  const startMs = monotonicMs();
  return showDrafts(answering, (draft) => {
    const of = draft.accepted.shards.length;
    return onPartial(tableOfDraft(draft, startMs), { fraction: draft.done / of, shards: draft.done, of });
  }, fail);
}

/** Asks with what takes the answer in a thread, and may fail there: the call ends then. `finish` is told what time is left. */
async function askThread<T extends Taking & { drop(): void }>(
  session: Asker, question: Question, asked: Query, { timeoutMs }: CallLimits, create: (fail: (error: unknown) => void) => T,
  finish: (taking: T, answer: Answer, leftMs: () => number) => Promise<Answered>,
): Promise<Answered> {
  const endMs = monotonicMs() + timeoutMs;
  let end = (): void => undefined;
  let failure: { readonly error: unknown } | undefined;
  const taking = create((error) => {
    failure ??= { error };
    end();
  });
  try {
    const call: Call = { ...callOf(question, asked, timeoutMs, taking), onAsked: (ending) => { end = ending; } };
    return await finish(taking, await session.ask(call), () => Math.max(1, endMs - monotonicMs()));
  } catch (error) {
    taking.drop();
    throw failure === undefined ? error : failure.error;
  }
}

function unchanged(kept: KeptAnswer | undefined, costs: Costs): Answered {
  if (kept === undefined) throw new BquerydError("BAD_MESSAGE", "the controller says that the answer is the one kept here, and none is; ask again");
  const { accepted, result, shared } = kept;
  return { accepted, result, shared, costs, mergedMs: 0, renderedMs: 0, ended: accepted.shards.length, slices: 0, isNew: false };
}

async function askRows(session: Asker, question: Question, asked: Query, limits: CallLimits): Promise<Answered> {
  if (asked.order.length > 0) {
    return askThread(session, question, asked, limits, (fail) => createOrdering(asked, limits, fail), async (ordering, answer, leftMs) => (
      { costs: costsOf(answer), ...await ordering.finish(leftMs(), question.signal), isNew: true, shared: null }
    ));
  }
  const { timeoutMs, mergeBytes } = limits;
  const collecting = createCollecting(asked, mergeBytes);
  const costs = costsOf(await session.ask(callOf(question, asked, timeoutMs, collecting)));
  const startMs = monotonicMs();
  const { rows, ...collected } = collecting.result();
  const mergedMs = monotonicMs() - startMs;
  return { ...collected, costs, result: { columns: columnsOfRows(asked, rows), numRows: rows.count }, mergedMs, renderedMs: monotonicMs() - startMs - mergedMs, isNew: true, shared: null };
}

/** The call of a query. */
export function callOf(question: Question, asked: Query, timeoutMs: number, { take }: Taking): Call {
  const rows = givesRows(asked) ? { rows: { slices: sliceCredit, rowsMax: rowsWanted(asked) } } : {};
  return {
    verb: "groupby", tables: question.tables, columns: columnsOf(asked), affinity: question.affinity, body: [encodeQuery(asked)], isSafe: true,
    timeoutMs, signal: question.signal, asks: { ...question.asks, ...rows }, isShown: question.onPartial !== undefined, onReply: take,
  };
}

/** What an answer took; throws BAD_MESSAGE when it does not say. */
export function costsOf({ cost, workers, retries, queuedMs, leftOut = [] }: Answer): Costs {
  if (cost === null) throw new BquerydError("BAD_MESSAGE", "the answer has no cost; the controller and this client differ in version");
  return { cost, workers, retries, queuedMs, leftOut };
}

/** The summary of an answer whose parts are these, the answer itself the last. */
export function summaryOf(parts: readonly Pick<Part, "costs" | "mergedMs">[], facts: { accepted: Accepted; ended: number; rows: number; slices: number; startMs: number; finishMs: number; isNew?: boolean }): Summary {
  const { accepted: { queryId, shards }, ended, rows, slices, startMs, finishMs, isNew = true } = facts;
  const { leftOut, workers } = parts.at(-1)!.costs;
  const sumOf = (amount: (part: Pick<Part, "costs" | "mergedMs">) => number): number => parts.reduce((sum, part) => sum + amount(part), 0);
  const held = new Set(shards.map(({ name }) => name));
  return summarize({
    queryId, generations: new Map(shards.map(({ name, generation }) => [name, generation])), leftOut, workers, rows, slices, unchanged: !isNew,
    // Shards that nobody held when the call began have no ordinal.
    shardsAnswered: ended - leftOut.filter(({ name }) => held.has(name)).length,
    cost: parts.map(({ costs }) => costs.cost).reduce(addCosts),
    retries: sumOf(({ costs }) => costs.retries), queuedMs: sumOf(({ costs }) => costs.queuedMs),
    mergedMs: sumOf(({ mergedMs }) => mergedMs), renderedMs: finishMs, durationMs: monotonicMs() - startMs,
  });
}

/** A table of what is done, whose summary counts no costs: the controller tells of these in the end. */
function tableOfDraft({ accepted, answered, result: { columns, numRows }, tookMs }: Drafted, startMs: number): Table {
  const costs: Costs = { cost: noCost, workers: 0, retries: 0, queuedMs: 0, leftOut: [] };
  const summary = summaryOf([{ costs, mergedMs: tookMs }], { accepted, ended: answered, rows: numRows, slices: 0, startMs, finishMs: 0 });
  return new Table(columns, numRows, { ...summary, coverage: { shardsMissing: [], rowsMissing: answered < accepted.shards.length ? null : 0 } });
}

function tableOf(answer: Answered, before: readonly Part[], startMs: number): Table {
  const { accepted, ended, slices, renderedMs, isNew, shared, result: { columns, numRows } } = answer;
  // What is asked before, as the ends of histograms and baskets are, is asked anew, and may be computed.
  const summary = summaryOf([...before, answer], { accepted, ended, rows: numRows, slices, startMs, finishMs: renderedMs, isNew: isNew || before.some(({ costs }) => costs.cost.rowsScanned > 0) });
  return new Table(columns, numRows, summary, shared);
}
