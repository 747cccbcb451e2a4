/**
 * Arrow IPC files as pieces of bytes, a record batch for each run of rows (byte maps in messages.ts and flatbuffer.ts).
 * The body of a batch has two buffers a column, three for strings and bytes, and for lists two before those of the items:
 *
 * | buffer | bytes |
 * |---|---|
 * | validity | a bit a row, 1 where it is not null; none where no row is |
 * | offsets | for strings, bytes and lists: i32 a row and one more |
 * | values | a bit a row for bool; else as wide as the dtype; for strings and bytes all bytes |
 *
 * Each begins at a multiple of 64. Timestamps are nanoseconds in UTC, dates days.
 */
import type { Batch, Dtype } from "../../columns/dtypes.js";
import { countBits, isBitSet } from "../../columns/bits.js";
import { sliceBatch } from "../../columns/slice-batch.js";
import { bytesAt } from "../../columns/texts.js";
import { encodeFlatbuffer, flat } from "./flatbuffer-writer.js";
import type { FlatField, FlatFields } from "./flatbuffer-writer.js";
import { isTextBatch } from "../values/batches.js";
import type { ListBatch, TextBatch } from "../values/batches.js";

/** A column of a file; of lists with the dtype of their items, which are never null. */
export type ArrowColumn =
  | { readonly name: string; readonly dtype: Dtype; readonly nullable: boolean }
  | { readonly name: string; readonly dtype: "list"; readonly item: Dtype; readonly nullable: boolean };

/** Makes the bytes of one file, in order: begin, any number of adds, finish. Pieces may be views on the batches. */
export interface ArrowEncoder {
  begin(): Uint8Array[];
  /** A record batch of these rows, of which the texts of a column are below 2 GiB; nothing for no rows. */
  add(batches: readonly (Batch | ListBatch)[]): Uint8Array[];
  finish(): Uint8Array[];
}

/** Metadata of version 5, the one since Arrow 1.0. */
const version = 4;
const magic = Buffer.from("ARROW1");
const alignment = 64;

/** Where a message lies, as the footer lists it. */
interface Block {
  readonly start: number;
  readonly metadataBytes: number;
  readonly bodyBytes: number;
}

interface Message {
  readonly metadataBytes: number;
  readonly bodyBytes: number;
  readonly pieces: Uint8Array[];
}

/** An encoder of a file with these columns. */
export function createArrowEncoder(columns: readonly ArrowColumn[]): ArrowEncoder {
  const schema = [flat.int16(0), flat.tables(columns.map(fieldOf))];
  const blocks: Block[] = [];
  let written = 0;
  const count = (pieces: Uint8Array[]): Uint8Array[] => {
    written += lengthOf(pieces);
    return pieces;
  };
  return {
    begin: () => count([magic, new Uint8Array(2), ...encodeMessage({ type: 1, header: schema, body: [] }).pieces]),
    add(batches) {
      const rows = batches[0]?.rows ?? 0;
      if (rows === 0) return [];
      const body = batches.flatMap(buffersOf);
      const { metadataBytes, bodyBytes, pieces } = encodeMessage({ type: 3, header: recordOf(batches, rows, body), body });
      blocks.push({ start: written, metadataBytes, bodyBytes });
      return count(pieces);
    },
    finish() {
      // The end of the messages for those who read the file as a stream.
      const end = Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
      const footer = encodeFlatbuffer([flat.int16(version), { kind: "table", fields: schema }, null, flat.structs(blocks.length, packBlocks(blocks))]);
      const length = Buffer.alloc(4);
      length.writeInt32LE(footer.length);
      return count([end, footer, length, magic]);
    },
  };
}

