/** Finds out how a text separates its fields, and what its columns are called. */
import { isUtf8 } from "node:buffer";
import { BquerydError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import { suggestion } from "../../base/nearest.js";
import { readRecord } from "./records.js";
import type { CsvRecord } from "./records.js";

/** The start of a text. */
export interface CsvHead {
  readonly path: string;
  readonly bytes: Buffer;
  /** There is nothing behind it. */
  readonly isWhole: boolean;
}

/** The names of the columns, and where the rows begin. */
export interface CsvHeader {
  readonly names: readonly string[];
  /** Bytes before the first row. */
  readonly start: number;
  /** A sentence, with what to do, where the first row that was taken for the names looks like values. */
  readonly hint?: string;
}

const candidates = [",", ";", "\t", "|"].map((text) => text.charCodeAt(0));
const comma = 44;
const tab = 9;
const triedBytes = 256 * 1024;
const triedRecords = 1_000;
/** A name such as `x.tsv` speaks for tabs, unless most rows speak against them. */
const likelyShare = 0.5;
const shownNames = 12;

/** The byte of a delimiter that the user named. Throws USAGE for what is not one ASCII character, a quote or a line end. */
export function requireDelimiter(text: string): number {
  const code = text.charCodeAt(0);
  if (text.length === 1 && code < 128 && !['"', "\r", "\n"].includes(text)) return code;
  throw new BquerydError("USAGE", `'${text}' cannot be a delimiter; give one ASCII character that is not a quote or a line end`, { details: { delimiter: text } });
}

/**
 * The delimiter that divides the first rows most evenly into two fields or more: comma, semicolon, tab or bar; a comma
 * where none does. The first row, which may be a header, counts as much as half of the others.
 */
export function findDelimiter({ path, bytes, isWhole }: CsvHead): number {
  const tried = bytes.subarray(0, triedBytes);
  const scores = candidates.map((delimiter) => ({ delimiter, ...scoreOf(readRecords(tried, delimiter, isWhole && tried.length === bytes.length)) }));
  const usable = scores.filter(({ fields }) => fields > 1);
  if (/\.(?:tsv|tab)(?:\.gz)?$/i.test(path) && usable.some(({ delimiter, share }) => delimiter === tab && share >= likelyShare)) return tab;
  usable.sort((a, b) => b.share - a.share || b.fields - a.fields);
  return usable[0]?.delimiter ?? comma;
}

function readRecords(bytes: Buffer, delimiter: number, isWhole: boolean): CsvRecord[] {
  const records: CsvRecord[] = [];
  for (let at = 0; at < bytes.length && records.length < triedRecords;) {
    const record = readRecord(bytes, at, delimiter);
    at = record.next;
    // What is cut off tells nothing, unless there is nothing else.
    if (!record.isEnded && !isWhole && records.length > 0) break;
    if (!isEmptyLine(record)) records.push(record);
  }
  return records;
}

/** The number of fields that most records have, and the share of those. */
function scoreOf(records: readonly CsvRecord[]): { fields: number; share: number } {
  const counts = new Map<number, number>();
  for (const { fields, isSpoiled } of records) if (!isSpoiled) counts.set(fields.length, (counts.get(fields.length) ?? 0) + 1);
  const [fields, count] = [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best), [0, 0]);
  const share = count / Math.max(1, records.length);
  return { fields, share: records[0]?.fields.length === fields ? share : share / 2 };
}

function isEmptyLine({ fields }: CsvRecord): boolean {
  return fields.length === 1 && fields[0] === "";
}

/**
 * The names from the first row, or `columns` where they name the fields of a text without header: when none of them is
 * in the first row, and it has as many fields. Throws BAD_INPUT for an empty text or a first row that cannot be read,
 * UNKNOWN_COLUMN when only some of `columns` are in the first row, USAGE when they are not as many as its fields.
 */
