/**
 * Parquet files: row groups of about 128,000 rows compressed with zstd, headers and metadata written by hyparquet-writer.
 * Each dtype has its own logical type; timestamps are INT64 nanoseconds, dates INT32 days.
 *
 * | bytes | content |
 * |---|---|
 * | 4 | `PAR1` |
 * | | column chunks, each of pages with a header (see encode.ts) |
 * | | metadata in Thrift's compact protocol, its bytes as u32 |
 * | 4 | `PAR1` |
 */
import type { ColumnChunk, Encoding, RowGroup, SchemaElement } from "hyparquet";
import { mapBounded } from "../../base/bounded.js";
import type { Batch, Dtype } from "../../columns/dtypes.js";
import { batchBytes } from "../values/batches.js";
import type { RowEncoder } from "../export/encoder.js";
import type { ExportColumn } from "../export/columns.js";
import type { Sink } from "../export/sink.js";
import { encodeColumn } from "./encode.js";
import type { EncodedColumn, EncodedPage } from "./encode.js";

const magic = Buffer.from("PAR1");
const groupRowsMax = 131_072;
const groupBytesMax = 48 * 1024 * 1024;
const columnsAtOnce = 4;

/** Writes a file; the library is loaded here. */
export async function openParquetEncoder(columns: readonly ExportColumn[], sink: Sink): Promise<RowEncoder> {
  const { encodeHeader, encodeMetadata } = await loadThrift();
  const groups: RowGroup[] = [];
  let held: (readonly Batch[])[] = [];
  let rows = 0;
  let heldBytes = 0;

  async function writeColumn({ name, dtype }: ExportColumn, { pages, ...facts }: EncodedColumn): Promise<ColumnChunk> {
    const start = sink.bytes;
    let rawBytes = 0;
    let dataAt: number | undefined;
    for (const page of pages) {
      const header = encodeHeader(page);
      if (page.kind === "data") dataAt ??= sink.bytes;
      rawBytes += header.length + page.rawBytes;
      await sink.write(header);
      await sink.write(page.bytes);
    }
    return describeChunk({ name, dtype }, facts, { start, dataAt: dataAt ?? start, end: sink.bytes, rawBytes });
  }

  async function writeGroup(): Promise<void> {
    const start = sink.bytes;
    const encoded = await mapBounded(columns, columnsAtOnce, ({ nullable }, at) => encodeColumn(held.map((batches) => batches[at]!), nullable));
    const chunks: ColumnChunk[] = [];
    for (const [at, column] of columns.entries()) chunks.push(await writeColumn(column, encoded[at]!));
    const rawBytes = chunks.reduce((sum, { meta_data: facts }) => sum + facts!.total_uncompressed_size, 0n);
    groups.push({ columns: chunks, num_rows: BigInt(rows), total_byte_size: rawBytes, total_compressed_size: BigInt(sink.bytes - start) });
    held = [];
    rows = 0;
    heldBytes = 0;
  }

  await sink.write(magic);
  return {
    async add(batches) {
      const [first] = batches;
      if (first === undefined || first.rows === 0) return;
      held.push(batches);
      rows += first.rows;
      heldBytes += batches.reduce((sum, batch) => sum + batchBytes(batch), 0);
      if (rows >= groupRowsMax || heldBytes >= groupBytesMax) await writeGroup();
    },
    async finish() {
      if (rows > 0) await writeGroup();
      await sink.write(encodeMetadata(columns, groups));
      await sink.write(magic);
    },
  };
}

/** What the library does of a file. */
interface Thrift {
  encodeHeader(page: EncodedPage): Uint8Array;
  /** The metadata and its length. */
  encodeMetadata(columns: readonly ExportColumn[], groups: RowGroup[]): Uint8Array;
}