function encodeMessage({ type, header, body }: { type: number; header: FlatFields; body: readonly Uint8Array[] }): Message {
  const bodyBytes = body.reduce((sum, buffer) => sum + paddedLength(buffer), 0);
  const metadata = encodeFlatbuffer([flat.int16(version), flat.int8(type), { kind: "table", fields: header }, flat.int64(bodyBytes)]);
  const prefix = Buffer.alloc(8, 0xff);
  prefix.writeInt32LE(metadata.length, 4);
  const padded = body.flatMap((buffer) => [buffer, new Uint8Array(paddedLength(buffer) - buffer.length)]);
  return { metadataBytes: prefix.length + metadata.length, bodyBytes, pieces: [prefix, metadata, ...padded] };
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

function paddedLength({ length }: Uint8Array): number {
  return Math.ceil(length / alignment) * alignment;
}

function fieldOf(column: ArrowColumn): FlatFields {
  const { name, nullable } = column;
  if (column.dtype !== "list") return field(name, nullable, typeOf(column.dtype), []);
  return field(name, nullable, { type: 12, facts: [] }, [field("item", false, typeOf(column.item), [])]);
}

/** The number of a type in the union of types, and its particulars. */
interface FieldType {
  readonly type: number;
  readonly facts: FlatFields;
}

function field(name: string, nullable: boolean, { type, facts }: FieldType, children: readonly FlatFields[]): FlatFields {
  return [flat.text(name), flat.bool(nullable), flat.int8(type), flat.table(...facts), null, flat.tables(children)];
}

function typeOf(dtype: Dtype): FieldType {
  const int = (bits: number, isSigned: boolean): FieldType => ({ type: 2, facts: [flat.int32(bits), flat.bool(isSigned)] });
  switch (dtype) {
    case "bool": return { type: 6, facts: [] };
    case "int8": return int(8, true);
    case "int16": return int(16, true);
    case "int32": return int(32, true);
    case "int64": return int(64, true);
    case "uint8": return int(8, false);
    case "uint16": return int(16, false);
    case "uint32": return int(32, false);
    case "uint64": return int(64, false);
    case "float32": return { type: 3, facts: [flat.int16(1)] };
    case "float64": return { type: 3, facts: [flat.int16(2)] };
    case "string": return { type: 5, facts: [] };
    case "bytes": return { type: 4, facts: [] };
    case "timestamp": return { type: 10, facts: [flat.int16(3), flat.text("UTC")] };
    case "date": return { type: 8, facts: [flat.int16(0)] };
  }
}

function recordOf(batches: readonly (Batch | ListBatch)[], rows: number, body: readonly Uint8Array[]): FlatFields {
  const nodes = new BigInt64Array(batches.flatMap(nodesOf));
  let start = 0;
  const places = new BigInt64Array(body.flatMap((buffer) => {
    const place = start;
    start += paddedLength(buffer);
    return [BigInt(place), BigInt(buffer.length)];
  }));
  return [flat.int64(rows), structs(nodes), structs(places)];
}

/** Rows and nulls of a column, and of the items of its lists. */
function nodesOf(batch: Batch | ListBatch): bigint[] {
  const { rows, nulls } = batch;
  const node = [BigInt(rows), BigInt(nulls === null ? 0 : countBits(nulls, 0, rows))];
  return batch.dtype === "list" ? [...node, BigInt(batch.offsets[rows]! - batch.offsets[0]!), 0n] : node;
}

function structs(numbers: BigInt64Array): FlatField {
  return flat.structs(numbers.length / 2, new Uint8Array(numbers.buffer));
}

function packBlocks(blocks: readonly Block[]): Uint8Array {
  return new Uint8Array(new BigInt64Array(blocks.flatMap(({ start, metadataBytes, bodyBytes }) => [start, metadataBytes, bodyBytes].map(BigInt))).buffer);
}

function buffersOf(batch: Batch | ListBatch): Uint8Array[] {
  const validity = batch.nulls === null ? new Uint8Array(0) : batch.nulls.map((byte) => ~byte);
  if (batch.dtype === "list") return [validity, ...spellOutLists(batch)];
  if (isTextBatch(batch)) return [validity, ...spellOut(batch)];
  if (batch.dtype === "bool") return [validity, packBits(batch.values)];
  const { buffer, byteOffset, byteLength } = batch.values;
  return [validity, new Uint8Array(buffer, byteOffset, byteLength)];
}

function packBits(flags: Uint8Array): Uint8Array {
  const bits = new Uint8Array((flags.length + 7) >> 3);
  for (let row = 0; row < flags.length; row++) bits[row >> 3]! |= flags[row]! << (row & 7);
  return bits;
}

/** Offsets from 0, and the buffers of the items. */
function spellOutLists({ rows, item, offsets }: ListBatch): Uint8Array[] {
  return [offsetsFrom0(offsets), ...buffersOf(sliceBatch(item, offsets[0]!, offsets[rows]!))];
}

function offsetsFrom0(offsets: Uint32Array): Uint8Array {
  const start = offsets[0]!;
  return new Uint8Array(offsets.map((offset) => offset - start).buffer);
}

/** Offsets and bytes, one entry a row; a null has none. */
function spellOut({ rows, nulls, values }: TextBatch): Uint8Array[] {
  if (values.codes === null && nulls === null) return [offsetsFrom0(values.offsets), values.bytes.subarray(values.offsets[0], values.offsets[rows])];
  const offsets = new Int32Array(rows + 1);
  for (let row = 0; row < rows; row++) {
    const entry = values.codes === null ? row : values.codes[row]!;
    offsets[row + 1] = offsets[row]! + (isBitSet(nulls, row) ? 0 : values.offsets[entry + 1]! - values.offsets[entry]!);
  }
  const bytes = new Uint8Array(offsets[rows]!);
  for (let row = 0; row < rows; row++) if (offsets[row + 1]! > offsets[row]!) bytes.set(bytesAt(values, row), offsets[row]);
  return [new Uint8Array(offsets.buffer), bytes];
}