export function findHeader(head: CsvHead, delimiter: number, columns: readonly string[] | undefined): CsvHeader {
  const start = skipEmptyLines(head.bytes);
  if (start === head.bytes.length && head.isWhole) {
    if (columns !== undefined) return { names: columns, start };
    throw badHeader(head, "is empty; name its columns with --columns to import no rows");
  }
  const first = readRecord(head.bytes, start, delimiter);
  if (!first.isEnded && !head.isWhole) throw badHeader(head, `has no line end in its first ${head.bytes.length} bytes; is it text?`);
  if (first.fields.length > limits.columnsMax) throw badHeader(head, `has ${first.fields.length} columns; at most ${limits.columnsMax} can be stored`);
  const names = nameColumns(first);
  const inHeader = new Set(names);
  const known = columns?.filter((name) => inHeader.has(name)) ?? [];
  if (columns === undefined || known.length === columns.length) {
    const header = { names: requireNames(head, first, names, start), start: first.next };
    return columns === undefined && looksLikeValues(first) ? { ...header, hint: hintAtValues(head) } : header;
  }
  if (known.length > 0) throw unknownColumn(head.path, columns.find((name) => !inHeader.has(name))!, names);
  if (columns.length !== first.fields.length) throw wrongCount(head.path, columns, first.fields);
  // An empty line is a row where there is one column.
  return { names: columns, start: columns.length === 1 ? 0 : start };
}

const numberOrDate = /^\s*(?:[+-]?(?:\d+(?:[.,]\d+)*|\.\d+)(?:e[+-]?\d+)?|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[T ].*)?)\s*$/i;

function looksLikeValues({ fields }: CsvRecord): boolean {
  const said = fields.filter((field) => field !== "");
  return said.length > 0 && said.every((field) => numberOrDate.test(field));
}

function hintAtValues({ path }: CsvHead): string {
  return `the first line of ${path} was taken for the header, and holds nothing but numbers and dates; if it is a row, import again and name the columns with --columns`;
}

function skipEmptyLines(bytes: Buffer): number {
  let at = 0;
  while (bytes[at] === 10 || bytes[at] === 13) at++;
  return at;
}

/**
 * Names for all columns: one without a name is called after its place, where none is written out as `""`, and one that was
 * there before gets a number.
 */
function nameColumns({ fields, quoted }: CsvRecord): string[] {
  const taken = new Set(fields);
  const seen = new Set<string>();
  const numbers = new Map<string, number>();
  return fields.map((field, index) => {
    const wished = field === "" && quoted[index] !== true ? `column_${index + 1}` : field;
    let name = wished;
    while (seen.has(name) || (name !== field && taken.has(name))) {
      const number = (numbers.get(wished) ?? 1) + 1;
      numbers.set(wished, number);
      name = `${wished}_${number}`;
    }
    seen.add(name);
    return name;
  });
}

function requireNames(head: CsvHead, first: CsvRecord, names: readonly string[], start: number): readonly string[] {
  if (first.isSpoiled) throw badHeader(head, "has a header with a quote that does not close, or with text behind one that does; mend the first line");
  if (!isUtf8(head.bytes.subarray(start, first.next))) throw badHeader(head, "has a header that is not UTF-8; convert it: iconv -f latin1 -t utf-8");
  const long = names.find((name) => name.length > limits.columnNameMax);
  if (long !== undefined) throw badHeader(head, `has a column name of ${long.length} characters; at most ${limits.columnNameMax} are possible`);
  return names;
}

function badHeader({ path }: CsvHead, what: string): BquerydError {
  return new BquerydError("BAD_INPUT", `${path} ${what}`, { details: { path } });
}

function unknownColumn(path: string, name: string, names: readonly string[]): BquerydError {
  return new BquerydError("UNKNOWN_COLUMN", `${path} has no column '${name}'${suggestion(name, names, `its first row is ${showNames(names)}`)}`, {
    details: { path, column: name },
  });
}

function wrongCount(path: string, columns: readonly string[], fields: readonly string[]): BquerydError {
  const message = `${columns.length} columns are named, and the first row of ${path} has ${fields.length} fields (${showNames(fields)}); name columns of its header, or all columns of a text without header`;
  return new BquerydError("USAGE", message, { details: { path, columns: columns.length, fields: fields.length } });
}

function showNames(names: readonly string[]): string {
  const shown = names.slice(0, shownNames).join(", ");
  return names.length > shownNames ? `${shown}, ...` : shown;
}
