/** One column of one shard while it is written: chunks go to a file aside, which gets its content name when sealed. */
import { createHash, type Hash } from "node:crypto";
import { join } from "node:path";
import { randomId } from "../base/clock.js";
import type { Files } from "../base/files.js";
import type { Arena } from "./arena.js";
import { clearBuffer, createChunkBuffer, viewChunk, type ChunkBuffer } from "./chunk-buffer.js";
import { encodeChunk, type ChunkValues } from "./encode.js";
import type { ChunkRecord } from "./index-file.js";

/** A column being written. */
export interface ColumnStage {
  readonly path: string;
  /** Rows in the file and in the buffer together. */
  rows: number;
  /** Null once the last chunk is written. */
  buffer: ChunkBuffer | null;
  readonly records: ChunkRecord[];
  bytes: number;
  readonly hash: Hash;
}

/** A name for a file that is not yet whole: 128 random bits and `.tmp`. */
export function temporaryName(): string {
  return `${randomId()}.tmp`;
}

/** An empty stage in a table's directory; its file appears with the first chunk. */
export function createStage(directory: string, kind: ChunkValues["kind"], textOf: (code: number) => string): ColumnStage {
  return { path: join(directory, temporaryName()), rows: 0, buffer: createChunkBuffer(kind, textOf), records: [], bytes: 0, hash: createHash("sha256") };
}

/** Writes the buffered rows as a chunk and empties the buffer. */
export async function flushChunk(stage: ColumnStage, arena: Arena, files: Files): Promise<void> {
  const { buffer } = stage;
  if (buffer === null || buffer.rows === 0) return;
  const { stored, record } = encodeChunk(arena, viewChunk(buffer));
  clearBuffer(buffer);
  await files.append(stage.path, stored);
  stage.hash.update(stored);
  stage.records.push({ ...record, offset: stage.bytes });
  stage.bytes += stored.length;
}

/** Writes the last chunk and lets the buffer go; nothing when that is done. */
export async function finishStage(stage: ColumnStage, arena: Arena, files: Files): Promise<void> {
  await flushChunk(stage, arena, files);
  stage.buffer = null;
}
