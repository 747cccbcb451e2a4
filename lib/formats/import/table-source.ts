/** Tables as inputs: our own, and those that Python's bcolz wrote. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { describeTable } from "../../columns/read/describe.js";
import { openTable } from "../../columns/read/open.js";
import { readBatches } from "../../columns/read/batches.js";
import type { Table } from "../../columns/read/table.js";
import { throwIfAborted } from "../abort.js";
import { convertBatch } from "../values/convert.js";
import { siftRows } from "../values/rejecting.js";
import type { Source, SourceBatch, SourceColumn, SourceOptions, WantedColumn } from "../source.js";

/**
 * Opens the table in a directory, at the generation it now has. A column has the dtype that `options.types` names for
 * it, else its own. Throws NOT_FOUND, CORRUPT_FOOTER, UNSUPPORTED_FORMAT, UNSUPPORTED_DTYPE.
 */
export function openTableSource(path: string, options: SourceOptions): Promise<Source> {
  const { generation, bytes } = describeTable(path);
  const table = openTable(path, { generation, pin: true });
  return Promise.resolve({
    path, rows: table.rows, bytes, columns: columnsOf(table, options),
    read: (wanted, signal) => readTable(table, bytes, wanted, signal),
    close() {
      table.close();
      return Promise.resolve();
    },
  });
}

function columnsOf(table: Table, { types }: SourceOptions): SourceColumn[] {
  const held = table.footer.columns.map(({ name, dtype, unit }): SourceColumn => {
    const wanted = types.get(name) ?? dtype;
    return { name, dtype: wanted, unit: wanted === dtype ? unit ?? undefined : undefined };
  });
  return [...held, ...(table.refused ?? []).map(({ name, reason }) => ({ name, refused: reason }))];
}

async function* readTable(table: Table, bytes: number, wanted: readonly WantedColumn[], signal: AbortSignal | undefined): AsyncGenerator<SourceBatch> {
  const names = wanted.map(({ name }) => name);
  let done = 0;
  for (const batches of readBatches(table, names)) {
    // Reading blocks: between two chunks others get their turn.
    await nextTurn();
    throwIfAborted(signal, "import");
    const rows = batches[0]?.rows ?? 0;
    const sifted = siftRows(names, batches.map((batch, at) => convertBatch(batch, wanted[at]!.dtype)), rows, done + 1);
    done += rows;
    yield { ...sifted, kinds: new Map(), bytesDone: Math.round(bytes * done / table.rows) };
  }
}
