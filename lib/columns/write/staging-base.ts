/** What an append keeps of a column: its whole chunks where they are, and the rows after them to be written again. */
import { chunkRows, isTextDtype, type Batch } from "../dtypes.js";
import { keepSegments, type FooterSegment } from "../files/footer.js";
import { readChunk } from "../read/batches.js";
import type { Decoder } from "../read/decoder.js";
import type { Dictionary } from "../files/dictionary.js";
import type { Table, TableColumn } from "../read/table.js";

/** A column of the table that is appended to. */
export interface BaseColumn {
  /** Segments that go on being used, cut to whole chunks. */
  readonly segments: readonly FooterSegment[];
  /** Rows of those segments. */
  readonly rows: number;
  /** The rows after them, and for a column with a dictionary their codes; null when there are none. */
  readonly rest: { readonly batch: Batch; readonly codes: Uint32Array | undefined } | null;
  readonly dictionary: Dictionary | undefined;
  /** Whether it holds texts without a dictionary. */
  readonly isPlain: boolean;
}

/** The base of a column that begins empty. */
export const noBase: BaseColumn = { segments: [], rows: 0, rest: null, dictionary: undefined, isPlain: false };

/** The base that a column of a table is. Blocks shortly. Throws as reading the index, the dictionary and the last chunk does. */
export function readBase(table: Table, name: string, decoder: Decoder): BaseColumn {
  const column = table.column(name);
  const { segments } = table.footer.columns.find((each) => each.name === name)!;
  const rows = table.rows - (table.rows % chunkRows);
  const dictionary = column.dictionary() ?? undefined;
  const isPlain = isTextDtype(column.dtype) && dictionary === undefined && !isAllNull(column);
  return { segments: keepSegments(segments, rows), rows, rest: rows === table.rows ? null : readRest(column, decoder), dictionary, isPlain };
}

function readRest(column: TableColumn, decoder: Decoder): BaseColumn["rest"] {
  const batch = readChunk(column, column.chunkCount - 1, decoder);
  if (batch.dtype !== "string" && batch.dtype !== "bytes") return { batch, codes: undefined };
  // Without a dictionary, a column that may have one is all null: code 0 stands for those rows.
  return { batch, codes: batch.values.codes ?? new Uint32Array(batch.rows) };
}

function isAllNull(column: TableColumn): boolean {
  for (let chunk = 0; chunk < column.chunkCount; chunk++) {
    const { nullCount, rows } = column.statistics(chunk);
    if (nullCount < rows) return false;
  }
  return true;
}