async function loadThrift(): Promise<Thrift> {
  const { ByteWriter } = await import("hyparquet-writer");
  const { writePageHeader } = await import("hyparquet-writer/src/datapage.js");
  const { writeMetadata } = await import("hyparquet-writer/src/metadata.js");
  return {
    encodeHeader({ kind, count, encoding, rawBytes, bytes }) {
      const writer = new ByteWriter();
      const sizes = { uncompressed_page_size: rawBytes, compressed_page_size: bytes.length };
      if (kind === "dictionary") writePageHeader(writer, { type: "DICTIONARY_PAGE", ...sizes, dictionary_page_header: { num_values: count, encoding } });
      else writePageHeader(writer, { type: "DATA_PAGE", ...sizes, data_page_header: { num_values: count, encoding, definition_level_encoding: "RLE", repetition_level_encoding: "RLE" } });
      return writer.getBytes();
    },
    encodeMetadata(columns, groups) {
      const writer = new ByteWriter();
      const rows = groups.reduce((sum, group) => sum + group.num_rows, 0n);
      const schema = [{ name: "schema", num_children: columns.length }, ...columns.map(elementOf)];
      writeMetadata(writer, { version: 2, created_by: "bqueryd", schema, num_rows: rows, row_groups: groups, metadata_length: 0 });
      return writer.getBytes();
    },
  };
}

interface ChunkPlace {
  readonly start: number;
  readonly dataAt: number;
  /** Exclusive. */
  readonly end: number;
  readonly rawBytes: number;
}

function describeChunk({ name, dtype }: Pick<ExportColumn, "name" | "dtype">, { rows, nulls, extremes }: Omit<EncodedColumn, "pages">, { start, dataAt, end, rawBytes }: ChunkPlace): ColumnChunk {
  const hasDictionary = dataAt > start;
  const encodings: Encoding[] = hasDictionary ? ["PLAIN", "RLE", "RLE_DICTIONARY"] : ["PLAIN", "RLE"];
  return {
    file_offset: BigInt(start),
    meta_data: {
      type: typeOf(dtype).type!, encodings, path_in_schema: [name], codec: "ZSTD", num_values: BigInt(rows),
      total_uncompressed_size: BigInt(rawBytes), total_compressed_size: BigInt(end - start), data_page_offset: BigInt(dataAt),
      ...(hasDictionary ? { dictionary_page_offset: BigInt(start) } : {}),
      statistics: { null_count: BigInt(nulls), ...(extremes === null ? {} : { min_value: extremes.least, max_value: extremes.greatest }) },
    },
  };
}

function elementOf({ name, dtype, nullable }: ExportColumn): SchemaElement {
  return { name, repetition_type: nullable ? "OPTIONAL" : "REQUIRED", ...typeOf(dtype) };
}

/** Integers have the older annotation alone: the library writes the bits of the newer one in a width that others refuse. */
function typeOf(dtype: Dtype): Omit<SchemaElement, "name" | "repetition_type"> {
  switch (dtype) {
    case "bool": return { type: "BOOLEAN" };
    case "int8": return { type: "INT32", converted_type: "INT_8" };
    case "int16": return { type: "INT32", converted_type: "INT_16" };
    case "int32": return { type: "INT32", converted_type: "INT_32" };
    case "int64": return { type: "INT64", converted_type: "INT_64" };
    case "uint8": return { type: "INT32", converted_type: "UINT_8" };
    case "uint16": return { type: "INT32", converted_type: "UINT_16" };
    case "uint32": return { type: "INT32", converted_type: "UINT_32" };
    case "uint64": return { type: "INT64", converted_type: "UINT_64" };
    case "float32": return { type: "FLOAT" };
    case "float64": return { type: "DOUBLE" };
    case "string": return { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } };
    case "bytes": return { type: "BYTE_ARRAY" };
    // As times of a zone that is not named: as those of UTC some readers show them in a zone of their own, without nanoseconds.
    case "timestamp": return { type: "INT64", logical_type: { type: "TIMESTAMP", isAdjustedToUTC: false, unit: "NANOS" } };
    case "date": return { type: "INT32", converted_type: "DATE", logical_type: { type: "DATE" } };
  }
}
