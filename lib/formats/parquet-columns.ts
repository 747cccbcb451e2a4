/** Which Parquet types a table can hold exactly, and as what. */
import type { FileMetaData, SchemaElement, SchemaTree } from "hyparquet";
import type { HeldColumn } from "./source.js";

/** A Parquet column that a dtype holds exactly. */
export interface ParquetColumn extends HeldColumn {
  /** Nanoseconds in one stored unit of a timestamp; 1 for every other dtype. */
  readonly nsPerUnit: bigint;
}

/** A Parquet column that no dtype holds, with its type in words. */
export interface RefusedColumn {
  readonly name: string;
  readonly refused: string;
}

const nsPerUnit = { MILLIS: 1_000_000n, MICROS: 1_000n, NANOS: 1n } as const;

/** The dtype of a column of a Parquet schema, or why it has none; `tree` is a child of the schema's root. */
export function describeParquetColumn({ element, children }: SchemaTree): ParquetColumn | RefusedColumn {
  const { name, type } = element;
  const annotation = annotationOf(element);
  if (children.length > 0 || element.repetition_type === "REPEATED") return { name, refused: "nested" };
  if (isTimestamp(element)) return { name, dtype: "timestamp", nsPerUnit: timestampUnit(element) };
  const refused = { name, refused: annotation ?? type ?? "of no type" };
  switch (type) {
    case "BOOLEAN": return annotation === undefined ? held(name, "bool") : refused;
    case "INT32": case "INT64": return isInteger(annotation) ? held(name, "int64") : refused;
    case "FLOAT": case "DOUBLE": return annotation === undefined ? held(name, "float64") : refused;
    case "BYTE_ARRAY": return annotation === undefined ? { name, refused: "binary" } : isText(annotation) ? held(name, "string") : refused;
    default: return refused;
  }
}

/**
 * The same metadata with timestamps described as plain integers, so that they are read as the file stores them and not
 * as dates of milliseconds.
 */
export function withPlainTimestamps(metadata: FileMetaData): FileMetaData {
  return { ...metadata, schema: metadata.schema.map((element) => (isTimestamp(element) ? withoutAnnotation(element) : element)) };
}

function withoutAnnotation({ logical_type: _logical, converted_type: _converted, ...element }: SchemaElement): SchemaElement {
  return element;
}

function held(name: string, dtype: ParquetColumn["dtype"]): ParquetColumn {
  return { name, dtype, nsPerUnit: 1n };
}

/** What the schema says a column means, in Parquet's words; the newer logical type wins over the older converted one. */
function annotationOf({ logical_type: logical, converted_type: converted }: SchemaElement): string | undefined {
  if (logical === undefined) return converted;
  // A logical type newer than the reader comes without its name.
  return Object.hasOwn(logical, "type") ? logical.type : "of an unknown logical type";
}

/** INT96 has no annotation: it always was a timestamp. */
function isTimestamp(element: SchemaElement): boolean {
  const annotation = annotationOf(element);
  if (element.type === "INT96") return annotation === undefined;
  return element.type === "INT64" && annotation !== undefined && annotation.startsWith("TIMESTAMP");
}

function timestampUnit({ logical_type: logical, converted_type: converted }: SchemaElement): bigint {
  if (logical?.type === "TIMESTAMP") return nsPerUnit[logical.unit];
  if (converted === "TIMESTAMP_MILLIS") return nsPerUnit.MILLIS;
  if (converted === "TIMESTAMP_MICROS") return nsPerUnit.MICROS;
  return nsPerUnit.NANOS;
}

function isInteger(annotation: string | undefined): boolean {
  return annotation === undefined || annotation === "INTEGER" || /^U?INT_(8|16|32|64)$/.test(annotation);
}

function isText(annotation: string): boolean {
  return annotation === "STRING" || annotation === "UTF8" || annotation === "ENUM" || annotation === "JSON";
}
