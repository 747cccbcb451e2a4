/**
 * CSV and its like (RFC 4180) as a source of batches. Fields may be quoted, "" being one quote inside; lines end with
 * LF, CR or CR LF, mixed as they come; empty lines are left out, but are nulls where there is one column.
 *
 * An empty field is null, an empty field in quotes an empty text. Texts for null besides are compared with a field as it
 * is spelled: `NULL` is not what `"NULL"` in quotes is, and both can be given. Types are those of a sample, widened when
 * a later value disagrees (infer.ts). Bytes are those of the field, or those that `\x0aff` spells. A record that cannot
 * be stored is a reject, and reading goes on behind it.
 */
import { BquerydError } from "../../base/errors.js";
import { openBytes } from "../input/byte-input.js";
import type { ByteBlock, ByteInput } from "../input/byte-input.js";
import { cutRecords } from "./cut.js";
import type { CsvPiece } from "./cut.js";
import { findDelimiter, findHeader, requireDelimiter } from "./dialect.js";
import type { CsvHead } from "./dialect.js";
import { sharedCsvParser } from "./parse.js";
import type { CsvAnswer, CsvPart, CsvReject, CsvShape, CsvTask } from "./parse.js";
import { findSampleKinds } from "./sample.js";
import type { CsvColumn } from "./values.js";
import { inferColumn, widenColumn } from "../values/infer.js";
import { createPool, inOrder } from "../input/pool.js";
import type { Reject, Source, SourceBatch, SourceOptions, WantedColumn } from "../source.js";

/** Sizes that tests make small. */
export interface CsvTuning {
  /** Bytes that a thread parses at once, if no record is larger. */
  readonly blockBytes: number;
  /** Bytes that one read asks for. */
  readonly readBytes: number;
  /** Threads that parse; none for an input of fewer bytes than `inlineBytesMax`. */
  readonly threads: number | undefined;
  readonly inlineBytesMax: number;
  /** A longer record is a reject. */
  readonly recordBytesMax: number;
  /** Bytes from the start by which delimiter, header and types are found out. */
  readonly sampleBytes: number;
}

const defaultTuning: CsvTuning = {
  blockBytes: 2 * 1024 * 1024,
  readBytes: 2 * 1024 * 1024,
  threads: undefined,
  inlineBytesMax: 4 * 1024 * 1024,
  recordBytesMax: 64 * 1024 * 1024,
  sampleBytes: 2 * 1024 * 1024,
};

/** Blocks under way for each thread: one being parsed, one waiting, one parsed. */
const blocksPerThread = 3;
/** A block that is larger, of a long record, is parsed by this thread: each that did one would keep the memory for it. */
const threadBytesMax = 8 * 1024 * 1024;
/** Bytes of blocks under way, which long records may pass only one at a time. */
const flightBytesMax = 64 * 1024 * 1024;

interface OpenCsv {
  readonly input: ByteInput;
  readonly shape: CsvShape;
  readonly names: readonly string[];
  /** Bytes and line ends before the first row. */
  readonly start: number;
  readonly lines: number;
  readonly tuning: CsvTuning;
}

/**
 * Opens a text file of rows, compressed with gzip or not, and finds out its delimiter, its header and the dtypes of its
 * columns. Throws NOT_FOUND, BAD_INPUT for what is no such text, and USAGE or UNKNOWN_COLUMN for options that do not fit.
 */
export async function openCsv(path: string, options: SourceOptions, tuning: Partial<CsvTuning> = {}): Promise<Source> {
  const sizes = { ...defaultTuning, ...tuning };
  const input = await openBytes(path, { blockBytes: sizes.readBytes });
  try {
    const head = await readHead(input, sizes.sampleBytes, options.signal);
    const delimiter = options.delimiter === undefined ? findDelimiter(head) : requireDelimiter(options.delimiter);
    const { names, start, hint } = findHeader(head, delimiter, options.columns);
    const shape: CsvShape = { delimiter, fieldCount: names.length, nulls: options.nulls };
    const lines = countLines(head.bytes.subarray(0, start));
    const opened: OpenCsv = { input, shape, names, start, lines, tuning: sizes };
    const kinds = await findSampleKinds(input, { head, start, shape });
    return {
      path,
      rows: null,
      bytes: input.bytes,
      hint,
      columns: names.map((name, index) => {
        const dtype = options.types.get(name);
        return dtype === undefined ? inferColumn(name, kinds[index]!) : { name, dtype };
      }),
      read: (wanted, signal) => readCsv(opened, wanted, signal),
      close: () => input.close(),
    };
  } catch (cause) {
    await input.close();
    throw cause;
  }
}

