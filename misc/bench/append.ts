/** The time to append one row to a large table, beside an INSERT into DuckDB's. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { appendToTable } from "../../lib/columns/write/append.js";
import type { Batch } from "../../lib/columns/dtypes.js";
import { openTable } from "../../lib/columns/read/open.js";
import { packStrings } from "../../lib/columns/texts.js";
import type { DuckDb } from "../support/duckdb.js";
import { measureInTurn, type Runs } from "./measure.js";
import type { TimedResult } from "./report.js";

interface AppendBench {
  readonly rows: number;
  /** A table with the columns of the data, which gains a row a run. */
  readonly table: string;
  /** For files of the peer. */
  readonly scratch: string;
  readonly peer: DuckDb;
  readonly runs: Runs;
  readonly signal: AbortSignal;
}

/** Appends a row a run, with a string the table does not know yet, durable when the run ends; so does the peer. */
export async function measureAppend({ rows, table, scratch, peer, runs, signal }: AppendBench): Promise<TimedResult> {
  const columns = schemaOf(table);
  const written = join(scratch, "appended.duckdb");
  await peer.run(`ATTACH '${written}' AS appended`);
  await peer.run("CREATE TABLE appended.g1 AS SELECT * FROM g1");
  let appended = 0;
  try {
    const [ours, theirs] = await measureInTurn([
      async () => {
        const writer = await appendToTable({ path: table, columns, sort: null });
        await writer.append(0, columns.map(({ dtype }) => oneRow(dtype, `new${appended}`)));
        await writer.commit();
        appended += 1;
      },
      () => peer.run("INSERT INTO appended.g1 VALUES ('id001', 'id002', 'new', 1, 2, 3, 4, 5, 6.5)"),
    ], runs, signal);
    requireRows(table, rows + appended);
    return { bench: "append", mode: "files", rows: 1, times: ours!, peer: { name: `duckdb ${peer.version}`, times: theirs! } };
  } finally {
    await peer.run("DETACH appended");
    await rm(written, { force: true });
  }
}

function schemaOf(path: string): { name: string; dtype: Batch["dtype"] }[] {
  const table = openTable(path);
  table.close();
  return table.columns.map(({ name, dtype }) => ({ name, dtype }));
}

function oneRow(dtype: Batch["dtype"], text: string): Batch {
  switch (dtype) {
    case "string": return { dtype, rows: 1, nulls: null, values: packStrings([text]) };
    case "int64": return { dtype, rows: 1, nulls: null, values: new BigInt64Array([3n]) };
    case "float64": return { dtype, rows: 1, nulls: null, values: new Float64Array([6.5]) };
    default: throw new Error(`the data of the bench has no column of ${dtype}`);
  }
}

function requireRows(path: string, rows: number): void {
  const table = openTable(path);
  table.close();
  if (table.rows !== rows) throw new Error(`the table has ${table.rows} rows after the appends, not ${rows}`);
}
