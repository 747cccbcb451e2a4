/** The result of a query: columns as typed arrays, rows as objects, and what answering took. */
import { inspect } from "node:util";
import { BquerydError } from "../base/errors.js";
import { suggestion } from "../base/nearest.js";
import { formatTable } from "../base/text-table.js";
import type { Dtype } from "../columns/dtypes.js";
import type { ResultColumn } from "../engine/finish.js";
import type { HistogramBins } from "../engine/measures/measure.js";
import { countOf, isLists } from "../engine/values.js";
import { cellReader, formatCell, isNumericDtype, type Cell } from "./cells.js";
import { columnValues, itemValues, type ColumnStrings, type ColumnValues, type ItemValues, type SharedStrings } from "./column-values.js";
import type { Summary } from "./summary.js";
import { arrowOf, csvOf } from "./written.js";

/** A row by column name; it has no prototype, so any name is safe. */
export type Row = Record<string, Cell>;

/** Name and dtype of a column; that of lists has the dtype of their items. */
export interface ColumnType {
  readonly name: string;
  readonly dtype: Dtype | "list";
  readonly item?: Dtype;
}

/** The bins of a histogram column. */
export interface Bins {
  /** For every input the ascending edges of its bins, one more than bins: float64, or the input's dtype for times. */
  readonly edges: readonly ItemValues[];
  /**
   * For every row how many values lie in no bin: under where the first of their inputs that is out of range is below it,
   * else over.
   */
  readonly under: ItemValues;
  readonly over: ItemValues;
}

/** One column of a result. */
export interface Column {
  readonly dtype: Dtype | "list";
  /** Of a column of lists the dtype of their items. */
  readonly item?: Dtype;
  /**
   * One entry a row; a null row's entry means nothing. The typed array of the dtype: Int8Array for int8 and so on to
   * BigUint64Array for uint64, Uint8Array for bool (0 or 1), BigInt64Array for timestamp (ns since 1970 UTC), Int32Array for
   * date (days since 1970), Float32Array or Float64Array; string[] for string, Uint8Array[] for bytes; of lists an array of
   * those of their items.
   */
  readonly values: ColumnValues;
  /** Of a histogram alone. */
  readonly bins?: Bins;
  isNull(row: number): boolean;
  /** The value as in a row object. */
  get(row: number): Cell;
  /** What a prompt or console.log shows: dtype and values. */
  [inspect.custom](): unknown;
}

/** How CSV is written. */
export interface CsvOptions {
  /** false leaves out the line of names, for what is added to other lines (default: true). */
  readonly header?: boolean;
}

const csvNames = ["header"];
const printedRowsMax = 60;

/** A finished result. Iterating yields row objects. */
export class Table implements Iterable<Row> {
  readonly columns: readonly ColumnType[];
  readonly numRows: number;
  readonly summary: Summary;
  readonly #results: readonly ResultColumn[];
  readonly #columns: ReadonlyMap<string, Column>;

  /** With `shared` the columns are those of other tables too, so that arrays for callers, who may write into them, are copies. */
  constructor(columns: readonly ResultColumn[], numRows: number, summary: Summary, shared: SharedStrings | null = null) {
    this.columns = columns.map(({ name, values }) => ({ name, ...typeOf(values) }));
    this.numRows = numRows;
    this.summary = summary;
    this.#results = columns;
    this.#columns = new Map(columns.map((column) => [column.name, openColumn(column, numRows, shared)]));
  }

