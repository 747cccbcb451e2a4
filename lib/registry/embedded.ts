/**
 * The registry of one machine without a server: an LMDB environment in a folder that its processes share. A write is
 * one transaction behind the writer lock, synchronous but for renewals; readers look at a change counter when the file is written.
 *
 *   CLUSTER:bqueryd_controllers:ID    JSON of a controller, when its listing ends, and the process behind it
 *   CLUSTER:bqueryd_changes           how often the list of controllers has changed, renewals left out
 *   CLUSTER:bqueryd_nodes:ID          the same of a mover and its node
 *   CLUSTER:bqueryd_pointers:TABLE    epoch, generation and source: entries.ts
 *   CLUSTER:bqueryd_epoch             the epoch of the pointers
 *   CLUSTER:bqueryd_tickets and more  tickets: ticket-store.ts
 */
import type { PointerChange, Pointers } from "./pointers.js";
import { statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { open, type RootDatabase } from "lmdb";
import { monotonicMs, wallMs } from "../base/clock.js";
import { BquerydError } from "../base/errors.js";
import { makeDirectory } from "../base/files.js";
import { compareRecords, namesOfNodes, requireChanges, requireClusterName, requireNode } from "./entries.js";
import { checkDiskSpace, checkLmdbFolder } from "./lmdb-file.js";
import { checkController, checkNode, isListed, isLive, keepListings, type Listed, type Listings } from "./lmdb-listings.js";
import { keepLmdbPointers, type LmdbPointers } from "./lmdb-pointers.js";
import { keepLmdbTickets, openTicketStore } from "./lmdb-tickets.js";
import { keepLooking, type Look } from "./looking.js";
import type { ControllerRecord, NodeRecord, Registry, RegistryChange } from "./registry.js";
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
/** How often work is begun over a folder that is replaced while it is done. */
const replacedTriesMax = 5;
const readersMax = 1_024;
const dataFile = "data.mdb";
const mapBytes = 64 * 1024 * 1024;

type Database = RootDatabase<string, string>;

/** What a look compares with. */
interface View {
  readonly changes: number;
  readonly epoch: number;
  readonly ticketsChanged: number;
  readonly live: readonly Listed<ControllerRecord>[];
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

/** Tells whether the data file of a folder is another one than that; not where that cannot be told. */
function isOther(registryDir: string, mark: string): boolean {
  try {
    return markOf(registryDir) !== mark;
  } catch {
    return false;
  }
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
  readonly #controllers: Listings<ControllerRecord>;
  readonly #nodes: Listings<NodeRecord>;
  readonly #pointers: LmdbPointers;
  readonly #work = new Set<Promise<unknown>>();
  readonly #renewals = new Set<Promise<void>>();
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
    this.#controllers = keepListings(() => this.#database, `${parts.cluster}:bqueryd_controllers:`, checkController);
    this.#nodes = keepListings(() => this.#database, `${parts.cluster}:bqueryd_nodes:`, checkNode);
    this.#pointers = keepLmdbPointers(() => this.#database, `${parts.cluster}:bqueryd_`);
    this.tickets = keepLmdbTickets({
      store: () => this.#ticketStore, read: (work) => this.#read(work), write: (change) => this.#write(change),
      movePointers: (changes, expectedEpoch) => this.#pointers.move(changes, expectedEpoch),
    });
  }

  get #database(): Database {
    return this.#files.database;
  }

  get #ticketStore(): TicketStore {
    return openTicketStore(this.#database, this.#cluster);
  }

  async announce(record: ControllerRecord, ttlMs: number): Promise<void> {
    await this.#renew(() => {
      if (this.#controllers.put(record, ttlMs)) this.#countChange();
    });
  }

  async withdraw(id: string): Promise<void> {
    await this.#write(() => {
      if (this.#controllers.remove(id)) this.#countChange();
    });
  }

  controllers(): Promise<ControllerRecord[]> {
    return this.#read(() => this.#readLive().map(({ record }) => record));
  }

  async announceNode(record: NodeRecord, ttlMs: number): Promise<void> {
    requireNode(record);
    await this.#renew(() => { this.#nodes.put(record, ttlMs); });
  }

  async withdrawNode(id: string): Promise<void> {
    await this.#write(() => { this.#nodes.remove(id); });
  }

  nodes(): Promise<string[]> {
    return this.#read(() => namesOfNodes(this.#nodes.live().map(({ record }) => record)));
  }

  pointers(): Promise<Pointers> {
    return this.#read(() => this.#pointers.read());
  }

  async movePointers(changes: readonly PointerChange[], expectedEpoch: number): Promise<number> {
    requireChanges(changes);
    return this.#write(() => this.#pointers.move(changes, expectedEpoch));
  }

  async restorePointers(known: Pointers): Promise<void> {
    await this.#write(() => { this.#pointers.restore(known); });
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

  /** Runs `work` over the folder as it is now, again where another one has taken its place meanwhile, and gives its failures the folder's name. */
  async #guard<T>(work: () => T | Promise<T>): Promise<T> {
    const { registryDir } = this.#files.lock;
    for (let tries = 1; ; tries++) {
      let mark: string | undefined;
      try {
        this.#closing.signal.throwIfAborted();
        mark = markOf(registryDir);
        if (mark !== this.#files.mark) await this.#reopen();
        mark = this.#files.mark;
        return await work();
      } catch (cause) {
        const isReplaced = !this.#closing.signal.aborted && mark !== undefined && isOther(registryDir, mark);
        if (!isReplaced || tries === replacedTriesMax) throw unavailable(registryDir, cause);
      }
    }
  }

  #read<T>(work: () => T): Promise<T> {
    return this.#guard(() => {
      this.#database.resetReadTxn();
      return work();
    });
  }

  #write<T>(change: () => T): Promise<T> {
    return this.#writeBy(() => this.#database.transactionSync(change));
  }

  /** Writes what is written every second, and stays as it was where that fails half way: the disk is waited for on another thread. */
  #renew(change: () => void): Promise<void> {
    return this.#writeBy(async () => {
      const { database } = this.#files;
      const renewing = database.transaction(() => {
        if (database !== this.#database) throw new Error("another folder has taken its place");
        change();
      });
      this.#renewals.add(renewing);
      await renewing.finally(() => { this.#renewals.delete(renewing); });
    });
  }

  async #writeBy<T>(transact: () => T | Promise<T>): Promise<T> {
    const writing = this.#guard(async () => {
      const { lock } = this.#files;
      await checkDiskSpace(lock.registryDir);
      return withWriterLock(lock, transact);
    });
    this.#work.add(writing);
    try {
      return await writing;
    } finally {
      this.#work.delete(writing);
    }
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
    // A renewal that is on its way into the old files ends before they do.
    await Promise.allSettled(this.#renewals);
    await database.close();
    if (this.#stopLooking === undefined) return;
    this.#stopLooking();
    this.#stopLooking = this.#keepLooking();
  }

  #keepLooking(): () => void {
    return keepLooking(join(this.#files.lock.registryDir, dataFile), () => this.#lookAgain());
  }

  #readLive(): Listed<ControllerRecord>[] {
    return this.#controllers.live().sort((a, b) => compareRecords(a.record, b.record));
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
      const counters = { changes: this.#readChanges(), epoch: this.#pointers.epoch(), ticketsChanged: this.#ticketStore.changes() };
      const before = this.#view;
      // The counter does not move when a listing runs out or a process is killed, nor when a listing is renewed.
      if (before !== "unreadable" && hasSameCounters(before, counters) && this.#areLive(before.live)) return before;
      return { ...counters, live: this.#readLive() };
    } catch {
      return "unreadable";  // Whoever is told asks for the list, and gets the reason.
    }
  }

  #areLive(entries: readonly Listed<ControllerRecord>[]): boolean {
    if (!entries.every(isListed)) return false;
    if (monotonicMs() - this.#processesSeenMs < processesMs) return true;
    this.#processesSeenMs = monotonicMs();
    return entries.every(isLive);
  }
}

function hasSameCounters(a: Omit<View, "live">, b: Omit<View, "live">): boolean {
  return a.changes === b.changes && a.epoch === b.epoch && a.ticketsChanged === b.ticketsChanged;
}

function isSameList(a: View | "unreadable", b: View | "unreadable"): boolean {
  if (a === "unreadable" || b === "unreadable") return a === b;
  return a.changes === b.changes && isDeepStrictEqual(a.live.map(({ record }) => record), b.live.map(({ record }) => record));
}

function unavailable(registryDir: string, cause: unknown): BquerydError {
  if (cause instanceof BquerydError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new BquerydError("REGISTRY_UNAVAILABLE",
    `cannot use the registry folder ${registryDir} (${reason}); make it a folder that you may write to, or set registry_dir to another`,
    { details: { registryDir }, cause });
}
