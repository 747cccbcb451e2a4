/** Arrow IPC files and streams (Feather version 2 is such a file) as a source of batches. */
import { BquerydError, toBquerydError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { chunkRows } from "../../columns/dtypes.js";
import type { Dtype } from "../../columns/dtypes.js";
import { throwIfAborted } from "../abort.js";
import { openRecord } from "./buffers.js";
import type { ArrowRecord, DictionaryFacts } from "./buffers.js";
import { emptyDictionary, lookUp, readDictionary } from "./dictionaries.js";
import { listMessages, openArrowFile } from "./messages.js";
import type { ArrowFile, ArrowMessage } from "./messages.js";
import { describeFields } from "./schema.js";
import type { ArrowField, ArrowType } from "./schema.js";
import { ArrowTimeOutOfRange, readCodes, readValues } from "./values.js";
import type { ColumnPlace, RowRange } from "./values.js";
import type { Converted } from "../values/convert.js";
import { siftRows } from "../values/rejecting.js";
import type { Source, SourceBatch, SourceColumn, SourceOptions, WantedColumn } from "../source.js";

interface OpenArrow {
  readonly file: ArrowFile;
  readonly fields: readonly ArrowField[];
  readonly messages: readonly ArrowMessage[];
  readonly rows: number;
}

/**
 * Opens an Arrow IPC file or stream and reads the metadata of all its messages. A column has the dtype that
 * `options.types` names for it, else its own; a decimal has none without. Throws NOT_FOUND for a missing file and
 * BAD_INPUT for one that is neither, or not whole and sound.
 */
export async function openArrow(path: string, options: SourceOptions): Promise<Source> {
  const file = await openArrowFile(path);
  try {
    const { schema, messages } = await listMessages(file);
    const fields = describeFields(schema, options.types);
    requireFields(path, fields);
    const rows = messages.reduce((sum, message) => sum + (message.kind === "batch" ? message.rows : 0), 0);
    const opened = { file, fields, messages, rows };
    const columns = fields.map((field) => describeColumn(field, options.types));
    return { path, rows, bytes: file.bytes, columns, read: (wanted, signal) => readMessages(opened, wanted, signal), close: () => file.close() };
  } catch (cause) {
    await file.close();
    throw arrowFailure(path, "its metadata", cause);
  }
}

function requireFields(path: string, fields: readonly ArrowField[]): void {
  const details = { details: { path } };
  if (fields.length === 0) throw new BquerydError("BAD_INPUT", `${path} has no columns; nothing can be imported from it`, details);
  if (fields.length > limits.columnsMax) throw new BquerydError("BAD_INPUT", `${path} has ${fields.length} columns; the limit is ${limits.columnsMax}`, details);
  if (new Set(fields.map(({ name }) => name)).size < fields.length) throw new BquerydError("BAD_INPUT", `${path} has two columns of one name; rename one of them`, details);
}

function describeColumn({ name, type }: ArrowField, types: ReadonlyMap<string, Dtype>): SourceColumn {
  if ("refused" in type) return { name, ...type };
  return { name, dtype: types.get(name) ?? type.dtype, ...(type.unit === undefined ? {} : { unit: type.unit }) };
}

/** A wanted column: its field and type, and what its values are to become. */
interface PlannedField {
  readonly field: ArrowField;
  readonly type: ArrowType;
  readonly dtype: Dtype;
}

async function* readMessages(opened: OpenArrow, wanted: readonly WantedColumn[], signal: AbortSignal | undefined): AsyncGenerator<SourceBatch> {
  const planned = wanted.map((column) => planField(opened, column));
  const dictionaries = new Map<string, Converted>();
  const progress = { row: 0, total: opened.rows, bytes: opened.file.bytes };
  for (const message of opened.messages) {
    throwIfAborted(signal, "import");
    const { dictionary, record } = await orFail(opened.file.path, "a message", () => openRecord(opened.file, message));
    if (dictionary === null) yield* readRecord(opened, planned, { record, dictionaries, progress, signal });
    else await loadDictionary(opened, planned, { ...dictionary, record, dictionaries });
  }
}

function planField({ file, fields }: OpenArrow, { name, dtype }: WantedColumn): PlannedField {
  const field = fields.find((candidate) => candidate.name === name);
  if (field === undefined || "refused" in field.type) throw new BquerydError("INTERNAL", `column '${name}' of ${file.path} is read but not held`);
  return { field, type: field.type, dtype };
}

interface RecordJob {
  readonly record: ArrowRecord;
  readonly dictionaries: ReadonlyMap<string, Converted>;
  /** Rows read so far; moved along. */
  readonly progress: { row: number; readonly total: number; readonly bytes: number };
  readonly signal: AbortSignal | undefined;
}

/** What the values of a part should not take by far. */
const partBytes = 32 * 1024 * 1024;

async function* readRecord({ file }: OpenArrow, planned: readonly PlannedField[], { record, dictionaries, progress, signal }: RecordJob): AsyncGenerator<SourceBatch> {
  const partRows = await orFail(file.path, "a record batch", () => choosePartRows(record, planned));
  const names = planned.map(({ field }) => field.name);
  for (let from = 0; from < record.rows; from += partRows) {
    throwIfAborted(signal, "import");
    const range = { from, rows: Math.min(partRows, record.rows - from) };
    const columns: Converted[] = [];
    for (const { field, type, dtype } of planned) {
      columns.push(await orFail(file.path, `column '${field.name}'`, () => readColumn({ field, type, dtype }, { record, dictionaries }, range)));
    }
    const { rows, batches, rejects } = siftRows(names, columns, range.rows, progress.row + 1);
    progress.row += range.rows;
    yield { rows, batches, kinds: new Map(), rejects, bytesDone: Math.round(progress.bytes * progress.row / progress.total) };
  }
}

/** Fewer rows than a chunk where texts are long. */
async function choosePartRows(record: ArrowRecord, planned: readonly PlannedField[]): Promise<number> {
  let bytes = 0;
  for (const { field, type } of planned) {
    if (field.dictionary !== null || type.layout.kind !== "offsets") continue;
    bytes += (await record.buffer(placeOf(record, field).buffer + 2)).bytes;
  }
  const rowBytes = Math.max(1, bytes / Math.max(1, record.rows));
  return Math.max(1, Math.min(chunkRows, Math.floor(partBytes / rowBytes)));
}

/** Buffers of views before a field, as many as the batch says, push its own back. */
function placeOf(record: ArrowRecord, { node, buffer, variadic }: ArrowField): ColumnPlace {
  let before = 0;
  for (let index = 0; index < variadic; index++) before += record.variadicCount(index);
  return { record, node, variadic, buffer: buffer + before };
}

async function readColumn({ field, type, dtype }: PlannedField, { record, dictionaries }: Pick<RecordJob, "record" | "dictionaries">, range: RowRange): Promise<Converted> {
  const place = placeOf(record, field);
  if (field.dictionary === null) return readValues(type, place, range, dtype);
  const dictionary = dictionaries.get(keyOf(field.dictionary.id, type, dtype)) ?? emptyDictionary(dtype);
  return lookUp(dictionary, await readCodes(field.dictionary, place, range, dictionary.batch.rows));
}

/** Fields may share a dictionary and yet want its values as different dtypes. */
function keyOf(id: bigint, type: ArrowType, dtype: Dtype): string {
  return `${id} ${type.dtype} ${dtype}`;
}

interface DictionaryJob extends DictionaryFacts {
  readonly record: ArrowRecord;
  /** Added to. */
  readonly dictionaries: Map<string, Converted>;
}

async function loadDictionary({ file }: OpenArrow, planned: readonly PlannedField[], { id, isDelta, record, dictionaries }: DictionaryJob): Promise<void> {
  const done = new Set<string>();
  for (const { field, type, dtype } of planned) {
    const key = keyOf(id, type, dtype);
    if (field.dictionary?.id !== id || done.has(key)) continue;
    done.add(key);
    const before = isDelta ? dictionaries.get(key) : undefined;
    dictionaries.set(key, await orFail(file.path, `the dictionary of '${field.name}'`, () => readDictionary(type, record, dtype, before)));
  }
}

async function orFail<T>(path: string, place: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (cause) {
    throw arrowFailure(path, place, cause);
  }
}

/** What reads bytes throws plain errors for damaged ones; failures of the disk and our own stay what they are. */
function arrowFailure(path: string, place: string, cause: unknown): BquerydError {
  if (cause instanceof ArrowTimeOutOfRange) {
    return new BquerydError("OVERFLOW", `${place} of ${path} holds a time outside 1677-09-22 to 2262-04-11; leave it out with --columns`, { details: { path } });
  }
  const known = toBquerydError(cause, `read ${path}`);
  if (known.code !== "INTERNAL") return known;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BquerydError("BAD_INPUT", `cannot read ${place} of ${path} (${reason}); write or copy the file again`, { details: { path }, cause });
}
