/**
 * The bytes of a slice of rows: packed arrays (packed-arrays.ts). The description has `rows` and `columns`, each with its
 * `dtype` and `hasNulls`; a column's arrays are its values, and then, where it has nulls, a byte a row.
 */
import { BquerydError } from "../../base/errors.js";
import { packArrays, requireArray, requireRecord, unpackArrays } from "../packed-arrays.js";
import { createReader, createWriter, requireCount, requireDtype, requireFlags } from "../states/bytes.js";
import type { RowColumn, Rows } from "./rows.js";

/** The bytes of rows. */
export function encodeRows({ count, columns }: Rows): Uint8Array {
  const writer = createWriter();
  const described = columns.map(({ values, isNull }) => {
    writer.values(values);
    if (isNull !== null) writer.array(isNull);
    return { dtype: values.dtype, hasNulls: isNull !== null };
  });
  return packArrays({ rows: count, columns: described }, writer.arrays);
}

/** The rows of bytes from another process, as views of them; throws BAD_MESSAGE unless they are so many of so many columns. */
export function decodeRows(bytes: Uint8Array, rows: number, columnCount: number): Rows {
  try {
    const { description, arrays } = unpackArrays(bytes);
    const reader = createReader(arrays);
    const count = requireCount(description.rows);
    const columns = requireArray(description.columns).map((column): RowColumn => {
      const { dtype, hasNulls } = requireRecord(column);
      return { values: reader.values(requireDtype(dtype), count), isNull: hasNulls === true ? requireFlags(reader.uint8(count)) : null };
    });
    if (!reader.isAtEnd() || count !== rows || columns.length !== columnCount) throw new RangeError("other rows than were announced");
    return { count, columns };
  } catch (cause) {
    throw new BquerydError("BAD_MESSAGE", "a slice of rows does not decode; the processes differ in version, or a worker is broken", { cause });
  }
}
