/** A block of JSON objects as batches of the wanted columns. */
import type { Batch } from "../../columns/dtypes.js";
import { isTextBatch } from "../values/batches.js";
import { isUndecided } from "../values/infer.js";
import { linesOf, scanRecords } from "./scan.js";
import type { RecordPlace, Scan } from "./scan.js";
import { isNested, kindsOfTokens, readColumn, textOf } from "./values.js";
import type { ColumnTokens } from "./values.js";
import { gatherRows } from "../values/gather.js";
import type { Reject, SourceBatch, WantedColumn } from "../source.js";

/** A block to be read. */
export interface BlockTask {
  readonly bytes: Uint8Array;
  /** Line of the input at which the block begins. */
  readonly firstLine: number;
  /** The objects in it, three numbers each: start, end, line; null: one a line. */
  readonly records: Uint32Array | null;
  readonly wanted: readonly WantedColumn[];
  /** Whether keys that are no wanted column widen the columns; otherwise they are passed over. */
  readonly keepsUnknown: boolean;
  /** Strings that stand for a missing value. */
  readonly nulls: readonly string[];
}

/** What a block holds. */
export type BlockResult = Omit<SourceBatch, "bytesDone">;

/** Characters of a rejected row that are kept. */
const rejectTextMax = 1_000;
/** Values of all columns that are put together at a time. */
const cellsMax = 1 << 24;
const rowsMax = 1 << 18;

/** Reads a block; of many columns it gives few rows at a time. */
export function* readBlock(task: BlockTask): Generator<BlockResult> {
  const atOnce = Math.max(1, Math.min(rowsMax, Math.floor(cellsMax / Math.max(1, task.wanted.length))));
  const places = placesOf(task);
  for (let next = places.next(); next.done !== true; next = places.next()) {
    yield readRecords(task, takeRecords(next.value, places, atOnce));
  }
}

/** The columns of a sample: names in order of appearance, with the kinds of their values and whether some are nested. */
export function sampleColumns(task: Omit<BlockTask, "wanted" | "keepsUnknown">): { columns: { name: string; kinds: number; isNested: boolean }[]; rows: number; rejects: Reject[] } {
  const scan = scanRecords({ bytes: task.bytes, records: placesOf(task), columns: [], keepsUnknown: true });
  const columns = groupTokens(task, scan).map((column, index) => ({
    name: scan.columns[index]!, kinds: kindsOfTokens(column), isNested: column.order.some((token) => isNested(column, token)),
  }));
  return { columns, rows: scan.places.length, rejects: scan.bad.map((place) => rejectOf(task.bytes, place, place.reason)) };
}

