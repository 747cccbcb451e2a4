/** Reads single records of CSV text without kernels: for the header and for finding out the delimiter. */

const quote = 34;
const lf = 10;
const cr = 13;

/** One record. */
export interface CsvRecord {
  readonly fields: readonly string[];
  /** Whether each field is in quotes. */
  readonly quoted: readonly boolean[];
  /** Where the next record starts. */
  readonly next: number;
  /** Text follows a closing quote, or a quote does not close. */
  readonly isSpoiled: boolean;
  /** A line end ends it, and not the end of the bytes. */
  readonly isEnded: boolean;
}

/** The record that starts at `start`. An empty line is a record of one empty field. */
export function readRecord(bytes: Buffer, start: number, delimiter: number): CsvRecord {
  const fields: string[] = [];
  const quoted: boolean[] = [];
  let isSpoiled = false;
  for (let at = start; ;) {
    const field = readField(bytes, at, delimiter);
    fields.push(field.text);
    quoted.push(bytes[at] === quote);
    isSpoiled ||= field.isSpoiled;
    const byte = bytes[field.end];
    if (byte === delimiter) {
      at = field.end + 1;
      continue;
    }
    const isPair = byte === cr && bytes[field.end + 1] === lf;
    return { fields, quoted, isSpoiled, next: Math.min(bytes.length, field.end + (isPair ? 2 : 1)), isEnded: byte !== undefined };
  }
}

/** A field, up to the delimiter, line end or end of the bytes behind it. */
function readField(bytes: Buffer, start: number, delimiter: number): { text: string; end: number; isSpoiled: boolean } {
  if (bytes[start] !== quote) {
    const end = findEnd(bytes, start, delimiter);
    return { text: bytes.toString("utf8", start, end), end, isSpoiled: false };
  }
  const closing = findClosing(bytes, start + 1);
  const end = findEnd(bytes, closing, delimiter);
  const isSpoiled = closing === bytes.length || end !== closing + 1;
  return { text: bytes.toString("utf8", start + 1, closing).replaceAll('""', '"'), end, isSpoiled };
}

function findEnd(bytes: Buffer, start: number, delimiter: number): number {
  let end = start;
  while (end < bytes.length && bytes[end] !== delimiter && bytes[end] !== lf && bytes[end] !== cr) end++;
  return end;
}

function findClosing(bytes: Buffer, start: number): number {
  for (let place = start; ; place += 2) {
    place = bytes.indexOf(quote, place);
    if (place < 0) return bytes.length;
    if (bytes[place + 1] !== quote) return place;
  }
}
