/** What threads send back: the buffers under batches. */
import type { Batch } from "../../columns/dtypes.js";
import type { CsvAnswer } from "./parse.js";

/** The buffers of all batches, which are of nothing else and of no other batch. */
export function transferOf({ parts }: CsvAnswer): ArrayBuffer[] {
  return parts.flatMap(({ batches }) => (batches ?? []).flatMap(viewsOf)).map(({ buffer }) => buffer).filter((buffer) => buffer instanceof ArrayBuffer);
}

function viewsOf(batch: Batch): readonly ArrayBufferView[] {
  const nulls = batch.nulls === null ? [] : [batch.nulls];
  if (batch.dtype !== "string" && batch.dtype !== "bytes") return [batch.values, ...nulls];
  const { offsets, bytes, codes } = batch.values;
  return [offsets, bytes, ...(codes === null ? [] : [codes]), ...nulls];
}
