/**
 * Rows on their way to a client. They come in slices, against credit that the client gives: what a task may send is taken
 * from the credit when the task is given out, so no worker ever waits for a slow client, and what is queued for one is
 * bounded. A client takes rows in the order of shards: of the credit a part is kept for the first shard that is not
 * finished, so that rows of later shards, which have to wait for it, cannot block it.
 */
import type { SliceEvent } from "../events.js";

/** How far the rows of a call have been sent. */
export interface SliceStream {
  /** Rows from the first on that are enough; null for all. */
  readonly rowsMax: number | null;
  /** Slices that may still be asked for. */
  credit: number;
  /** Where each shard goes on. */
  readonly from: Float64Array;
  /** Rows sent of each shard. */
  readonly rows: Float64Array;
  /** The first shard that is not finished, and the rows of those before it. */
  head: number;
  rowsBefore: number;
  /** From this ordinal on nothing is handed out before all that come before it are finished; Infinity for no such. */
  heldFrom: number;
}

/** What a task may still send. */
export interface SliceBudget {
  slices: number;
  rows: number;
  /** Whether it has sent anything. */
  hasSent: boolean;
}

/** Slices of one task at most, so that workers come back for other calls. */
export const taskSlicesMax = 8;
/** Credit that is kept for the first unfinished shard. */
export const headSlices = 8;

/** A stream of which nothing has been sent. */
export function createStream(shards: number, { slices, rowsMax }: { slices: number; rowsMax: number | null }): SliceStream {
  return { rowsMax, credit: slices, from: new Float64Array(shards), rows: new Float64Array(shards), head: 0, rowsBefore: 0, heldFrom: Infinity };
}

/** Takes what a task for a shard may send from the credit; undefined while there is too little, or no row of it is wanted. */
export function takeBudget(stream: SliceStream, ordinal: number): SliceBudget | undefined {
  // A client that gives less credit than is kept for the first shard gets one shard after another.
  const free = ordinal === stream.head ? stream.credit : stream.credit - headSlices;
  const slices = Math.min(free, taskSlicesMax);
  const rows = rowsWantedOf(stream, ordinal);
  if (slices < 1 || rows <= 0) return undefined;
  stream.credit -= slices;
  return { slices, rows, hasSent: false };
}

/** Gives back what a task that ended did not send. */
export function returnBudget(stream: SliceStream, budget: SliceBudget): void {
  stream.credit += budget.slices;
  budget.slices = 0;
}

/** Notes a slice; false when it is not what is due next of its shard, or more than its task may send. */
export function takeSlice(stream: SliceStream, budget: SliceBudget, { ordinal, from, next, rows }: SliceEvent): boolean {
  if (budget.slices < 1 || from !== stream.from[ordinal] || (next !== null && next <= from)) return false;
  budget.slices -= 1;
  budget.rows -= rows;
  budget.hasSent = true;
  stream.rows[ordinal]! += rows;
  if (next !== null) stream.from[ordinal] = next;
  return true;
}

/** Moves on to the first shard that is not finished. */
export function moveHead(stream: SliceStream, isFinished: (ordinal: number) => boolean): void {
  while (stream.head < stream.rows.length && isFinished(stream.head)) stream.rowsBefore += stream.rows[stream.head++]!;
  if (stream.head >= stream.heldFrom) stream.heldFrom = Infinity;
}

/**
 * Lets a shard that failed, and what follows it, wait until all before it are finished, if that may be enough rows. False
 * where nothing is before it, or all rows are wanted.
 */
export function holdFrom(stream: SliceStream, ordinal: number): boolean {
  if (stream.rowsMax === null || ordinal <= stream.head) return false;
  stream.heldFrom = Math.min(stream.heldFrom, ordinal);
  return true;
}

/** Forgets the rows of a shard that is left out. */
export function forgetRows(stream: SliceStream, ordinal: number): void {
  stream.rows[ordinal] = 0;
}

/** Tells whether the rows sent from the first on are enough. */
export function isEnough(stream: SliceStream | null): boolean {
  return stream !== null && rowsWantedOf(stream, stream.head) <= 0;
}

/** Rows that are still wanted of a shard, as far as those before it have been sent; Infinity for all there are. */
function rowsWantedOf({ rowsMax, rowsBefore, rows, head }: SliceStream, ordinal: number): number {
  if (rowsMax === null) return Infinity;
  return rows.subarray(head, ordinal + 1).reduce((wanted, sent) => wanted - sent, rowsMax - rowsBefore);
}
