/**
 * Arrow IPC files, a record batch for each run of rows (byte maps in messages.ts and flatbuffer.ts). The body
 * of a batch has two buffers a column, three for strings and bytes:
 *
 * | buffer | bytes |
 * |---|---|
 * | validity | a bit a row, 1 where it is not null; none where no row is |
 * | offsets | for strings and bytes: i32 a row and one more |
 * | values | a bit a row for bool; else as wide as the dtype; for strings and bytes all bytes |
 *
 * Each begins at a multiple of 64. Timestamps are nanoseconds in UTC, dates days.
 */
import type { Batch, Dtype } from "../../columns/dtypes.js";
import { countBits, isBitSet } from "../../columns/bits.js";
import { bytesAt } from "../../columns/texts.js";
import { encodeFlatbuffer, flat } from "./flatbuffer-writer.js";
import type { FlatField, FlatFields } from "./flatbuffer-writer.js";
import { isTextBatch } from "../values/batches.js";
import type { TextBatch } from "../values/batches.js";
import type { RowEncoder } from "../export/encoder.js";
import type { ExportColumn } from "../export/columns.js";
import type { Sink } from "../export/sink.js";

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

/** Writes a file with a record batch for each call of `add`. */
export async function openArrowEncoder(columns: readonly ExportColumn[], sink: Sink): Promise<RowEncoder> {
  const schema = schemaOf(columns);
  const blocks: Block[] = [];
  await sink.write(Buffer.concat([magic, Buffer.alloc(2)]));
  await writeMessage(sink, { type: 1, header: schema, body: [] });
  return {
    async add(batches) {
      const rows = batches[0]?.rows ?? 0;
      if (rows === 0) return;
      const body = batches.flatMap(buffersOf);
      blocks.push(await writeMessage(sink, { type: 3, header: recordOf(batches, rows, body), body }));
    },
    async finish() {
      // The end of the messages for those who read the file as a stream.
      await sink.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]));
      const footer = encodeFlatbuffer([flat.int16(version), { kind: "table", fields: schema }, null, flat.structs(blocks.length, packBlocks(blocks))]);
      const length = Buffer.alloc(4);
      length.writeInt32LE(footer.length);
      await sink.write(Buffer.concat([footer, length, magic]));
    },
  };
}

async function writeMessage(sink: Sink, { type, header, body }: { type: number; header: FlatFields; body: readonly Uint8Array[] }): Promise<Block> {
  const bodyBytes = body.reduce((sum, buffer) => sum + paddedLength(buffer), 0);
  const metadata = encodeFlatbuffer([flat.int16(version), flat.int8(type), { kind: "table", fields: header }, flat.int64(bodyBytes)]);
  const start = sink.bytes;
  const prefix = Buffer.alloc(8, 0xff);
  prefix.writeInt32LE(metadata.length, 4);
  await sink.write(Buffer.concat([prefix, metadata]));
  for (const buffer of body) {
    await sink.write(buffer);
    await sink.write(new Uint8Array(paddedLength(buffer) - buffer.length));
  }
  return { start, metadataBytes: prefix.length + metadata.length, bodyBytes };
}

function paddedLength({ length }: Uint8Array): number {
  return Math.ceil(length / alignment) * alignment;
}

function schemaOf(columns: readonly ExportColumn[]): FlatFields {
  return [flat.int16(0), flat.tables(columns.map(({ name, dtype, nullable }) => {
    const { type, facts } = typeOf(dtype);
    return [flat.text(name), flat.bool(nullable), flat.int8(type), flat.table(...facts), null, flat.tables([])];
  }))];
}

/** The number of a type in the union of types, and its particulars. */
function typeOf(dtype: Dtype): { type: number; facts: FlatFields } {
  const int = (bits: number, isSigned: boolean): { type: number; facts: FlatFields } => ({ type: 2, facts: [flat.int32(bits), flat.bool(isSigned)] });
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

function recordOf(batches: readonly Batch[], rows: number, body: readonly Uint8Array[]): FlatFields {
  const nodes = new BigInt64Array(batches.flatMap(({ nulls }) => [BigInt(rows), BigInt(nulls === null ? 0 : countBits(nulls, 0, rows))]));
  let start = 0;
  const places = new BigInt64Array(body.flatMap((buffer) => {
    const place = start;
    start += paddedLength(buffer);
    return [BigInt(place), BigInt(buffer.length)];
  }));
  return [flat.int64(rows), structs(nodes), structs(places)];
}

function structs(numbers: BigInt64Array): FlatField {
  return flat.structs(numbers.length / 2, new Uint8Array(numbers.buffer));
}

function packBlocks(blocks: readonly Block[]): Uint8Array {
  return new Uint8Array(new BigInt64Array(blocks.flatMap(({ start, metadataBytes, bodyBytes }) => [start, metadataBytes, bodyBytes].map(BigInt))).buffer);
}

function buffersOf(batch: Batch): Uint8Array[] {
  const validity = batch.nulls === null ? new Uint8Array(0) : batch.nulls.map((byte) => ~byte);
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

/** Offsets and bytes, one entry a row; a null has none. */
function spellOut({ rows, nulls, values }: TextBatch): Uint8Array[] {
  const offsets = new Int32Array(rows + 1);
  for (let row = 0; row < rows; row++) {
    const entry = values.codes === null ? row : values.codes[row]!;
    offsets[row + 1] = offsets[row]! + (isBitSet(nulls, row) ? 0 : values.offsets[entry + 1]! - values.offsets[entry]!);
  }
  const bytes = new Uint8Array(offsets[rows]!);
  for (let row = 0; row < rows; row++) if (offsets[row + 1]! > offsets[row]!) bytes.set(bytesAt(values, row), offsets[row]);
  return [new Uint8Array(offsets.buffer), bytes];
}
