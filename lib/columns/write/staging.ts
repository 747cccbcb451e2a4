/** The rows of an import on their way into chunks: shards side by side, one dictionary a text column for all. */
import { mapBounded } from "../../base/bounded.js";
import { BquerydError } from "../../base/errors.js";
import type { Files } from "../../base/files.js";
import { limits } from "../../base/limits.js";
import { createArena } from "../encode/arena.js";
import { createDictionaryBuilder, type DictionaryBuilder } from "../dictionary/builder.js";
import { chunkRows, isTextDtype, type Batch, type Dtype } from "../dtypes.js";
import { createLongArena } from "../encode/long-texts.js";
import type { Compression } from "../files/encodings.js";
import type { Footer } from "../files/footer.js";
import { noBase, readBase, type BaseColumn } from "./staging-base.js";
import { createIdle } from "../../kernels/idle.js";
import { rewritePlain } from "./plain.js";
import { contentName, sealShard, writeAside, type SealedDictionary } from "./seal.js";
import { createDecoder } from "../read/decoder.js";
import { addRows, createStage, finishStage, type ColumnStage, type StageTools } from "./stage.js";
import type { Table } from "../read/table.js";
import { createPoolMemory } from "../dictionary/text-pool.js";
import { countTexts } from "../texts.js";

/** Shards being filled. */
export interface Staging {
  /** Adds one batch a column to a shard. Throws SCHEMA_MISMATCH, MEMORY_LIMIT, BAD_INPUT. */
  append(shard: number, batches: readonly Batch[]): Promise<void>;
  /** Writes the last chunks of a shard and lets its memory go. */
  finish(shard: number): Promise<void>;
  /** Finishes all shards, names their files, and gives their footers, outside a set. */
  seal(sort: string | null): Promise<Footer[]>;
  /** Lets go of its memory; nothing else may be asked of it after. Its files are left as they are. */
  close(): void;
}

/** A column of all shards. */
export interface StagingColumn {
  readonly name: string;
  readonly dtype: Dtype;
  readonly unit: string | null;
}

/** What to fill. */
export interface StagingSpec {
  readonly columns: readonly StagingColumn[];
  readonly directories: readonly string[];
  readonly dictionaryValuesMax: number;
  /** Bytes of memory for rows whose chunks are not full yet; `limits.waitingBytesMax` without it. */
  readonly waitingBytesMax?: number | undefined;
  readonly codec: Compression;
  readonly files: Files;
  /** The table of the one directory, whose rows come first; its columns are those of the spec, in any order. */
  readonly base?: Table | undefined;
}

interface Column extends StagingColumn {
  /** Null for a column without one, or that has outgrown it. */
  dictionary: DictionaryBuilder | null;
}

interface Shard {
  readonly directory: string;
  /** One a column. */
  readonly stages: ColumnStage[];
  /** One a column: what it has of the table that is appended to. */
  readonly bases: BaseColumn[];
  rows: number;
}

interface StagingState {
  readonly columns: readonly Column[];
  readonly shards: readonly Shard[];
  readonly tools: StageTools;
  readonly base: Table | undefined;
}

/** Columns of a batch that are encoded or written at once, and shards that are sealed. */
const columnsAtOnce = 8;
const shardsAtOnce = 4;
/** A usual arena or decoder; larger ones were for very long texts. */
const arenaBytesKept = 32 * 1024 * 1024;
/** What a dictionary may take beyond the texts themselves: codes are quicker to group by and to compare. */
const wasteBytesMax = 64 * 1024;
/** Dictionaries whose texts take no more are made at the same time; of the others there is one in memory. */
const dictionaryBytesFew = 4 * 1024 * 1024;

/**
 * Shards without rows, one in each directory, or the one that goes on from a table. Blocks shortly for the latter. Throws
 * MEMORY_LIMIT, DISK_FULL, IO, and as reading does.
 */
