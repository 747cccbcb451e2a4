/** JSON objects, one a line; values are spelled as jsonTexts does. */
import { jsonTexts } from "../values/json-text.js";
import { cutBatches, type SliceLimits } from "../values/slices.js";
import type { RowEncoder } from "../export/encoder.js";
import type { ExportColumn } from "../export/columns.js";
import type { Sink } from "../export/sink.js";

/** What is spelled out in memory at once. */
const sliceLimits: SliceLimits = { rows: 4_096, bytes: 4 * 1024 * 1024 };

/** Writes an object a row. */
export async function openNdjsonEncoder(columns: readonly ExportColumn[], sink: Sink): Promise<RowEncoder> {
  const keys = columns.map(({ name }, at) => `${at === 0 ? "{" : ","}${JSON.stringify(name)}:`);
  return {
    async add(batches) {
      for (const slices of cutBatches(batches, sliceLimits)) await sink.write(Buffer.from(joinRows(keys, slices.map(jsonTexts))));
    },
    finish: () => Promise.resolve(),
  };
}

function joinRows(keys: readonly string[], values: readonly (readonly string[])[]): string {
  let text = "";
  for (let row = 0; row < values[0]!.length; row++) {
    for (let column = 0; column < keys.length; column++) text += keys[column]! + values[column]![row]!;
    text += "}\n";
  }
  return text;
}
