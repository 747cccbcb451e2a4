/** What queries make of no table at all: for those that take what is missing for empty. */
import { withAbsent } from "./absent.js";
import { ColumnCache } from "./cache.js";
import { createArena, createSpace } from "./memory.js";
import type { Partial } from "./partial.js";
import type { Query } from "./query/query.js";
import { decodeRows } from "./rows/slice-bytes.js";
import { rowSpecs } from "./rows/columns.js";
import type { Rows } from "./rows/rows.js";
import { scanRows } from "./rows/scan-rows.js";
import type { ScanContext, ScanTable } from "./scan.js";
import { scanShard } from "./scan-shard.js";
import { createKeptTests } from "./where/kept-tests.js";

/** Reserved, not taken. */
const spaceBytes = 64 * 1024 * 1024;

/** The partial of no rows, every column being of nulls. Throws DTYPE_MISMATCH. */
export function partialOfNothing(query: Query): Partial {
  return scanShard(nothing, query, createContext());
}

/** The same of a query for rows. */
export function rowsOfNothing(query: Query): Rows {
  const sent: Uint8Array[] = [];
  scanRows(nothing, query, createContext(), 0, { slices: 1, rows: Infinity }, ({ bytes }) => void sent.push(bytes));
  return decodeRows(sent[0]!, 0, rowSpecs(query).length);
}

const nothing: ScanTable = withAbsent({ name: "", generation: "", rows: 0, columns: [], column: () => { throw new Error("no table has columns"); } }, []);

function createContext(): ScanContext {
  const space = createSpace(spaceBytes, { sizedBy: "fixed" });
  return {
    space, cache: new ColumnCache(space, 0), queryBytes: spaceBytes, messageBytes: spaceBytes, shouldStop: () => false, ordinal: 0,
    kept: createKeptTests(createArena(space, spaceBytes, "the condition")),
    cost: { chunksDecoded: 0, bytesDecoded: 0, cacheHits: 0, rowsScanned: 0, chunksPruned: 0, chunksFromStatistics: 0, shardsPruned: 0 },
  };
}
