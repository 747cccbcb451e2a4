/** Importing files into tables: every row of every input is stored or told of as rejected, all at once or not at all. */
import { basename } from "node:path";
import { monotonicMs } from "../../base/clock.js";
import { BquerydError } from "../../base/errors.js";
import { suggestion } from "../../base/nearest.js";
import { formatCounted } from "../../base/quantities.js";
import { throwIfAborted } from "../abort.js";
import { requireOutsideTables } from "../outside.js";
import { planInputs } from "./inputs.js";
import { findNamesakes, requireNoSet } from "./namesake.js";
import type { Namesakes } from "./namesake.js";
import type { PlannedInput } from "./inputs.js";
import { requireOptions } from "./options.js";
import type { ImportOptions, ImportProgress } from "./options.js";
import { findTarget, openWriter, requireFree } from "./output.js";
import type { RowWriter, StoredTable, Target } from "./output.js";
import { readInputs } from "./pass.js";
import type { PassResult, Sink } from "./pass.js";
import { encodingAdvice, isEncodingAtFault, openRejects } from "./rejects.js";
import type { InputReject, Rejects } from "./rejects.js";
import { agreeOnColumns } from "./schema.js";
import type { AgreedColumn } from "./schema.js";
import { planOutput } from "./shards.js";
import { createOrderCheck } from "../sort/check.js";
import { createSorter } from "../sort/sorter.js";
import type { SourceOptions } from "../source.js";

/** What an import did. */
export interface ImportSummary {
  /** Those stored and those rejected. */
  readonly rowsRead: number;
  readonly rowsStored: number;
  readonly rowsRejected: number;
  /** The first ten. */
  readonly rejects: readonly InputReject[];
  /** Inputs with most of their first rows rejected: they are hardly read as they were meant. */
  readonly mostlyRejected: readonly string[];
  /** Sentences about inputs that may not have been read as they were meant. */
  readonly hints: readonly string[];
  /** Of a table that was appended to, with the rows and bytes that it had. */
  readonly tables: readonly StoredTable[];
  /** What was stored and what was there, where one is a table and one a set of the same name; else null. */
  readonly namesakes: Namesakes | null;
  /** The column that the table which grew was sorted by and is not any more; null where it was by none, or still is. */
  readonly endedOrder: string | null;
  readonly seconds: number;
}

/** An import whose inputs are known. */
interface Job {
  readonly options: ImportOptions;
  readonly source: SourceOptions;
  readonly target: Target;
  readonly inputs: readonly PlannedInput[];
  readonly rejects: Rejects;
}

/** What is known of the rows; each pass over them that does not store them finds out more. */
interface Knowledge {
  readonly columns: readonly AgreedColumn[];
  /** Rows to be stored; undefined where they have to be counted first. */
  readonly rows: number | undefined;
  /** Whether the rows are known not to be in the order of the target. */
  readonly isUnordered: boolean;
}

/** How a pass ended: with all stored, or with better knowledge to start again with. */
type Outcome = { readonly stored: Pick<ImportSummary, "rowsRead" | "rowsStored" | "mostlyRejected" | "hints" | "tables" | "endedOrder"> } | { readonly learnt: Knowledge };

/** Every dtype widens a few times at most; more passes than this mean that a reader contradicts itself. */
const passesMax = 64;
/** Rejects that an error names. */
const shownRejects = 3;

/**
 * Imports inputs, in their order, into one table or a set of shards that appears whole when all is written. Throws USAGE,
 * NOT_FOUND, BAD_INPUT, UNKNOWN_COLUMN, UNSUPPORTED_DTYPE, SCHEMA_MISMATCH, OVERFLOW, EXISTS, BUSY, MEMORY_LIMIT,
 * DISK_FULL, IO and CANCELLED; after any of them nothing is stored.
 */
export async function importFiles(options: ImportOptions): Promise<ImportSummary> {
  const startMs = monotonicMs();
  requireOptions(options);
  if (options.append === true) requireNoSet(options.output);
  planOutput({ ...options, rows: 0 });
  requireOutsideTables(options.output);
  if (options.rejects !== undefined) requireOutsideTables(options.rejects, `--rejects ${options.rejects}`);
  throwIfAborted(options.signal, "import");
  const rejects = await openRejects({ file: options.rejects, replace: options.replace ?? false, strict: options.strict ?? false });
  try {
    const stored = await importInto(findTarget(options), options, rejects);
    return { ...stored, namesakes: await findNamesakes(options.output), rowsRejected: rejects.count, rejects: rejects.first, seconds: (monotonicMs() - startMs) / 1000 };
  } finally {
    await rejects.close();
  }
}

