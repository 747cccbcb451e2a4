/** Blocks of whole CSV records into typed batches: what a thread of an import does, or the importer itself. */
import { isUtf8 } from "node:buffer";
import { formatCounted } from "../../base/quantities.js";
import type { Batch } from "../../columns/dtypes.js";
import { blockBytes, createCsvMemory, fieldText, placeOf, placesOfColumn, rejectsAtOnce, wordsAt } from "./memory.js";
import type { CsvMemory } from "./memory.js";
import { isTextValid, kindsOfColumn, readColumn } from "./values.js";
import type { CsvColumn } from "./values.js";
import { isUndecided } from "../values/infer.js";
import { notUtf8 } from "../source.js";

/** How the records of a text are to be read. */
export interface CsvShape {
  /** The byte between fields. */
  readonly delimiter: number;
  /** Fields of every row. */
  readonly fieldCount: number;
  /** Texts that stand for a null, as they are spelled in the text, the quotes around a field included. */
  readonly nulls: readonly string[];
}

/** A block of whole records, whose last may lack its line end, and the columns to read from it. */
export interface CsvTask {
  readonly block: Uint8Array<ArrayBuffer>;
  readonly shape: CsvShape;
  readonly columns: readonly CsvColumn[];
}

/** A record that is not stored. Lines count from 0 at the start of the block. */
export interface CsvReject {
  readonly line: number;
  readonly reason: string;
  /** The line that belongs behind the reason, if one does. */
  readonly openLine: number | null;
  readonly text: string;
}

/** A run of rows of a block. */
export interface CsvPart {
  readonly rows: number;
  /** A batch a column, or null when a value did not fit. */
  readonly batches: readonly Batch[] | null;
  /** The kinds of all values of this run, for columns one of whose values did not fit, and undecided ones. */
  readonly kinds: ReadonlyMap<string, number>;
  readonly rejects: readonly CsvReject[];
}

/** What is in a block. */
export interface CsvAnswer {
  readonly parts: readonly CsvPart[];
  /** Line ends. */
  readonly lines: number;
}

/** Reads blocks, one at a time, in memory of its own. */
export interface CsvParser {
  parse(task: CsvTask): CsvAnswer;
  /** The kinds of values in each column of a block, or-ed, and how many of its records are spoiled. */
  findKinds(block: Uint8Array, shape: CsvShape): { readonly kinds: readonly number[]; readonly rows: number; readonly rejects: number };
}

/** A record of the block that is not stored, by bytes. */
interface Spoiled {
  readonly start: number;
  readonly end: number;
  readonly reason: string;
  readonly openQuote: number | null;
}

const rejectTextMax = 1_000;
/** UTF-8 takes four bytes a character at most. */
const rejectBytesMax = 4 * rejectTextMax;
const valueTextMax = 60;

/** What there is to know about a run of rows before its values are read. */
interface Run {
  readonly memory: CsvMemory;
  readonly shape: CsvShape;
  readonly rows: number;
  readonly spoiled: readonly Spoiled[];
  /** Where in the block the next run starts. */
  readonly next: number;
}

let shared: CsvParser | undefined;

/** The parser of this thread: no memory of it is in use from one call to the next. */
export function sharedCsvParser(): CsvParser {
  return (shared ??= createCsvParser());
}

function createCsvParser(): CsvParser {
  const load = createCsvMemory();

  function* runs(block: Uint8Array, shape: CsvShape): Generator<Run> {
    const memory = load(block, shape.fieldCount, Math.max(1, ...shape.nulls.map((text) => Buffer.byteLength(text))));
    for (let from = 0; from < block.length;) {
      const run = findRows(memory, shape, from);
      from = run.next;
      yield run;
    }
  }

  return {
    parse({ block, shape, columns }) {
      const parts: CsvPart[] = [];
      const isValid = isUtf8(block);
      const place = { start: 0, line: 0 };
      for (const run of runs(block, shape)) {
        markNulls(run, columns.map(({ index }) => index));
        const { spoiled, ...values } = readRun(run, columns, isValid);
        parts.push({ ...values, rejects: spoiled.map((record) => describeReject(run.memory, record, place)) });
        if (run.next === block.length) moveTo(run.memory, place, run.next);
      }
      return { parts, lines: place.line };
    },
    findKinds(block, shape) {
      const kinds = new Array<number>(shape.fieldCount).fill(0);
      let [rows, rejects] = [0, 0];
      for (const run of runs(block, shape)) {
        markNulls(run, [...kinds.keys()]);
        kinds.forEach((seen, index) => { kinds[index] = seen | kindsOfColumn(run.memory, index, run.rows); });
        rows += run.rows;
        rejects += run.spoiled.length;
      }
      return { kinds, rows, rejects };
    },
  };
}

function findRows(memory: CsvMemory, shape: CsvShape, from: number): Run {
  const { kernels, block, bytes, rowsMax, fields, rejects, state } = memory;
  kernels.csvRows(block, bytes, from, shape.fieldCount, shape.delimiter, rowsMax, fields, rejectsAtOnce, rejects, state);
  const [rows, rejectCount, next] = wordsAt(memory, state, 3);
  const words = wordsAt(memory, rejects, rejectCount! * 4);
  const spoiled = Array.from({ length: rejectCount! }, (_, index) => describeSpoiled(words.subarray(index * 4, index * 4 + 4), shape));
  return { memory, shape, rows: rows!, spoiled, next: next! };
}

