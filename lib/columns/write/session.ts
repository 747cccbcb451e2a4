/** One write of tables from its first row to its commit: what creating and appending have in common. */
import { BquerydError, toBquerydError } from "../../base/errors.js";
import type { Files } from "../../base/files.js";
import { joinSet, readyCommit, releaseLocks, switchCurrents, type CommittedTable, type ReadyTable } from "./commit.js";
import type { Batch } from "../dtypes.js";
import type { Compression } from "../files/encodings.js";
import type { Footer } from "../files/footer.js";
import type { Staging } from "./staging.js";
import { discardTable, type PreparedTable } from "../directory/table-directory.js";

/** Tables being written. Calls follow one another: each is awaited before the next. */
export interface TablesWriter {
  /**
   * Adds rows to a shard: one batch a column, in the order of the columns, of equal rows. The batches are copied.
   * Throws SCHEMA_MISMATCH, MEMORY_LIMIT, BAD_INPUT, DISK_FULL, IO; then only `abort` is left.
   */
  append(shard: number, batches: readonly Batch[]): Promise<void>;
  /** Tells that a shard has all its rows, so that its memory can go. Not needed, and final. */
  finishShard(shard: number): Promise<void>;
  /** Makes everything visible. When it throws before the switch, everything is as it was; the tables are closed either way. */
  commit(): Promise<CommittedTable[]>;
  /** Leaves everything as it was; nothing after a commit. */
  abort(): Promise<void>;
}

/** How rows are written, whether to a new table or to one that is there. */
export interface WriteOptions {
  /** The column that all rows are sorted by, as the caller knows; null for none. */
  readonly sort: string | null;
  /** How new chunks are compressed where that makes them smaller; lz4 without it. */
  readonly codec?: Compression | undefined;
  readonly files?: Files;
  /** Distinct values a dictionary may have before its column becomes plain. */
  readonly dictionaryValuesMax?: number;
  /** Bytes of memory for rows whose chunks are not full yet; 96 MiB without it. What is more waits in temporary files. */
  readonly waitingBytesMax?: number | undefined;
  /** Generations that a table keeps, the new one included; 2 without it. */
  readonly keepGenerations?: number | undefined;
  /** As long as a query may take, ms: files of the generations before are spared for it, and for two minutes at least. */
  readonly timeoutMs?: number | undefined;
}

/** What a session writes, and where. */
export interface SessionSpec {
  readonly files: Files;
  /** The tables in shard order, locked. The session lets go of them. */
  readonly tables: readonly PreparedTable[];
  /** Tables that go when these appear, locked. */
  readonly others: readonly PreparedTable[];
  readonly staging: Staging;
  /** The column the rows are sorted by. */
  readonly sort: string | null;
  /** Whether the tables are the shards of one set. */
  readonly isSet: boolean;
  /** Generations that a table keeps, the new one included. */
  readonly keepGenerations: number;
  /** How long files that no generation needs any more are spared, ms. */
  readonly spareMs: number;
  /** Lets go of what else the session holds, once it is closed. */
  readonly close?: () => void;
}

/** Generations that a table keeps where nothing else is said. */
export const keptGenerations = 2;

/** Makes a writer over tables made ready. */
export function createSession(spec: SessionSpec): TablesWriter {
  const { files, tables, others, staging, spareMs } = spec;
  const all = [...tables, ...others];
  let state: "open" | "working" | "failed" | "closed" = "open";

  /** One call at a time; after a failure only `abort` is left. */
  async function exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (state !== "open") throw new Error(`the tables are ${state}`);
    state = "working";
    try {
      const result = await work();
      state = "open";
      return result;
    } catch (cause) {
      state = "failed";
      throw toBquerydError(cause, `write ${tables[0]!.path}`);
    }
  }

  async function ready(): Promise<ReadyTable[]> {
    const footers = placeFooters(spec, await staging.seal(spec.sort));
    return readyCommit(files, tables.map((table, i) => ({ table, footer: footers[i]! })), spec.keepGenerations);
  }

  function close(): void {
    state = "closed";
    staging.close();
    spec.close?.();
  }

  /** The failure is the one to tell, not what may go wrong in cleaning up after it. */
  async function closeAfter(cause: unknown, cleanUp: () => Promise<void>): Promise<never> {
    close();
    await cleanUp().catch(() => undefined);
    throw cause;
  }

  return {
    append: (shard, batches) => exclusively(() => staging.append(shard, batches)),
    finishShard: (shard) => exclusively(() => staging.finish(shard)),
    async commit() {
      const readied = await exclusively(ready).catch((cause: unknown) => closeAfter(cause, () => discardAll(files, all)));
      // From here on some of it may be visible, so nothing is taken back.
      const committed = await exclusively(() => switchCurrents(files, readied, { others, spareMs })).catch((cause: unknown) => closeAfter(cause, () => releaseLocks(all)));
      close();
      return committed;
    },
    async abort() {
      if (state === "closed") return;
      close();
      await discardAll(files, all);
    },
  };
}

/** Discards in reverse, so that a folder made for all of them is empty at the end; tries all, then tells of the first failure. */
export async function discardAll(files: Files, tables: readonly PreparedTable[]): Promise<void> {
  const failures: unknown[] = [];
  for (const table of tables.toReversed()) {
    await discardTable(files, table).catch((cause: unknown) => failures.push(cause));
  }
  if (failures.length > 0) throw toBquerydError(failures[0], "clean up after an unfinished write");
}

/** A BAD_INPUT error. */
export function badInput(message: string): BquerydError {
  return new BquerydError("BAD_INPUT", message);
}

function placeFooters({ isSet }: SessionSpec, footers: readonly Footer[]): readonly Footer[] {
  return isSet ? joinSet(footers) : footers;
}
