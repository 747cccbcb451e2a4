/** Rows appended to tables from plain values. */
import { appendToTable, type AppendSpec } from "../../lib/columns/write/append.js";
import { batchOf, unsyncedFiles, type PlainColumn } from "./write-table.js";

/** Appends columns to a table, not durably; gives the generation. */
export async function appendRows(path: string, columns: readonly PlainColumn[], options: Partial<AppendSpec> = {}): Promise<string> {
  const writer = await appendToTable({ path, columns: columns.map(({ name, dtype }) => ({ name, dtype })), sort: null, files: unsyncedFiles, ...options });
  try {
    await writer.append(0, columns.map(({ dtype, values }) => batchOf(dtype, values)));
    const [committed] = await writer.commit();
    return committed!.generation;
  } catch (cause) {
    await writer.abort();
    throw cause;
  }
}
