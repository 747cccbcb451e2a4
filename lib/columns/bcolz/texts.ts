/**
 * Raw texts of bcolz, padded with NUL to the width of their column, as UTF-8. `S` is taken as UTF-8 where a value is
 * valid, else as latin-1; `U` is UTF-32, of which lone surrogates become U+FFFD.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { BquerydError } from "../../base/errors.js";
import { limits } from "../../base/limits.js";
import type { Texts } from "../texts.js";
import type { BcolzColumn } from "./directory.js";
import type { RunReader } from "./runs.js";

/** Texts being gathered. */
interface Gathering {
  readonly column: BcolzColumn;
  readonly offsets: Uint32Array;
  row: number;
  bytes: Uint8Array<ArrayBuffer>;
  /** Bytes used. */
  end: number;
}

const firstBytes = 4_096;
const replacement = 0xfffd;
const codePointMax = 0x10ffff;

/** The texts of rows, one entry a row. Throws MEMORY_LIMIT; calls `fail` for what is no text; and what `read` throws. */
export function readTexts(column: BcolzColumn, rows: number, read: RunReader, fail: (wrong: string) => never): Texts {
  const texts: Gathering = { column, offsets: new Uint32Array(rows + 1), row: 0, bytes: new Uint8Array(firstBytes), end: 0 };
  read((bytes, count) => {
    if (column.stored.kind === "bytes") addByteTexts(texts, bytes, count);
    else addUnicodeTexts(texts, bytes, count, fail);
  });
  return { offsets: texts.offsets, bytes: texts.bytes.subarray(0, texts.end), codes: null };
}

function addByteTexts(texts: Gathering, bytes: Uint8Array, count: number): void {
  const width = texts.column.stored.itemBytes;
  const allAscii = isAscii(bytes);
  for (let row = 0; row < count; row++) {
    const start = row * width;
    let end = start + width;
    while (end > start && bytes[end - 1] === 0) end--;
    reserve(texts, 2 * (end - start));
    // Asked once for all first: the question costs more than copying a short text.
    const isValid = allAscii || isUtf8(bytes.subarray(start, end));
    if (isValid) for (let at = start; at < end; at++) texts.bytes[texts.end++] = bytes[at]!;
    else for (let at = start; at < end; at++) addLatin1(texts, bytes[at]!);
    texts.offsets[++texts.row] = texts.end;
  }
}

function addLatin1(texts: Gathering, byte: number): void {
  if (byte >= 0x80) texts.bytes[texts.end++] = 0xc0 | (byte >> 6);
  texts.bytes[texts.end++] = byte < 0x80 ? byte : 0x80 | (byte & 0x3f);
}

function addUnicodeTexts(texts: Gathering, bytes: Uint8Array, count: number, fail: (wrong: string) => never): void {
  const points = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const width = texts.column.stored.itemBytes / 4;
  for (let row = 0; row < count; row++) {
    const start = row * width;
    let end = start + width;
    while (end > start && points[end - 1] === 0) end--;
    reserve(texts, 4 * (end - start));
    for (let at = start; at < end; at++) {
      const point = points[at]!;
      if (point < 0x80) texts.bytes[texts.end++] = point;
      else if (point > codePointMax) fail("it holds a number that is no Unicode character");
      else addCodePoint(texts, point >= 0xd800 && point < 0xe000 ? replacement : point);
    }
    texts.offsets[++texts.row] = texts.end;
  }
}

/** Adds a code point from U+0080 on. */
function addCodePoint(texts: Gathering, point: number): void {
  const { bytes } = texts;
  if (point < 0x800) bytes[texts.end++] = 0xc0 | (point >> 6);
  else {
    if (point < 0x1_0000) bytes[texts.end++] = 0xe0 | (point >> 12);
    else {
      bytes[texts.end++] = 0xf0 | (point >> 18);
      bytes[texts.end++] = 0x80 | ((point >> 12) & 0x3f);
    }
    bytes[texts.end++] = 0x80 | ((point >> 6) & 0x3f);
  }
  bytes[texts.end++] = 0x80 | (point & 0x3f);
}

function reserve(texts: Gathering, bytes: number): void {
  const needed = texts.end + bytes;
  if (needed <= texts.bytes.length) return;
  if (needed > limits.chunkBytesMax) throw new BquerydError("MEMORY_LIMIT", `${texts.offsets.length - 1} texts in a row of column '${texts.column.name}' take more than ${limits.chunkBytesMax} bytes; leave the column out or shorten its values`, { details: { column: texts.column.name } });
  const larger = new Uint8Array(Math.min(limits.chunkBytesMax, Math.max(needed, 2 * texts.bytes.length)));
  larger.set(texts.bytes.subarray(0, texts.end));
  texts.bytes = larger;
}
