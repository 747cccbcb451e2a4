/**
 * JSON objects as a source of batches: one object a line, or the elements of one list; plain or gzip. Numbers keep all
 * their digits. Keys are columns in the order in which they first appear; a key that an object lacks is null, one that it
 * has twice has its last value. Strings become dates and timestamps where all of them are some. The
 * strings NaN, Infinity and -Infinity are floats in a column that has numbers besides and no other strings: JSON has no
 * other way to write those; alone they stay strings, which lose nothing.
 */
import { BquerydError } from "../../base/errors.js";
import { formatCounted } from "../../base/quantities.js";
import { throwIfAborted } from "../abort.js";
import { openBytes } from "../input/byte-input.js";
import type { ByteInput } from "../input/byte-input.js";
import { inferColumn, widenColumn } from "../values/infer.js";
import { readBlock, sampleColumns } from "./block.js";
import type { BlockResult, BlockTask } from "./block.js";
import { cutRecords } from "./records.js";
import type { RecordBlock } from "./records.js";
import { createPool, inOrder } from "../input/pool.js";
import { nestedJson } from "../source.js";
import type { Reject, Source, SourceBatch, SourceColumn, SourceOptions, WantedColumn } from "../source.js";

const blockBytes = 2 * 1024 * 1024;
/** The columns are those of the first objects. */
const sampleBytes = 1024 * 1024;
/** Starting threads is not worth it for less. */
const threadsFromBytes = 8 * 1024 * 1024;
/** How many times larger gzip of JSON mostly is when decompressed. */
const usualCompression = 8;
const blocksAtOnce = 6;
const bytesAtOnceMax = 96 * 1024 * 1024;

/**
 * Opens a file of JSON objects and looks at the first of them. A later key is told of as a column that widens, unless the
 * columns are chosen. Throws NOT_FOUND, IO, and BAD_INPUT where no object is found and for damaged gzip.
 */
export async function openNdjson(path: string, options: SourceOptions): Promise<Source> {
  const input = await openBytes(path, { blockBytes });
  try {
    return {
      path, rows: null, bytes: input.bytes,
      columns: await readSample(input, options),
      read: (wanted, signal) => readObjects(input, wanted, { ...options, signal }),
      close: () => input.close(),
    };
  } catch (cause) {
    await input.close();
    throw cause;
  }
}

async function readSample(input: ByteInput, { nulls, types, signal }: SourceOptions): Promise<SourceColumn[]> {
  const found = new Map<string, { kinds: number; isNested: boolean }>();
  let rows = 0;
  let bytes = 0;
  const rejects: Reject[] = [];
  for await (const block of cutRecords(input.path, input.blocks(signal))) {
    const sample = sampleColumns({ ...block, nulls });
    rejects.push(...block.rejects, ...sample.rejects);
    rows += sample.rows;
    for (const { name, kinds, isNested } of sample.columns) {
      const before = found.get(name) ?? { kinds: 0, isNested: false };
      found.set(name, { kinds: before.kinds | kinds, isNested: before.isNested || isNested });
    }
    bytes += block.bytes.length;
    if (bytes >= sampleBytes) break;
  }
  const [first] = rejects;
  if (rows === 0 && first !== undefined) {
    throw new BquerydError("BAD_INPUT", `${input.path} has no JSON object in its first ${formatCounted(rejects.length, "line")} (line ${first.line}: ${first.reason}); give one object a line, or a list of objects`, { details: { path: input.path } });
  }
  return [...found].map(([name, { kinds, isNested }]) => (isNested && types.get(name) !== "string" ? { name, refused: nestedJson } : inferColumn(name, kinds)));
}

/** What reading goes by; dtypes get wider as it goes on. */
interface Reading {
  wanted: readonly WantedColumn[];
  readonly keepsUnknown: boolean;
  readonly nulls: readonly string[];
  readonly signal: AbortSignal | undefined;
}

async function* readObjects(input: ByteInput, wanted: readonly WantedColumn[], options: SourceOptions): AsyncGenerator<SourceBatch> {
  const reading: Reading = { wanted, keepsUnknown: options.columns === undefined, nulls: options.nulls, signal: options.signal };
  const blocks = cutRecords(input.path, input.blocks(options.signal));
  const isSmall = input.bytes * (input.isCompressed ? usualCompression : 1) < threadsFromBytes;
  for await (const { block, results } of isSmall ? readHere(blocks, reading) : readInThreads(blocks, reading)) {
    throwIfAborted(options.signal, "import");
    const { rejects, bytesDone } = block;
    if (rejects.length > 0) yield { rows: 0, batches: [], kinds: new Map(), rejects, bytesDone };
    for (const result of results) {
      widen(reading, result);
      yield { ...result, bytesDone };
    }
  }
}

interface ReadRecords {
  readonly block: Pick<RecordBlock, "rejects" | "bytesDone">;
  readonly results: Iterable<BlockResult>;
}

async function* readHere(blocks: AsyncIterable<RecordBlock>, reading: Reading): AsyncGenerator<ReadRecords> {
  for await (const block of blocks) yield { block, results: readBlock(taskOf(block, reading)) };
}

async function* readInThreads(blocks: AsyncIterable<RecordBlock>, reading: Reading): AsyncGenerator<ReadRecords> {
  const pool = createPool<BlockTask, readonly BlockResult[]>(new URL("./thread.js", import.meta.url));
  const work = async (block: RecordBlock): Promise<ReadRecords> => {
    const task = taskOf(block, reading);
    const { buffer } = task.bytes;
    const { rejects, bytesDone } = block;
    return { block: { rejects, bytesDone }, results: await pool.run(task, buffer instanceof ArrayBuffer ? [buffer] : []) };
  };
  try {
    yield* inOrder(blocks, work, { itemsMax: blocksAtOnce, bytesMax: bytesAtOnceMax, bytesOf: ({ bytes }) => bytes.length, signal: reading.signal });
  } finally {
    await pool.close();
  }
}

function taskOf({ bytes, firstLine, records }: RecordBlock, { wanted, keepsUnknown, nulls }: Reading): BlockTask {
  return { bytes, firstLine, records, wanted, keepsUnknown, nulls };
}

/** What is read from here on has the wider dtypes. */
function widen(reading: Reading, { kinds }: BlockResult): void {
  if (kinds.size === 0) return;
  reading.wanted = reading.wanted.map((column) => {
    const seen = kinds.get(column.name);
    return seen === undefined ? column : widenColumn(column, seen);
  });
}