async function importInto(target: Target, options: ImportOptions, rejects: Rejects): Promise<Extract<Outcome, { stored: unknown }>["stored"]> {
  // Copying, counting and sorting may take long: whether there is room for the result is to be known before.
  await requireFree(target, options);
  const source: SourceOptions = { types: options.types ?? new Map(), columns: options.columns, delimiter: options.delimiter, nulls: options.nulls ?? [], signal: options.signal };
  const inputs = await planInputs({
    paths: options.inputs, format: options.format, source, near: options.output, standardInput: options.standardInput ?? process.stdin,
    onCopied: (bytes) => options.onProgress?.({ phase: "copying", rows: 0, totalRows: null, bytes, totalBytes: null }),
  });
  try {
    return await storeRows({ options, source, target, inputs: inputs.planned, rejects });
  } finally {
    await inputs.close();
  }
}

async function storeRows(job: Job): Promise<Extract<Outcome, { stored: unknown }>["stored"]> {
  let knowledge = startKnowledge(job);
  for (let pass = 0; pass < passesMax; pass++) {
    await job.rejects.reset();
    const outcome = await makePass(job, knowledge);
    if ("stored" in outcome) return outcome.stored;
    knowledge = outcome.learnt;
  }
  throw new BquerydError("INTERNAL", `the columns were still widening after ${passesMax} passes over the inputs`);
}

function startKnowledge({ options, source, target, inputs }: Job): Knowledge {
  const schemas = [...(target.schema === null ? [] : [target.schema]), ...inputs.map((input) => ({ ...input, path: input.name }))];
  const columns = agreeOnColumns(schemas, source);
  if (columns.length === 0) throw new BquerydError("BAD_INPUT", `${inputs[0]!.name} has no columns; nothing can be imported from it`, { details: { path: inputs[0]!.name } });
  requireSortColumn(columns, options.sort);
  const rows = inputs.reduce<number | undefined>((sum, input) => (sum === undefined || input.rows === null ? undefined : sum + input.rows), 0);
  return { columns, rows, isUnordered: false };
}

function requireSortColumn(columns: readonly AgreedColumn[], sort: string | undefined): void {
  if (sort === undefined || columns.some(({ name }) => name === sort)) return;
  const names = columns.map(({ name }) => name);
  throw new BquerydError("UNKNOWN_COLUMN", `there is no column '${sort}' to sort by${suggestion(sort, names, `name one of ${names.slice(0, 12).join(", ")}`)}`, { details: { column: sort } });
}

function makePass(job: Job, knowledge: Knowledge): Promise<Outcome> {
  const isSharded = job.options.shards !== undefined || job.options.shardRows !== undefined;
  if (knowledge.isUnordered && job.target.schema === null) return sortThenWrite(job, knowledge);
  return isSharded && knowledge.rows === undefined ? countRows(job, knowledge) : writeRows(job, knowledge);
}

/** Finds how many rows there are to cut into shards, and what their columns are. */
async function countRows(job: Job, knowledge: Knowledge): Promise<Outcome> {
  const result = await readPass(job, knowledge, "counting", whileOrdered(job, knowledge, async () => true));
  // Widening keeps every row, so those that were no longer handed on count as well.
  return { learnt: { columns: result.columns, isUnordered: result.isStopped, rows: result.isStopped ? undefined : result.rowsRead - job.rejects.count } };
}

/** Writes the rows as they come. */
async function writeRows(job: Job, knowledge: Knowledge): Promise<Outcome> {
  const { columns, rows: expected = Infinity, isUnordered } = knowledge;
  const writer = await openWriter(job.target, job.options, { columns, rows: expected, sort: isUnordered ? null : job.target.sort });
  return abortUnlessCommitted(writer, async () => {
    const sink = whileOrdered(job, knowledge, async (batches) => {
      await writer.add(batches);
      return true;
    });
    const result = await readPass(job, knowledge, "reading", sink);
    if (result.isStopped) return { learnt: { ...knowledge, columns: result.columns, isUnordered: true } };
    // Shards were cut by what the inputs claim, and some of those rows were rejected.
    const rows = result.rowsRead - job.rejects.count;
    if (result.isWidened || !writer.isEven(rows)) return { learnt: { ...knowledge, columns: result.columns, rows } };
    return commit(job, writer, result);
  });
}

