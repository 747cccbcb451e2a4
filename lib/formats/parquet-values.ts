/** The decoded values of a Parquet column as one typed batch. */
import { BquerydError, unreachable } from "../base/errors.js";
import type { Batch } from "../columns/dtypes.js";
import type { ParquetColumn } from "./parquet-columns.js";

/** A column and the file that its values come from, for messages. */
export interface PlacedColumn extends ParquetColumn {
  readonly path: string;
}

/** A run of decoded values: a typed array, or a plain array of numbers, bigints, booleans, strings and nulls. */
export type Piece = ArrayLike<unknown>;

/**
 * A batch of the pieces, one after another; a null in a piece is a null in the batch. Throws BAD_INPUT for a value
 * that the column's type does not allow, OVERFLOW for a timestamp and UNSUPPORTED_DTYPE for an unsigned integer past
 * 64 signed bits.
 */
export function gatherBatch(column: PlacedColumn, pieces: readonly Piece[]): Batch {
  const rows = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const nulls = gatherNulls(pieces, rows);
  const { dtype } = column;
  switch (dtype) {
    case "bool": return { dtype, rows, nulls, values: gatherBooleans(column, pieces, rows) };
    case "int64": case "timestamp": return { dtype, rows, nulls, values: gatherIntegers(column, pieces, rows) };
    case "float64": return { dtype, rows, nulls, values: gatherFloats(column, pieces, rows) };
    case "string": return { dtype, rows, nulls, values: gatherStrings(column, pieces, rows) };
    default: return unreachable(dtype);
  }
}

function gatherNulls(pieces: readonly Piece[], rows: number): Uint8Array | null {
  let nulls: Uint8Array | null = null;
  let row = 0;
  for (const piece of pieces) {
    const end = row + piece.length;
    if (Array.isArray(piece)) {
      for (let i = 0; row + i < end; i++) {
        if (piece[i] !== null) continue;
        nulls ??= new Uint8Array((rows + 7) >> 3);
        nulls[(row + i) >> 3]! |= 1 << ((row + i) & 7);
      }
    }
    row = end;
  }
  return nulls;
}

function gatherBooleans(column: PlacedColumn, pieces: readonly Piece[], rows: number): Uint8Array {
  const values = new Uint8Array(rows);
  let row = 0;
  for (const piece of pieces) {
    for (let i = 0; i < piece.length; i++, row++) {
      const value = piece[i];
      if (value === true) values[row] = 1;
      else if (value !== false && value !== null) throw unexpectedValue(column, value);
    }
  }
  return values;
}

function gatherIntegers(column: PlacedColumn, pieces: readonly Piece[], rows: number): BigInt64Array {
  const values = new BigInt64Array(rows);
  let row = 0;
  for (const piece of pieces) {
    if (piece instanceof BigInt64Array && column.nsPerUnit === 1n) values.set(piece, row);
    else copyIntegers(column, piece, values.subarray(row, row + piece.length));
    row += piece.length;
  }
  return values;
}

function copyIntegers(column: PlacedColumn, piece: Piece, target: BigInt64Array): void {
  const { nsPerUnit } = column;
  // Small numbers are written as two halves: a bigint for each would be garbage at once.
  const halves = new Int32Array(target.buffer, target.byteOffset, target.length * 2);
  for (let i = 0; i < piece.length; i++) {
    const value = piece[i];
    if (typeof value === "bigint") {
      const scaled = nsPerUnit === 1n ? value : value * nsPerUnit;
      target[i] = scaled;
      if (target[i] !== scaled) throw outOfRange(column, value);
    } else if (typeof value === "number" && nsPerUnit === 1n && (value === (value | 0) || value === value >>> 0)) {
      halves[2 * i] = value;
      halves[2 * i + 1] = value < 0 ? -1 : 0;
    } else if (value !== null) {
      throw unexpectedValue(column, value);
    }
  }
}

function gatherFloats(column: PlacedColumn, pieces: readonly Piece[], rows: number): Float64Array {
  const values = new Float64Array(rows);
  let row = 0;
  for (const piece of pieces) {
    if (piece instanceof Float64Array || piece instanceof Float32Array) {
      values.set(piece, row);
      row += piece.length;
      continue;
    }
    for (let i = 0; i < piece.length; i++, row++) {
      const value = piece[i];
      if (typeof value === "number") values[row] = value;
      else if (value !== null) throw unexpectedValue(column, value);
    }
  }
  return values;
}

function gatherStrings(column: PlacedColumn, pieces: readonly Piece[], rows: number): string[] {
  const values: string[] = new Array<string>(rows);
  let row = 0;
  for (const piece of pieces) {
    for (let i = 0; i < piece.length; i++, row++) {
      const value = piece[i];
      if (typeof value !== "string" && value !== null) throw unexpectedValue(column, value);
      values[row] = value ?? "";
    }
  }
  return values;
}

function outOfRange({ path, name, dtype }: PlacedColumn, value: bigint): BquerydError {
  const details = { path, column: name, value: value.toString() };
  const place = `column '${name}' of ${path}`;
  if (dtype === "timestamp") {
    return new BquerydError("OVERFLOW", `${place} holds a time outside 1677-09-22 to 2262-04-11; leave it out with --columns`, { details });
  }
  return new BquerydError("UNSUPPORTED_DTYPE", `${place} holds ${value}, more than an int64 can; leave it out with --columns`, { details });
}

function unexpectedValue({ path, name, dtype }: PlacedColumn, value: unknown): BquerydError {
  const found = value === undefined ? "no value" : `a ${typeof value}`;
  return new BquerydError("BAD_INPUT", `column '${name}' of ${path} is damaged: ${found} where ${dtype} belongs; write the file again`, {
    details: { path, column: name },
  });
}
