/** One pass over the inputs of an import: every row to a sink or to the rejects, and what the columns must become. */
import { BquerydError } from "../../base/errors.js";
import { formatCount, formatCounted } from "../../base/quantities.js";
import type { Batch } from "../../columns/dtypes.js";
import { sliceBatch } from "../../columns/slice-batch.js";
import { throwIfAborted } from "../abort.js";
import { isTextFormat } from "./detect.js";
import { withInput } from "./inputs.js";
import type { PlannedInput } from "./inputs.js";
import type { Rejects } from "./rejects.js";
import { widenColumns } from "./schema.js";
import type { AgreedColumn } from "./schema.js";
import type { SourceBatch, SourceOptions } from "../source.js";

/** Takes the rows of a pass in order, one batch a column; false when it wants no more of them. */
export type Sink = (batches: readonly Batch[]) => Promise<boolean>;

/** What to read, and where to. */
export interface Pass {
  readonly inputs: readonly PlannedInput[];
  readonly columns: readonly AgreedColumn[];
  readonly source: SourceOptions;
  /** Whether the user chose the columns, or a table has them already: then no others are taken. */
  readonly isChosen: boolean;
  readonly rejects: Rejects;
  readonly sink: Sink;
  readonly onProgress: (progress: PassProgress) => void;
}

/** How far a pass is. */
export interface PassProgress {
  readonly rows: number;
  /** Of all inputs, as they lie on disk. */
  readonly bytes: number;
}

/** What a pass found. */
export interface PassResult {
  /** Stored and rejected ones; of a pass that was stopped, up to there. */
  readonly rowsRead: number;
  /** The columns that hold all values. */
  readonly columns: readonly AgreedColumn[];
  /** Whether they are others than those read: then the sink has not had all rows. */
  readonly isWidened: boolean;
  /** Whether the sink wanted no more. */
  readonly isStopped: boolean;
  /** Names of inputs with most of their first rows rejected. */
  readonly mostlyRejected: readonly string[];
}

/** Rows handed on at a time: between two pieces an interruption is heard. */
const pieceRows = 262_144;
/** The first rows of an input, by which it is seen whether it is read as it was meant. */
const firstRows = 1_000;

interface PassState {
  columns: readonly AgreedColumn[];
  isWidened: boolean;
  isStopped: boolean;
  rowsRead: number;
  /** Bytes of the inputs that are done. */
  bytesDone: number;
  readonly mostlyRejected: string[];
}

/**
 * Reads all inputs. From the first value that its column does not hold on, rows are read to find what the columns must
 * become, and no longer handed on. Throws what reading throws, CANCELLED, and what the sink and the rejects throw.
 */
export async function readInputs(pass: Pass): Promise<PassResult> {
  const state: PassState = { columns: pass.columns, isWidened: false, isStopped: false, rowsRead: 0, bytesDone: 0, mostlyRejected: [] };
  for (const input of pass.inputs) {
    await readInput(pass, input, state);
    if (state.isStopped) break;
    state.bytesDone += input.bytes;
  }
  return state;
}

async function readInput(pass: Pass, input: PlannedInput, state: PassState): Promise<void> {
  const before = state.rowsRead;
  let rejectedEarly = 0;
  const place = isTextFormat(input.format) ? "line" : "row";
  await withInput(input, pass.source, async (source) => {
    for await (const batch of source.read(state.columns, pass.source.signal)) {
      throwIfAborted(pass.source.signal, "import");
      await pass.rejects.add({ input: input.name, place }, batch.rejects);
      rejectedEarly += batch.rejects.filter(({ line }) => line <= firstRows).length;
      state.rowsRead += batch.rows + batch.rejects.length;
      if (batch.kinds.size > 0) widen(pass, input, state, batch);
      if (!state.isWidened && !await handOn(pass, input, batch)) state.isStopped = true;
      pass.onProgress({ rows: state.rowsRead, bytes: state.bytesDone + batch.bytesDone });
      if (state.isStopped) break;
    }
  });
  const rows = state.rowsRead - before;
  if (!state.isStopped && input.rows !== null && rows !== input.rows) throw shortInput(input.name, { claimed: input.rows, rows });
  if (rejectedEarly * 2 > Math.min(firstRows, rows)) state.mostlyRejected.push(input.name);
}

function widen({ isChosen }: Pass, { name }: PlannedInput, state: PassState, { kinds }: SourceBatch): void {
  const before = state.columns;
  state.columns = widenColumns(before, kinds, { path: name, isChosen });
  state.isWidened ||= state.columns.some(({ dtype }, index) => dtype !== before[index]?.dtype);
}

async function handOn(pass: Pass, { name }: PlannedInput, { rows, batches }: SourceBatch): Promise<boolean> {
  if (batches === null) throw new BquerydError("INTERNAL", `${name} gave neither values nor what the columns must become`);
  for (let start = 0; start < rows; start += pieceRows) {
    throwIfAborted(pass.source.signal, "import");
    const end = Math.min(rows, start + pieceRows);
    if (!await pass.sink(batches.map((batch) => sliceBatch(batch, start, end)))) return false;
  }
  return true;
}

function shortInput(name: string, { claimed, rows }: { readonly claimed: number; readonly rows: number }): BquerydError {
  return new BquerydError("BAD_INPUT", `${name} claims ${formatCounted(claimed, "row")} and has ${formatCount(rows)}; write or copy it again`, { details: { path: name } });
}
