/**
 * The registry of one machine without a server: an LMDB environment in a folder that its processes share. A write is
 * one synchronous transaction behind the writer lock; readers look at a change counter every 100 ms.
 *
 *   CLUSTER:bqueryd_controllers:ID    JSON of a controller, when its listing ends, and the process behind it
 *   CLUSTER:bqueryd_changes           how often the list of controllers has changed, renewals left out
 */
import { stat } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { Type, type Static } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { open, type RootDatabase } from "lmdb";
import { monotonicMs, wallMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import { makeDirectory } from "../base/files.js";
import { checkDiskSpace, checkLmdbFolder } from "./lmdb-file.js";
import { hasEnded, markOfProcess } from "./process-mark.js";
import type { ControllerRecord, Registry } from "./registry.js";
import { withWriterLock, type WriterLockOptions } from "./writer-lock.js";

/** Where the registry is, whose it is, and how long a write waits for others. */
export interface EmbeddedRegistryOptions {
  /** Created when missing, for its owner alone. */
  readonly registryDir: string;
  /** Clusters in one folder do not see each other. */
  readonly cluster: string;
  /** By default 5 s. */
  readonly writerWaitMs?: number;
}

const defaultWriterWaitMs = 5_000;
const pollMs = 100;
/** How often /proc is asked whether listed processes still run: it costs ten times what the rest of a look does. */
const processesMs = 1_000;
const readersMax = 1_024;
const mapBytes = 64 * 1024 * 1024;

const Entry = Type.Object({
  record: Type.Object({
    id: Type.String(), address: Type.String(), node: Type.String(), pid: Type.Integer(), startedMs: Type.Number(),
  }),
  /** By the wall clock of the one machine. A clock set back lengthens listings, one set forward ends them early. */
  expiresMs: Type.Number(),
  process: Type.Union([Type.Null(), Type.Object({ pid: Type.Integer(), startTicks: Type.String(), pidNamespace: Type.String() })]),
});
type Entry = Static<typeof Entry>;
const entryCheck = TypeCompiler.Compile(Entry);

type Database = RootDatabase<string, string>;

/** What a poll compares with. */
interface View {
  readonly changes: number;
  readonly live: readonly Entry[];
}

/** A Registry in a folder; throws REGISTRY_UNAVAILABLE naming the folder when that cannot be used. */
export async function openEmbeddedRegistry(options: EmbeddedRegistryOptions): Promise<Registry> {
  const { registryDir, cluster, writerWaitMs: waitMs = defaultWriterWaitMs } = options;
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(cluster)) {
    throw new BquerydError("CONFIG", `'${cluster}' cannot name a cluster; use up to 64 letters, digits and _ . -`, { details: { cluster } });
  }
  try {
    await makeDirectory(registryDir, 0o700);
    const { dev, ino } = await stat(registryDir);
    const closing = new AbortController();
    const lock: WriterLockOptions = { registryDir, name: `${dev}:${ino}`, waitMs, signal: closing.signal };
    // Opening writes too: the first one the file's head, and every one begins a transaction, for which LMDB would block
    // this thread behind a stopped writer.
    const database = await withWriterLock(lock, async () => {
      await checkLmdbFolder(registryDir);
      return openDatabase(registryDir);
    });
    return new EmbeddedRegistry({ cluster, lock, closing, database });
  } catch (cause) {
    throw unavailable(registryDir, cause);
  }
}

function openDatabase(path: string): Database {
  const database = open<string, string>({ path, noSubdir: false, encoding: "string", mapSize: mapBytes, maxReaders: readersMax });
  // Killed processes leave their places as readers behind.
  database.readerCheck();
  return database;
}

