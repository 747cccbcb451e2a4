/** What a source of batches gives, as plain values. */
import { isBitSet } from "../../lib/columns/bits.js";
import type { Batch } from "../../lib/columns/dtypes.js";
import { bytesAt } from "../../lib/columns/texts.js";
import type { Reject, Source, SourceOptions, WantedColumn } from "../../lib/formats/source.js";
import type { StoredValue } from "./read-table.js";

/** Options that ask for nothing. */
export const plainOptions: SourceOptions = { types: new Map(), columns: undefined, delimiter: undefined, nulls: [], signal: undefined };

/** All that one reading of a source gave. */
export interface SourceValues {
  /** By column, of the batches that had values. */
  readonly values: Map<string, StoredValue[]>;
  /** By column, or-ed over all batches. */
  readonly kinds: Map<string, number>;
  readonly rejects: Reject[];
  readonly rows: number;
}

/** Reads columns of a source to its end: all of them with the dtypes that it says, or those given. */
export async function readSource(source: Source, wanted: readonly WantedColumn[] = heldColumns(source)): Promise<SourceValues> {
  const found: Omit<SourceValues, "rows"> = { values: new Map(wanted.map(({ name }) => [name, []])), kinds: new Map(), rejects: [] };
  let rows = 0;
  for await (const batch of source.read(wanted, undefined)) {
    rows += batch.rows;
    found.rejects.push(...batch.rejects);
    for (const [name, seen] of batch.kinds) found.kinds.set(name, (found.kinds.get(name) ?? 0) | seen);
    batch.batches?.forEach((column, index) => found.values.get(wanted[index]!.name)!.push(...batchValues(column)));
  }
  return { ...found, rows };
}

/** The columns of a source that can be read, as they would be imported without further wishes. */
export function heldColumns(source: Source): WantedColumn[] {
  return source.columns.flatMap((column) => ("dtype" in column ? [{ ...column, fixed: false }] : []));
}

/** The values of a batch: bigint for whole dtypes, boolean for bool. */
export function batchValues(batch: Batch): StoredValue[] {
  return Array.from({ length: batch.rows }, (_, row) => (isBitSet(batch.nulls, row) ? null : valueAt(batch, row)));
}

function valueAt(batch: Batch, row: number): StoredValue {
  switch (batch.dtype) {
    case "string": return Buffer.from(bytesAt(batch.values, row)).toString();
    case "bytes": return Uint8Array.from(bytesAt(batch.values, row));
    case "float32": case "float64": return batch.values[row]!;
    case "bool": return batch.values[row] === 1;
    default: return BigInt(batch.values[row]!);
  }
}
