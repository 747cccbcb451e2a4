/** The dtypes of columns and the plain in-memory form of a run of values. */
import type { Texts } from "./texts.js";

/** Every dtype, in the order the manual lists them. */
export const dtypes = [
  "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
  "float32", "float64", "string", "timestamp", "date", "bytes",
] as const;

/** A dtype that a version 1 table can hold. */
export type Dtype = (typeof dtypes)[number];

/** Dtypes of whole numbers. */
export type IntegerDtype = "int8" | "int16" | "int32" | "int64" | "uint8" | "uint16" | "uint32" | "uint64";
/** Dtypes of binary floating point numbers. */
export type FloatDtype = "float32" | "float64";
/** Dtypes whose values have any length: UTF-8 text and raw bytes. Both order by unsigned bytes. */
export type TextDtype = "string" | "bytes";
/** Dtypes that are kept as whole numbers: whatever is neither a float nor a text. */
export type WholeDtype = "bool" | IntegerDtype | "timestamp" | "date";

/** Rows in a chunk: the same cut for every column of every table. */
export const chunkRows = 65_536;

/** The typed arrays that hold values of the dtypes of fixed width. */
export interface ValuesByDtype {
  /** 0 or 1. */
  readonly bool: Uint8Array;
  readonly int8: Int8Array;
  readonly int16: Int16Array;
  readonly int32: Int32Array;
  readonly int64: BigInt64Array;
  readonly uint8: Uint8Array;
  readonly uint16: Uint16Array;
  readonly uint32: Uint32Array;
  readonly uint64: BigUint64Array;
  readonly float32: Float32Array;
  readonly float64: Float64Array;
  /** Nanoseconds since 1970-01-01 UTC. */
  readonly timestamp: BigInt64Array;
  /** Days since 1970-01-01. */
  readonly date: Int32Array;
  /** UTF-8, valid. */
  readonly string: Texts;
  readonly bytes: Texts;
}

/** A run of values of one dtype, as ValuesByDtype says. */
type BatchOf<D extends Dtype> = {
  readonly dtype: D;
  readonly rows: number;
  readonly values: ValuesByDtype[D];
  readonly nulls: Uint8Array | null;
};

/**
 * A run of values of one column outside WebAssembly memory. `values` has one entry a row. `nulls` is a bitmap, bit i%8
 * of byte i>>3 set where row i is null, or null when no row is. The value in a null row means nothing.
 */
export type Batch = { [D in Dtype]: BatchOf<D> }[Dtype];

/** Tells whether values of a dtype have any length. */
export function isTextDtype(dtype: Dtype): dtype is TextDtype {
  return dtype === "string" || dtype === "bytes";
}

/** Tells whether a dtype is of binary floating point numbers. */
export function isFloatDtype(dtype: Dtype): dtype is FloatDtype {
  return dtype === "float32" || dtype === "float64";
}

/** The least and greatest value of a dtype that is kept as whole numbers. */
export function wholeRange(dtype: WholeDtype): { readonly least: bigint; readonly greatest: bigint } {
  switch (dtype) {
    case "bool": return { least: 0n, greatest: 1n };
    case "int8": return signedRange(8n);
    case "int16": return signedRange(16n);
    case "int32": case "date": return signedRange(32n);
    case "int64": case "timestamp": return signedRange(64n);
    case "uint8": return { least: 0n, greatest: 0xffn };
    case "uint16": return { least: 0n, greatest: 0xffffn };
    case "uint32": return { least: 0n, greatest: 0xffff_ffffn };
    case "uint64": return { least: 0n, greatest: 0xffff_ffff_ffff_ffffn };
  }
}

/**
 * What a table keeps for uint64: v - 2^63 as an int64, which orders as v does. `bias` is what is added to the int64 kept
 * to get the value: 2^63 for uint64, 0 for every other dtype.
 */
export function biasOf(dtype: Dtype): bigint {
  return dtype === "uint64" ? 1n << 63n : 0n;
}

function signedRange(bits: bigint): { least: bigint; greatest: bigint } {
  const half = 1n << (bits - 1n);
  return { least: -half, greatest: half - 1n };
}
