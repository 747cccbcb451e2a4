/**
 * The pages of a column chunk that is written: a dictionary page where one pays, then a data page (version 1) for each
 * run of rows. Before compression with zstd these hold
 *
 * | page | bytes |
 * |---|---|
 * | dictionary | u32 length and bytes of each text |
 * | data | where the column is optional u32 length and runs of definition levels; then values |
 * | values of texts with a dictionary | u8 width and one packed run of codes |
 * | other values | one after another: booleans a bit each, texts with a u32 length before them, the rest little-endian |
 */
import { compress } from "@mongodb-js/zstd";
import type { Encoding } from "hyparquet";
import { isBitSet } from "../../columns/bits.js";
import type { Batch } from "../../columns/dtypes.js";
import type { Texts } from "../../columns/texts.js";
import { isTextBatch } from "../values/batches.js";
import type { TextBatch } from "../values/batches.js";
import { gatherRows } from "../values/gather.js";

/** A page before its header is written. */
export interface EncodedPage {
  readonly kind: "dictionary" | "data";
  /** Values, nulls among them. */
  readonly count: number;
  readonly encoding: Encoding;
  readonly rawBytes: number;
  readonly bytes: Uint8Array;
}

/** The pages of a column chunk, and what its metadata says. */
export interface EncodedColumn {
  readonly pages: readonly EncodedPage[];
  readonly rows: number;
  readonly nulls: number;
  /** Null where every row is, and for texts. */
  readonly extremes: { readonly least: Extreme; readonly greatest: Extreme } | null;
}

/** A value of a statistic. */
export type Extreme = number | bigint | boolean;

/** Encodes runs of rows of one column; with `optional` they may hold nulls. */
export async function encodeColumn(batches: readonly Batch[], optional: boolean): Promise<EncodedColumn> {
  const dense = batches.map(dropNulls);
  const dictionary = planDictionary(dense);
  const pages = dictionary === null ? [] : [await packPage("dictionary", dictionary.count, "PLAIN", [dictionary.bytes])];
  for (const [at, batch] of batches.entries()) {
    const levels = optional ? encodeLevels(batch) : [];
    const values = dictionary === null ? [encodePlain(dense[at]!)] : dictionary.encode(dense[at]!);
    // One after another: what a page holds before compression lies in memory besides it.
    pages.push(await packPage("data", batch.rows, dictionary === null ? "PLAIN" : "RLE_DICTIONARY", [...levels, ...values]));
  }
  const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
  return { pages, rows, nulls: rows - dense.reduce((sum, batch) => sum + batch.rows, 0), extremes: extremesOf(dense) };
}

async function packPage(kind: EncodedPage["kind"], count: number, encoding: Encoding, parts: readonly Uint8Array[]): Promise<EncodedPage> {
  const raw = Buffer.concat(parts);
  return { kind, count, encoding, rawBytes: raw.length, bytes: await compress(raw) };
}

function dropNulls(batch: Batch): Batch {
  if (batch.nulls === null) return batch;
  const rows = Uint32Array.from({ length: batch.rows }, (_, row) => row).filter((row) => !isBitSet(batch.nulls, row));
  return { ...gatherRows([batch], { count: rows.length, from: new Uint32Array(rows.length), rows }), nulls: null };
}

/** Definition levels: one packed run, or one repeated value where no row is null. */
function encodeLevels({ rows, nulls }: Batch): Uint8Array[] {
  const groups = (rows + 7) >> 3;
  const runs = nulls === null ? Buffer.from([...varint(2 * rows), 1]) : Buffer.from([...varint(2 * groups + 1), ...nulls.subarray(0, groups).map((byte) => ~byte)]);
  return [wordOf(runs.length), runs];
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return [...bytes, rest];
}

