/**
 * The pages of a column chunk. Each is a header in Thrift's compact protocol, read by hyparquet, and bytes:
 *
 * | kind | bytes |
 * |---|---|
 * | dictionary | compressed: values in the PLAIN encoding |
 * | data, version 1 | compressed: u32 length and definition levels where the column is optional, then values |
 * | data, version 2 | definition levels where the column is optional, then compressed, unless the header denies it: values |
 */
import { crc32 } from "node:zlib";
import { parquetHeader } from "hyparquet/src/column.js";
import type { PageHeader } from "hyparquet";
import { decompressPage } from "./codecs.js";
import { damaged } from "./varint.js";

/** A page, decompressed. `bytes` are views that nobody writes to. */
export interface Page {
  readonly kind: "dictionary" | "data";
  /** Values, nulls among them. */
  readonly count: number;
  readonly encoding: string;
  /** Definition levels, null where the column has none. */
  readonly levels: Uint8Array | null;
  readonly values: Uint8Array;
  /** Bytes of the file, header and all. */
  readonly storedBytes: number;
}

/** Where a column chunk lies in its file, and how it is stored. */
export interface ChunkPlace {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  readonly codec: string;
  readonly optional: boolean;
}

/** What reading pages goes through. */
export interface PageTools {
  /** Exactly those bytes of the file. */
  readonly read: (start: number, bytes: number) => Uint8Array;
  /** Bytes read at a time while pages are smaller. */
  readonly windowBytes: number;
  /** Told what a page needs, in bytes, before it is allocated; throws where that is too much. */
  readonly reserve: (bytes: number) => void;
}

/** Yields the pages of a column chunk, one at a time. Throws plain errors for damaged ones, which name no place. */
export function* readPages(chunk: ChunkPlace, tools: PageTools): Generator<Page> {
  const window = createWindow(chunk, tools);
  for (let at = chunk.start; at < chunk.end;) {
    const { header, headerBytes } = readHeader(window, at);
    const { compressed_page_size: stored, uncompressed_page_size: raw } = header;
    if (!isSize(stored) || !isSize(raw) || at + headerBytes + stored > chunk.end) throw damaged("a page that does not fit its column");
    tools.reserve(raw + stored);
    const bytes = window.view(at + headerBytes, stored);
    if (header.crc !== undefined && crc32(bytes) !== header.crc >>> 0) throw damaged("a page with a wrong checksum");
    at += headerBytes + stored;
    const page = decodePage(header, bytes, chunk);
    if (page !== null) yield { ...page, storedBytes: headerBytes + stored };
  }
}

type BarePage = Omit<Page, "storedBytes">;

function decodePage(header: PageHeader, bytes: Uint8Array, chunk: ChunkPlace): BarePage | null {
  const { type, data_page_header: first, data_page_header_v2: second, dictionary_page_header: dictionary } = header;
  if (type === "DICTIONARY_PAGE" && dictionary !== undefined) {
    const values = decompressPage(chunk.codec, bytes, header.uncompressed_page_size);
    return { kind: "dictionary", count: requireSize(dictionary.num_values), encoding: dictionary.encoding, levels: null, values };
  }
  if (type === "DATA_PAGE" && first !== undefined) return decodeFirst(first, decompressPage(chunk.codec, bytes, header.uncompressed_page_size), chunk);
  if (type === "DATA_PAGE_V2" && second !== undefined) return decodeSecond(second, header.uncompressed_page_size, bytes, chunk);
  if (type === "INDEX_PAGE") return null;
  throw damaged("a page of an unknown kind");
}

function decodeFirst({ num_values: count, encoding, definition_level_encoding: levelEncoding }: NonNullable<PageHeader["data_page_header"]>, bytes: Uint8Array, chunk: ChunkPlace): BarePage {
  if (!chunk.optional) return { kind: "data", count: requireSize(count), encoding, levels: null, values: bytes };
  if (levelEncoding !== "RLE") throw damaged(`definition levels in ${levelEncoding}`);
  if (bytes.length < 4) throw damaged("a page without its definition levels");
  const end = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (end > bytes.length) throw damaged("definition levels past its end");
  return { kind: "data", count: requireSize(count), encoding, levels: bytes.subarray(4, end), values: bytes.subarray(end) };
}

function decodeSecond(facts: NonNullable<PageHeader["data_page_header_v2"]>, rawBytes: number, bytes: Uint8Array, chunk: ChunkPlace): BarePage {
  const { num_values: count, encoding, repetition_levels_byte_length: before = 0, definition_levels_byte_length: levelBytes = 0 } = facts;
  if (!isSize(before) || !isSize(levelBytes) || before + levelBytes > Math.min(bytes.length, rawBytes)) throw damaged("levels past its end");
  const stored = bytes.subarray(before + levelBytes);
  const codec = facts.is_compressed === false ? "UNCOMPRESSED" : chunk.codec;
  const values = decompressPage(codec, stored, rawBytes - before - levelBytes);
  return { kind: "data", count: requireSize(count), encoding, levels: chunk.optional ? bytes.subarray(before, before + levelBytes) : null, values };
}

/** Bytes of a chunk, read ahead. */
interface Window {
  /** A view of `bytes` bytes, fewer only where the chunk ends; valid after later calls too. */
  view(start: number, bytes: number): Uint8Array;
}

function createWindow({ end }: ChunkPlace, { read, windowBytes }: PageTools): Window {
  let held: Uint8Array = new Uint8Array(0);
  let heldAt = 0;
  return {
    view(start, wanted) {
      const bytes = Math.min(wanted, end - start);
      if (start < heldAt || start + bytes > heldAt + held.length) {
        held = read(start, Math.min(Math.max(bytes, windowBytes), end - start));
        heldAt = start;
      }
      return held.subarray(start - heldAt, start - heldAt + bytes);
    },
  };
}

/** Few headers are longer than this; those with long statistics are read again with more. */
const headerBytesFirst = 1_024;

function readHeader(window: Window, at: number): { header: PageHeader; headerBytes: number } {
  for (let bytes = headerBytesFirst; ; bytes *= 16) {
    const view = window.view(at, bytes);
    const reader = { view: new DataView(view.buffer, view.byteOffset, view.length), offset: 0 };
    try {
      const header = parquetHeader(reader);
      if (reader.offset <= view.length) return { header, headerBytes: reader.offset };
      throw damaged("a page header cut short");
    } catch (cause) {
      if (view.length < bytes) throw cause;
    }
  }
}

function isSize(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}

function requireSize(value: unknown): number {
  if (!isSize(value)) throw damaged("a page of an impossible size");
  return value;
}
