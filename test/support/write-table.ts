/** Tables from plain values, for tests that read them back. */
import { realFiles, type Files } from "../../lib/base/files.js";
import type { Batch, Dtype } from "../../lib/columns/dtypes.js";
import { packBytes, packStrings } from "../../lib/columns/texts.js";
import { createTables, type TablesSpec } from "../../lib/columns/write/writer.js";
import type { StoredValue } from "./read-table.js";

/** Files that are not made durable: for tests that survive no power cut, and would wait for the disk most of the time. */
export const unsyncedFiles: Files = { ...realFiles, createSynced: realFiles.create, sync: async () => undefined, syncDirectory: async () => undefined };

/** A column with all its values. */
export interface PlainColumn {
  readonly name: string;
  readonly dtype: Dtype;
  readonly values: readonly StoredValue[];
}

/** A batch of the given values, nulls included; a null row holds something that is no zero. */
export function batchOf(dtype: Dtype, values: readonly StoredValue[]): Batch {
  const nulls = nullsOf(values);
  const rows = values.length;
  const small = (value: StoredValue): number => (typeof value === "bigint" ? Number(value) : 77);
  const large = (value: StoredValue): bigint => (typeof value === "bigint" ? value : 77n);
  const float = (value: StoredValue): number => (typeof value === "number" ? value : 7.7);
  switch (dtype) {
    case "bool": return { dtype, rows, nulls, values: Uint8Array.from(values, (value) => (value === true ? 1 : 0)) };
    case "int8": return { dtype, rows, nulls, values: Int8Array.from(values, small) };
    case "int16": return { dtype, rows, nulls, values: Int16Array.from(values, small) };
    case "int32": case "date": return { dtype, rows, nulls, values: Int32Array.from(values, small) };
    case "int64": case "timestamp": return { dtype, rows, nulls, values: BigInt64Array.from(values, large) };
    case "uint8": return { dtype, rows, nulls, values: Uint8Array.from(values, small) };
    case "uint16": return { dtype, rows, nulls, values: Uint16Array.from(values, small) };
    case "uint32": return { dtype, rows, nulls, values: Uint32Array.from(values, small) };
    case "uint64": return { dtype, rows, nulls, values: BigUint64Array.from(values, large) };
    case "float32": return { dtype, rows, nulls, values: Float32Array.from(values, float) };
    case "float64": return { dtype, rows, nulls, values: Float64Array.from(values, float) };
    case "string": return { dtype, rows, nulls, values: packStrings(values.map((value) => (typeof value === "string" ? value : "of a null"))) };
    case "bytes": return { dtype, rows, nulls, values: packBytes(values.map((value) => (value instanceof Uint8Array ? value : Uint8Array.of(0xff, 0)))) };
  }
}

/** Writes one table whole, not durably. */
export async function writeTable(path: string, columns: readonly PlainColumn[], options: Partial<TablesSpec> = {}): Promise<string> {
  const [generation] = await writeShards([path], columns, { set: false, ...options });
  return generation!;
}

/** Writes columns as the shards of a set, not durably, their rows cut as evenly as they go; gives the generations. */
export async function writeShards(paths: readonly string[], columns: readonly PlainColumn[], options: Partial<TablesSpec> = {}): Promise<string[]> {
  const writer = await createTables({ paths, columns: columns.map(({ name, dtype }) => ({ name, dtype })), set: true, replace: false, sort: null, files: unsyncedFiles, ...options });
  const rows = columns[0]?.values.length ?? 0;
  try {
    for (let shard = 0; shard < paths.length; shard++) {
      const [start, end] = [Math.floor(rows * shard / paths.length), Math.floor(rows * (shard + 1) / paths.length)];
      await writer.append(shard, columns.map(({ dtype, values }) => batchOf(dtype, values.slice(start, end))));
    }
    return (await writer.commit()).map(({ generation }) => generation);
  } catch (cause) {
    await writer.abort();
    throw cause;
  }
}

function nullsOf(values: readonly StoredValue[]): Uint8Array | null {
  if (!values.includes(null)) return null;
  const bitmap = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((value, row) => { if (value === null) bitmap[row >> 3]! |= 1 << (row & 7); });
  return bitmap;
}
