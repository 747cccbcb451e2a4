/** How far tickets are: the documents of downloads(), made of what the registry keeps. Pure. */
import { keyOfSlot, type Slot, type TicketHead, type TicketPlan } from "../../../registry/tickets.js";
import type { DownloadInfo, DownloadNode, DownloadPlace } from "../../../wire/download-documents.js";
import { countSlots } from "../../sync/tickets/ticket.js";
import { warnOfNodes, type NodeRoles } from "./download-nodes.js";

/** What the document of a ticket is made of. */
export interface TicketFacts {
  readonly head: TicketHead;
  readonly plan: TicketPlan;
  /** Of the registry's clock. */
  readonly nowMs: number;
  /** All of them, by `keyOfSlot`. */
  readonly slots: ReadonlyMap<string, Slot>;
  /** Whether every slot is told of. */
  readonly listsPlaces: boolean;
  readonly nodes: readonly NodeRoles[];
}

/** The document of a ticket of which only the head was read. */
export function describeHead(head: TicketHead, nowMs: number): DownloadInfo {
  const { id, state, reason, counts, createdMs, changedMs } = head;
  return {
    ticket: id, state, reason, slots: countSlots(head), done: counts.prepared + counts.switched, age: seconds(nowMs - createdMs), idle: seconds(nowMs - changedMs),
    bucket: null, replicas: null, tables: null, bytes_done: null, bytes_total: null, rate: null, eta: null, nodes: [], places: [], warnings: [],
  };
}

/** The document of a ticket with what its nodes have of it. */
export function describeTicket({ head, plan, nowMs, slots, listsPlaces, nodes: live }: TicketFacts): DownloadInfo {
  const { bucket, replicas, tables } = plan;
  const places = describePlaces(plan, slots, nowMs);
  const nodes = plan.nodes.flatMap((node) => describeNode(node, places.filter((place) => place.node === node)));
  const waitedFor = head.state === "active" ? places.filter(({ state }) => state !== "prepared").map(({ node }) => node) : [];
  return {
    ...describeHead(head, nowMs), bucket, replicas, tables: tables.length, bytes_done: sum(nodes, (node) => node.bytes_done), bytes_total: sumKnown(nodes, (node) => node.bytes_total), rate: sum(nodes, ({ rate }) => rate),
    // The slowest node ends it.
    eta: nodes.some(({ eta }) => eta === null) ? null : Math.max(0, ...nodes.map(({ eta }) => eta!)),
    nodes, places: listsPlaces ? places : [], warnings: warnOfNodes(live, new Set(waitedFor)),
  };
}

function describePlaces({ tables, nodes }: TicketPlan, slots: ReadonlyMap<string, Slot>, nowMs: number): DownloadPlace[] {
  // Who has not begun with a table knows no size of it, but another node may.
  const sizes = new Map(tables.flatMap(({ table }) => {
    const known = nodes.flatMap((node) => sizeOf(slots.get(keyOfSlot({ node, table }))) ?? []);
    return known.length === 0 ? [] : [[table, Math.max(...known)] as const];
  }));
  return nodes.flatMap((node) => tables.flatMap(({ table }) => {
    const slot = slots.get(keyOfSlot({ node, table }));
    return slot === undefined ? [] : [describePlace({ node, table }, slot, sizes.get(table) ?? null, nowMs)];
  }));
}

function describePlace(place: { node: string; table: string }, slot: Slot, size: number | null, nowMs: number): DownloadPlace {
  const told = { ...place, state: slot.state, bytes_done: 0, bytes_total: size, rate: null, eta: null, owner: null, reason: null };
  switch (slot.state) {
    case "queued": return told;
    case "downloading": {
      const { bytesDone, sinceMs, owner } = slot;
      const total = slot.bytesTotal ?? size;
      const rate = nowMs > sinceMs ? Math.round(bytesDone / ((nowMs - sinceMs) / 1_000)) : 0;
      return { ...told, bytes_done: bytesDone, bytes_total: total, rate, eta: secondsLeft(total, bytesDone, rate), owner };
    }
    case "verified": case "prepared": case "switched": return { ...told, bytes_done: slot.bytes, bytes_total: slot.bytes };
    case "failed": return { ...told, reason: slot.reason };
  }
}

/** Nothing for a node that gets no table of it. */
function describeNode(node: string, places: readonly DownloadPlace[]): DownloadNode[] {
  if (places.length === 0) return [];
  const [done, total, rate] = [sum(places, (place) => place.bytes_done), sumKnown(places, (place) => place.bytes_total), sum(places, (place) => place.rate ?? 0)];
  return [{
    node, slots: places.length, done: places.filter(({ state }) => state === "prepared" || state === "switched").length,
    bytes_done: done, bytes_total: total, rate, eta: secondsLeft(total, done, rate),
  }];
}

function sizeOf(slot: Slot | undefined): number | null {
  if (slot === undefined) return null;
  return "bytes" in slot ? slot.bytes : "bytesTotal" in slot ? slot.bytesTotal : null;
}

function secondsLeft(total: number | null, done: number, rate: number): number | null {
  if (total === null) return null;
  if (done >= total) return 0;
  return rate === 0 ? null : Math.round((total - done) / rate);
}

function sum<T>(items: readonly T[], valueOf: (item: T) => number): number {
  return items.reduce((total, item) => total + valueOf(item), 0);
}

/** Null where one of them is not known. */
function sumKnown<T>(items: readonly T[], valueOf: (item: T) => number | null): number | null {
  return items.some((item) => valueOf(item) === null) ? null : sum(items, (item) => valueOf(item)!);
}

function seconds(ms: number): number {
  return Math.round(ms) / 1_000;
}
