/** Turning a column back from dictionary codes to plain strings when its dictionary has grown too large. */
import { createHeap, type Heap } from "../kernels/heap.js";
import { loadKernels } from "../kernels/kernels.js";
import { BquerydError } from "../base/errors.js";
import type { Files } from "../base/files.js";
import type { Arena } from "./arena.js";
import { pushRows } from "./chunk-buffer.js";
import { decodeChunk } from "./decode.js";
import type { DictionaryBuilder } from "./dictionary-builder.js";
import { chunkRows } from "./dtypes.js";
import { createStage, finishStage, flushChunk, type ColumnStage } from "./stage.js";
import type { Vector } from "./vector.js";

const heapBytes = 16 * 1024 * 1024;

/** Rewrites a stage of codes into a new one of strings with the same rows, in the same directory. */
export async function rewritePlain(directory: string, stage: ColumnStage, dictionary: DictionaryBuilder, arena: Arena, files: Files): Promise<ColumnStage> {
  const plain = createStage(directory, "text", dictionary.textOf);
  if (stage.records.length > 0) {
    const heap = createHeap(loadKernels(heapBytes), heapBytes);
    await copyChunks(stage, plain, { heap, dictionary, arena, files });
    await files.remove(stage.path);
  }
  copyBuffer(stage, plain, dictionary);
  if (stage.buffer === null) await finishStage(plain, arena, files);
  return plain;
}

async function copyChunks(stage: ColumnStage, plain: ColumnStage, tools: { heap: Heap; dictionary: DictionaryBuilder; arena: Arena; files: Files }): Promise<void> {
  for (const [chunk, record] of stage.records.entries()) {
    const stored = await tools.files.read(stage.path, { offset: record.offset, length: record.storedBytes });
    const rows = Math.min(chunkRows, stage.rows - chunk * chunkRows);
    const vector = decodeChunk({
      kind: "code", rows, record, dictionaryCount: tools.dictionary.count(),
      load: (target) => { target.set(stored); },
      fail: (wrong) => { throw new BquerydError("IO", `a file just written is damaged: ${wrong}; check the disk`); },
    }, tools.heap, (bytes) => requireBlock(tools.heap, bytes));
    pushTexts(plain, readCodes(tools.heap, vector), readNulls(tools.heap, vector), tools.dictionary);
    for (const pointer of vector.owned) tools.heap.release(pointer);
    await flushChunk(plain, tools.arena, tools.files);
  }
}

function copyBuffer(stage: ColumnStage, plain: ColumnStage, dictionary: DictionaryBuilder): void {
  const { buffer } = stage;
  if (buffer === null || buffer.data.kind !== "code") return;
  pushTexts(plain, buffer.data.values.subarray(0, buffer.rows), buffer.nullCount === 0 ? null : buffer.nulls, dictionary);
}

function pushTexts(plain: ColumnStage, codes: Uint32Array | Uint16Array | Uint8Array, nulls: Uint8Array | null, dictionary: DictionaryBuilder): void {
  // An all-null chunk has codes 0 that a dictionary without entries does not know.
  const texts = Array.from(codes, (code) => (code < dictionary.count() ? dictionary.textOf(code) : ""));
  if (plain.buffer === null) throw new Error("rows for a finished column");
  pushRows(plain.buffer, texts, { from: 0, count: texts.length, nulls, nullsFrom: 0 });
  plain.rows += texts.length;
}

function readCodes(heap: Heap, vector: Vector): Uint32Array | Uint16Array | Uint8Array {
  const { buffer } = heap.kernels.bytes;
  switch (vector.width) {
    case 1: return new Uint8Array(buffer, vector.values, vector.rows);
    case 2: return new Uint16Array(buffer, vector.values, vector.rows);
    default: return new Uint32Array(buffer, vector.values, vector.rows);
  }
}

function readNulls(heap: Heap, vector: Vector): Uint8Array | null {
  return vector.nulls === 0 ? null : heap.kernels.bytes.subarray(vector.nulls, vector.nulls + Math.ceil(vector.rows / 8));
}

function requireBlock(heap: Heap, bytes: number): number {
  const pointer = heap.find(bytes);
  if (pointer === undefined) throw new Error("no room to decode a chunk just written");
  return pointer;
}
