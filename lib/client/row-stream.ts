/** The rows verb: the selected rows of a query slice by slice, as they come and as they are taken. */
import { inspect } from "node:util";
import { monotonicMs } from "../base/clock.js";
import { BquerydError, toBquerydError } from "../base/errors.js";
import { rowsOfNothing } from "../engine/nothing.js";
import type { Query } from "../engine/query/query.js";
import { rowSpecs } from "../engine/rows/columns.js";
import { sliceRows, type Rows } from "../engine/rows/rows.js";
import { factsOf } from "../engine/where/basket-edges.js";
import { noCost } from "../wire/costs.js";
import { withAdvice } from "./advice.js";
import { readQuestion, type GroupbyQuery, type Question } from "./arguments.js";
import { askPartial, callOf, costsOf, groupby, summaryOf, type CallLimits, type Costs, type Part } from "./groupby.js";
import { cutShort } from "./merger.js";
import type { Taking } from "./merging.js";
import { columnsOfRows, rowsWanted } from "./row-taking.js";
import type { Accepted, Asker } from "./session.js";
import { createSliceOrder, type SliceOrder } from "./slice-order.js";
import type { Summary } from "./summary.js";
import { Table } from "./table.js";

/**
 * Rows as tables of at most 65,536 rows and a few MB, in order; each in the dtypes of its shard. They come no faster than
 * they are taken, and breaking off cancels the call. In an order that was asked for they are one table, as the first row may
 * be the last that is read. A stream is iterated once.
 * The `timeout` of the call is for all of it, the time between the taking of two tables included.
 */
export interface RowStream extends AsyncIterable<Table> {
  /** What answering took; null until the last table was taken. */
  readonly summary: Summary | null;
  /** What a prompt or console.log shows: how the rows are taken. */
  [inspect.custom](): string;
}

/**
 * The rows of a query, asked for when they are first taken. Iterating rejects with what the query or the cluster makes
 * fail. `onEnd` is told how long it took, when all was taken, or failed, or the loop was left.
 */
export function streamRows(session: Asker, input: GroupbyQuery, limits: CallLimits, onEnd: (tookMs: number) => void = () => undefined): RowStream {
  let summary: Summary | null = null;
  let isTaken = false;
  async function* run(): AsyncGenerator<Table> {
    if (isTaken) throw new BquerydError("USAGE", "these rows were taken before; ask for them again with rows()");
    isTaken = true;
    const startMs = monotonicMs();
    try {
      summary = yield* take({ ...input, aggregate: false });
    } finally {
      onEnd(monotonicMs() - startMs);
    }
  }
  async function* take(rowsOnly: GroupbyQuery): AsyncGenerator<Table, Summary> {
    const question = readQuestion(rowsOnly);
    if (question.query.order.length === 0) return yield* takeInTurn(session, question, limits);
    // Rows have to be there before they can be in order.
    const table = await groupby(session, rowsOnly, limits);
    yield table;
    return table.summary;
  }
  return {
    [Symbol.asyncIterator]: run,
    get summary() { return summary; },
    [inspect.custom]: () => "rows that come table by table: for await (const table of rpc.rows(...)) console.log(table)",
  };
}

/** Yields tables, and gives the summary at the end. */
async function* takeInTurn(session: Asker, asked: Question, limits: CallLimits): AsyncGenerator<Table, Summary> {
  const startMs = monotonicMs();
  const { question, query, before } = await settleBaskets(session, asked, limits);
  const leaving = new AbortController();
  const signal = question.signal === undefined ? leaving.signal : AbortSignal.any([question.signal, leaving.signal]);
  const queue = createSliceQueue(query);
  const timeoutMs = Math.max(1, limits.timeoutMs - (monotonicMs() - startMs));
  // Whoever takes rows in a loop sees them come.
  session.ask({ ...callOf({ ...question, signal }, query, timeoutMs, queue), isShown: true }).then(
    (answer) => { queue.close(() => costsOf(answer)); },
    (cause: unknown) => { queue.close(() => { throw toBquerydError(withAdvice(cause, query)); }); },
  );
  let taken = 0;
  try {
    for (let rows = await queue.next(); rows !== undefined; rows = await queue.next()) {
      taken += rows.count;
      const parts = [...before, { costs: { cost: noCost, workers: 0, retries: 0, queuedMs: 0, leftOut: [] }, mergedMs: 0 }];
      yield new Table(columnsOfRows(query, rows), rows.count, summaryOf(parts, { ...queue.facts(), rows: rows.count, startMs, finishMs: 0 }));
    }
    return summaryOf([...before, { costs: queue.costs(), mergedMs: 0 }], { ...queue.facts(), rows: taken, startMs, finishMs: 0 });
  } finally {
    leaving.abort();
  }
}

