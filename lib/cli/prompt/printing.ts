/** What a prompt prints of tables, for the terminal it is on. */
import type { ColumnType, Table } from "../../client/table.js";
import { formatCell, isNumericDtype } from "../../client/cells.js";
import { formatCount, formatCounted, formatMilliseconds } from "../../base/quantities.js";
import { formatTable } from "../../base/text-table.js";

/** The terminal as far as printing goes. */
export interface Screen {
  /** Lines of it; undefined where they are not known. */
  readonly lines: number | undefined;
  readonly hasColors: boolean;
}

const linesDefault = 50;
/** Headers, types, the rule, what is left out, the count of rows, the time, and the next prompt. */
const linesBesideRows = 7;
const rowsMin = 6;

/** A table with the dtypes under the names of its columns; of one that is longer than the screen the first and last rows. */
export function printTable(table: Table, { lines = linesDefault, hasColors }: Screen): string {
  const rowsMax = Math.max(rowsMin, lines - linesBesideRows);
  const columns = table.columns.map(({ name }) => table.column(name));
  const rows = shownRows(table.numRows, rowsMax).map((row) => columns.map((column) => (row === undefined ? "..." : formatCell(column.get(row)))));
  const [names = "", types = "", ...rest] = formatTable(table.columns.map(({ name }) => name), rows, {
    subheaders: table.columns.map(describeType), align: columns.map(({ dtype }) => (isNumericDtype(dtype) ? "right" : "left")),
  }).split("\n");
  const text = [names, dim(types, hasColors), ...rest].join("\n");
  return table.numRows > rowsMax ? `${text}\n(${formatCount(table.numRows)} rows)` : text;
}

/** How long what a line asked took: `12 rows in 3.20 ms`; of a value that is no table `2 calls in 3.20 ms`. */
export function printTiming(timing: { readonly calls: number; readonly ms: number; readonly table: Table | undefined }, hasColors: boolean): string {
  const { calls, ms, table } = timing;
  const text = table === undefined || calls > 1 ? `${formatCounted(calls, "call")} in ${formatMilliseconds(ms)}` : `${formatCounted(table.numRows, "row")} in ${formatMilliseconds(table.summary.durationMs)}`;
  return dim(text, hasColors);
}

function describeType({ dtype, item }: ColumnType): string {
  return item === undefined ? dtype : `${dtype} of ${item}`;
}

/** Rows to print; undefined stands for those left out. */
function shownRows(rows: number, rowsMax: number): (number | undefined)[] {
  const all = Math.min(rows, rowsMax);
  if (rows === all) return Array.from({ length: rows }, (_, row) => row);
  const first = Math.ceil(all / 2);
  return Array.from({ length: all + 1 }, (_, place) => (place === first ? undefined : place < first ? place : rows - all + place - 1));
}

function dim(text: string, hasColors: boolean): string {
  return hasColors ? `\u001b[2m${text}\u001b[22m` : text;
}
