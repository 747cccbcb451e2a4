/**
 * The registry of one machine without a server: an LMDB environment in a folder that its processes share. A write is
 * one synchronous transaction behind the writer lock; readers look at a change counter when the file is written.
 *
 *   CLUSTER:bqueryd_controllers:ID    JSON of a controller, when its listing ends, and the process behind it
 *   CLUSTER:bqueryd_changes           how often the list of controllers has changed, renewals left out
 *   CLUSTER:bqueryd_pointers:TABLE    epoch and generation: entries.ts
 *   CLUSTER:bqueryd_epoch             the epoch of the pointers
 *   CLUSTER:bqueryd_tickets and more  tickets: ticket-store.ts
 */
import { statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Type, type Static } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { open, type RootDatabase } from "lmdb";
import { monotonicMs, wallMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import { makeDirectory } from "../base/files.js";
import { compareRecords, decodeEpoch, decodePointer, encodePointer, epochMoved, joinPointers, lacks, nextEpoch, RecordSchema, requireChanges, requireClusterName } from "./entries.js";
import { checkDiskSpace, checkLmdbFolder } from "./lmdb-file.js";
import { keepLmdbTickets, openTicketStore } from "./lmdb-tickets.js";
import { keepLooking, type Look } from "./looking.js";
import { hasEnded, markOfProcess } from "./process-mark.js";
import type { ControllerRecord, PointerChange, Pointers, Registry, RegistryChange } from "./registry.js";
import type { TicketStore } from "./ticket-store.js";
import type { TicketKeeper } from "./tickets.js";
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
/** How often /proc is asked whether listed processes still run: it costs ten times what the rest of a look does. */
const processesMs = 1_000;
/** How often a registry is tried that cannot be read. */
const retryMs = 100;
const readersMax = 1_024;
const dataFile = "data.mdb";
const mapBytes = 64 * 1024 * 1024;

const Entry = Type.Object({
  record: RecordSchema,
  /** By the wall clock of the one machine. A clock set back lengthens listings, one set forward ends them early. */
  expiresMs: Type.Number(),
  process: Type.Union([Type.Null(), Type.Object({ pid: Type.Integer(), startTicks: Type.String(), pidNamespace: Type.String() })]),
});
type Entry = Static<typeof Entry>;
const entryCheck = TypeCompiler.Compile(Entry);

type Database = RootDatabase<string, string>;

/** What a look compares with. */
interface View {
  readonly changes: number;
  readonly epoch: number;
  readonly ticketsChanged: number;
  readonly live: readonly Entry[];
}

/** The files of a registry as they were opened: a folder that is removed takes them along, and another one has others. */
interface OpenFiles {
  readonly database: Database;
  readonly lock: WriterLockOptions;
  /** The data file: device and inode. */
  readonly mark: string;
}

/** A Registry in a folder; throws REGISTRY_UNAVAILABLE naming the folder when that cannot be used. */
export async function openEmbeddedRegistry(options: EmbeddedRegistryOptions): Promise<Registry> {
  const { registryDir, cluster, writerWaitMs: waitMs = defaultWriterWaitMs } = options;
  requireClusterName(cluster);
  const closing = new AbortController();
  try {
    return new EmbeddedRegistry({ cluster, closing, files: await openFiles({ registryDir, waitMs, signal: closing.signal }) });
  } catch (cause) {
    throw unavailable(registryDir, cause);
  }
}

/** Opens what is in the folder, and makes that anew where it is missing. */
async function openFiles(facts: Omit<WriterLockOptions, "name">): Promise<OpenFiles> {
  const { registryDir } = facts;
  await makeDirectory(registryDir, 0o700);
  const { dev, ino } = await stat(registryDir);
  const lock: WriterLockOptions = { ...facts, name: `${dev}:${ino}` };
  // Opening writes too: the first one the file's head, and every one begins a transaction, for which LMDB would block
  // this thread behind a stopped writer.
  return withWriterLock(lock, async () => {
    await checkLmdbFolder(registryDir);
    const database = openDatabase(registryDir);
    return { database, lock, mark: markOf(registryDir) };
  });
}

/** Tells the data file of a folder from any other; empty where there is none. */
function markOf(registryDir: string): string {
  const file = statSync(join(registryDir, dataFile), { throwIfNoEntry: false });
  return file === undefined ? "" : `${file.dev}:${file.ino}`;
}

function openDatabase(path: string): Database {
  const database = open<string, string>({ path, noSubdir: false, encoding: "string", mapSize: mapBytes, maxReaders: readersMax });
  // Killed processes leave their places as readers behind.
  database.readerCheck();
  return database;
}

class EmbeddedRegistry implements Registry {
  readonly tickets: TicketKeeper;
  readonly #cluster: string;
  readonly #closing: AbortController;
  readonly #changesKey: string;
  readonly #controllersPrefix: string;
  readonly #epochKey: string;
  readonly #pointersPrefix: string;
  readonly #work = new Set<Promise<unknown>>();
  readonly #watchers = new Set<(change: RegistryChange) => void>();
  #files: OpenFiles;
  #reopening: Promise<void> | undefined;
  #view: View | "unreadable" = "unreadable";
  /** Of the last look that was not in vain. */
  #epoch = 0;
  #ticketsChanged = 0;
  #processesSeenMs = -Infinity;
  #stopLooking: (() => void) | undefined;

  constructor(parts: { cluster: string; closing: AbortController; files: OpenFiles }) {
    this.#files = parts.files;
    this.#closing = parts.closing;
    this.#cluster = parts.cluster;
    this.#changesKey = `${parts.cluster}:bqueryd_changes`;
    this.#controllersPrefix = `${parts.cluster}:bqueryd_controllers:`;
    this.#epochKey = `${parts.cluster}:bqueryd_epoch`;
    this.#pointersPrefix = `${parts.cluster}:bqueryd_pointers:`;
    this.tickets = keepLmdbTickets({
      store: () => this.#ticketStore, read: (work) => this.#read(work), write: (change) => this.#write(change),
      movePointers: (changes, expectedEpoch) => this.#movePointers(changes, expectedEpoch),
    });
  }

  get #database(): Database {
    return this.#files.database;
  }

  get #ticketStore(): TicketStore {
    return openTicketStore(this.#database, this.#cluster);
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
    return this.#read(() => this.#readLive().map(({ record }) => record));
  }

  pointers(): Promise<Pointers> {
    return this.#read(() => this.#readPointers());
  }

  async movePointers(changes: readonly PointerChange[], expectedEpoch: number): Promise<number> {
    requireChanges(changes);
    return this.#write(() => this.#movePointers(changes, expectedEpoch));
  }

  async restorePointers(known: Pointers): Promise<void> {
    await this.#write(() => {
      const before = this.#readPointers();
      if (!lacks(before, known)) return;
      const { tables } = joinPointers(before, known);
      for (const [table, pointer] of tables) if (before.tables.get(table) !== pointer) this.#database.putSync(this.#pointersPrefix + table, encodePointer(pointer));
      this.#database.putSync(this.#epochKey, String(Math.max(known.epoch, before.epoch + 1)));
    });
  }

  watch(onChange: (change: RegistryChange) => void): () => void {
    const watcher = (change: RegistryChange): void => { onChange(change); };
    if (this.#watchers.size === 0) this.#view = this.#lookFirst();
    this.#watchers.add(watcher);
    this.#stopLooking ??= this.#keepLooking();
    return () => { this.#unwatch(watcher); };
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new BquerydError("REGISTRY_UNAVAILABLE", "the registry is closed; open it again"));
    for (const watcher of [...this.#watchers]) this.#unwatch(watcher);
    await Promise.allSettled(this.#work);
    await this.#database.close();
  }

  /** Runs `work` over the folder as it is now, and gives its failures the folder's name. */
  async #guard<T>(work: () => T | Promise<T>): Promise<T> {
    const { registryDir } = this.#files.lock;
    try {
      this.#closing.signal.throwIfAborted();
      if (markOf(registryDir) !== this.#files.mark) await this.#reopen();
      return await work();
    } catch (cause) {
      throw unavailable(registryDir, cause);
    }
  }

  #read<T>(work: () => T): Promise<T> {
    return this.#guard(() => {
      this.#database.resetReadTxn();
      return work();
    });
  }

  async #write<T>(change: () => T): Promise<T> {
    const writing = this.#guard(async () => {
      const { lock } = this.#files;
      await checkDiskSpace(lock.registryDir);
      return withWriterLock(lock, () => this.#database.transactionSync(change));
    });
    this.#work.add(writing);
    try {
      return await writing;
    } finally {
      this.#work.delete(writing);
    }
  }

  /** Inside a transaction. */
  #movePointers(changes: readonly PointerChange[], expectedEpoch: number): number {
    const before = this.#readEpoch();
    if (before !== expectedEpoch) throw epochMoved(expectedEpoch, before);
    const epoch = nextEpoch(before, wallMs());
    for (const { table, generation } of changes) this.#database.putSync(this.#pointersPrefix + table, encodePointer({ generation, epoch }));
    this.#database.putSync(this.#epochKey, String(epoch));
    return epoch;
  }

  /** Lets go of files that were removed or replaced by others, and opens those that are there. */
  #reopen(): Promise<void> {
    return this.#reopening ??= this.#openAgain().finally(() => { this.#reopening = undefined; });
  }

  async #openAgain(): Promise<void> {
    const { lock, database } = this.#files;
    const opening = openFiles(lock);
    this.#work.add(opening);
    try {
      this.#files = await opening;
    } finally {
      this.#work.delete(opening);
    }
    await database.close();
    if (this.#stopLooking === undefined) return;
    this.#stopLooking();
    this.#stopLooking = this.#keepLooking();
  }

  #keepLooking(): () => void {
    return keepLooking(join(this.#files.lock.registryDir, dataFile), () => this.#lookAgain());
  }

  #readLive(): Entry[] {
    return this.#readEntries().filter(isLive).sort((a, b) => compareRecords(a.record, b.record));
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

  #readEpoch(): number {
    return decodeEpoch(this.#epochKey, this.#database.get(this.#epochKey));
  }

  #readPointers(): Pointers {
    const start = this.#pointersPrefix;
    const entries = [...this.#database.getRange({ start, end: `${start}\uffff` })];
    return { epoch: this.#readEpoch(), tables: new Map(entries.map(({ key, value }) => [key.slice(start.length), decodePointer(key, value)])) };
  }

  #readChanges(): number {
    return Number(this.#database.get(this.#changesKey) ?? 0);
  }

  #countChange(): void {
    this.#database.putSync(this.#changesKey, String(this.#readChanges() + 1));
  }

  #unwatch(watcher: (change: RegistryChange) => void): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    this.#stopLooking?.();
    this.#stopLooking = undefined;
  }

  #lookAgain(): Look {
    const before = this.#view;
    const view = this.#view = this.#look();
    const told: RegistryChange[] = isSameList(before, view) ? [] : ["controllers"];
    if (view !== "unreadable" && view.epoch !== this.#epoch) told.push("pointers");
    if (view !== "unreadable" && view.ticketsChanged !== this.#ticketsChanged) told.push("tickets");
    if (view !== "unreadable") [this.#epoch, this.#ticketsChanged] = [view.epoch, view.ticketsChanged];
    for (const change of told) for (const watcher of [...this.#watchers]) watcher(change);
    if (view === "unreadable") return { isChanged: false, dueMs: retryMs };
    const expiresMs = Math.min(...view.live.map((entry) => entry.expiresMs - wallMs()));
    const dueMs = Math.min(expiresMs, processesMs - (monotonicMs() - this.#processesSeenMs), processesMs);
    return { isChanged: before !== "unreadable" && !hasSameCounters(before, view), dueMs };
  }

  #lookFirst(): View | "unreadable" {
    const view = this.#look();
    if (view !== "unreadable") [this.#epoch, this.#ticketsChanged] = [view.epoch, view.ticketsChanged];
    return view;
  }

  #look(): View | "unreadable" {
    try {
      if (markOf(this.#files.lock.registryDir) !== this.#files.mark) {
        this.#reopen().catch(() => undefined);
        return "unreadable";
      }
      this.#database.resetReadTxn();
      const counters = { changes: this.#readChanges(), epoch: this.#readEpoch(), ticketsChanged: this.#ticketStore.changes() };
      const before = this.#view;
      // The counter does not move when a listing runs out or a process is killed, nor when a listing is renewed.
      if (before !== "unreadable" && hasSameCounters(before, counters) && this.#areLive(before.live)) return before;
      return { ...counters, live: this.#readLive() };
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

function hasSameCounters(a: Omit<View, "live">, b: Omit<View, "live">): boolean {
  return a.changes === b.changes && a.epoch === b.epoch && a.ticketsChanged === b.ticketsChanged;
}

function isLive(entry: Entry): boolean {
  return isListed(entry) && (entry.process === null || !hasEnded(entry.process));
}

function isListed({ expiresMs }: Entry): boolean {
  return expiresMs > wallMs();
}

function isSameList(a: View | "unreadable", b: View | "unreadable"): boolean {
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
