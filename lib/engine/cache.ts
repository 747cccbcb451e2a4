/** The decoded-column cache: chunks as vectors in kernel memory, least recently used first out, bounded in bytes. */
import type { TableColumn } from "../columns/table.js";
import type { Vector } from "../columns/vector.js";
import type { Space } from "./memory.js";

/** What a lease counted, for the summary of an answer. */
export interface DecodeCost {
  chunksDecoded: number;
  bytesDecoded: number;
  cacheHits: number;
}

/** Vectors pinned for the work on one chunk; returnAll() lets go of them. */
export interface Lease {
  vector(column: TableColumn, chunk: number): Vector;
  returnAll(): void;
}

/** The columns of a shard that are now wholly in the cache: all of them, none for a shard that left it. */
export interface CacheChange {
  readonly shard: string;
  readonly columns: string[];
}

/** The cache of one compute thread. */
export interface ColumnCache {
  /** Pins vectors of a shard; with `bypass` nothing is looked up or kept. Costs are added to `cost` in place. */
  lease(shard: string, bypass: boolean, cost: DecodeCost): Lease;
  /** The shards of which columns became or ceased to be wholly cached since the last call. */
  takeChanges(): CacheChange[];
  readonly usedBytes: number;
  clear(): void;
}

interface Entry {
  readonly key: string;
  readonly vector: Vector;
  readonly owner: ColumnChunks;
  pins: number;
}

/** How much of one column of one shard is cached. */
interface ColumnChunks {
  readonly shard: string;
  readonly column: string;
  readonly chunkCount: number;
  cached: number;
}

/** A cache of at most `limitBytes` of decoded chunks in a space; it also gives way when the space is full. */
export function createColumnCache(space: Space, limitBytes: number): ColumnCache {
  // A Map keeps insertion order: re-inserting on use makes its first key the least recently used.
  const entries = new Map<string, Entry>();
  const owners = new Map<string, ColumnChunks>();
  const changed = new Set<string>();
  let usedBytes = 0;

  function ownerOf(shard: string, column: TableColumn): ColumnChunks {
    const key = JSON.stringify([shard, column.name]);
    let owner = owners.get(key);
    if (owner === undefined || owner.chunkCount !== column.chunkCount) {
      owner = { shard, column: column.name, chunkCount: column.chunkCount, cached: 0 };
      owners.set(key, owner);
    }
    return owner;
  }

  function drop(entry: Entry): void {
    entries.delete(entry.key);
    usedBytes -= entry.vector.ownedBytes;
    releaseVector(space, entry.vector);
    if (entry.owner.cached === entry.owner.chunkCount) changed.add(entry.owner.shard);
    entry.owner.cached -= 1;
    if (entry.owner.cached === 0) owners.delete(JSON.stringify([entry.owner.shard, entry.owner.column]));
  }

  function evictOne(): boolean {
    for (const entry of entries.values()) {
      if (entry.pins > 0 || entry.vector.ownedBytes === 0) continue;
      drop(entry);
      return true;
    }
    return false;
  }

  function keep(entry: Entry): boolean {
    while (usedBytes + entry.vector.ownedBytes > limitBytes) if (!evictOne()) return false;
    entries.set(entry.key, entry);
    usedBytes += entry.vector.ownedBytes;
    entry.owner.cached += 1;
    if (entry.owner.cached === entry.owner.chunkCount) changed.add(entry.owner.shard);
    return true;
  }

  function lease(shard: string, bypass: boolean, cost: DecodeCost): Lease {
    const pinned: Entry[] = [];
    const loose: Vector[] = [];
    function decode(column: TableColumn, chunk: number): Vector {
      const vector = column.decode(chunk, space.heap, space.allocate);
      cost.chunksDecoded += 1;
      cost.bytesDecoded += vector.rows * vector.width;
      return vector;
    }
    return {
      vector(column, chunk) {
        const key = column.chunkKey(chunk);
        const known = bypass ? undefined : entries.get(key);
        if (known !== undefined) {
          entries.delete(key);
          entries.set(key, known);
          known.pins += 1;
          pinned.push(known);
          cost.cacheHits += 1;
          return known.vector;
        }
        const vector = decode(column, chunk);
        const entry: Entry = { key, vector, owner: ownerOf(shard, column), pins: 1 };
        if (!bypass && keep(entry)) pinned.push(entry);
        else loose.push(vector);
        return vector;
      },
      returnAll() {
        for (const entry of pinned) entry.pins -= 1;
        for (const vector of loose) releaseVector(space, vector);
        pinned.length = 0;
        loose.length = 0;
      },
    };
  }

  function clear(): void {
    for (const entry of [...entries.values()]) drop(entry);
  }

  space.onFull(evictOne);
  return {
    lease,
    clear,
    takeChanges() {
      const columns = new Map<string, string[]>([...changed].map((shard) => [shard, []]));
      for (const owner of owners.values()) if (owner.cached === owner.chunkCount) columns.get(owner.shard)?.push(owner.column);
      changed.clear();
      return [...columns].map(([shard, names]) => ({ shard, columns: names }));
    },
    get usedBytes() { return usedBytes; },
  };
}

function releaseVector(space: Space, vector: Vector): void {
  for (const pointer of vector.owned) space.heap.release(pointer);
}
