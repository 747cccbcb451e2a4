/**
 * The registry in a Redis server, for clusters of several machines. Every change is one script. Keys (REGISTRY.md), with
 * `CLUSTER:` before them in clusters other than `default`:
 *
 *   bqueryd_controllers    hash: id -> when its listing ends by the server's clock, ms, a space, the record as JSON
 *   bqueryd_nodes          hash: id of a mover -> the same, of its node
 *   bqueryd_pointers       hash: directory name of a table -> epoch, a space, the generation or `-`, a space and the source if it has one
 *   bqueryd_epoch          the epoch of the pointers
 *   bqueryd_changes        channel: `controllers`, `pointers` or `tickets`, what has changed
 *   bqueryd_tickets, bqueryd_tickets_changed, bqueryd_download_ticket_ID: redis-tickets.ts
 */
import type { PointerChange, Pointers } from "./pointers.js";
import { isDeepStrictEqual } from "node:util";
import { BquerydError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { hideRedisPassword, parseRedisUrl } from "../base/redis-url.js";
import { compareRecords, decodeEpoch, decodeNode, decodePointer, decodeRecord, encodePointer, epochMoved, foreign, namesOfNodes, requireChanges, requireClusterName, requireNode } from "./entries.js";
import { openRedisLink, type RedisLink } from "./redis-link.js";
import { changeTexts, requireFields, requireList, requireText } from "./redis-replies.js";
import * as scripts from "./redis-scripts.js";
import { keepRedisTickets } from "./redis-tickets.js";
import type { ControllerRecord, NodeRecord, Registry, RegistryChange } from "./registry.js";
import type { TicketKeeper } from "./tickets.js";

/** Which server, whose registry in it, and how long to wait for an answer. */
export interface RedisRegistryOptions {
  readonly redisUrl: string;
  /** Clusters in one database do not see each other. */
  readonly cluster: string;
  /** By default 3 s. */
  readonly answerMs?: number;
}

const defaultAnswerMs = 3_000;
/** How often the server is looked at even though it tells of changes: a message can be lost. */
const pollMs = 1_000;
/** Entries of one cluster that are read. */
const recordsMax = 10_000;

interface Keys {
  readonly controllers: string;
  readonly nodes: string;
  readonly pointers: string;
  readonly epoch: string;
  readonly channel: string;
  readonly ticketsChanged: string;
}

interface Listing<T> {
  readonly record: T;
  /** For how long it still stands, ms. */
  readonly restMs: number;
}

/** What a look finds, and compares with. Whoever is told that there is no view asks for the list, and gets the reason. */
interface View {
  readonly records: ControllerRecord[];
  readonly epoch: number;
  readonly ticketsChanged: number;
  /** The next end of a listing, ms from the look. */
  readonly dueMs: number;
}

/** A Registry in a Redis server. Throws REGISTRY_UNAVAILABLE when it cannot be read, CONFIG for what is no address. */
export async function openRedisRegistry({ redisUrl, cluster, answerMs = defaultAnswerMs }: RedisRegistryOptions): Promise<Registry> {
  requireClusterName(cluster);
  const address = parseRedisUrl(redisUrl);
  if (address === undefined) throw new BquerydError("CONFIG", `redis_url ${hideRedisPassword(redisUrl)} is no address; write redis://host:port/db`);
  const prefix = cluster === "default" ? "" : `${cluster}:`;
  const keys: Keys = {
    controllers: `${prefix}bqueryd_controllers`, nodes: `${prefix}bqueryd_nodes`, pointers: `${prefix}bqueryd_pointers`, epoch: `${prefix}bqueryd_epoch`, channel: `${prefix}bqueryd_changes`,
    ticketsChanged: `${prefix}bqueryd_tickets_changed`,
  };
  const link = openRedisLink(address, answerMs);
  const ticketKeys = { ...keys, counter: keys.ticketsChanged, tickets: `${prefix}bqueryd_tickets`, ticketPrefix: `${prefix}bqueryd_download_ticket_` };
  const registry = new RedisRegistry(link, keys, keepRedisTickets(link, ticketKeys));
  try {
    await registry.controllers();
  } catch (cause) {
    await registry.close();
    throw cause;
  }
  return registry;
}

class RedisRegistry implements Registry {
  readonly tickets: TicketKeeper;
  readonly #link: RedisLink;
  readonly #keys: Keys;
  readonly #watchers = new Set<(change: RegistryChange) => void>();
  /** Undefined before the first look. */
  #view: View | "unreadable" | undefined;
  /** Of the last look that was not in vain. */
  #epoch: number | undefined;
  #ticketsChanged: number | undefined;
  #looking: Promise<void> | undefined;
  #isLookDue = false;
  #timer: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;

  constructor(link: RedisLink, keys: Keys, tickets: TicketKeeper) {
    this.#link = link;
    this.#keys = keys;
    this.tickets = tickets;
  }

  async announce(record: ControllerRecord, ttlMs: number): Promise<void> {
    const { controllers, channel } = this.#keys;
    await this.#link.run(scripts.announce, [controllers, channel], [record.id, String(Math.ceil(ttlMs)), JSON.stringify(record)]);
  }

  async withdraw(id: string): Promise<void> {
    const { controllers, channel } = this.#keys;
    await this.#link.run(scripts.withdraw, [controllers, channel], [id]);
  }

  async controllers(): Promise<ControllerRecord[]> {
    return (await this.#readView()).records;
  }

  async announceNode(record: NodeRecord, ttlMs: number): Promise<void> {
    requireNode(record);
    await this.#link.run(scripts.announceNode, [this.#keys.nodes], [record.id, String(Math.ceil(ttlMs)), JSON.stringify(record)]);
  }

  async withdrawNode(id: string): Promise<void> {
    await this.#link.run(scripts.withdrawNode, [this.#keys.nodes], [id]);
  }

  async nodes(): Promise<string[]> {
    const { nodes } = this.#keys;
    const [nowText, fields] = requireList(nodes, await this.#link.run(scripts.readNodes, [nodes], [String(recordsMax)]), 2);
    const nowMs = decodeEpoch(nodes, requireText(nodes, nowText));
    const listings = requireFields(nodes, fields).map(([id, text]) => decodeListing(`${nodes} ${id}`, text, nowMs, decodeNode));
    return namesOfNodes(listings.flatMap(({ record, restMs }) => (restMs > 0 ? [record] : [])));
  }

  async pointers(): Promise<Pointers> {
    const { epoch, pointers } = this.#keys;
    const [epochText, fields] = requireList(pointers, await this.#link.run(scripts.readPointers, [epoch, pointers], [String(2 * limits.shardsMax)]), 2);
    const tables = requireFields(pointers, fields).map(([table, text]) => [table, decodePointer(`${pointers} ${table}`, text)] as const);
    return { epoch: decodeEpoch(epoch, requireText(epoch, epochText)), tables: new Map(tables) };
  }

  async movePointers(changes: readonly PointerChange[], expectedEpoch: number): Promise<number> {
    requireChanges(changes);
    const { epoch, pointers, channel } = this.#keys;
    const args = changes.flatMap(changeTexts);
    const [moved, text] = requireList(epoch, await this.#link.run(scripts.movePointers, [epoch, pointers, channel], [String(expectedEpoch), ...args]), 2);
    const found = decodeEpoch(epoch, requireText(epoch, text));
    if (moved === "yes") return found;
    throw epochMoved(expectedEpoch, found);
  }

  async restorePointers(known: Pointers): Promise<void> {
    const { epoch, pointers, channel } = this.#keys;
    const args = [...known.tables].flatMap(([table, pointer]) => [table, String(pointer.epoch), encodePointer(pointer)]);
    await this.#link.run(scripts.restorePointers, [epoch, pointers, channel], [String(known.epoch), ...args]);
  }

  watch(onChange: (change: RegistryChange) => void): () => void {
    const watcher = (change: RegistryChange): void => { onChange(change); };
    if (this.#watchers.size === 0) this.#view = undefined;
    this.#watchers.add(watcher);
    this.#stopListening ??= this.#link.listen(this.#keys.channel, () => { this.#look(); });
    this.#look();
    return () => {
      this.#watchers.delete(watcher);
      if (this.#watchers.size === 0) this.#stopLooking();
    };
  }

  async close(): Promise<void> {
    this.#watchers.clear();
    this.#stopLooking();
    await this.#link.close();
    await this.#looking;
  }

  #stopLooking(): void {
    clearTimeout(this.#timer);
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  async #readView(): Promise<View> {
    const { controllers, epoch, ticketsChanged } = this.#keys;
    const reply = await this.#link.run(scripts.readControllers, [controllers, epoch, ticketsChanged], [String(recordsMax)]);
    const [nowText, epochText, changedText, fields] = requireList(controllers, reply, 4);
    const nowMs = decodeEpoch(controllers, requireText(controllers, nowText));
    const listings = requireFields(controllers, fields).map(([id, text]) => decodeListing(`${controllers} ${id}`, text, nowMs, decodeRecord));
    const live = listings.filter(({ restMs }) => restMs > 0).sort((a, b) => compareRecords(a.record, b.record));
    return {
      records: live.map(({ record }) => record), epoch: decodeEpoch(epoch, requireText(epoch, epochText)),
      ticketsChanged: decodeEpoch(ticketsChanged, requireText(ticketsChanged, changedText)),
      dueMs: Math.min(...live.map(({ restMs }) => restMs)),
    };
  }

  /** Looks now, or once more after the look under way. */
  #look(): void {
    clearTimeout(this.#timer);
    this.#isLookDue = true;
    this.#looking ??= this.#lookWhileDue().finally(() => { this.#looking = undefined; });
  }

  async #lookWhileDue(): Promise<void> {
    while (this.#isLookDue && this.#watchers.size > 0) {
      this.#isLookDue = false;
      const [before, view] = [this.#view, await this.#readView().catch((): "unreadable" => "unreadable")];
      this.#view = view;
      if (before !== undefined) this.#tell(before, view);
      if (view !== "unreadable") [this.#epoch, this.#ticketsChanged] = [view.epoch, view.ticketsChanged];
      const dueMs = view === "unreadable" ? pollMs : Math.min(pollMs, view.dueMs);
      if (this.#watchers.size > 0) this.#timer = setTimeout(() => { this.#look(); }, Math.max(1, dueMs)).unref();
    }
  }

  #tell(before: View | "unreadable", view: View | "unreadable"): void {
    const areSame = before === "unreadable" || view === "unreadable" ? before === view : isDeepStrictEqual(before.records, view.records);
    const changes: RegistryChange[] = areSame ? [] : ["controllers"];
    if (view !== "unreadable" && view.epoch !== this.#epoch) changes.push("pointers");
    if (view !== "unreadable" && view.ticketsChanged !== this.#ticketsChanged) changes.push("tickets");
    for (const change of changes) for (const watcher of [...this.#watchers]) watcher(change);
  }
}

function decodeListing<T>(key: string, text: string, nowMs: number, decode: (key: string, text: string) => T): Listing<T> {
  const [, endsMs, record] = /^(\d+) (.*)$/s.exec(text) ?? [];
  if (endsMs === undefined || record === undefined) throw foreign(key);
  return { record: decode(key, record), restMs: decodeEpoch(key, endsMs) - nowMs };
}
