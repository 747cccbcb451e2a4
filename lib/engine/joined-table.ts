/** Several shards as one table: their chunks one shard after another, where their columns are kept alike. */
import type { TableColumn } from "../columns/read/table.js";
import type { ColumnCache, DecodeCost, Lease } from "./cache.js";
import type { ScanTable } from "./scan.js";
import { chunksOf, type ChunkCut } from "./scan-column.js";

/** The chunks of one of the shards. */
export interface JoinedPart {
  readonly rows: number;
  readonly firstChunk: number;
  readonly chunks: ChunkCut;
}

/** Shards as one table. */
export interface JoinedTable extends ScanTable {
  readonly chunks: ChunkCut;
  /** The shards in their order. */
  readonly parts: readonly JoinedPart[];
  /** As that of the cache, which keeps the chunks as those of their shards. */
  lease(cache: ColumnCache, bypass: boolean, cost: DecodeCost): Lease;
}

/** A column of all shards, and what it is in each. */
interface JoinedColumn {
  readonly column: TableColumn;
  readonly own: readonly TableColumn[];
}

/**
 * The shards as one table of the named columns; undefined where one of these differs in dtype or dictionary between two
 * shards. Throws UNKNOWN_COLUMN and what reading a dictionary throws.
 */
export function joinTables(tables: readonly ScanTable[], names: readonly string[]): JoinedTable | undefined {
  const places = placeChunks(tables);
  const columns = new Map<string, JoinedColumn>();
  for (const name of names) {
    const own = tables.map((table) => table.column(name));
    if (!own.every((column) => areAlike(column, own[0]!))) return undefined;
    columns.set(name, { column: joinColumns(own, places), own });
  }
  const ownOf = new Map([...columns.values()].map(({ column, own }) => [column, own]));
  const { name, generation } = tables[0]!;
  return {
    name, generation, parts: places.parts,
    rows: places.parts.reduce((sum, { rows }) => sum + rows, 0),
    chunks: { count: places.count, rowsOf: (chunk) => places.parts[places.partOf(chunk)]!.chunks.rowsOf(places.within(chunk)) },
    column: (wanted) => columns.get(wanted)!.column,
    lease: (cache, bypass, cost) => joinLeases(tables.map((table) => cache.lease(table, bypass, cost)), ownOf, places),
  };
}

/** Where the chunks of all shards are. */
interface Places {
  readonly parts: readonly JoinedPart[];
  readonly count: number;
  partOf(chunk: number): number;
  /** The place of a chunk in its shard. */
  within(chunk: number): number;
}

function placeChunks(tables: readonly ScanTable[]): Places {
  const parts: JoinedPart[] = [];
  const partOf: number[] = [];
  for (const table of tables) {
    const chunks = chunksOf(table);
    parts.push({ rows: table.rows, firstChunk: partOf.length, chunks });
    for (let chunk = 0; chunk < chunks.count; chunk++) partOf.push(parts.length - 1);
  }
  return { parts, count: partOf.length, partOf: (chunk) => partOf[chunk]!, within: (chunk) => chunk - parts[partOf[chunk]!]!.firstChunk };
}

/** Codes and values mean the same in both. */
function areAlike(a: TableColumn, b: TableColumn): boolean {
  return a.dtype === b.dtype && a.dictionary()?.id === b.dictionary()?.id;
}

function joinColumns(own: readonly TableColumn[], { count, partOf, within }: Places): TableColumn {
  const first = own[0]!;
  return {
    name: first.name, dtype: first.dtype, nullable: own.some(({ nullable }) => nullable), chunkCount: count,
    rows: own.reduce((sum, { rows }) => sum + rows, 0),
    dictionary: () => first.dictionary(),
    chunkKey: (chunk) => own[partOf(chunk)]!.chunkKey(within(chunk)),
    statistics: (chunk) => own[partOf(chunk)]!.statistics(within(chunk)),
    decode: (chunk, heap, allocate) => own[partOf(chunk)]!.decode(within(chunk), heap, allocate),
  };
}

function joinLeases(leases: readonly Lease[], ownOf: ReadonlyMap<TableColumn, readonly TableColumn[]>, { partOf, within }: Places): Lease {
  const used = new Set<Lease>();
  return {
    vector(column, chunk) {
      const part = partOf(chunk);
      used.add(leases[part]!);
      return leases[part]!.vector(ownOf.get(column)![part]!, within(chunk));
    },
    returnAll() {
      for (const lease of used) lease.returnAll();
      used.clear();
    },
  };
}
