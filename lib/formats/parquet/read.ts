/** Parquet files as a source of batches. The reader is loaded when the first file is opened, and reads in threads. */
import { availableParallelism } from "node:os";
import { BquerydError, toBquerydError } from "../../base/errors.js";
import type { Batch } from "../../columns/dtypes.js";
import type { Texts } from "../../columns/texts.js";
import { batchBytes, isTextBatch } from "../values/batches.js";
import { openParquetFile } from "./file.js";
import type { ParquetFile } from "./file.js";
import { countParts } from "./group.js";
import type { GroupPlan } from "./group.js";
import { describeSchema, planGroups } from "./plan.js";
import type { ParquetSchema } from "./plan.js";
import type { Part, PartTask } from "./thread.js";
import { createPool, inOrder } from "../input/pool.js";
import type { Pool } from "../input/pool.js";
import type { Source, SourceBatch, SourceOptions, WantedColumn } from "../source.js";

/** Metadata becomes objects many times its size. */
const metadataBytesMax = 32 * 1024 * 1024;
const threadsMax = 4;
/** Row groups that are read at the same time take about as much memory together at most, where one does not already. */
const groupsBytesMax = 384 * 1024 * 1024;
/** What a thread takes besides, and how much of what it no longer needs it has not let go. */
const threadBytes = 32 * 1024 * 1024;
const slackFactor = 2;
const partsAheadMax = 4;
/** Parts that were read ahead take about as much together at most, where one does not already. */
const aheadBytesMax = 64 * 1024 * 1024;

/**
 * Opens a Parquet file and reads its metadata. A column has the dtype that `options.types` names for it, else its own;
 * a decimal has none without. Throws NOT_FOUND for a missing file and BAD_INPUT for one that is not a whole and sound
 * Parquet file.
 */
export async function openParquet(path: string, options: SourceOptions): Promise<Source> {
  const file = await openParquetFile(path);
  try {
    const schema = await readSchema(path, file, options);
    const { rows, bytes } = schema;
    const columns = schema.columns.map((column) => ("dtype" in column ? { name: column.name, dtype: options.types.get(column.name) ?? column.dtype } : column));
    return { path, rows, bytes, columns, read: (wanted, signal) => readGroups(schema, file, wanted, signal), close: () => file.close() };
  } catch (cause) {
    await file.close();
    throw metadataFailure(path, cause);
  }
}

async function readSchema(path: string, file: ParquetFile, { types }: SourceOptions): Promise<ParquetSchema> {
  const { parquetMetadataAsync, parquetSchema } = await import("hyparquet");
  const length = new DataView(await file.slice(file.byteLength - 8, file.byteLength - 4)).getUint32(0, true);
  if (length > metadataBytesMax) {
    throw new BquerydError("MEMORY_LIMIT", `the metadata of ${path} has ${length} bytes; write it with fewer row groups`, { details: { path, bytes: length } });
  }
  // Statistics are not used, and those of texts may be cut inside a character.
  const metadata = await parquetMetadataAsync(file, { geoparquet: false, parsers: { stringFromBytes: () => "" } });
  return describeSchema(path, metadata, parquetSchema(metadata), { bytes: file.byteLength, named: types });
}

/** A part of a row group; `plan` is that of a new one, `thread` who reads it. */
interface PartOfGroup {
  readonly plan: GroupPlan;
  readonly isFirst: boolean;
  readonly thread: number;
}

/** The plans are made before the first row is given, so that what cannot be read is known before anything is stored. */
async function* readGroups(schema: ParquetSchema, file: ParquetFile, wanted: readonly WantedColumn[], signal: AbortSignal | undefined): AsyncGenerator<SourceBatch> {
  const plans = planGroups(schema, wanted);
  // A thread reads a row group from its start to its end, so each is a pool of its own.
  const threads = Math.max(1, Math.min(threadsMax, availableParallelism() - 1, plans.length));
  const pools = Array.from({ length: threads }, () => createPool<PartTask, Part>(new URL("./thread.js", import.meta.url), { threads: 1 }));
  const sizes = createSizes();
  const read = async ({ plan, isFirst, thread }: PartOfGroup): Promise<Part> => {
    const part = await pools[thread]!.run({ file: file.descriptor, plan: isFirst ? plan : null }, []);
    sizes.learn(part);
    return part;
  };
  try {
    const parts = partsOf(plans, (plan) => Math.min(threads, sizes.threadsFor(plan)));
    yield* unpackParts(schema, inOrder(parts, read, { itemsMax: partsAheadMax * threads, bytesMax: aheadBytesMax, bytesOf: ({ plan }) => sizes.partBytes(plan), signal }));
  } finally {
    await Promise.all(pools.map((pool: Pool<PartTask, Part>) => pool.close()));
  }
}

/** What row groups take: as much as they claim before the first part is read, and then what the largest so far took. */
interface Sizes {
  learn(part: Part): void;
  partBytes(plan: GroupPlan): number;
  /** How many threads there is memory for, 1 at least. */
  threadsFor(plan: GroupPlan): number;
}

function createSizes(): Sizes {
  let partSeen = 0;
  let heldSeen: number | undefined;
  const partBytes = (plan: GroupPlan): number => Math.max(partSeen, plan.rawBytes / plan.rows * plan.partRows);
  return {
    partBytes,
    learn({ batches, heldBytes }) {
      partSeen = Math.max(partSeen, batches.reduce((sum, batch) => sum + batchBytes(batch), 0));
      heldSeen = Math.max(heldSeen ?? 0, heldBytes);
    },
    threadsFor: (plan) => Math.max(1, Math.floor(groupsBytesMax / (threadBytes + slackFactor * (partBytes(plan) + (heldSeen ?? plan.rawBytes))))),
  };
}

async function* partsOf(plans: readonly GroupPlan[], threadsFor: (plan: GroupPlan) => number): AsyncGenerator<PartOfGroup> {
  for (const [at, plan] of plans.entries()) {
    const thread = at % threadsFor(plan);
    for (let part = 0; part < countParts(plan); part++) yield { plan, isFirst: part === 0, thread };
  }
}

async function* unpackParts({ bytes, rows }: ParquetSchema, parts: AsyncIterable<Part>): AsyncGenerator<SourceBatch> {
  const dictionaries = new Map<number, Omit<Texts, "codes">>();
  let done = 0;
  for await (const part of parts) {
    if (part.isFirst) dictionaries.clear();
    for (const { id, ...entries } of part.dictionaries) dictionaries.set(id, entries);
    const batches = part.batches.map((batch, at) => withEntries(batch, dictionaries.get(part.dictionaryOf[at] ?? 0)));
    done += part.rows + part.rejects.length;
    yield { rows: part.rows, batches, kinds: new Map(), rejects: part.rejects, bytesDone: Math.round(bytes * done / rows) };
  }
}

function withEntries(batch: Batch, entries: Omit<Texts, "codes"> | undefined): Batch {
  if (entries === undefined || !isTextBatch(batch)) return batch;
  return { ...batch, values: { ...entries, codes: batch.values.codes } };
}

/** The reader throws plain errors for damaged metadata; failures of the disk and our own stay what they are. */
function metadataFailure(path: string, cause: unknown): BquerydError {
  const known = toBquerydError(cause, `read ${path}`);
  if (known.code !== "INTERNAL") return known;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BquerydError("BAD_INPUT", `cannot read the metadata of ${path} (${reason}); write or copy the file again`, { details: { path }, cause });
}
