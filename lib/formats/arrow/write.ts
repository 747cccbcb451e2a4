/** Arrow IPC files of exported tables, as encode.ts makes them. */
import type { RowEncoder } from "../export/encoder.js";
import type { ExportColumn } from "../export/columns.js";
import type { Sink } from "../export/sink.js";
import { createArrowEncoder } from "./encode.js";

/** Writes a file with a record batch for each call of `add`. */
export async function openArrowEncoder(columns: readonly ExportColumn[], sink: Sink): Promise<RowEncoder> {
  const encoder = createArrowEncoder(columns);
  const write = async (pieces: readonly Uint8Array[]): Promise<void> => {
    for (const piece of pieces) await sink.write(piece);
  };
  await write(encoder.begin());
  return {
    add: (batches) => write(encoder.add(batches)),
    finish: () => write(encoder.finish()),
  };
}
