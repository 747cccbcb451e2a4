/** DuckDB, the second opinion: answers are compared with its own, and times with its own. */
import { DuckDBInstance } from "@duckdb/node-api";
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";

/** The answer of DuckDB to a query, column by column. */
export interface DuckDbAnswer {
  readonly names: readonly string[];
  /** A column has one value a row: SQL integers as number or bigint, a NULL as null. */
  readonly columns: readonly (readonly DuckDBValue[])[];
}

/** An open DuckDB database with one connection. */
export interface DuckDb {
  /** `1.5.6`. */
  readonly version: string;
  /** Runs a statement, and leaves its result. */
  run(sql: string): Promise<void>;
  /** The answer as values. */
  read(sql: string): Promise<DuckDbAnswer>;
  /** Fetches the answer as vectors, none of whose values are turned into objects: the least that is an answer. */
  fetch(sql: string): Promise<void>;
  close(): void;
}

/**
 * Opens a database: the file at `path`, else a new one in memory. Several processes may have a file open at once if all of
 * them only read it. Nothing needs the network or a home directory.
 */
export async function openDuckDb({ path = ":memory:", threads, isReadOnly = false }: { path?: string; threads: number; isReadOnly?: boolean }): Promise<DuckDb> {
  const instance = await DuckDBInstance.create(path, { threads: String(threads), access_mode: isReadOnly ? "READ_ONLY" : "AUTOMATIC" });
  const connection = await instance.connect();
  return {
    version: await readVersion(connection),
    async run(sql) {
      await connection.run(sql);
    },
    async read(sql) {
      const reader = await connection.runAndReadAll(sql);
      return { names: reader.columnNames(), columns: reader.getColumns() };
    },
    async fetch(sql) {
      const result = await connection.run(sql);
      for (const chunk of await result.fetchAllChunks()) {
        for (let column = 0; column < chunk.columnCount; column++) chunk.getColumnVector(column);
      }
    },
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function readVersion(connection: DuckDBConnection): Promise<string> {
  const [[version]] = (await connection.runAndReadAll("SELECT version()")).getColumns() as [[DuckDBValue]];
  return String(version).replace(/^v/, "");
}
