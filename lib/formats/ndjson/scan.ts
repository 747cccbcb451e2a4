/** Finding the values of flat JSON objects in bytes: of which row and column each is. */
import { isUtf8 } from "node:buffer";
import { decodeString, scanString, scanValue, skipBlanks, tokenKinds } from "./tokens.js";
import type { Cursor } from "./tokens.js";
import { notUtf8 } from "../source.js";

/** Values in the order of the bytes: that of row `row[i]` and column `column[i]` is bytes `start[i]` to `end[i]` (exclusive). */
export interface Tokens {
  readonly column: Uint32Array;
  readonly row: Uint32Array;
  readonly kind: Uint8Array;
  /** Of a string: without its quotes. */
  readonly start: Uint32Array;
  readonly end: Uint32Array;
}

/** Where an object is: bytes `start` to `end` (exclusive), from line `line` of the input on. */
export interface RecordPlace {
  readonly start: number;
  readonly end: number;
  readonly line: number;
}

/** A record that is no object, and why. */
export interface BadRecord extends RecordPlace {
  readonly reason: string;
}

/** What a scan found; the tokens are good until the next scan. */
export interface Scan {
  readonly tokens: Tokens;
  readonly tokenCount: number;
  /** Names of the columns given and, where unknown ones are kept, of those found, in order. */
  readonly columns: readonly string[];
  /** Places of the rows. */
  readonly places: readonly RecordPlace[];
  readonly bad: readonly BadRecord[];
}

/** What to look for. */
export interface ScanRequest {
  readonly bytes: Uint8Array;
  readonly records: Iterable<RecordPlace>;
  readonly columns: readonly string[];
  /** Whether keys that are no column make new columns; otherwise their values are passed over. */
  readonly keepsUnknown: boolean;
}

interface Scanner {
  readonly cursor: Cursor;
  readonly keys: Keys;
  readonly tokens: Tokens;
  /** Tokens so far. */
  count: number;
}

/** The number of the column of a key whose values are passed over. */
const noColumn = -1;
/** No key with its value takes less: `"":1,`. */
const tokenBytesMin = 5;
/** Told instead of a reason where nothing is. */
const blank = "";

const quote = 0x22;
const openBrace = 0x7b;
const closeBrace = 0x7d;

let room = makeRoom(0);

/** Scans records one after another; blank ones are passed over. */
export function scanRecords({ bytes, records, columns, keepsUnknown }: ScanRequest): Scan {
  if (room.kind.length * tokenBytesMin <= bytes.length) room = makeRoom(Math.ceil(bytes.length / tokenBytesMin) + 1);
  const isSound = isUtf8(bytes);
  const cursor: Cursor = { bytes, at: 0, end: 0, kind: tokenKinds.null, from: 0, to: 0 };
  const scanner: Scanner = { cursor, keys: createKeys(columns, keepsUnknown), tokens: room, count: 0 };
  const places: RecordPlace[] = [];
  const bad: BadRecord[] = [];
  for (const place of records) {
    const reason = isSound || isUtf8(bytes.subarray(place.start, place.end)) ? scanRecord(scanner, place, places.length) : `the bytes are ${notUtf8}`;
    if (reason === undefined) places.push(place);
    else if (reason !== blank) bad.push({ ...place, reason });
  }
  return { tokens: room, tokenCount: scanner.count, columns: scanner.keys.names, places, bad };
}

/** The places of the lines of a block; a line end is part of none. */
export function* linesOf(bytes: Uint8Array, firstLine: number): Generator<RecordPlace> {
  for (let start = 0, line = firstLine; start < bytes.length; line++) {
    const found = bytes.indexOf(0x0a, start);
    const end = found === -1 ? bytes.length : found;
    yield { start, end, line };
    start = end + 1;
  }
}

function makeRoom(count: number): Tokens {
  return { column: new Uint32Array(count), row: new Uint32Array(count), kind: new Uint8Array(count), start: new Uint32Array(count), end: new Uint32Array(count) };
}

/** Adds the values of an object. Undefined when all went well, `blank` when nothing is there, else the reason. */
function scanRecord(scanner: Scanner, { start, end }: RecordPlace, row: number): string | undefined {
  const { cursor, count } = scanner;
  cursor.at = start;
  cursor.end = end;
  const first = skipBlanks(cursor);
  if (first === -1) return blank;
  if (first !== openBrace) return "it is not a JSON object";
  const expected = scanMembers(scanner, row);
  if (expected === undefined) {
    cursor.at++;
    if (skipBlanks(cursor) === -1) return undefined;
  }
  scanner.count = count;
  if (expected === undefined) return "something follows the object";
  return cursor.at >= end ? "the object is cut" : `the object is not sound JSON: ${expected} belongs at its byte ${cursor.at - start + 1}`;
}

/** Scans to the closing brace; gives what was expected and not found. */
function scanMembers(scanner: Scanner, row: number): string | undefined {
  const { cursor } = scanner;
  cursor.at++;
  if (skipBlanks(cursor) === closeBrace) return undefined;
  for (let position = 0; ; position++) {
    const expected = scanMember(scanner, row, position);
    if (expected !== undefined) return expected;
    const next = skipBlanks(cursor);
    if (next === closeBrace) return undefined;
    if (next !== 0x2c) return "a comma or the end of the object";
    cursor.at++;
  }
}

function scanMember(scanner: Scanner, row: number, position: number): string | undefined {
  const { cursor, tokens } = scanner;
  if (skipBlanks(cursor) !== quote || !scanString(cursor)) return "a key in quotes";
  const column = scanner.keys.find(cursor, position);
  if (skipBlanks(cursor) !== 0x3a) return "a colon";
  cursor.at++;
  if (!scanValue(cursor)) return "a value";
  if (column === noColumn) return undefined;
  const token = scanner.count++;
  tokens.column[token] = column;
  tokens.row[token] = row;
  tokens.kind[token] = cursor.kind;
  tokens.start[token] = cursor.from;
  tokens.end[token] = cursor.to;
  return undefined;
}

/** Columns by the bytes of their keys. */
interface Keys {
  readonly names: string[];
  /** The column of the key just scanned, which is number `position` of its object. */
  find(cursor: Cursor, position: number): number;
}

/** Objects mostly have their keys in the order of the one before, so each place is first looked up there. */
function createKeys(columns: readonly string[], keepsUnknown: boolean): Keys {
  const names = [...columns];
  const known = new Map(names.map((name, column) => [name, column]));
  const recent: { readonly bytes: Uint8Array; readonly column: number }[] = [];
  return {
    names,
    find(cursor, position) {
      const before = recent[position];
      if (before !== undefined && isSame(before.bytes, cursor)) return before.column;
      const { bytes, from, to, kind } = cursor;
      const name = decodeString(bytes, from, to, kind === tokenKinds.escaped);
      let column = known.get(name);
      if (column === undefined && keepsUnknown) {
        column = names.push(name) - 1;
        known.set(name, column);
      }
      recent[position] = { bytes: Uint8Array.from(bytes.subarray(from, to)), column: column ?? noColumn };
      return column ?? noColumn;
    },
  };
}

function isSame(key: Uint8Array, { bytes, from, to }: Cursor): boolean {
  if (key.length !== to - from) return false;
  for (let i = 0; i < key.length; i++) if (key[i] !== bytes[from + i]) return false;
  return true;
}