class EmbeddedRegistry implements Registry {
  readonly #database: Database;
  readonly #lock: WriterLockOptions;
  readonly #closing: AbortController;
  readonly #changesKey: string;
  readonly #controllersPrefix: string;
  readonly #writes = new Set<Promise<void>>();
  readonly #watchers = new Set<() => void>();
  #view: View | "unreadable" = "unreadable";
  #processesSeenMs = -Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: { cluster: string; lock: WriterLockOptions; closing: AbortController; database: Database }) {
    this.#database = parts.database;
    this.#lock = parts.lock;
    this.#closing = parts.closing;
    this.#changesKey = `${parts.cluster}:bqueryd_changes`;
    this.#controllersPrefix = `${parts.cluster}:bqueryd_controllers:`;
  }

  async announce(record: ControllerRecord, ttlMs: number): Promise<void> {
    await this.#write(() => {
      const key = this.#controllersPrefix + record.id;
      const before = this.#readLive().map((entry) => entry.record);
      const entry: Entry = { record, expiresMs: wallMs() + ttlMs, process: markOfProcess(record.pid) };
      this.#database.putSync(key, JSON.stringify(entry));
      this.#removeEnded();
      if (!isDeepStrictEqual(before, this.#readLive().map(({ record }) => record))) this.#countChange();
    });
  }

  async withdraw(id: string): Promise<void> {
    await this.#write(() => {
      if (this.#database.removeSync(this.#controllersPrefix + id)) this.#countChange();
    });
  }

  controllers(): Promise<ControllerRecord[]> {
    return this.#guard(() => {
      this.#database.resetReadTxn();
      return this.#readLive().map(({ record }) => record);
    });
  }

  watch(onChange: () => void): () => void {
    const watcher = () => { onChange(); };
    if (this.#watchers.size === 0) this.#view = this.#look();
    this.#watchers.add(watcher);
    this.#timer ??= setInterval(() => { this.#poll(); }, pollMs).unref();
    return () => { this.#unwatch(watcher); };
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new BquerydError("REGISTRY_UNAVAILABLE", "the registry is closed; open it again"));
    for (const watcher of [...this.#watchers]) this.#unwatch(watcher);
    await Promise.allSettled(this.#writes);
    await this.#database.close();
  }

  /** Runs `work` and gives its failures the folder's name. */
  async #guard<T>(work: () => T | Promise<T>): Promise<T> {
    try {
      this.#closing.signal.throwIfAborted();
      return await work();
    } catch (cause) {
      throw unavailable(this.#lock.registryDir, cause);
    }
  }

  async #write(change: () => void): Promise<void> {
    const writing = this.#guard(async () => {
      await checkDiskSpace(this.#lock.registryDir);
      await withWriterLock(this.#lock, () => { this.#database.transactionSync(change); });
    });
    this.#writes.add(writing);
    try {
      await writing;
    } finally {
      this.#writes.delete(writing);
    }
  }

  #readLive(): Entry[] {
    return this.#readEntries().filter(isLive).sort((a, b) => a.record.startedMs - b.record.startedMs || (a.record.id < b.record.id ? -1 : 1));
  }

  #readEntries(): Entry[] {
    const start = this.#controllersPrefix;
    return [...this.#database.getRange({ start, end: `${start}\uffff` })].map(({ key, value }) => decodeEntry(key, value));
  }

  #removeEnded(): void {
    for (const entry of this.#readEntries()) {
      if (!isLive(entry)) this.#database.removeSync(this.#controllersPrefix + entry.record.id);
    }
  }

  #readChanges(): number {
    return Number(this.#database.get(this.#changesKey) ?? 0);
  }

  #countChange(): void {
    this.#database.putSync(this.#changesKey, String(this.#readChanges() + 1));
  }

  #unwatch(watcher: () => void): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #poll(): void {
    const before = this.#view;
    this.#view = this.#look();
    if (isSameView(before, this.#view)) return;
    for (const watcher of [...this.#watchers]) watcher();
  }

  #look(): View | "unreadable" {
    try {
      this.#database.resetReadTxn();
      const changes = this.#readChanges();
      const before = this.#view;
      // The counter does not move when a listing runs out or a process is killed, nor when a listing is renewed.
      if (before !== "unreadable" && before.changes === changes && this.#areLive(before.live)) return before;
      return { changes, live: this.#readLive() };
    } catch {
      return "unreadable";  // Whoever is told asks for the list, and gets the reason.
    }
  }

  #areLive(entries: readonly Entry[]): boolean {
    if (!entries.every(isListed)) return false;
    if (monotonicMs() - this.#processesSeenMs < processesMs) return true;
    this.#processesSeenMs = monotonicMs();
    return entries.every(isLive);
  }
}

function isLive(entry: Entry): boolean {
  return isListed(entry) && (entry.process === null || !hasEnded(entry.process));
}

function isListed({ expiresMs }: Entry): boolean {
  return expiresMs > wallMs();
}

function isSameView(a: View | "unreadable", b: View | "unreadable"): boolean {
  if (a === "unreadable" || b === "unreadable") return a === b;
  return a.changes === b.changes && isDeepStrictEqual(a.live.map(({ record }) => record), b.live.map(({ record }) => record));
}

function decodeEntry(key: string, value: string): Entry {
  const entry: unknown = JSON.parse(value);
  if (entryCheck.Check(entry)) return entry;
  throw new BquerydError("REGISTRY_UNAVAILABLE", `the registry's entry ${key} is not one of this release; run the same release everywhere`, { details: { key } });
}

function unavailable(registryDir: string, cause: unknown): BquerydError {
  if (cause instanceof BquerydError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BquerydError("REGISTRY_UNAVAILABLE",
    `cannot use the registry folder ${registryDir} (${reason}); make it a folder that you may write to, or set registry_dir to another`,
    { details: { registryDir }, cause });
}