/** The words that csvRows writes for a spoiled record. */
function describeSpoiled(words: Uint32Array, { fieldCount }: CsvShape): Spoiled {
  const [start, end, reason, detail] = words;
  const place = { start: start!, end: end! };
  switch (reason) {
    case 1: return { ...place, reason: `${formatCounted(detail!, "field")} instead of ${fieldCount}`, openQuote: null };
    case 2: return { ...place, reason: "text follows the closing quote of a field that opens on line", openQuote: detail! };
    default: return { ...place, reason: "no quote closes the field that opens on line", openQuote: detail! };
  }
}

function markNulls({ memory, shape, rows }: Run, indexes: readonly number[]): void {
  const { kernels, block, token } = memory;
  for (const text of shape.nulls) {
    const bytes = Buffer.from(text);
    kernels.bytes.set(bytes, token);
    for (const index of indexes) kernels.csvNulls(block, placesOfColumn(memory, index), rows, token, bytes.length);
  }
}

/** The values of a run. A row whose value cannot be stored is taken out, and the others are read again without it. */
function readRun(run: Run, columns: readonly CsvColumn[], isValid: boolean): Omit<CsvPart, "rejects"> & { readonly spoiled: readonly Spoiled[] } {
  const spoiled = [...run.spoiled];
  for (let rows = run.rows; ;) {
    const bad = new Map<number, string>();
    const batches: Batch[] = [];
    const kinds = new Map<string, number>();
    let isFitting = true;
    for (const column of columns) {
      const { batch, misfits } = readColumn(run.memory, column, rows);
      batches.push(batch);
      for (const [row, reason] of findBadRows(run.memory, column, { rows, misfits, isValid })) bad.set(row, bad.get(row) ?? reason);
      if (column.fixed) continue;
      isFitting &&= misfits.length === 0;
      const seen = misfits.length > 0 || isUndecided(column) ? kindsOfColumn(run.memory, column.index, rows) : 0;
      if (seen !== 0) kinds.set(column.name, seen);
    }
    if (bad.size === 0) return { rows, batches: isFitting ? batches : null, kinds, spoiled: spoiled.sort((a, b) => a.start - b.start) };
    for (const [row, reason] of bad) spoiled.push({ ...bytesOfRow(run, row), reason, openQuote: null });
    rows = dropRows(run, rows, bad);
  }
}

/** The rows whose value in a column makes them impossible to store, with the reason. */
function* findBadRows(memory: CsvMemory, column: CsvColumn, { rows, misfits, isValid }: { rows: number; misfits: readonly number[]; isValid: boolean }): Generator<[number, string]> {
  const { name, index, dtype, fixed } = column;
  const isInvalid = (row: number): boolean => !isValid && !isTextValid(memory, placeOf(memory, index, row));
  const wrongEncoding = `the value of column '${name}' is ${notUtf8}`;
  for (const row of misfits) {
    if (isInvalid(row)) yield [row, wrongEncoding];
    else if (fixed) yield [row, `'${fieldText(memory, placeOf(memory, index, row)).slice(0, valueTextMax)}' in column '${name}' is no ${dtype}`];
  }
  if (dtype !== "string" || isValid) return;
  for (let row = 0; row < rows; row++) if (isInvalid(row)) yield [row, wrongEncoding];
}

function bytesOfRow({ memory, shape }: Run, row: number): { start: number; end: number } {
  const first = placeOf(memory, 0, row);
  const last = placeOf(memory, shape.fieldCount - 1, row);
  return { start: first.start - Number(first.isQuoted), end: last.end + Number(last.isQuoted) };
}

/** Closes the gaps that rows leave; gives how many are left. */
function dropRows({ memory, shape }: Run, rows: number, bad: ReadonlyMap<number, string>): number {
  for (let column = 0; column < shape.fieldCount; column++) {
    const places = wordsAt(memory, placesOfColumn(memory, column), rows * 2);
    let kept = 0;
    for (let row = 0; row < rows; row++) if (!bad.has(row)) places.copyWithin(2 * kept++, 2 * row, 2 * row + 2);
  }
  return rows - bad.size;
}

/** A place in the block that moves on, and the line it is on. */
interface LinePlace {
  start: number;
  line: number;
}

/** A spoiled record as it is told; `place` is moved to its start. */
function describeReject(memory: CsvMemory, { start, end, reason, openQuote }: Spoiled, place: LinePlace): CsvReject {
  moveTo(memory, place, start);
  const openLine = openQuote === null ? null : place.line + memory.kernels.csvLines(memory.block + start, openQuote - start);
  const text = blockBytes(memory, start, Math.min(end, start + rejectBytesMax)).toString().replace(/[\r\n]+$/, "").slice(0, rejectTextMax);
  return { line: place.line, reason, openLine, text };
}

function moveTo({ kernels, block }: CsvMemory, place: LinePlace, start: number): void {
  place.line += kernels.csvLines(block + place.start, start - place.start);
  place.start = start;
}
