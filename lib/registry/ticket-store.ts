/**
 * Tickets over texts by key in one process: what the registry in LMDB does inside its transactions, and the simulator in
 * memory. Nothing is written before all that is expected has been looked at.
 *
 *   PREFIXtickets:ID                    the head as JSON: the texts of `headFields`, and when it is forgotten
 *   PREFIXticket_plans:ID               the plan as JSON
 *   PREFIXticket_slots:ID:NODE TABLE    a slot
 *   PREFIXtickets_changed               rises with every change that is told of
 */
import { limits } from "../base/limits.js";
import { decodeEpoch, foreign, nextEpoch, parseJson } from "./entries.js";
import type { PointerChange } from "./pointers.js";
import { decodeHead, decodePlan, decodeSlot, encodeSlot, isEnded, newHeadTexts, noTicket, requireCommit, requirePlan, requireTicketChange, ticketExists, ticketMoved, tooManyTickets, wrongPurpose, type HeadTexts } from "./ticket-entries.js";
import { isJoin, keyOfSlot, slotStates, type Slot, type SlotChange, type SlotPlace, type TicketChange, type TicketCommit, type TicketHead, type TicketList, type TicketPlan } from "./tickets.js";

/** Texts by key, as they are inside one transaction. */
export interface TextEntries {
  get(key: string): string | undefined;
  put(key: string, text: string): void;
  /** Tells whether there was one. */
  remove(key: string): boolean;
  /** Those whose key begins so, in key order. */
  list(prefix: string): Iterable<{ readonly key: string; readonly value: string }>;
}

/** Tickets in texts: the same operations as a TicketKeeper's, each to be run inside one transaction at a given time. */
export interface TicketStore {
  create(plan: TicketPlan, places: readonly SlotPlace[], nowMs: number): void;
  list(nowMs: number): TicketList;
  plan(id: string, nowMs: number): TicketPlan | undefined;
  slots(plan: TicketPlan, node: string | undefined, nowMs: number): Map<string, Slot>;
  change(id: string, change: TicketChange, nowMs: number): void;
  /** `movePointers` runs in the same transaction, and throws STALE before it writes; given no changes it only looks at the epoch. */
  commit(id: string, commit: TicketCommit, nowMs: number, movePointers: (changes: readonly PointerChange[], expectedEpoch: number) => number): number;
  remove(id: string, nowMs: number): boolean;
  /** A number that is greater after every change that watchers are told of. */
  changes(): number;
}

interface Entry {
  readonly head: TicketHead;
  readonly texts: HeadTexts;
  readonly forgottenMs: number | null;
}

/** The tickets in `entries`; all keys begin with `prefix`. */
export function createTicketStore(entries: TextEntries, prefix: string): TicketStore {
  const { planKey, slotsPrefix, slotNamed, changes, find, require, requireSlots, readEntries, put, countChange, forget } = openEntries(entries, prefix);
  return {
    create(plan, places, nowMs) {
      requirePlan(plan, places);
      const known = readEntries();
      for (const { head } of known.filter((entry) => isForgotten(entry, nowMs))) forget(head.id);
      if (find(plan.id, nowMs) !== undefined) throw ticketExists(plan.id);
      if (known.filter((entry) => !isForgotten(entry, nowMs)).length >= limits.ticketsMax) throw tooManyTickets();
      for (const place of places) entries.put(slotsPrefix(plan.id) + keyOfSlot(place), encodeSlot({ state: "queued", fence: 0 }));
      entries.put(planKey(plan.id), JSON.stringify(plan));
      put(plan.id, newHeadTexts(places.length, nowMs), null);
      countChange(nowMs);
    },
    list(nowMs) {
      const heads = readEntries().filter((entry) => !isForgotten(entry, nowMs)).map(({ head }) => head);
      return { nowMs, heads: heads.sort(compareHeads) };
    },
    plan(id, nowMs) {
      const text = find(id, nowMs) === undefined ? undefined : entries.get(planKey(id));
      return text === undefined ? undefined : decodePlan(planKey(id), text);
    },
    slots({ id, tables }, node, nowMs) {
      if (find(id, nowMs) === undefined) return new Map();
      const start = slotsPrefix(id);
      // Of one node they are asked for by name: who asks for one table of many is not to go through all.
      if (node !== undefined) return new Map(tables.flatMap(({ table }) => slotNamed(start, keyOfSlot({ node, table }))));
      const found = entries.list(start);
      return new Map([...found].map(({ key, value }) => [key.slice(start.length), decodeSlot(key, value)]));
    },
    change(id, change, nowMs) {
      requireTicketChange(id, change);
      const { texts, forgottenMs } = require(id, change.expectedVersion, nowMs);
      requireSlots(id, change.slots);
      for (const slot of change.slots) entries.put(slotsPrefix(id) + keyOfSlot(slot), encodeSlot(slot.to));
      const counted = { ...texts, ...countSlots(texts, change.slots), changed: String(nowMs) };
      if (change.head === null) put(id, counted, forgottenMs);
      else put(id, { ...counted, ...changedHead(texts, change.head, nowMs) }, change.head.keepMs === null ? null : nowMs + change.head.keepMs);
      if (change.head !== null || change.slots.some(isNewState)) countChange(nowMs);
    },
    commit(id, commit, nowMs, movePointers) {
      requireCommit(id, commit);
      const { texts, forgottenMs } = require(id, commit.expectedVersion, nowMs);
      if (isJoin(decodePlan(planKey(id), entries.get(planKey(id)) ?? "")) !== (commit.pointers.length === 0)) throw wrongPurpose(id);
      const epoch = movePointers(commit.pointers, commit.expectedEpoch);
      const committed = changedHead(texts, { state: "committed", reason: null }, nowMs);
      put(id, { ...texts, ...committed, changed: String(nowMs), epoch: String(epoch) }, forgottenMs);
      countChange(nowMs);
      return epoch;
    },
    remove(id, nowMs) {
      const isThere = find(id, nowMs) !== undefined;
      forget(id);
      if (isThere) countChange(nowMs);
      return isThere;
    },
    changes,
  };
}

