/** Which Parquet types a table can hold, and as what. */
import type { SchemaElement, SchemaTree } from "hyparquet";
import type { Dtype } from "../../columns/dtypes.js";
import type { PhysicalType } from "./chunk.js";
import type { RefusedColumn } from "../source.js";

/** What the stored values of a column mean. */
export type Meaning =
  /** The value of the dtype itself, integers in a type of 32 or 64 bits. */
  | { readonly kind: "itself" }
  /** A count of units of so many nanoseconds since 1970. */
  | { readonly kind: "time"; readonly nsPerUnit: 1 | 1_000 | 1_000_000 }
  /** A whole number divided by 10 to the power of `scale`: two's complement, of bytes with the highest first. */
  | { readonly kind: "decimal"; readonly scale: number }
  | { readonly kind: "half float" }
  /** 16 bytes, written as text. */
  | { readonly kind: "uuid" };

/** A Parquet column that a table can hold. It can be sent to another thread. */
export interface ParquetColumn {
  readonly name: string;
  readonly dtype: Dtype;
  readonly type: PhysicalType;
  readonly meaning: Meaning;
  readonly optional: boolean;
}

const nsPerUnit = { MILLIS: 1_000_000, MICROS: 1_000, NANOS: 1 } as const;

/**
 * The dtype of a column of a Parquet schema, or why it has none; `tree` is a child of the schema's root. A decimal has
 * the dtype that the user `named`, and none without.
 */
export function describeParquetColumn({ element, children }: SchemaTree, named: Dtype | undefined): ParquetColumn | RefusedColumn {
  const { name } = element;
  if (children.length > 0 || element.repetition_type === "REPEATED" || element.type === undefined) return { name, refused: "nested" };
  const held = meaningOf(element, named);
  if (typeof held === "string") return { name, refused: held, ...(annotationOf(element) === "DECIMAL" ? { isDecimal: true } : {}) };
  return { name, ...held, optional: element.repetition_type !== "REQUIRED" };
}

type Held = Pick<ParquetColumn, "dtype" | "type" | "meaning">;

/** How a column is held, or the words for a type that is not. */
function meaningOf(element: SchemaElement, named: Dtype | undefined): Held | string {
  const annotation = annotationOf(element);
  if (annotation === "DECIMAL") return decimalOf(element, named);
  switch (element.type) {
    case "BOOLEAN": return annotation === undefined ? fixed("BOOLEAN", "bool") : annotation;
    case "FLOAT": return annotation === undefined ? fixed("FLOAT", "float32") : annotation;
    case "DOUBLE": return annotation === undefined ? fixed("DOUBLE", "float64") : annotation;
    case "INT32": return annotation === "DATE" ? fixed("INT32", "date") : integerOf(element, annotation);
    case "INT64": return annotation?.startsWith("TIMESTAMP") === true ? timeOf(element) : integerOf(element, annotation);
    case "INT96": return annotation === undefined ? fixed("INT96", "timestamp") : annotation;
    case "BYTE_ARRAY": return textOf(null, annotation);
    case "FIXED_LEN_BYTE_ARRAY": return fixedTextOf(element, annotation);
    default: return "of no type";
  }
}

function fixed(type: Extract<PhysicalType, { kind: "fixed" }>["type"], dtype: Dtype): Held {
  return { dtype, type: { kind: "fixed", type }, meaning: { kind: "itself" } };
}

const integerDtypes: ReadonlyMap<string, Dtype> = new Map<string, Dtype>([
  ["INT_8", "int8"], ["INT_16", "int16"], ["INT_32", "int32"], ["INT_64", "int64"],
  ["UINT_8", "uint8"], ["UINT_16", "uint16"], ["UINT_32", "uint32"], ["UINT_64", "uint64"],
]);

function integerOf(element: SchemaElement, annotation: string | undefined): Held | string {
  const type = element.type === "INT32" ? "INT32" : "INT64";
  if (annotation === undefined || annotation === "NULL") return fixed(type, type === "INT32" ? "int32" : "int64");
  const { logical_type: logical } = element;
  const converted = logical?.type === "INTEGER" ? `${logical.isSigned ? "" : "U"}INT_${logical.bitWidth}` : annotation;
  const dtype = integerDtypes.get(converted);
  return dtype !== undefined && converted.endsWith("_64") === (type === "INT64") ? fixed(type, dtype) : annotation;
}

function timeOf({ logical_type: logical, converted_type: converted }: SchemaElement): Held {
  const unit = logical?.type === "TIMESTAMP" ? logical.unit : converted === "TIMESTAMP_MILLIS" ? "MILLIS" : "MICROS";
  return { ...fixed("INT64", "timestamp"), meaning: { kind: "time", nsPerUnit: nsPerUnit[unit] } };
}

/** BYTE_ARRAY, or bytes of a fixed length, without an annotation that needs it. */
function textOf(lengthBytes: number | null, annotation: string | undefined): Held | string {
  const type: PhysicalType = { kind: "text", lengthBytes };
  if (annotation === undefined || annotation === "NULL") return { dtype: "bytes", type, meaning: { kind: "itself" } };
  return ["UTF8", "STRING", "ENUM", "JSON"].includes(annotation) ? { dtype: "string", type, meaning: { kind: "itself" } } : annotation;
}

function fixedTextOf({ type_length: lengthBytes = 0 }: SchemaElement, annotation: string | undefined): Held | string {
  if (!Number.isInteger(lengthBytes) || lengthBytes < 1) return "of a length that is none";
  const type: PhysicalType = { kind: "text", lengthBytes };
  if (annotation === "UUID" && lengthBytes === 16) return { dtype: "string", type, meaning: { kind: "uuid" } };
  if (annotation === "FLOAT16" && lengthBytes === 2) return { dtype: "float32", type, meaning: { kind: "half float" } };
  return textOf(lengthBytes, annotation);
}

const decimalScaleMax = 1_000;

function decimalOf(element: SchemaElement, named: Dtype | undefined): Held | string {
  const { logical_type: logical, type_length: lengthBytes } = element;
  const scale = (logical?.type === "DECIMAL" ? logical.scale : element.scale) ?? 0;
  const precision = logical?.type === "DECIMAL" ? logical.precision : element.precision;
  const type = physicalDecimal(element.type, lengthBytes);
  if (named === undefined || type === undefined || !(scale >= 0 && scale <= decimalScaleMax)) return `DECIMAL(${precision ?? "?"}, ${scale})`;
  return { dtype: named, type, meaning: { kind: "decimal", scale } };
}

function physicalDecimal(type: SchemaElement["type"], lengthBytes: number | undefined): PhysicalType | undefined {
  switch (type) {
    case "INT32": case "INT64": return { kind: "fixed", type };
    case "BYTE_ARRAY": return { kind: "text", lengthBytes: null };
    case "FIXED_LEN_BYTE_ARRAY": return lengthBytes === undefined || lengthBytes < 1 ? undefined : { kind: "text", lengthBytes };
    default: return undefined;
  }
}

/** What the schema says a column means, in Parquet's words; the newer logical type wins over the older converted one. */
function annotationOf({ logical_type: logical, converted_type: converted }: SchemaElement): string | undefined {
  if (logical === undefined) return converted;
  // A logical type newer than the reader comes without its name.
  return Object.hasOwn(logical, "type") ? logical.type : "of an unknown logical type";
}
