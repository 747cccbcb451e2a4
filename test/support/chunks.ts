/** Single chunks from plain values, and back. */
import { BquerydError } from "../../lib/base/errors.js";
import { createArena } from "../../lib/columns/encode/arena.js";
import { createChunkBuffer, pushRows, viewChunk } from "../../lib/columns/write/chunk-buffer.js";
import { decodeChunk } from "../../lib/columns/decode/decode.js";
import { isBitSet } from "../../lib/columns/bits.js";
import { biasOf, type Batch, type Dtype } from "../../lib/columns/dtypes.js";
import type { EncodedChunk } from "../../lib/columns/encode/input.js";
import { encodeChunk } from "../../lib/columns/encode/encode.js";
import { vectorKind, type Compression } from "../../lib/columns/files/encodings.js";
import type { ChunkRecord } from "../../lib/columns/files/index.js";
import { readChunk } from "../../lib/columns/read/batches.js";
import { createDecoder } from "../../lib/columns/read/decoder.js";
import type { Dictionary } from "../../lib/columns/files/dictionary.js";
import type { TableColumn } from "../../lib/columns/read/table.js";
import { bytesAt, packBytes, type Texts } from "../../lib/columns/texts.js";
import type { StoredValue } from "./read-table.js";
import { batchOf } from "./write-table.js";

const arena = createArena();
const decoder = createDecoder();

/** How values are to be encoded. */
export interface EncodeOptions {
  /** The texts of a dictionary: then each value, which is among them, is stored as a code. */
  readonly dictionary?: readonly (string | Uint8Array)[] | undefined;
  readonly codec?: Compression;
  /** Rows that are pushed at once. */
  readonly rowsAtOnce?: number;
}

/** Encodes values as one chunk. */
export async function encodeValues(dtype: Dtype, values: readonly StoredValue[], { dictionary, codec = "lz4", rowsAtOnce = 65_536 }: EncodeOptions = {}): Promise<EncodedChunk> {
  const entries = dictionary === undefined ? null : packTexts(dictionary);
  const buffer = createChunkBuffer(dtype, entries === null ? null : () => entries, "c");
  const batch = batchOf(dtype, values);
  const places = new Map(dictionary?.map((text, code) => [keyOf(text), code]));
  const codes = entries === null ? undefined : Uint32Array.from(values, (value) => (value === null ? 0 : places.get(keyOf(value))!));
  for (let from = 0; from < values.length; from += rowsAtOnce) {
    const count = Math.min(rowsAtOnce, values.length - from);
    pushRows(buffer, batch, { from, count }, codes?.subarray(from, from + count));
  }
  return encodeChunk(arena, viewChunk(buffer), codec);
}

/** What a chunk's record is taken for, besides what it says. */
export type Lies = Partial<ChunkRecord> & { readonly dictionaryCount?: number };

/** A column of that one chunk; damage is CORRUPT_CHUNK. */
export function columnOf(dtype: Dtype, rows: number, { stored, record }: EncodedChunk, { dictionary, lies = {} }: { dictionary?: readonly (string | Uint8Array)[] | undefined; lies?: Lies } = {}): TableColumn {
  const entries = dictionary === undefined ? null : openDictionary(dictionary);
  const { dictionaryCount = entries?.count ?? 0, ...changes } = lies;
  const told: ChunkRecord = { offset: 0, ...record, ...changes };
  return {
    name: "c", dtype, rows, nullable: true, chunkCount: 1,
    chunkKey: () => "",
    statistics: () => ({ ...told, rows }),
    dictionary: () => entries,
    decode: (_, heap, allocate) => decodeChunk({
      kind: vectorKind(dtype, dictionaryCount > 0), rows, dictionaryCount, record: told,
      load: (target) => { target.set(stored.subarray(0, target.length)); },
      fail: (wrong) => { throw new BquerydError("CORRUPT_CHUNK", wrong); },
    }, heap, allocate),
  };
}

/** The values of the one chunk of a column. */
export function readValues(column: TableColumn): StoredValue[] {
  return valuesOf(readChunk(column, 0, decoder));
}

/** The values of a batch, as `batchOf` takes them. */
export function valuesOf(batch: Batch): StoredValue[] {
  const { nulls, rows } = batch;
  const each = (value: (row: number) => StoredValue) => Array.from({ length: rows }, (_, row) => (isBitSet(nulls, row) ? null : value(row)));
  switch (batch.dtype) {
    case "bool": return each((row) => batch.values[row] === 1);
    case "string": return each((row) => Buffer.from(bytesAt(batch.values, row)).toString());
    case "bytes": return each((row) => Uint8Array.from(bytesAt(batch.values, row)));
    case "float32": case "float64": return each((row) => batch.values[row]!);
    default: return each((row) => BigInt(batch.values[row]!));
  }
}

/** The value that the statistics of a column keep for one of its values. */
export function keptValue(dtype: Dtype, value: StoredValue): bigint | number | Uint8Array {
  if (typeof value === "bigint") return value - biasOf(dtype);
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "string") return Buffer.from(value);
  if (value === null) throw new Error("a null has no extreme");
  return value;
}

function packTexts(texts: readonly (string | Uint8Array)[]): Texts {
  return packBytes(texts.map((text) => (typeof text === "string" ? Buffer.from(text) : text)));
}

function openDictionary(texts: readonly (string | Uint8Array)[]): Dictionary {
  const { offsets, bytes } = packTexts(texts);
  return { id: "", count: texts.length, offsets, bytes, ranks: new Uint32Array(texts.length) };
}

function keyOf(value: StoredValue): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : Buffer.from(String(value)).toString("hex");
}