/** The memory of results that a thread need not keep. */
export function buffersOf(results: readonly BlockResult[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBufferLike>();
  for (const batch of results.flatMap(({ batches }) => batches ?? [])) {
    if (batch.nulls !== null) buffers.add(batch.nulls.buffer);
    if (isTextBatch(batch)) buffers.add(batch.values.offsets.buffer).add(batch.values.bytes.buffer);
    else buffers.add(batch.values.buffer);
  }
  return [...buffers].filter((buffer) => buffer instanceof ArrayBuffer);
}

function* placesOf({ bytes, firstLine, records }: Pick<BlockTask, "bytes" | "firstLine" | "records">): Generator<RecordPlace> {
  if (records === null) yield* linesOf(bytes, firstLine);
  else for (let at = 0; at < records.length; at += 3) yield { start: records[at]!, end: records[at + 1]!, line: records[at + 2]! };
}

function* takeRecords(first: RecordPlace, places: Iterator<RecordPlace>, count: number): Generator<RecordPlace> {
  yield first;
  for (let taken = 1; taken < count; taken++) {
    const next = places.next();
    if (next.done === true) return;
    yield next.value;
  }
}

function readRecords(task: BlockTask, records: Iterable<RecordPlace>): BlockResult {
  const { bytes, wanted } = task;
  const scan = scanRecords({ bytes, records, columns: wanted.map(({ name }) => name), keepsUnknown: task.keepsUnknown });
  const grouped = groupTokens(task, scan);
  const kinds = new Map<string, number>();
  let isFitting = true;
  const reasons = new Map<number, string>();
  const batches = wanted.map((column, index) => {
    const tokens = grouped[index]!;
    const { batch, misfits } = readColumn(tokens, column);
    const wider = column.fixed ? [] : misfits.filter((token) => !isNested(tokens, token));
    isFitting &&= wider.length === 0;
    const seen = kindsOfTokens(tokens, isUndecided(column) ? tokens.order : wider);
    if (seen !== 0) kinds.set(column.name, seen);
    for (const token of misfits) if (column.fixed || isNested(tokens, token)) reasons.set(tokens.tokens.row[token]!, misfitReason(tokens, token, column));
    return batch;
  });
  for (const [index, name] of scan.columns.entries()) {
    if (index >= wanted.length) addUnknown(grouped[index]!, name, { kinds, reasons });
  }
  isFitting &&= scan.columns.every((name, index) => index < wanted.length || !kinds.has(name));
  const rejects = [...scan.bad, ...[...reasons].map(([row, reason]) => ({ ...scan.places[row]!, reason }))].sort((a, b) => a.line - b.line);
  const kept = withoutRows(batches, scan.places.length, reasons);
  return {
    rows: scan.places.length - reasons.size,
    batches: isFitting ? kept : null,
    kinds,
    rejects: rejects.map((place) => rejectOf(bytes, place, place.reason)),
  };
}

/** A key that no wanted column has makes one, unless it holds objects or lists, which no column does. */
function addUnknown(column: ColumnTokens, name: string, { kinds, reasons }: { kinds: Map<string, number>; reasons: Map<number, string> }): void {
  const flat = column.order.filter((token) => !isNested(column, token));
  for (const token of column.order) {
    if (isNested(column, token)) reasons.set(column.tokens.row[token]!, `key '${name}' holds an object or a list`);
  }
  if (flat.length > 0) kinds.set(name, kindsOfTokens(column, flat));
}

function misfitReason(tokens: ColumnTokens, token: number, { name, dtype }: WantedColumn): string {
  if (isNested(tokens, token)) return `column '${name}' holds an object or a list`;
  const text = textOf(tokens, token);
  return `column '${name}' holds ${text.length > 100 ? `${text.slice(0, 100)}…` : text}, which is no ${dtype}`;
}

function withoutRows(batches: readonly Batch[], rows: number, rejected: ReadonlyMap<number, string>): readonly Batch[] {
  if (rejected.size === 0) return batches;
  const kept = Uint32Array.from({ length: rows }, (_, row) => row).filter((row) => !rejected.has(row));
  const picks = { count: kept.length, from: new Uint32Array(kept.length), rows: kept };
  return batches.map((batch) => gatherRows([batch], picks));
}

function rejectOf(bytes: Uint8Array, { start, end, line }: RecordPlace, reason: string): Reject {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.min(end - start, rejectTextMax * 4)).toString();
  return { line, reason, text: text.slice(0, rejectTextMax) };
}

/** The tokens of each column by rows; of a key that an object has twice, the last. */
function groupTokens({ bytes, nulls }: Pick<BlockTask, "bytes" | "nulls">, { tokens, tokenCount, columns, places }: Scan): ColumnTokens[] {
  const ends = new Uint32Array(columns.length);
  for (let token = 0; token < tokenCount; token++) ends[tokens.column[token]!]!++;
  const orders = Array.from(ends, (count) => new Uint32Array(count));
  ends.fill(0);
  for (let token = 0; token < tokenCount; token++) {
    const column = tokens.column[token]!;
    const order = orders[column]!;
    const used = ends[column]!;
    const isAgain = used > 0 && tokens.row[order[used - 1]!] === tokens.row[token];
    order[isAgain ? used - 1 : used] = token;
    if (!isAgain) ends[column] = used + 1;
  }
  const nullTexts = new Set(nulls);
  return orders.map((order, column) => ({ bytes, tokens, order: order.subarray(0, ends[column]), rows: places.length, nullTexts }));
}
