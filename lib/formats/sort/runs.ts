/**
 * Sorted runs of rows in a temporary file. A block is some rows of a run, one column after another, each part padded
 * with zeros to a multiple of 8 bytes. Numbers are in the order of the machine: the file never leaves the process.
 *
 *   column of fixed width: null bitmap (absent without nulls), values
 *   column of texts:       null bitmap (absent without nulls), offsets from 0 (u32 each), bytes, codes (u32 each; absent
 *                          where row i is entry i)
 *
 * What the parts are and how long is kept in memory, a record a block.
 */
import { isTextDtype } from "../../columns/dtypes.js";
import type { Batch, Dtype } from "../../columns/dtypes.js";
import { fixedBatch, isTextBatch } from "../values/batches.js";
import type { Spool } from "../input/spool.js";

/** Bytes of the parts of one column of a block. */
interface ColumnParts {
  readonly nulls: number;
  readonly values: number;
  /** Of texts only. */
  readonly offsets: number;
  readonly codes: number;
}

/** Where a block is and what it holds. */
export interface Block {
  readonly offset: number;
  readonly bytes: number;
  readonly rows: number;
  readonly columns: readonly ColumnParts[];
}

/** A sorted run: its blocks in order. */
export interface Run {
  readonly blocks: readonly Block[];
}

/** Writes batches of equal rows, one a column, at the end of a file, and gives their place. */
export async function writeBlock(file: Spool, batches: readonly Batch[]): Promise<Block> {
  const offset = file.bytes;
  const columns: ColumnParts[] = [];
  const parts: Uint8Array[] = [];
  for (const batch of batches) {
    const { nulls, values, offsets, codes } = partsOf(batch);
    columns.push({ nulls: nulls.length, values: values.length, offsets: offsets.length, codes: codes.length });
    for (const part of [nulls, offsets, values, codes]) parts.push(part, new Uint8Array(padding(part.length)));
  }
  const block = Buffer.concat(parts);
  await file.append(block);
  return { offset, bytes: block.length, rows: batches[0]!.rows, columns };
}

/** Reads a block back: one batch a column, of the given dtypes. */
export async function readBlock(file: Spool, block: Block, dtypes: readonly Dtype[]): Promise<Batch[]> {
  const { buffer } = await file.read(block.offset, block.bytes);
  let at = 0;
  const next = (length: number): number => {
    const start = at;
    at += length + padding(length);
    return start;
  };
  return block.columns.map((parts, index): Batch => {
    const dtype = dtypes[index]!;
    const nullsAt = next(parts.nulls);
    const nulls = parts.nulls === 0 ? null : new Uint8Array(buffer, nullsAt, parts.nulls);
    const offsetsAt = next(parts.offsets);
    const valuesAt = next(parts.values);
    const codesAt = next(parts.codes);
    if (!isTextDtype(dtype)) return fixedBatch(dtype, { rows: block.rows, nulls }, buffer, valuesAt);
    return {
      dtype, rows: block.rows, nulls,
      values: {
        offsets: new Uint32Array(buffer, offsetsAt, parts.offsets >> 2),
        bytes: new Uint8Array(buffer, valuesAt, parts.values),
        codes: parts.codes === 0 ? null : new Uint32Array(buffer, codesAt, parts.codes >> 2),
      },
    };
  });
}

const none = new Uint8Array(0);

function partsOf(batch: Batch): Record<"nulls" | "values" | "offsets" | "codes", Uint8Array> {
  const nulls = batch.nulls === null ? none : batch.nulls.subarray(0, (batch.rows + 7) >> 3);
  if (!isTextBatch(batch)) return { nulls, values: bytesOf(batch.values), offsets: none, codes: none };
  const { offsets, bytes, codes } = batch.values;
  return { nulls, values: bytes, offsets: bytesOf(offsets), codes: codes === null ? none : bytesOf(codes) };
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function padding(length: number): number {
  return (8 - (length & 7)) & 7;
}