/** Baskets are asked for first, and then rows of the same generations. */
async function settleBaskets(session: Asker, question: Question, limits: CallLimits): Promise<{ question: Question; query: Query; before: Part[] }> {
  const { query, asks } = question;
  if (query.expand === null) return { question, query, before: [] };
  const edges = await askPartial(session, question, { ...query, baskets: "ask" }, limits);
  const generations = edges.accepted.shards.map(({ name, generation }) => ({ name, generation }));
  return { question: { ...question, asks: { ...asks, generations } }, query: { ...query, baskets: factsOf(edges.partial) }, before: [edges] };
}

/** Slices that came and were not taken yet; the controller learns of each that is. */
interface SliceQueue extends Taking {
  /** The next rows; undefined at the end. Rejects with what the call failed with. */
  next(): Promise<Rows | undefined>;
  /** Nothing more will come. */
  close(costs: () => Costs): void;
  costs(): Costs;
  facts(): { accepted: Accepted; ended: number; slices: number };
}

function createSliceQueue(query: Query): SliceQueue {
  const wanted = rowsWanted(query) ?? Infinity;
  const ready: { readonly rows: Rows; grant(): void }[] = [];
  let accepted: Accepted | undefined;
  let order: SliceOrder | undefined;
  let costs: (() => Costs) | undefined;
  let [seen, slices, given] = [0, 0, 0];
  let wake = (): void => undefined;

  function begin(reply: Accepted): void {
    if (given > 0) throw new BquerydError("STALE", `the rows began anew after ${given} slices had been taken: tables were replaced, or a controller was lost; ask again`);
    ready.length = seen = slices = 0;
    accepted = reply;
    order = createSliceOrder(reply, rowSpecs(query).length, { rows: (rows) => void ready.push({ rows: cut(rows), grant: granting }), end: () => undefined });
  }
  let granting = (): void => undefined;

  /** The part of rows between offset and limit. */
  function cut(rows: Rows): Rows {
    const start = Math.min(rows.count, Math.max(0, query.offset - seen));
    const end = Math.max(start, Math.min(rows.count, query.limit === null ? Infinity : query.offset + query.limit - seen));
    seen += rows.count;
    return start === 0 && end === rows.count ? rows : sliceRows(rows, start, end);
  }

  function isWhole(): boolean {
    return accepted !== undefined && order !== undefined && (order.ended === accepted.shards.length || seen >= wanted);
  }

  return {
    take(reply, body, grant) {
      if (reply.type === "accepted") begin(reply);
      else if (reply.attempt === accepted?.attempt && reply.type !== "partial" && order !== undefined) {
        granting = () => { grant(reply.attempt, 1); };
        order.take(reply, body);
        if (reply.type === "slice") slices += 1;
        wake();
      }
    },
    async next() {
      for (;;) {
        // What was broken off or ran out of time gives no more, even of what is here.
        costs?.();
        const slice = ready.shift();
        if (slice !== undefined) {
          slice.grant();
          given += 1;
          // A table without rows says what the columns are, once.
          if (slice.rows.count > 0 || given === 1) return slice.rows;
          continue;
        }
        if (costs !== undefined) {
          if (!isWhole()) throw cutShort();
          if (given > 0) return undefined;
          given = 1;
          return rowsOfNothing(query);
        }
        await new Promise<void>((resolve) => { wake = resolve; });
      }
    },
    close(outcome) {
      costs = outcome;
      wake();
    },
    costs: () => costs!(),
    facts: () => ({ accepted: accepted!, ended: order?.ended ?? 0, slices }),
  };
}