async function readHead(input: ByteInput, sampleBytes: number, signal: AbortSignal | undefined): Promise<CsvHead> {
  const blocks: Uint8Array[] = [];
  let bytes = 0;
  for await (const { block } of input.blocks(signal)) {
    blocks.push(block);
    bytes += block.length;
    if (bytes >= sampleBytes) return { path: input.path, bytes: Buffer.concat(blocks), isWhole: false };
  }
  return { path: input.path, bytes: Buffer.concat(blocks), isWhole: true };
}

function countLines(bytes: Buffer): number {
  return bytes.toString("latin1").match(/\r\n?|\n/g)?.length ?? 0;
}

async function* readCsv(opened: OpenCsv, wanted: readonly WantedColumn[], signal: AbortSignal | undefined): AsyncGenerator<SourceBatch> {
  const { input, shape, tuning } = opened;
  let columns = wanted.map((column) => locate(opened, column));
  let line = 1 + opened.lines;
  const lane = openLane(opened);
  try {
    const pieces = cutRecords(skipBytes(input.blocks(signal), opened.start), { ...tuning, delimiter: shape.delimiter });
    const flow = { itemsMax: lane.itemsMax, bytesMax: flightBytesMax, bytesOf: (piece: CsvPiece) => ("block" in piece ? piece.block.length : 0), signal };
    for await (const { bytesDone, answer } of inOrder(pieces, (piece) => parsePiece(lane, piece, { shape, columns, tuning }), flow)) {
      for (const part of answer.parts) {
        columns = columns.map((column) => widen(column, part.kinds));
        const isWidened = columns.some(({ dtype }, index) => dtype !== wanted[index]!.dtype);
        yield makeBatch(part, { isWidened, line, bytesDone });
      }
      line += answer.lines;
    }
  } finally {
    await lane.close();
  }
}

function locate({ input, names }: OpenCsv, { name, dtype, fixed, kinds }: WantedColumn): CsvColumn {
  const index = names.indexOf(name);
  if (index < 0) throw new BquerydError("INTERNAL", `column '${name}' of ${input.path} is read but not there`);
  return { name, dtype, fixed, kinds, index };
}

function widen(column: CsvColumn, kinds: ReadonlyMap<string, number>): CsvColumn {
  const seen = kinds.get(column.name);
  return seen === undefined ? column : widenColumn(column, seen);
}

function makeBatch(part: CsvPart, { isWidened, line, bytesDone }: { isWidened: boolean; line: number; bytesDone: number }): SourceBatch {
  return {
    rows: part.rows,
    // What comes behind a value that did not fit may be of one dtype or the other: nobody can use it.
    batches: isWidened ? null : part.batches,
    kinds: part.kinds,
    rejects: part.rejects.map((reject) => makeReject(reject, line)),
    bytesDone,
  };
}

function makeReject({ line, reason, openLine, text }: CsvReject, start: number): Reject {
  return { line: start + line, reason: openLine === null ? reason : `${reason} ${start + openLine}`, text };
}

/** Leaves the header out. */
async function* skipBytes(blocks: AsyncIterable<ByteBlock>, bytes: number): AsyncGenerator<ByteBlock> {
  let left = bytes;
  for await (const { block, bytesDone } of blocks) {
    const rest = block.subarray(left);
    left = Math.max(0, left - block.length);
    if (rest.length > 0) yield { block: rest, bytesDone };
  }
}

/** What parses: threads, or this one. */
interface Lane {
  readonly itemsMax: number;
  parse(task: CsvTask): Promise<CsvAnswer>;
  close(): Promise<void>;
}

function openLane({ input, tuning }: OpenCsv): Lane {
  if (input.bytes < tuning.inlineBytesMax) return inlineLane;
  const pool = createPool<CsvTask, CsvAnswer>(new URL("thread.js", import.meta.url), { threads: tuning.threads });
  return {
    itemsMax: blocksPerThread * pool.threads,
    parse: (task) => (task.block.length > threadBytesMax ? inlineLane.parse(task) : pool.run(task, [task.block.buffer])),
    close: () => pool.close(),
  };
}

const inlineLane: Lane = { itemsMax: 1, parse: async (task) => sharedCsvParser().parse(task), close: async () => undefined };

interface PieceContext {
  readonly shape: CsvShape;
  readonly columns: readonly CsvColumn[];
  readonly tuning: CsvTuning;
}

async function parsePiece(lane: Lane, piece: CsvPiece, { shape, columns, tuning }: PieceContext): Promise<{ bytesDone: number; answer: CsvAnswer }> {
  if ("block" in piece) return { bytesDone: piece.bytesDone, answer: await lane.parse({ block: piece.block, shape, columns }) };
  const reject = { line: 0, reason: `a row of more than ${tuning.recordBytesMax} bytes`, openLine: null, text: piece.tooLong.toString().slice(0, 1_000) };
  const part: CsvPart = { rows: 0, batches: [], kinds: new Map(), rejects: [reject] };
  return { bytesDone: piece.bytesDone, answer: { parts: [part], lines: piece.lines } };
}
