/** Rows outside of kernel memory: columns of equal length, cut, joined and measured. */
import { BquerydError } from "../../base/errors.js";
import { isFloatDtype, isTextDtype, type Dtype } from "../../columns/dtypes.js";
import { isFloats, isText, isWholes, pick, sliceValues, type PackedTexts, type Text, type Values } from "../values.js";
import { namingColumn, widenValues, widerDtype } from "../widening.js";

/** One column of rows; `isNull` has a byte a row, 1 where it is null. */
export interface RowColumn {
  readonly values: Values;
  readonly isNull: Uint8Array | null;
}

/** Rows, their columns in the order of the query. */
export interface Rows {
  readonly count: number;
  readonly columns: readonly RowColumn[];
}

/** Text bytes of one column of joined rows, as far as uint32 offsets count. */
const textBytesMax = 0xffff_ffff;

/** Bytes that rows take. */
export function bytesOfRows({ columns }: Rows): number {
  return columns.reduce((sum, { values, isNull }) => sum + bytesOfValues(values) + (isNull?.length ?? 0), 0);
}

/** The rows from `start` to `end`, as views where they can be. */
export function sliceRows({ columns }: Rows, start: number, end: number): Rows {
  return { count: end - start, columns: columns.map(({ values, isNull }) => ({ values: sliceValues(values, start, end), isNull: isNull?.subarray(start, end) ?? null })) };
}

/** The given rows, in the order given. */
export function pickRows({ columns }: Rows, places: Uint32Array): Rows {
  const sources = new Int32Array(places);
  return {
    count: places.length,
    columns: columns.map(({ values, isNull }) => ({ values: pick(values, values, sources), isNull: isNull === null ? null : Uint8Array.from(places, (place) => isNull[place]!) })),
  };
}

/**
 * All rows, one part after another; parts of other dtypes are widened. `dtypes` are those of no part. Throws
 * SCHEMA_MISMATCH, naming the column if `names` does, and MEMORY_LIMIT.
 */
export function joinRows(parts: readonly Rows[], dtypes: readonly Dtype[], names: readonly string[] = []): Rows {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const count = parts.reduce((sum, part) => sum + part.count, 0);
  const columns = dtypes.map((dtype, place): RowColumn => {
    const columns = parts.map((part) => part.columns[place]!);
    const name = names[place];
    const values = namingColumn(name === undefined ? undefined : `column '${name}'`, () => joinValues(columns.map((column) => column.values), dtype, count));
    return { values, isNull: joinNulls(parts, columns, count) };
  });
  return { count, columns };
}

/** Rows whose columns have the given dtypes where these are wider than their own, null for any; throws SCHEMA_MISMATCH on a value that is not exact then. */
export function widenRows({ count, columns }: Rows, dtypes: readonly (Dtype | null)[]): Rows {
  return {
    count,
    columns: columns.map((column, place) => {
      const dtype = dtypes[place] ?? null;
      return dtype !== null && widerDtype(column.values.dtype, dtype) === dtype ? { ...column, values: widenValues(column.values, dtype) } : column;
    }),
  };
}

/** A dtype that holds those of both; throws SCHEMA_MISMATCH naming the column where there is none. */
export function commonDtype(name: string, one: Dtype, other: Dtype): Dtype {
  const common = widerDtype(one, other);
  if (common !== undefined) return common;
  throw new BquerydError("SCHEMA_MISMATCH", `column '${name}' is ${one} in one shard and ${other} in another; import them again with one schema`, { details: { column: name } });
}

function bytesOfValues(values: Values): number {
  return isText(values) ? values.offsets.byteLength + values.bytes.length : values.array.byteLength;
}

function joinValues(parts: readonly Values[], dtype: Dtype, count: number): Values {
  const widened = parts.map((values) => widenValues(values, dtype));
  if (isTextDtype(dtype)) return { dtype, ...joinTexts(widened.filter(isText), count) };
  if (isFloatDtype(dtype)) return { dtype, array: fill(new Float64Array(count), widened.filter(isFloats).map(({ array }) => array)) };
  if (dtype === "bool") return { dtype, array: fill(new Uint8Array(count), widened.flatMap((values) => (values.dtype === "bool" ? [values.array] : []))) };
  return { dtype, array: fill(new BigInt64Array(count), widened.filter(isWholes).map(({ array }) => array)) };
}

function fill<A extends Float64Array | Uint8Array | BigInt64Array>(target: A, parts: readonly A[]): A {
  let at = 0;
  for (const part of parts) {
    target.set(part as never, at);
    at += part.length;
  }
  return target;
}

function joinTexts(parts: readonly Text[], count: number): PackedTexts {
  const textBytes = parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (textBytes > textBytesMax) {
    throw new BquerydError("MEMORY_LIMIT", `a column of the rows has ${textBytes} bytes of text, more than ${textBytesMax}; ask for fewer rows, or take them slice by slice`, { details: { textBytes, textBytesMax } });
  }
  const joined = { offsets: new Uint32Array(count + 1), bytes: new Uint8Array(textBytes) };
  let [row, at] = [0, 0];
  for (const { offsets, bytes } of parts) {
    for (let place = 1; place < offsets.length; place++) joined.offsets[row + place] = at + offsets[place]!;
    joined.bytes.set(bytes, at);
    row += offsets.length - 1;
    at += bytes.length;
  }
  return joined;
}

function joinNulls(parts: readonly Rows[], columns: readonly RowColumn[], count: number): Uint8Array | null {
  if (columns.every(({ isNull }) => isNull === null)) return null;
  const joined = new Uint8Array(count);
  let row = 0;
  for (const [place, part] of parts.entries()) {
    const isNull = columns[place]!.isNull;
    if (isNull !== null) joined.set(isNull, row);
    row += part.count;
  }
  return joined;
}
