/** One column of one shard while it is written: chunks go to a file aside, which gets its content name when sealed. */
import { createHash, type Hash } from "node:crypto";
import { dirname, join } from "node:path";
import type { Files } from "../../base/files.js";
import type { Arena } from "../encode/arena.js";
import { clearBuffer, countTextBytes, createChunkBuffer, heldBytes, pushRows, viewChunk, type ChunkBuffer, type RowRange } from "./chunk-buffer.js";
import { readChunkBack, readOffsets, readTexts, spillValues, type Spill } from "./chunk-spill.js";
import { chunkRows, type Batch, type Dtype } from "../dtypes.js";
import { encodeChunk } from "../encode/encode.js";
import type { EncodedChunk } from "../encode/input.js";
import { encodeLongTexts, isLong, type createLongArena } from "../encode/long-texts.js";
import type { Compression } from "../files/encodings.js";
import type { ChunkRecord } from "../files/index.js";
import { temporaryName } from "../directory/table-directory.js";
import type { Texts } from "../texts.js";

/** A column being written. */
export interface ColumnStage {
  readonly name: string;
  readonly path: string;
  readonly dtype: Dtype;
  /** Rows in the file and in the buffer together. */
  rows: number;
  /** Null once the last chunk is written. */
  buffer: ChunkBuffer | null;
  /** Where values of the buffer are that were taken out of it; null where none were. */
  spill: Spill | null;
  /** Memory of the buffer that is accounted for. */
  heldBytes: number;
  readonly records: ChunkRecord[];
  bytes: number;
  readonly hash: Hash;
}

/** What writing chunks takes. */
export interface StageTools {
  readonly arena: Arena;
  /** Lends the arena for long texts. */
  readonly long: ReturnType<typeof createLongArena>;
  readonly waiting: WaitingMemory;
  readonly codec: Compression;
  readonly files: Files;
}

/** Memory for the rows of one write that wait for their chunks to be full. */
export interface WaitingMemory {
  usedBytes: number;
  readonly bytesMax: number;
}

/** However many columns there are, a buffer of so few bytes stays in memory: less is not worth a write. */
const spilledBytesMin = 16 * 1024;
/** However much memory there is, texts of so many bytes leave it. */
const spilledBytesMax = 32 * 1024 * 1024;
/** Texts come into a buffer in steps of about so many bytes. */
const stepBytes = 16 * 1024 * 1024;

/** An empty stage in a table's directory; its file appears with the first chunk. `entries` gives the dictionary of now, if there is one. */
export function createStage(directory: string, { name, dtype }: { readonly name: string; readonly dtype: Dtype }, entries: (() => Texts) | null): ColumnStage {
  return { name, path: join(directory, temporaryName()), dtype, rows: 0, buffer: createChunkBuffer(dtype, entries, name), spill: null, heldBytes: 0, records: [], bytes: 0, hash: createHash("sha256") };
}

/** Adds rows of a batch, as `pushRows` does; a chunk that they fill is written. Throws DISK_FULL, IO besides. */
export async function addRows(stage: ColumnStage, batch: Batch, { from, count }: RowRange, tools: StageTools, codes?: Uint32Array): Promise<void> {
  const { buffer } = stage;
  if (buffer === null) throw new Error("rows for a finished column");
  const step = codes === undefined ? rowsAtOnce(batch) : count;
  for (let done = 0; done < count; done += step) {
    const rows = Math.min(step, count - done);
    pushRows(buffer, batch, { from: from + done, count: rows }, codes);
    stage.rows += rows;
    if (buffer.rows < chunkRows) await spillWhatIsLarge(stage, buffer, tools);
  }
  if (buffer.rows === chunkRows) await flushChunk(stage, tools);
}

/** Writes the buffered rows as a chunk and empties the buffer. */
export async function flushChunk(stage: ColumnStage, tools: StageTools): Promise<void> {
  const { buffer, spill } = stage;
  if (buffer === null || buffer.rows === 0) return;
  const { files, waiting } = tools;
  if (isLong(countTextBytes(buffer))) {
    await flushLongTexts(stage, buffer, tools);
  } else {
    const chunk = spill === null ? viewChunk(buffer) : await readChunkBack(spill, buffer, files);
    await writeChunk(stage, await encodeChunk(tools.arena, chunk, tools.codec), files);
  }
  if (spill !== null) await files.remove(spill.path);
  stage.spill = null;
  clearBuffer(buffer, waiting.usedBytes <= waiting.bytesMax);
  account(stage, waiting);
}

/** Adds a chunk that is encoded to the file of a stage. */
export async function writeChunk(stage: ColumnStage, { stored, record }: EncodedChunk, files: Files): Promise<void> {
  await files.append(stage.path, stored);
  stage.hash.update(stored);
  stage.records.push({ ...record, offset: stage.bytes });
  stage.bytes += stored.length;
}

/** Writes the last chunk and lets the buffer go; nothing when that is done. */
export async function finishStage(stage: ColumnStage, tools: StageTools): Promise<void> {
  await flushChunk(stage, tools);
  stage.buffer = null;
  account(stage, tools.waiting);
}

/** Removes the files of a stage that is no longer wanted, and lets its buffer go. */
export async function dropStage(stage: ColumnStage, { files, waiting }: StageTools): Promise<void> {
  if (stage.records.length > 0) await files.remove(stage.path);
  if (stage.spill !== null) await files.remove(stage.spill.path);
  stage.buffer = null;
  account(stage, waiting);
}

async function flushLongTexts(stage: ColumnStage, buffer: ChunkBuffer, { long, codec, files }: StageTools): Promise<void> {
  const { spill } = stage;
  const { rows, nulls, nullCount } = buffer;
  const offsets = await readOffsets(spill, buffer, files);
  await long(async (arena) => writeChunk(stage, await encodeLongTexts(arena, { rows, nulls, nullCount, offsets, load: (target) => readTexts(spill, buffer, files, target) }, codec), files));
}

/** Rows that come into a buffer in one step: its texts are taken to be as long as those of the batch on average. */
function rowsAtOnce({ dtype, rows, values }: Batch): number {
  if (dtype !== "string" && dtype !== "bytes") return rows;
  const entries = Math.max(1, values.offsets.length - 1);
  const bytes = values.offsets.at(-1)! - values.offsets[0]!;
  return Math.max(1, Math.floor(stepBytes / Math.max(1, bytes / entries)));
}

async function spillWhatIsLarge(stage: ColumnStage, buffer: ChunkBuffer, { waiting, files }: StageTools): Promise<void> {
  account(stage, waiting);
  const { heldBytes } = stage;
  if (heldBytes < spilledBytesMin || (heldBytes <= spilledBytesMax && waiting.usedBytes <= waiting.bytesMax)) return;
  stage.spill ??= { path: join(dirname(stage.path), temporaryName()), pieces: [] };
  await spillValues(stage.spill, buffer, files);
  account(stage, waiting);
}

function account(stage: ColumnStage, waiting: WaitingMemory): void {
  const held = stage.buffer === null ? 0 : heldBytes(stage.buffer);
  waiting.usedBytes += held - stage.heldBytes;
  stage.heldBytes = held;
}