export async function createStaging({ columns: wanted, directories, dictionaryValuesMax, waitingBytesMax, codec, files, base }: StagingSpec): Promise<Staging> {
  const memory = createPoolMemory();
  const tools: StageTools = { arena: idleArena.take(), long: createLongArena(), waiting: { usedBytes: 0, bytesMax: waitingBytesMax ?? limits.waitingBytesMax }, codec, files };
  const columns = wanted.map((column): Column => ({ ...column, dictionary: null }));
  const shards = directories.map((directory): Shard => ({ directory, rows: base?.rows ?? 0, bases: [], stages: [] }));
  const decoder = base === undefined ? undefined : idleDecoder.take();
  for (const column of columns) {
    const kept = base === undefined ? noBase : readBase(base, column.name, decoder!);
    if (isTextDtype(column.dtype) && !kept.isPlain) column.dictionary = createDictionaryBuilder({ dtype: column.dtype, valuesMax: dictionaryValuesMax, bytesMax: limits.dictionaryBytesMax, memory, start: kept.dictionary });
    for (const { directory, bases, stages } of shards) {
      bases.push({ ...kept, rest: null });
      stages.push(await createColumnStage(directory, column, kept, tools));
    }
  }
  if (decoder !== undefined) idleDecoder.keep(decoder);
  const all: StagingState = { columns, shards, tools, base };
  return {
    append: (index, batches) => appendBatches(all, requireShard(shards, index), batches),
    finish: (index) => finishShard(all, requireShard(shards, index)),
    seal: (sort) => seal(all, sort),
    close() {
      for (const { dictionary } of columns) dictionary?.release();
      memory.close();
      idleArena.keep(tools.arena);
    },
  };
}

const idleArena = createIdle(createArena, (arena) => arena.kernels().bytes.length <= arenaBytesKept);
const idleDecoder = createIdle(createDecoder, ({ heap }) => heap.kernels.bytes.length <= arenaBytesKept);

/** A stage that begins with the rows after the last whole chunk of the base. */
async function createColumnStage(directory: string, { name, dtype, dictionary }: Column, { rest }: BaseColumn, tools: StageTools): Promise<ColumnStage> {
  const stage = createStage(directory, { name, dtype }, dictionary === null ? null : dictionary.texts);
  if (rest !== null) await addRows(stage, rest.batch, { from: 0, count: rest.batch.rows }, tools, dictionary === null ? undefined : rest.codes);
  return stage;
}

function requireShard(shards: readonly Shard[], index: number): Shard {
  const shard = shards[index];
  if (shard === undefined) throw new Error(`there is no shard ${index}`);
  return shard;
}

async function appendBatches(all: StagingState, shard: Shard, batches: readonly Batch[]): Promise<void> {
  const rows = requireBatches(all.columns, batches);
  // While a chunk of one column is compressed or written, the next column goes on.
  await mapBounded(batches, columnsAtOnce, async (batch, at) => {
    for (let from = 0; from < rows;) from += await appendSlice(all, shard, at, batch, from);
  });
  shard.rows += rows;
}

/** Adds rows of a batch up to the end of the chunk; gives how many, 0 when the column had to become plain first. */
async function appendSlice(all: StagingState, shard: Shard, at: number, batch: Batch, from: number): Promise<number> {
  const stage = shard.stages[at]!;
  const { dictionary } = all.columns[at]!;
  if (stage.buffer === null) throw new Error("rows for a finished shard");
  const count = Math.min(chunkRows - stage.buffer.rows, batch.rows - from);
  let codes: Uint32Array | undefined;
  if (dictionary !== null && (batch.dtype === "string" || batch.dtype === "bytes")) {
    codes = dictionary.encode(batch.values, batch.nulls, from, count);
    if (codes === undefined) {
      await makePlain(all, at, dictionary);
      return 0;
    }
  }
  await addRows(stage, batch, { from, count }, all.tools, codes);
  return count;
}

/** From here on the column has no dictionary, in any shard, and no segment that needs one. */
async function makePlain(all: StagingState, at: number, dictionary: DictionaryBuilder): Promise<void> {
  const column = all.columns[at]!;
  for (const shard of all.shards) {
    const kept = all.base === undefined ? undefined : { column: all.base.column(column.name), rows: shard.bases[at]!.rows };
    shard.stages[at] = await rewritePlain(shard.directory, { stage: shard.stages[at]!, dictionary, kept }, all.tools);
    shard.bases[at] = noBase;
  }
  column.dictionary = null;
  dictionary.release();
}

async function finishShard(all: StagingState, shard: Shard): Promise<void> {
  await mapBounded(shard.stages, columnsAtOnce, (stage) => finishStage(stage, all.tools));
}

