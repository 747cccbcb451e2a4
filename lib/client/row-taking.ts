/** Rows of one query, collected. */
import { BquerydError } from "../base/errors.js";
import { dtypes, type Dtype } from "../columns/dtypes.js";
import type { ResultColumn } from "../engine/finish.js";
import { rowsOfNothing } from "../engine/nothing.js";
import type { Query } from "../engine/query/query.js";
import { orderRows } from "../engine/result/order.js";
import { firstInOrder, resultColumns } from "../engine/rows/best-rows.js";
import { rowSpecs } from "../engine/rows/columns.js";
import { bytesOfRows, pickRows, sliceRows, widenRows, type Rows } from "../engine/rows/rows.js";
import { upTo } from "../engine/values.js";
import { cutShort } from "./merger.js";
import type { Taking } from "./merging.js";
import type { Accepted } from "./session.js";
import { createSliceOrder, type SliceOrder } from "./slice-order.js";

/** Slices that may be on their way to a client for one call. */
export const sliceCredit = 24;

/** What came of a query for rows. */
export interface Collected {
  /** In order; those before the offset are gone. */
  readonly rows: Rows;
  readonly accepted: Accepted;
  /** Shards that ended, or were left out. */
  readonly ended: number;
  readonly slices: number;
}

/** Rows from the first on that are enough for a query; null where all have to be seen. At least one, which says the dtypes. */
export function rowsWanted({ order, limit, offset }: Query): number | null {
  return order.length > 0 || limit === null ? null : Math.max(1, offset + limit);
}

/** Collects rows of at most `mergeBytes`. `stop` is called now and then, and ends it by throwing. */
export function createCollecting(query: Query, mergeBytes: number, stop: () => void = () => undefined): Taking & { result(): Collected } {
  const columnCount = rowSpecs(query).length;
  const wanted = rowsWanted(query) ?? Infinity;
  let accepted: Accepted | undefined;
  let slices = 0;
  let heldBytes = 0;
  let state: { readonly order: SliceOrder; readonly first: ReturnType<typeof createFirst> } | undefined;

  return {
    take(reply, body, grant) {
      if (reply.type === "accepted") {
        const first = createFirst(query, wanted, stop);
        accepted = reply;
        state = { first, order: createSliceOrder(reply, columnCount, first) };
        [slices, heldBytes] = [0, 0];
      } else if (reply.attempt !== accepted?.attempt || reply.type === "partial" || state === undefined) return;
      else {
        state.order.take(reply, body);
        if (reply.type === "leftOut") return;
        slices += 1;
        heldBytes += body[0]?.length ?? 0;
        if (heldBytes > mergeBytes) heldBytes = requireBytes(query, state.first.bytes(), mergeBytes);
        grant(reply.attempt, 1);
      }
    },
    result() {
      if (accepted === undefined || state === undefined) throw cutShort();
      const { ended } = state.order;
      if (ended < accepted.shards.length && state.first.count() < wanted) throw cutShort();
      const rows = finishRows(query, ended === 0 && accepted.shards.length === 0 ? rowsOfNothing(query) : state.first.take(), stop);
      return { rows: widenRows(rows, dtypesInAll(query, accepted)), accepted, ended, slices };
    },
  };
}

/** The dtypes that hold plain columns in all shards, so that those of rows do not depend on how many shards were read; null where one is of its own in all, or none holds it. */
function dtypesInAll(query: Query, { widened = [] }: Accepted): (Dtype | null)[] {
  const dtypeOf = new Map(widened.map(({ name, dtype }) => [name, dtypes.find((candidate) => candidate === dtype) ?? null]));
  return rowSpecs(query).map(({ expr }) => (expr.kind === "column" ? dtypeOf.get(expr.name) ?? null : null));
}

/** What is kept in fact, where all that came would be too much: with an order and a limit most of it is gone again. */
function requireBytes({ order, limit }: Query, keptBytes: number, mergeBytes: number): number {
  if (order.length > 0 && limit !== null && keptBytes <= mergeBytes / 2) return keptBytes;
  throw new BquerydError("MEMORY_LIMIT", `the rows passed ${mergeBytes} bytes, the limit of merge_memory; raise it, set a limit, or take them slice by slice with rows()`, { details: { mergeBytes } });
}

/** Keeps the rows of whole shards until there are enough; a shard that is left out leaves nothing behind. */
function createFirst(query: Query, wanted: number, stop: () => void) {
  const kept = firstInOrder(query, { count: 0, columns: [] }, stop);
  let count = 0;
  let shard: Rows[] = [];
  let shardRows = 0;
  function keep(): void {
    for (const rows of shard) {
      if (count < wanted) kept.add(rows);
      count += rows.count;
    }
    [shard, shardRows] = [[], 0];
  }
  return {
    rows(rows: Rows): void {
      shard.push(rows);
      shardRows += rows.count;
    },
    end(isLeftOut: boolean): void {
      if (isLeftOut) [shard, shardRows] = [[], 0];
      else keep();
    },
    /** Rows from the first on, those of a shard under way too. */
    count: () => count + shardRows,
    bytes: () => kept.bytes() + shard.reduce((sum, rows) => sum + bytesOfRows(rows), 0),
    take(): Rows {
      keep();
      return kept.take();
    },
  };
}

/** Rows in the order asked, from the offset on and as many as wanted. */
function finishRows({ order, offset, limit, ...query }: Query, rows: Rows, stop: () => void): Rows {
  const end = limit === null ? rows.count : Math.min(rows.count, offset + limit);
  if (order.length === 0) return sliceRows(rows, Math.min(offset, rows.count), Math.max(end, Math.min(offset, rows.count)));
  const names = rowSpecs({ order, offset, limit, ...query }).map(({ name }) => name);
  return pickRows(rows, orderRows(upTo(rows.count), order, resultColumns(names, rows), { offset, limit, stop }));
}

/** The columns of rows. */
export function columnsOfRows(query: Query, rows: Rows): ResultColumn[] {
  return resultColumns(rowSpecs(query).map(({ name }) => name), rows);
}