/** Sorts the rows on disk where memory does not hold them, then writes them. */
async function sortThenWrite(job: Job, knowledge: Knowledge): Promise<Outcome> {
  const { columns } = knowledge;
  const by = columns.findIndex(({ name }) => name === job.options.sort);
  const sorter = createSorter({ dtypes: columns.map(({ dtype }) => dtype), by, near: job.options.output, signal: job.options.signal });
  try {
    const result = await readPass(job, knowledge, "sorting", async (batches) => {
      await sorter.push(batches);
      return true;
    });
    if (result.isWidened) return { learnt: { ...knowledge, columns: result.columns } };
    const writer = await openWriter(job.target, job.options, { columns, rows: sorter.rows, sort: job.target.sort });
    return await abortUnlessCommitted(writer, async () => {
      for await (const batches of sorter.sorted()) {
        throwIfAborted(job.options.signal, "import");
        await writer.add(batches);
        job.options.onProgress?.({ ...progressOf(job, "writing"), rows: writer.rows, totalRows: sorter.rows, totalBytes: null });
      }
      return commit(job, writer, result);
    });
  } finally {
    await sorter.close();
  }
}

/** Makes all visible, once it is certain that no row was lost. */
async function commit(job: Job, writer: RowWriter, { rowsRead, mostlyRejected }: PassResult): Promise<Outcome> {
  const rowsStored = writer.rows;
  if (rowsRead !== rowsStored + job.rejects.count) {
    throw new BquerydError("INTERNAL", `${rowsRead} rows were read, ${rowsStored} stored and ${job.rejects.count} rejected`);
  }
  throwIfAborted(job.options.signal, "import");
  if (rowsRead > 0 && rowsStored === 0) throw allRejected(job);
  await job.rejects.stage();
  const tables = await writer.commit();
  await job.rejects.publish();
  const { schema, sort } = job.target;
  const endedOrder = schema !== null && tables[0]!.sort === null ? sort : null;
  const hints = job.inputs.flatMap(({ hint }) => hint ?? []);
  return { stored: { rowsRead, rowsStored, mostlyRejected, hints, tables, endedOrder } };
}

/** What stores nothing was hardly meant so, least of all in the place of a table. */
function allRejected({ inputs, rejects }: Job): BquerydError {
  const shown = rejects.first.slice(0, shownRejects).map(({ input, place, line, reason }) => `${inputs.length === 1 ? "" : `${basename(input)}, `}${place} ${line}: ${reason}`);
  const names = inputs.length === 1 ? inputs[0]!.name : formatCounted(inputs.length, "input");
  return new BquerydError("BAD_INPUT", `all of the ${formatCounted(rejects.count, "row")} of ${names} would be rejected, so that nothing was changed (${shown.join("; ")}); ${isEncodingAtFault(rejects.first) ? encodingAdvice : "check --format, --delimiter, --columns and --types"}`, {
    details: { inputs: inputs.map(({ name }) => name), rejects: rejects.first },
  });
}

/** The failure that led here is the one to tell, not what goes wrong in cleaning up after it. */
async function abortUnlessCommitted(writer: RowWriter, work: () => Promise<Outcome>): Promise<Outcome> {
  let outcome: Outcome;
  try {
    outcome = await work();
  } catch (cause) {
    await writer.abort().catch(() => undefined);
    throw cause;
  }
  if ("learnt" in outcome) await writer.abort();
  return outcome;
}

/** Stops at the first row out of order: then all have to be sorted, or the table that grows is no longer in order. */
function whileOrdered({ target }: Job, { columns, isUnordered }: Knowledge, sink: Sink): Sink {
  if (target.sort === null || isUnordered) return sink;
  const by = columns.findIndex(({ name }) => name === target.sort);
  const isOrdered = createOrderCheck(target.last);
  return async (batches) => isOrdered(batches[by]!) && sink(batches);
}

function readPass(job: Job, { columns }: Knowledge, phase: ImportProgress["phase"], sink: Sink): Promise<PassResult> {
  const { options, source, inputs, rejects, target } = job;
  const isChosen = options.columns !== undefined || target.schema !== null;
  const facts = progressOf(job, phase);
  return readInputs({ inputs, columns, source, isChosen, rejects, sink, onProgress: ({ rows, bytes }) => options.onProgress?.({ ...facts, rows, bytes }) });
}

function progressOf({ inputs }: Job, phase: ImportProgress["phase"]): ImportProgress {
  const totalRows = inputs.reduce<number | null>((sum, { rows }) => (sum === null || rows === null ? null : sum + rows), 0);
  return { phase, rows: 0, totalRows, bytes: 0, totalBytes: inputs.reduce((sum, { bytes }) => sum + bytes, 0) };
}