/** How the entries of tickets are read and written. */
function openEntries(entries: TextEntries, prefix: string) {
  const headsPrefix = `${prefix}tickets:`;
  const changesKey = `${prefix}tickets_changed`;
  const planKey = (id: string): string => `${prefix}ticket_plans:${id}`;
  const slotsPrefix = (id: string): string => `${prefix}ticket_slots:${id}:`;

  function slotNamed(start: string, name: string): [string, Slot][] {
    const text = entries.get(start + name);
    return text === undefined ? [] : [[name, decodeSlot(start + name, text)]];
  }
  function find(id: string, nowMs: number): Entry | undefined {
    const text = entries.get(headsPrefix + id);
    const entry = text === undefined ? undefined : decodeEntry(headsPrefix + id, id, text);
    return entry === undefined || isForgotten(entry, nowMs) ? undefined : entry;
  }
  function require(id: string, expectedVersion: number, nowMs: number): Entry {
    const entry = find(id, nowMs);
    if (entry === undefined) throw noTicket(id);
    if (entry.head.version !== expectedVersion) throw ticketMoved(id, "state");
    return entry;
  }
  function readEntries(): Entry[] {
    return [...entries.list(headsPrefix)].map(({ key, value }) => decodeEntry(key, key.slice(headsPrefix.length), value));
  }
  function put(id: string, texts: HeadTexts, forgottenMs: number | null): void {
    entries.put(headsPrefix + id, JSON.stringify({ ...texts, forgotten: forgottenMs === null ? "" : String(forgottenMs) }));
  }
  function countChange(nowMs: number): void {
    entries.put(changesKey, String(nextEpoch(changes(), nowMs)));
  }
  function changes(): number {
    return decodeEpoch(changesKey, entries.get(changesKey));
  }
  function forget(id: string): void {
    entries.remove(headsPrefix + id);
    entries.remove(planKey(id));
    for (const key of [...entries.list(slotsPrefix(id))].map((entry) => entry.key)) entries.remove(key);
  }
  function requireSlots(id: string, slots: readonly SlotChange[]): void {
    const other = slots.find((slot) => entries.get(slotsPrefix(id) + keyOfSlot(slot)) !== encodeSlot(slot.from));
    if (other !== undefined) throw ticketMoved(id, `slot '${keyOfSlot(other)}'`);
  }
  return { planKey, slotsPrefix, slotNamed, changes, find, require, requireSlots, readEntries, put, countChange, forget };
}

function decodeEntry(key: string, id: string, text: string): Entry {
  const texts = parseJson(text);
  if (!isTexts(texts)) throw foreign(key);
  return { head: decodeHead(key, id, texts), texts, forgottenMs: texts.forgotten === "" ? null : decodeEpoch(key, texts.forgotten) };
}

/** Which texts they are, decodeHead looks at. */
function isTexts(texts: unknown): texts is HeadTexts & { readonly forgotten: string } {
  return typeof texts === "object" && texts !== null && "forgotten" in texts && Object.values(texts).every((text) => typeof text === "string");
}

function isForgotten({ forgottenMs }: Entry, nowMs: number): boolean {
  return forgottenMs !== null && forgottenMs <= nowMs;
}

/** Which of two tickets comes first: the older one. */
export function compareHeads(a: TicketHead, b: TicketHead): number {
  return a.createdMs - b.createdMs || (a.id < b.id ? -1 : 1);
}

function isNewState({ from, to }: SlotChange): boolean {
  return from.state !== to.state;
}

function changedHead(texts: HeadTexts, { state, reason }: Omit<NonNullable<TicketChange["head"]>, "keepMs">, nowMs: number): Partial<HeadTexts> {
  return { state, reason: reason ?? "", version: String(Number(texts.version) + 1), ended: isEnded(state) ? String(nowMs) : "" };
}

function countSlots(texts: HeadTexts, slots: readonly SlotChange[]): Partial<HeadTexts> {
  const counts = new Map(slotStates.map((state) => [state, Number(texts[state])]));
  for (const { from, to } of slots) {
    counts.set(from.state, counts.get(from.state)! - 1);
    counts.set(to.state, counts.get(to.state)! + 1);
  }
  return Object.fromEntries([...counts].map(([state, count]) => [state, String(count)]));
}