function wordOf(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function encodePlain(batch: Batch): Uint8Array {
  if (isTextBatch(batch)) return encodeTexts(batch.values, batch.rows);
  switch (batch.dtype) {
    case "bool": return packCodes(Uint32Array.from(batch.values), 1);
    case "int8": case "int16": case "uint8": case "uint16": return new Uint8Array(Int32Array.from(batch.values).buffer);
    default: return new Uint8Array(batch.values.buffer, batch.values.byteOffset, batch.values.byteLength);
  }
}

function encodeTexts({ offsets, bytes, codes }: Texts, rows: number): Uint8Array {
  let total = 0;
  for (let row = 0; row < rows; row++) {
    const entry = codes === null ? row : codes[row]!;
    total += 4 + offsets[entry + 1]! - offsets[entry]!;
  }
  const target = new Uint8Array(total);
  const view = new DataView(target.buffer);
  for (let row = 0, at = 0; row < rows; row++) {
    const entry = codes === null ? row : codes[row]!;
    const [start, end] = [offsets[entry]!, offsets[entry + 1]!];
    view.setUint32(at, end - start, true);
    at += 4;
    // A call to copy costs more than a few bytes.
    if (end - start > 24) target.set(bytes.subarray(start, end), at);
    else for (let i = 0; i < end - start; i++) target[at + i] = bytes[start + i]!;
    at += end - start;
  }
  return target;
}

/** Numbers of `width` bits, least significant bit first, up to a multiple of eight of them. */
function packCodes(codes: Uint32Array, width: number): Uint8Array {
  const target = new Uint8Array(((codes.length + 7) >> 3) * width);
  let held = 0;
  let bits = 0;
  let at = 0;
  for (const code of codes) {
    held |= code << bits;
    for (bits += width; bits >= 8; bits -= 8) {
      target[at++] = held & 0xff;
      held >>>= 8;
    }
  }
  if (bits > 0) target[at] = held & 0xff;
  return target;
}

interface DictionaryPlan {
  readonly count: number;
  readonly bytes: Uint8Array;
  encode(batch: Batch): Uint8Array[];
}

/** Codes of more bits would not fit beside seven held ones, and pay little. */
const widthMax = 24;

/** The entries that are used, in order of first appearance, where all runs share one dictionary and that is smaller. */
function planDictionary(batches: readonly Batch[]): DictionaryPlan | null {
  const coded = batches.filter((batch): batch is TextBatch => isTextBatch(batch) && batch.values.codes !== null);
  const [first] = coded;
  if (first === undefined || coded.length < batches.length || coded.some(({ values }) => values.offsets !== first.values.offsets)) return null;
  const { offsets, bytes } = first.values;
  const places = new Uint32Array(offsets.length - 1);
  const used: number[] = [];
  for (const { values: { codes } } of coded) {
    for (const code of codes!) if (places[code] === 0) places[code] = used.push(code);
  }
  const rows = batches.reduce((sum, batch) => sum + batch.rows, 0);
  const width = Math.max(1, 32 - Math.clz32(used.length - 1));
  if (used.length * 2 > rows || width > widthMax) return null;
  return {
    count: used.length,
    bytes: encodeTexts({ offsets, bytes, codes: Uint32Array.from(used) }, used.length),
    encode({ rows: count, values }) {
      const codes = "codes" in values && values.codes !== null ? values.codes.map((code) => places[code]! - 1) : new Uint32Array(0);
      return [Buffer.from([width, ...varint(2 * ((count + 7) >> 3) + 1)]), packCodes(codes, width)];
    },
  };
}

function extremesOf(batches: readonly Batch[]): EncodedColumn["extremes"] {
  let least: number | bigint | undefined;
  let greatest: number | bigint | undefined;
  for (const batch of batches) {
    if (isTextBatch(batch)) return null;
    for (const value of batch.values) {
      if (least === undefined || value < least) least = value;
      if (greatest === undefined || value > greatest) greatest = value;
    }
  }
  if (least === undefined || greatest === undefined) return null;
  return batches[0]!.dtype === "bool" ? { least: least === 1, greatest: greatest === 1 } : { least, greatest };
}
