/** Tables that are kept open between tasks, so that the next question does not read their footers and indexes again. */
import { join } from "node:path";
import { openTable } from "../columns/read/open.js";
import type { Table } from "../columns/read/table.js";

/** One generation of a table. */
export interface ShelfKey {
  readonly name: string;
  readonly generation: string;
}

/** Open tables, the least recently used closed first. */
export interface TableShelf {
  open(key: ShelfKey): Table;
  /** Closes a table, if it is open. */
  drop(key: ShelfKey): void;
  /** Closes the tables of these names. */
  forget(names: ReadonlySet<string>): void;
  close(): void;
}

/** How much is kept open. */
export interface ShelfLimits {
  /** Tables that are kept whatever their size. */
  readonly tablesMin: number;
  /** Tables kept at most, while they are so small that all their chunks are not more than the other. */
  readonly tablesMax: number;
  readonly chunksMax: number;
}

/** A set of very many small shards stays open as a whole: to close one for the next would open each anew for every question. */
const defaultLimits: ShelfLimits = { tablesMin: 2_048, tablesMax: 8_192, chunksMax: 65_536 };

/** A shelf of tables in a directory; `open` opens one of a path. */
export function createTableShelf(dataDir: string, { tablesMin, tablesMax, chunksMax } = defaultLimits, openOne: typeof openTable = openTable): TableShelf {
  const tables = new Map<string, Table>();
  let chunks = 0;
  const keyOf = ({ name, generation }: ShelfKey): string => `${name} ${generation}`;
  const isFull = (): boolean => tables.size > tablesMax || (tables.size > tablesMin && chunks > chunksMax);

  function remove(key: string): void {
    const table = tables.get(key);
    if (table === undefined) return;
    tables.delete(key);
    chunks -= chunksOf(table);
    table.close();
  }

  return {
    open(wanted) {
      const key = keyOf(wanted);
      const known = tables.get(key);
      const table = known ?? openOne(join(dataDir, wanted.name), { generation: wanted.generation });
      if (known === undefined) chunks += chunksOf(table);
      tables.delete(key);
      tables.set(key, table);
      while (isFull()) remove(tables.keys().next().value!);
      return table;
    },
    drop: (key) => { remove(keyOf(key)); },
    forget(names) {
      for (const [key, table] of tables) if (names.has(table.name)) remove(key);
    },
    close() {
      for (const key of [...tables.keys()]) remove(key);
    },
  };
}

/** Each may be in memory as an index tells of it. */
function chunksOf({ columns }: Table): number {
  return columns.reduce((sum, { chunkCount }) => sum + Math.max(1, chunkCount), 0);
}
