/**
 * Where JSON values (RFC 8259) begin and end in bytes, and of what kind they are; not yet what they are. NaN, Infinity and
 * -Infinity, which JSON has not and some writers give all the same, count as values.
 */

/** What stands at a place. */
export const tokenKinds = { null: 0, string: 1, escaped: 2, integer: 3, decimal: 4, true: 5, false: 6, nested: 7, word: 8 } as const;

/** The place that is looked at in bytes `at` to `end` (exclusive), and the value that was found last. */
export interface Cursor {
  readonly bytes: Uint8Array;
  at: number;
  end: number;
  /** One of the token kinds. */
  kind: number;
  /** Bytes of the value, `from` to `to` (exclusive); of a string, without its quotes. */
  from: number;
  to: number;
}

const quote = 0x22;
const backslash = 0x5c;
const words = { true: Buffer.from("true"), false: Buffer.from("false"), null: Buffer.from("null"), NaN: Buffer.from("NaN"), Infinity: Buffer.from("Infinity") };

/** Moves past blanks and gives the byte there; -1 at the end. */
export function skipBlanks(cursor: Cursor): number {
  const { bytes, end } = cursor;
  for (; cursor.at < end; cursor.at++) {
    const byte = bytes[cursor.at]!;
    if (byte > 0x20 || (byte !== 0x20 && byte !== 0x09 && byte !== 0x0d && byte !== 0x0a)) return byte;
  }
  return -1;
}

/** Scans the value that begins here, blanks before it included; false when none does or it has no end. */
export function scanValue(cursor: Cursor): boolean {
  switch (skipBlanks(cursor)) {
    case quote: return scanString(cursor);
    case 0x7b: case 0x5b: return scanNested(cursor);
    case 0x74: return scanWord(cursor, words.true, tokenKinds.true);
    case 0x66: return scanWord(cursor, words.false, tokenKinds.false);
    case 0x6e: return scanWord(cursor, words.null, tokenKinds.null);
    case 0x4e: return scanWord(cursor, words.NaN, tokenKinds.word);
    case 0x49: return scanWord(cursor, words.Infinity, tokenKinds.word);
    default: return scanNumber(cursor);
  }
}

/** Scans a string from its opening quote on; false when it has no end or holds what it must not. */
export function scanString(cursor: Cursor): boolean {
  const { bytes, end } = cursor;
  const from = cursor.at + 1;
  let at = from;
  let isEscaped = false;
  for (; at < end; at++) {
    const byte = bytes[at]!;
    if (byte === quote) break;
    if (byte < 0x20) return false;
    if (byte === backslash) {
      isEscaped = true;
      at++;
    }
  }
  if (at >= end) {
    cursor.at = end;
    return false;
  }
  cursor.kind = isEscaped ? tokenKinds.escaped : tokenKinds.string;
  cursor.from = from;
  cursor.to = at;
  cursor.at = at + 1;
  return !isEscaped || isDecodable(bytes, from, at);
}

/** The string between quotes. Throws SyntaxError for a wrong escape. */
export function decodeString(bytes: Uint8Array, start: number, end: number, isEscaped: boolean): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
  return isEscaped ? String(JSON.parse(`"${text}"`)) : text;
}

/** Half of a surrogate pair is no character: UTF-8 could only hold another in its place. */
const halfPair = /\p{Surrogate}/u;

function isDecodable(bytes: Uint8Array, start: number, end: number): boolean {
  try {
    return !halfPair.test(decodeString(bytes, start, end, true));
  } catch {
    return false;
  }
}

function scanNumber(cursor: Cursor): boolean {
  const { bytes, end } = cursor;
  cursor.from = cursor.at;
  cursor.kind = tokenKinds.integer;
  if (bytes[cursor.at] === 0x2d) cursor.at++;
  if (bytes[cursor.at] === 0x49) return finishWord(cursor, words.Infinity, tokenKinds.word);
  if (bytes[cursor.at] === 0x30) cursor.at++;
  else if (!skipDigits(cursor)) return false;
  if (cursor.at < end && bytes[cursor.at] === 0x2e) {
    cursor.kind = tokenKinds.decimal;
    cursor.at++;
    if (!skipDigits(cursor)) return false;
  }
  if (cursor.at < end && (bytes[cursor.at]! | 0x20) === 0x65) {
    cursor.kind = tokenKinds.decimal;
    cursor.at++;
    if (bytes[cursor.at] === 0x2b || bytes[cursor.at] === 0x2d) cursor.at++;
    if (!skipDigits(cursor)) return false;
  }
  cursor.to = cursor.at;
  return true;
}

function skipDigits(cursor: Cursor): boolean {
  const { bytes, end } = cursor;
  const first = cursor.at;
  let at = first;
  while (at < end && bytes[at]! >= 0x30 && bytes[at]! <= 0x39) at++;
  cursor.at = at;
  return at > first;
}

function scanWord(cursor: Cursor, word: Uint8Array, kind: number): boolean {
  cursor.from = cursor.at;
  return finishWord(cursor, word, kind);
}

function finishWord(cursor: Cursor, word: Uint8Array, kind: number): boolean {
  for (let i = 0; i < word.length; i++, cursor.at++) if (cursor.at >= cursor.end || cursor.bytes[cursor.at] !== word[i]) return false;
  cursor.kind = kind;
  cursor.to = cursor.at;
  return true;
}

/** To the end of an object or list, whatever is in it. */
function scanNested(cursor: Cursor): boolean {
  const { bytes, end } = cursor;
  const from = cursor.at;
  let depth = 0;
  do {
    const byte = bytes[cursor.at]!;
    if (byte === quote) {
      if (!scanString(cursor)) return false;
      continue;
    }
    if (byte === 0x7b || byte === 0x5b) depth++;
    else if (byte === 0x7d || byte === 0x5d) depth--;
    cursor.at++;
  } while (depth > 0 && cursor.at < end);
  Object.assign(cursor, { kind: tokenKinds.nested, from, to: cursor.at });
  return depth === 0;
}
