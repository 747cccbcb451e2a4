/** Turning a column back from dictionary codes to plain texts when its dictionary has grown too large. */
import { BquerydError } from "../../base/errors.js";
import type { Heap } from "../../kernels/heap.js";
import { viewChunk } from "./chunk-buffer.js";
import { readChunkBack } from "./chunk-spill.js";
import { decodeChunk } from "../decode/decode.js";
import type { DictionaryBuilder } from "../dictionary/builder.js";
import { chunkRows, isTextDtype } from "../dtypes.js";
import { readChunk } from "../read/batches.js";
import { createDecoder, decodeInGrowing } from "../read/decoder.js";
import { addRows, createStage, dropStage, finishStage, type ColumnStage, type StageTools } from "./stage.js";
import type { TableColumn } from "../read/table.js";
import type { Vector } from "../vector.js";

/** What becomes plain: a stage of codes, after rows of the table that is appended to. */
export interface CodedStage {
  readonly stage: ColumnStage;
  readonly dictionary: DictionaryBuilder;
  /** Whole chunks of the column that come first. */
  readonly kept: { readonly column: TableColumn; readonly rows: number } | undefined;
}

/** Rewrites codes into a new stage of texts with the same rows, in the same directory, and removes the old one. */
export async function rewritePlain(directory: string, { stage, dictionary, kept }: CodedStage, tools: StageTools): Promise<ColumnStage> {
  const plain = createStage(directory, { name: stage.name, dtype: stage.dtype }, null);
  if (kept !== undefined) await copyKept(kept, plain, tools);
  if (stage.records.length > 0) await copyChunks(stage, plain, dictionary, tools);
  const isFinished = stage.buffer === null;
  await copyBuffer(stage, plain, dictionary, tools);
  await dropStage(stage, tools);
  if (isFinished) await finishStage(plain, tools);
  return plain;
}

async function copyKept({ column, rows }: { column: TableColumn; rows: number }, plain: ColumnStage, tools: StageTools): Promise<void> {
  const decoder = createDecoder();
  for (let chunk = 0; chunk * chunkRows < rows; chunk++) {
    const batch = readChunk(column, chunk, decoder);
    await addRows(plain, batch, { from: 0, count: batch.rows }, tools);
  }
}

async function copyChunks(stage: ColumnStage, plain: ColumnStage, dictionary: DictionaryBuilder, tools: StageTools): Promise<void> {
  const decoder = createDecoder();
  const inFile = stage.rows - (stage.buffer?.rows ?? 0);
  for (const [chunk, record] of stage.records.entries()) {
    const stored = await tools.files.read(stage.path, { offset: record.offset, length: record.storedBytes });
    const vector = decodeInGrowing(decoder, "a chunk just written", (heap, allocate) => decodeChunk({
      kind: "code", rows: Math.min(chunkRows, inFile - chunk * chunkRows), record, dictionaryCount: dictionary.count(),
      load: (target) => { target.set(stored); },
      fail: (wrong) => { throw new BquerydError("IO", `a file just written is damaged: ${wrong}; check the disk`); },
    }, heap, allocate));
    const { heap } = decoder;
    await addCodes(plain, dictionary, readCodes(heap, vector), readNulls(heap, vector), tools);
    for (const pointer of vector.owned) heap.release(pointer);
  }
}

async function copyBuffer({ buffer, spill }: ColumnStage, plain: ColumnStage, dictionary: DictionaryBuilder, tools: StageTools): Promise<void> {
  if (buffer === null || buffer.rows === 0) return;
  const { data, nulls, nullCount } = spill === null ? viewChunk(buffer) : await readChunkBack(spill, buffer, tools.files);
  if (data.kind === "code") await addCodes(plain, dictionary, data.values, nullCount === 0 ? null : nulls, tools);
}

async function addCodes(plain: ColumnStage, dictionary: DictionaryBuilder, codes: Uint32Array, nulls: Uint8Array | null, tools: StageTools): Promise<void> {
  const { dtype } = plain;
  if (!isTextDtype(dtype)) throw new Error(`codes in a column of ${dtype}`);
  await addRows(plain, { dtype, rows: codes.length, nulls, values: { ...dictionary.texts(), codes } }, { from: 0, count: codes.length }, tools);
}

function readCodes(heap: Heap, vector: Vector): Uint32Array {
  const { buffer } = heap.kernels.bytes;
  switch (vector.width) {
    case 1: return Uint32Array.from(new Uint8Array(buffer, vector.values, vector.rows));
    case 2: return Uint32Array.from(new Uint16Array(buffer, vector.values, vector.rows));
    default: return new Uint32Array(buffer, vector.values, vector.rows);
  }
}

function readNulls(heap: Heap, vector: Vector): Uint8Array | null {
  return vector.nulls === 0 ? null : heap.kernels.bytes.subarray(vector.nulls, vector.nulls + Math.ceil(vector.rows / 8));
}
