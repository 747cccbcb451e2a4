/** The rows of an import on their way into chunks: shards side by side, one dictionary a string column for all. */
import { BquerydError } from "../base/errors.js";
import type { Files } from "../base/files.js";
import { limits } from "../base/limits.js";
import { createArena, type Arena } from "./arena.js";
import { pushRows, type RowSlice } from "./chunk-buffer.js";
import { createDictionaryBuilder, type DictionaryBuilder } from "./dictionary-builder.js";
import { chunkRows, type Batch, type Dtype } from "./dtypes.js";
import type { ChunkValues } from "./encode.js";
import type { Footer } from "./footer.js";
import { rewritePlain } from "./plain.js";
import { contentName, sealShard, type SealedDictionary } from "./seal.js";
import { createStage, finishStage, flushChunk, type ColumnStage } from "./stage.js";

/** Shards being filled. */
export interface Staging {
  /** Adds one batch a column to a shard. Throws SCHEMA_MISMATCH, MEMORY_LIMIT. */
  append(shard: number, batches: readonly Batch[]): Promise<void>;
  /** Writes the last chunks of a shard and lets its memory go. */
  finish(shard: number): Promise<void>;
  /** Finishes all shards, names their files, and gives their footers, outside a set. */
  seal(sort: string | null): Promise<Footer[]>;
}

interface Column {
  readonly name: string;
  readonly dtype: Dtype;
  /** Null for a column without one, or that has outgrown it. */
  dictionary: DictionaryBuilder | null;
}

interface Shard {
  readonly directory: string;
  /** One a column. */
  readonly stages: ColumnStage[];
  rows: number;
}

interface Stagings {
  readonly columns: readonly Column[];
  readonly shards: readonly Shard[];
  readonly arena: Arena;
  readonly files: Files;
}

/** Shards without rows, one in each directory. */
export function createStaging(spec: { columns: readonly { name: string; dtype: Dtype }[]; directories: readonly string[]; dictionaryValuesMax: number; files: Files }): Staging {
  const columns = spec.columns.map(({ name, dtype }): Column => ({
    name, dtype,
    dictionary: dtype === "string" ? createDictionaryBuilder({ valuesMax: spec.dictionaryValuesMax, bytesMax: limits.dictionaryBytesMax }) : null,
  }));
  const shards = spec.directories.map((directory): Shard => ({ directory, rows: 0, stages: columns.map((column) => createColumnStage(directory, column)) }));
  const all: Stagings = { columns, shards, arena: createArena(), files: spec.files };
  return {
    append: (index, batches) => appendBatches(all, requireShard(shards, index), batches),
    finish: (index) => finishShard(all, requireShard(shards, index)),
    seal: (sort) => seal(all, sort),
  };
}

function createColumnStage(directory: string, { dtype, dictionary }: Column): ColumnStage {
  return createStage(directory, bufferKind(dtype), (code) => dictionary!.textOf(code));
}

function bufferKind(dtype: Dtype): ChunkValues["kind"] {
  switch (dtype) {
    case "bool": return "bool";
    case "int64": case "timestamp": return "int";
    case "float64": return "float";
    case "string": return "code";
  }
}

function requireShard(shards: readonly Shard[], index: number): Shard {
  const shard = shards[index];
  if (shard === undefined) throw new Error(`there is no shard ${index}`);
  return shard;
}

async function appendBatches(all: Stagings, shard: Shard, batches: readonly Batch[]): Promise<void> {
  const rows = requireBatches(all.columns, batches);
  for (const [at, batch] of batches.entries()) {
    for (let from = 0; from < rows;) from += await appendSlice(all, shard, at, batch, from);
  }
  shard.rows += rows;
}

/** Adds rows of a batch up to the end of the chunk; gives how many, 0 when the column had to become plain first. */
async function appendSlice(all: Stagings, shard: Shard, at: number, batch: Batch, from: number): Promise<number> {
  const stage = shard.stages[at]!;
  const { dictionary } = all.columns[at]!;
  if (stage.buffer === null) throw new Error("rows for a finished shard");
  const count = Math.min(chunkRows - stage.buffer.rows, batch.rows - from);
  const slice: RowSlice = { from, count, nulls: batch.nulls, nullsFrom: from };
  if (batch.dtype === "string" && dictionary !== null) {
    const codes = dictionary.encode(batch.values, batch.nulls, from, count);
    if (codes === undefined) {
      await makePlain(all, at, dictionary);
      return 0;
    }
    pushRows(stage.buffer, codes, { ...slice, from: 0 });
  } else {
    pushRows(stage.buffer, batch.values, slice);
  }
  stage.rows += count;
  if (stage.buffer.rows === chunkRows) await flushChunk(stage, all.arena, all.files);
  return count;
}

async function makePlain(all: Stagings, at: number, dictionary: DictionaryBuilder): Promise<void> {
  for (const shard of all.shards) shard.stages[at] = await rewritePlain(shard.directory, shard.stages[at]!, dictionary, all.arena, all.files);
  all.columns[at]!.dictionary = null;
}

async function finishShard(all: Stagings, shard: Shard): Promise<void> {
  for (const stage of shard.stages) await finishStage(stage, all.arena, all.files);
}

async function seal(all: Stagings, sort: string | null): Promise<Footer[]> {
  for (const shard of all.shards) await finishShard(all, shard);
  const dictionaries = all.columns.map(({ dictionary }) => (dictionary === null ? null : sealDictionary(dictionary)));
  const footers: Footer[] = [];
  for (const { directory, rows, stages } of all.shards) {
    const columns = all.columns.map(({ name, dtype }, at) => ({ name, dtype, stage: stages[at]!, dictionary: dictionaries[at]! }));
    footers.push(await sealShard(all.files, directory, { rows, sort, columns }));
  }
  return footers;
}

/** Null for one without strings: a column of nulls alone needs none. */
function sealDictionary(dictionary: DictionaryBuilder): SealedDictionary | null {
  if (dictionary.count() === 0) return null;
  const { file, count, bytes } = dictionary.finish();
  return { name: contentName(file, "dict"), content: file, count, bytes };
}

/** The rows of batches that fit the columns. */
function requireBatches(columns: readonly Column[], batches: readonly Batch[]): number {
  const rows = batches[0]?.rows ?? 0;
  if (batches.length !== columns.length) throw new BquerydError("SCHEMA_MISMATCH", `${batches.length} columns of rows for a table of ${columns.length}; give one batch a column`);
  batches.forEach((batch, at) => {
    const { name, dtype } = columns[at]!;
    if (batch.dtype !== dtype) throw new BquerydError("SCHEMA_MISMATCH", `values of dtype ${batch.dtype} for column '${name}' of dtype ${dtype}; convert them first`, { details: { column: name } });
    const isWhole = batch.rows === rows && batch.values.length >= rows && (batch.nulls === null || batch.nulls.length * 8 >= rows);
    if (!isWhole) throw new Error(`the batch of column '${name}' has not ${rows} rows`);
  });
  return rows;
}