async function seal(all: StagingState, sort: string | null): Promise<Footer[]> {
  const { shards, columns, base, tools } = all;
  for (const shard of shards) await finishShard(all, shard);
  for (const [at, { dictionary }] of columns.entries()) if (dictionary !== null && isWasteful(all, dictionary)) await makePlain(all, at, dictionary);
  const dictionaries = await sealDictionaries(all);
  // Most of the time goes into waiting for the disk, which writes what waits together in one go.
  return mapBounded(shards, shardsAtOnce, ({ directory, rows, stages, bases }) => sealShard(tools.files, directory, {
    rows, sort, keptFiles: base?.footer.files ?? [],
    columns: columns.map(({ name, dtype, unit }, at) => ({
      name, dtype, unit, stage: stages[at]!, dictionary: dictionaries[at]!, kept: bases[at]!.segments, keptNullable: base !== undefined && base.column(name).nullable,
    })),
  }));
}

/**
 * Tells whether a dictionary, which every shard has whole, takes more room than the texts themselves would, taken to be
 * as long as the distinct ones on average. One that a table has already is kept.
 */
function isWasteful({ shards, base }: StagingState, dictionary: DictionaryBuilder): boolean {
  const count = dictionary.count();
  if (base !== undefined || count === 0) return false;
  const textBytes = dictionary.texts().offsets[count]!;
  const rows = shards.reduce((sum, shard) => sum + shard.rows, 0);
  const asDictionary = shards.length * (textBytes + 8 * count) + rows * codeBytes(count);
  const asTexts = rows * (textBytes / count + 4);
  return asDictionary - asTexts > wasteBytesMax;
}

function codeBytes(count: number): number {
  return count <= 0x100 ? 1 : count <= 0x1_0000 ? 2 : 4;
}

/** Writes the dictionaries of all columns into every shard; null for a column that needs none. */
async function sealDictionaries({ columns, shards, base, tools }: StagingState): Promise<(SealedDictionary | null)[]> {
  const sealed = columns.map((): SealedDictionary | null => null);
  const written = new Set<string>();
  const sealOne = async ({ dictionary, at }: { dictionary: DictionaryBuilder; at: number }): Promise<void> => {
    const { content, ...facts } = sealDictionary(dictionary, base?.footer);
    sealed[at] = facts;
    // Of equal ones, all columns share the first.
    if (content === null || written.has(facts.name)) return;
    written.add(facts.name);
    await mapBounded(shards, shardsAtOnce, ({ directory }) => writeAside(tools.files, directory, facts.name, content));
  };
  // A column of nulls alone needs no dictionary.
  const all = columns.flatMap(({ dictionary }, at) => (dictionary === null || dictionary.count() === 0 ? [] : [{ dictionary, at }]));
  const isSmall = ({ dictionary }: { dictionary: DictionaryBuilder }): boolean => dictionary.texts().bytes.length <= dictionaryBytesFew;
  await mapBounded(all.filter(isSmall), columnsAtOnce, sealOne);
  for (const large of all.filter((each) => !isSmall(each))) await sealOne(large);
  return sealed;
}

/** The content is null for a dictionary that is there already. */
function sealDictionary(dictionary: DictionaryBuilder, base: Footer | undefined): SealedDictionary & { readonly content: Uint8Array | null } {
  const { start } = dictionary;
  if (start?.count === dictionary.count()) {
    const bytes = start.bytes.length;
    return { name: start.id, content: null, fileBytes: base!.files.find((file) => file.name === start.id)!.bytes, count: start.count, bytes };
  }
  const { file, count, bytes } = dictionary.finish();
  return { name: contentName(file, "dict"), content: file, fileBytes: file.length, count, bytes };
}

/** The rows of batches that fit the columns. */
function requireBatches(columns: readonly Column[], batches: readonly Batch[]): number {
  const rows = batches[0]?.rows ?? 0;
  if (batches.length !== columns.length) throw new BquerydError("SCHEMA_MISMATCH", `${batches.length} columns of rows for a table of ${columns.length}; give one batch a column`);
  batches.forEach((batch, at) => {
    const { name, dtype } = columns[at]!;
    if (batch.dtype !== dtype) throw new BquerydError("SCHEMA_MISMATCH", `values of dtype ${batch.dtype} for column '${name}' of dtype ${dtype}; convert them first`, { details: { column: name } });
    const values = batch.dtype === "string" || batch.dtype === "bytes" ? countTexts(batch.values) : batch.values.length;
    const isWhole = batch.rows === rows && values >= rows && (batch.nulls === null || batch.nulls.length * 8 >= rows);
    if (!isWhole) throw new Error(`the batch of column '${name}' has not ${rows} rows`);
  });
  return rows;
}
