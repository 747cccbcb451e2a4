/** The decoded-column cache: chunks as vectors in kernel memory, least recently used first out, bounded in bytes. */
import type { Table, TableColumn } from "../columns/read/table.js";
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

interface Entry {
  readonly key: string;
  readonly vector: Vector;
  readonly owner: ColumnChunks;
  pins: number;
}

/** How much of one column of one generation of a shard is cached. */
interface ColumnChunks {
  readonly key: string;
  readonly shard: string;
  readonly column: string;
  readonly chunkCount: number;
  cached: number;
}

/** The cache of one compute thread: at most `limitBytes` of decoded chunks; it also gives way when the space is full. */
export class ColumnCache {
  readonly #space: Space;
  readonly #limitBytes: number;
  /** A Map keeps insertion order: re-inserting on use makes its first key the least recently used. */
  readonly #entries = new Map<string, Entry>();
  readonly #owners = new Map<string, ColumnChunks>();
  /** The same by shard; none for a shard of which nothing is cached. */
  readonly #ownersOf = new Map<string, Set<ColumnChunks>>();
  readonly #changed = new Set<string>();
  #usedBytes = 0;

  constructor(space: Space, limitBytes: number) {
    this.#space = space;
    this.#limitBytes = limitBytes;
    space.onFull(() => this.#evictOne());
  }

  /** Bytes of the chunks that are kept. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Pins vectors of a table; with `bypass` nothing is looked up or kept. Costs are added to `cost` in place. */
  lease(table: Pick<Table, "name" | "generation">, bypass: boolean, cost: DecodeCost): Lease {
    const pinned: Entry[] = [];
    const loose: Vector[] = [];
    return {
      vector: (column, chunk) => {
        const key = column.chunkKey(chunk);
        const known = bypass ? undefined : this.#use(key);
        const entry = known ?? this.#decode(key, table, column, chunk, cost);
        if (known !== undefined) cost.cacheHits += 1;
        if (known !== undefined || (!bypass && this.#keep(entry))) {
          entry.pins += 1;
          pinned.push(entry);
        } else loose.push(entry.vector);
        return entry.vector;
      },
      returnAll: () => {
        for (const entry of pinned) entry.pins -= 1;
        for (const vector of loose) this.#release(vector);
        pinned.length = 0;
        loose.length = 0;
      },
    };
  }

  /** The shards of which columns became or ceased to be wholly cached since the last call. */
  takeChanges(): CacheChange[] {
    if (this.#changed.size === 0) return [];
    const changes = [...this.#changed].map((shard) => {
      const owners = [...this.#ownersOf.get(shard) ?? []];
      return { shard, columns: owners.filter(({ cached, chunkCount }) => cached === chunkCount).map(({ column }) => column) };
    });
    this.#changed.clear();
    return changes;
  }

  /** Gives all memory back. */
  clear(): void {
    for (const entry of [...this.#entries.values()]) this.#drop(entry);
  }

  #use(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry;
  }

  #decode(key: string, table: Pick<Table, "name" | "generation">, column: TableColumn, chunk: number, cost: DecodeCost): Entry {
    const vector = column.decode(chunk, this.#space.heap, this.#space.allocate);
    cost.chunksDecoded += 1;
    cost.bytesDecoded += vector.rows * vector.width;
    return { key, vector, owner: this.#ownerOf(table, column), pins: 0 };
  }

  #ownerOf({ name, generation }: Pick<Table, "name" | "generation">, column: TableColumn): ColumnChunks {
    const key = JSON.stringify([name, generation, column.name]);
    return this.#owners.get(key) ?? { key, shard: name, column: column.name, chunkCount: column.chunkCount, cached: 0 };
  }

  /** False when all that could give way is pinned. */
  #keep(entry: Entry): boolean {
    while (this.#usedBytes + bytesOf(entry) > this.#limitBytes) if (!this.#evictOne()) return false;
    this.#entries.set(entry.key, entry);
    this.#addOwner(entry.owner);
    this.#usedBytes += bytesOf(entry);
    entry.owner.cached += 1;
    if (entry.owner.cached === entry.owner.chunkCount) this.#changed.add(entry.owner.shard);
    return true;
  }

  #evictOne(): boolean {
    for (const entry of this.#entries.values()) {
      if (entry.pins > 0) continue;
      this.#drop(entry);
      return true;
    }
    return false;
  }

  #drop(entry: Entry): void {
    const { owner } = entry;
    this.#entries.delete(entry.key);
    this.#usedBytes -= bytesOf(entry);
    this.#release(entry.vector);
    if (owner.cached === owner.chunkCount) this.#changed.add(owner.shard);
    owner.cached -= 1;
    if (owner.cached === 0 && this.#owners.get(owner.key) === owner) this.#removeOwner(owner);
  }

  #addOwner(owner: ColumnChunks): void {
    this.#owners.set(owner.key, owner);
    const ofShard = this.#ownersOf.get(owner.shard);
    if (ofShard === undefined) this.#ownersOf.set(owner.shard, new Set([owner]));
    else ofShard.add(owner);
  }

  #removeOwner(owner: ColumnChunks): void {
    this.#owners.delete(owner.key);
    const ofShard = this.#ownersOf.get(owner.shard);
    if (ofShard?.delete(owner) === true && ofShard.size === 0) this.#ownersOf.delete(owner.shard);
  }

  #release(vector: Vector): void {
    for (const pointer of vector.owned) this.#space.heap.release(pointer);
  }
}

/** What an entry takes: its memory, and what keeping track of it costs, so that constants give way in their turn too. */
function bytesOf({ vector }: Entry): number {
  return vector.ownedBytes + 256;
}
