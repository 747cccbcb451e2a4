/** Rows of a query from an engine in this process: tasks of a few slices each, collected as a client does. */
import { BquerydError } from "../../lib/base/errors.js";
import { columnsOfRows, createCollecting, rowsWanted } from "../../lib/client/row-taking.js";
import { Table } from "../../lib/client/table.js";
import { summarize } from "../../lib/client/summary.js";
import type { Engine } from "../../lib/engine/engine.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery, type QueryInput } from "../../lib/engine/query/query.js";
import { addCosts, noCost } from "../../lib/wire/costs.js";
import type { Cost } from "../../lib/wire/messages.js";
import type { StoredShard } from "./random/store.js";

/** How rows are asked for. */
export interface RowsOptions {
  /** Slices of one task. */
  readonly slices?: number;
  readonly mergeBytes?: number;
  /** As a controller tells clients. */
  readonly widened?: readonly { name: string; dtype: string | null }[];
  readonly absent?: readonly { name: string; dtype: string }[];
  /** The order in which shards are asked; by default their own. */
  readonly turns?: readonly number[];
}

/** The table, what it cost, and the bytes of every slice. */
export interface RowsAnswer {
  readonly table: Table;
  readonly cost: Cost;
  readonly slices: readonly number[];
}

/** Asks an engine for rows; a limit ends the asking early, as a controller would. */
export function askRows(engine: Engine, shards: readonly StoredShard[], input: { readonly [K in keyof QueryInput]?: QueryInput[K] }, options: RowsOptions = {}): RowsAnswer {
  const query = parseQuery({ keys: [], measures: [], ...input, aggregate: false });
  const { slices = 2, mergeBytes = 2 ** 30, absent, widened = [], turns = shards.map((_, place) => place) } = options;
  const wanted = rowsWanted(query) ?? Infinity;
  const collecting = createCollecting(query, mergeBytes);
  const id = "0".repeat(32);
  const sizes: number[] = [];
  let cost = noCost;
  let count = 0;
  collecting.take({ type: "accepted", id, queryId: id, attempt: 1, shards: shards.map((shard, ordinal) => ({ ...shard, ordinal })), widened: [...widened] }, [], () => undefined);
  for (const ordinal of turns) {
    for (let from: number | null = 0; from !== null && count < wanted;) {
      const start: number = from;
      cost = addCosts(cost, engine.run({
        query: encodeQuery(query), shards: [{ ...shards[ordinal]!, ordinal }], shouldStop: () => false, onBlock: () => { throw new Error("a partial"); },
        ...(absent === undefined ? {} : { absent }),
        rows: {
          slices, rowsMax: wanted === Infinity ? null : wanted - count, from: [start],
          onSlice({ bytes, ...slice }) {
            sizes.push(bytes.length);
            count += slice.rows;
            from = slice.next;
            collecting.take({ type: "slice", id, attempt: 1, ...slice }, [bytes], () => undefined);
          },
        },
      }));
      if (from === start) throw new BquerydError("INTERNAL", "a task for rows made no progress");
    }
  }
  const { rows } = collecting.result();
  const summary = summarize({ queryId: id, generations: new Map(), shardsAnswered: 0, leftOut: [], rows: rows.count, slices: sizes.length, cost, workers: 1, retries: 0, queuedMs: 0, mergedMs: 0, renderedMs: 0, durationMs: 0 });
  return { table: new Table(columnsOfRows(query, rows), rows.count, summary), cost, slices: sizes };
}