  /** The column of a name; throws UNKNOWN_COLUMN naming the nearest. */
  column(name: string): Column {
    const column = this.#columns.get(name);
    if (column !== undefined) return column;
    const names = [...this.#columns.keys()];
    throw new BquerydError("UNKNOWN_COLUMN", `the result has no column '${name}'${suggestion(name, names, `it has ${names.join(", ")}`)}`, { details: { column: name } });
  }

  *[Symbol.iterator](): Iterator<Row> {
    for (let row = 0; row < this.numRows; row++) yield this.#row(row);
  }

  /** All rows as objects. */
  rows(): Row[] {
    return [...this];
  }

  /**
   * The result as CSV, as `bqueryd export` writes it: commas, a line of names, lines that end in a line feed. Nulls are
   * empty fields and empty strings `""`; whole numbers have all their digits, floats those that read back bit for bit (inf
   * and -inf too); timestamps and dates are ISO 8601, bytes `\x` and hexadecimal digits; a list is a JSON array, in which
   * bytes are base64. Throws MEMORY_LIMIT beyond what one string holds (about 500 million characters), and USAGE.
   */
  toCSV(options: CsvOptions = {}): string {
    requireCsvOptions(options);
    return csvOf({ columns: this.#results, rows: this.numRows }, { header: options.header ?? true });
  }

  /**
   * The result as an Arrow IPC file (the format of `.arrow` and Feather files, as `bqueryd export` writes it; not the
   * stream), in an array of its own. Columns have the types of their dtypes, timestamps are nanoseconds in UTC, dates days,
   * bytes binary, lists lists of items that are not null; all columns are nullable. Record batches have at most 65,536
   * rows. The bins of histograms are not in it. Throws MEMORY_LIMIT beyond what one array holds.
   */
  toArrow(): Uint8Array {
    return arrowOf({ columns: this.#results, rows: this.numRows });
  }

  /** The result as an aligned table; of a long one the first and last rows. */
  toString(): string {
    const shown = shownRows(this.numRows);
    const columns = [...this.#columns.values()];
    const rows = shown.map((row) => columns.map((column) => (row === undefined ? "..." : formatCell(column.get(row)))));
    const text = formatTable([...this.#columns.keys()], rows, { align: columns.map((column) => (isNumericDtype(column.dtype) ? "right" : "left")) });
    return shown.length < this.numRows ? `${text}\n(${this.numRows} rows)` : text;
  }

  /** What console.log shows: the aligned table. */
  [inspect.custom](): string {
    return this.toString();
  }

  #row(row: number): Row {
    const cells = Object.create(null) as Row;
    for (const [name, column] of this.#columns) cells[name] = column.get(row);
    return cells;
  }
}

/** Throws USAGE for what a program without types may write. */
function requireCsvOptions(options: unknown): void {
  if (typeof options !== "object" || options === null) throw new BquerydError("USAGE", "toCSV takes an object of options; write toCSV({header: false})");
  for (const [name, value] of Object.entries(options)) {
    if (!csvNames.includes(name)) throw new BquerydError("USAGE", `toCSV has no option '${name}'${suggestion(name, csvNames, `it takes ${csvNames.join(", ")}`)}`);
    if (value !== undefined && typeof value !== "boolean") throw new BquerydError("USAGE", `header ${String(value)} is neither true nor false; write {header: false}`);
  }
}

function typeOf(values: ResultColumn["values"]): Omit<ColumnType, "name"> {
  return isLists(values) ? { dtype: values.dtype, item: values.item.dtype } : { dtype: values.dtype };
}

function openColumn({ name, values, isNull, bins }: ResultColumn, rows: number, shared: SharedStrings | null): Column {
  const read = cellReader(values);
  const isNullRow = (row: number): boolean => isNull !== null && isNull[row] === 1;
  const sharedHere: ColumnStrings | null = shared === null ? null : (make) => shared(name, make);
  let made: ColumnValues | undefined;
  const facts = { ...typeOf(values), ...(bins === undefined ? {} : { bins: openBins(bins, sharedHere) }) };
  const valuesOf = (): ColumnValues => (made ??= columnValues(values, rows, sharedHere));
  return {
    ...facts,
    get values() { return valuesOf(); },
    [inspect.custom]: () => ({ ...facts, values: valuesOf() }),
    isNull: isNullRow,
    get: (row) => (isNullRow(row) ? null : read(row)),
  };
}

function openBins({ edges, under, over }: HistogramBins, shared: ColumnStrings | null): Bins {
  const all = [...edges, under, over].map((values) => itemValues(values, countOf(values), shared));
  return { edges: all.slice(0, edges.length), under: all[edges.length]!, over: all[edges.length + 1]! };
}

/** Rows to print; undefined stands for those left out. */
function shownRows(rows: number): (number | undefined)[] {
  if (rows <= printedRowsMax) return Array.from({ length: rows }, (_, row) => row);
  const half = printedRowsMax / 2;
  const head = Array.from({ length: half }, (_, row) => row);
  return [...head, undefined, ...head.map((row) => rows - half + row)];
}
