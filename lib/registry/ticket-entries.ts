/**
 * Tickets as text, alike in every registry, and what is checked of them.
 *
 *   a head:   a text for each of `headFields`; numbers in decimal, empty for null
 *   a slot:   queued fence=0
 *             downloading DONE/TOTAL fence=1 owner=PROCESS since=MS until=MS     TOTAL is ? while not known
 *             verified BYTES fence=1
 *             prepared BYTES GENERATION, switched BYTES GENERATION
 *             failed REASON
 *   a plan:   JSON
 */
import { isDeepStrictEqual } from "node:util";
import { Type, TypeCompiler } from "../base/typebox.js";
import { BquerydError } from "../base/errors.js";
import { limits } from "../base/limits.js";
import { decodeEpoch, foreign, isGeneration, isTable, nodePattern, parseJson, requireChanges } from "./entries.js";
import { keyOfSlot, slotStates, ticketStates, type Slot, type SlotPlace, type TicketChange, type TicketCommit, type TicketHead, type TicketPlan, type TicketState } from "./tickets.js";

/** The texts that a head is kept as. */
export const headFields = ["state", "version", "reason", "created", "changed", "ended", "epoch", ...slotStates] as const;
export type HeadTexts = Readonly<Record<(typeof headFields)[number], string>>;

const Plan = Type.Object({
  id: Type.String({ pattern: "^[0-9a-f]{16}$" }), bucket: Type.String({ minLength: 1, maxLength: limits.objectKeyMax }),
  tables: Type.Array(Type.Object({
    table: Type.String({ maxLength: limits.tableNameMax }), manifest: Type.Union([Type.Null(), Type.String({ maxLength: limits.objectKeyMax })]),
    generation: Type.Union([Type.Null(), Type.String({ pattern: "^[0-9a-f]{64}$" })]),
  }), { minItems: 1, maxItems: limits.ticketSlotsMax }),
  nodes: Type.Array(Type.String({ pattern: nodePattern }), { minItems: 1, maxItems: limits.ticketSlotsMax }),
  replicas: Type.Union([Type.Null(), Type.Integer({ minimum: 1 })]),
  purpose: Type.Optional(Type.Union([Type.Literal("switch"), Type.Literal("join")])),
  sets: Type.Optional(Type.Array(Type.String({ maxLength: limits.tableNameMax }), { maxItems: limits.ticketSlotsMax })),
});
const planCheck = TypeCompiler.Compile(Plan);

/** The texts of the head of a ticket that is `slots` large and begins now. */
export function newHeadTexts(slots: number, nowMs: number): HeadTexts {
  const counts = { queued: String(slots), downloading: "0", verified: "0", prepared: "0", switched: "0", failed: "0" };
  return { state: "active", version: "1", reason: "", created: String(nowMs), changed: String(nowMs), ended: "", epoch: "", ...counts };
}

/** The head in its texts; throws REGISTRY_UNAVAILABLE naming `key`. */
export function decodeHead(key: string, id: string, texts: Readonly<Record<string, unknown>>): TicketHead {
  const number = (field: string): number => decodeEpoch(`${key} ${field}`, requireText(key, texts[field]));
  const optional = (field: string): number | null => (texts[field] === "" ? null : number(field));
  const counts = { queued: number("queued"), downloading: number("downloading"), verified: number("verified"), prepared: number("prepared"), switched: number("switched"), failed: number("failed") };
  const state = ticketStates.find((known) => known === texts["state"]);
  if (state === undefined) throw foreign(key);
  return {
    id, version: number("version"), state, reason: requireText(key, texts["reason"]) || null, createdMs: number("created"), changedMs: number("changed"),
    endedMs: optional("ended"), epoch: optional("epoch"), counts,
  };
}

/** The plan in a text; throws REGISTRY_UNAVAILABLE naming `key`. */
export function decodePlan(key: string, text: string): TicketPlan {
  const plan = parseJson(text);
  if (planCheck.Check(plan)) return plan;
  throw foreign(key);
}

/** The text of a slot. */
export function encodeSlot(slot: Slot): string {
  switch (slot.state) {
    case "queued": return `queued fence=${slot.fence}`;
    case "downloading": return `downloading ${slot.bytesDone}/${slot.bytesTotal ?? "?"} fence=${slot.fence} owner=${slot.owner} since=${slot.sinceMs} until=${slot.leaseUntilMs}`;
    case "verified": return `verified ${slot.bytes} fence=${slot.fence}`;
    case "prepared": case "switched": return `${slot.state} ${slot.bytes} ${slot.generation}`;
    case "failed": return `failed ${slot.reason}`;
  }
}

/** The slot in a text; throws REGISTRY_UNAVAILABLE naming `key`. */
export function decodeSlot(key: string, text: string): Slot {
  const slot = findSlot(text);
  if (slot === undefined) throw foreign(key);
  return slot;
}


/** Whether a state is one that nothing follows. */
export function isEnded(state: TicketState): boolean {
  return state === "done" || state === "failed" || state === "cancelled";
}

/** Throws USAGE unless this is a ticket with slots for some of its nodes and tables. */
export function requirePlan(plan: TicketPlan, places: readonly SlotPlace[]): void {
  const tables = new Set(plan.tables.map(({ table }) => table));
  const nodes = new Set(plan.nodes);
  const keys = new Set(places.map(keyOfSlot));
  if (!planCheck.Check(plan) || ![...tables].every(isTable) || tables.size !== plan.tables.length || nodes.size !== plan.nodes.length) {
    throw new BquerydError("USAGE", `the ticket '${plan.id}' is none; give 16 hexadecimal digits, a bucket, and tables and nodes, each once, by names without spaces`);
  }
  if (places.length === 0 || places.length > limits.ticketSlotsMax || keys.size !== places.length || !places.every(({ node, table }) => nodes.has(node) && tables.has(table))) {
    throw new BquerydError("USAGE", `the ticket ${plan.id} has ${places.length} slots; give from 1 to ${limits.ticketSlotsMax}, each once, for its own nodes and tables`);
  }
}

/** Throws USAGE unless the change can be made as a whole, and read again. */
export function requireTicketChange(id: string, { head, slots }: TicketChange): void {
  const isRight = (head !== null || slots.length > 0) && new Set(slots.map(keyOfSlot)).size === slots.length
    && slots.every(({ from, to }) => canKeep(from) && canKeep(to)) && isReason(head?.reason ?? "-") && isSpan(head?.keepMs ?? 1);
  if (!isRight) throw new BquerydError("USAGE", `the change of the ticket ${id} is none; give a state or slots, each once, with reasons of 1 to ${limits.ticketReasonMax} characters on one line`);
}

/** Throws USAGE unless pointers can be moved so, or there are none. */
export function requireCommit(id: string, { pointers }: TicketCommit): void {
  if (pointers.length === 0) return;
  requireChanges(pointers);
  const isSet = pointers.some(({ generation }) => generation !== null);
  // A set that has fewer shards now names none of those that it had besides.
  const isRight = isSet && pointers.every(({ table, generation, source }) => generation !== null || (source === undefined && /-\d+\.bcolzs$/.test(table)));
  if (!isRight) throw new BquerydError("USAGE", `the ticket ${id} names no generation of a table; give one for each but the shards that a set of it has no more`);
}

/** USAGE: a ticket that joins would move pointers, or another one none. */
export function wrongPurpose(id: string): BquerydError {
  return new BquerydError("USAGE", `the commit of the ticket ${id} is none; give a pointer for each table, and none for a ticket that joins`, { details: { ticket: id } });
}

/** NOT_FOUND: there is no such ticket, or not any more. */
export function noTicket(id: string): BquerydError {
  return new BquerydError("NOT_FOUND", `there is no ticket ${id}; it was removed, or the registry has lost it`, { details: { ticket: id } });
}

/** STALE: somebody has changed the ticket meanwhile. */
export function ticketMoved(id: string, what: string): BquerydError {
  return new BquerydError("STALE", `the ${what} of the ticket ${id} is another than was seen; read it again and decide anew`, { details: { ticket: id } });
}

/** EXISTS: the id is taken. */
export function ticketExists(id: string): BquerydError {
  return new BquerydError("EXISTS", `there is a ticket ${id} already; give another id`, { details: { ticket: id } });
}

/** BUSY: no room for one more. */
export function tooManyTickets(): BquerydError {
  return new BquerydError("BUSY", `${limits.ticketsMax} tickets are kept already; delete some, or wait until the ended ones are forgotten`);
}

function canKeep(slot: Slot): boolean {
  return isDeepStrictEqual(findSlot(encodeSlot(slot)), slot);
}

function isReason(text: string): boolean {
  return text.length > 0 && text.length <= limits.ticketReasonMax && !/[\n\r\0]/.test(text);
}

function isSpan(ms: number): boolean {
  return Number.isSafeInteger(ms) && ms > 0;
}

function findSlot(text: string): Slot | undefined {
  const [, state, rest = ""] = /^([a-z]+) (.*)$/.exec(text) ?? [];
  switch (slotStates.find((known) => known === state)) {
    case "queued": return findQueued(rest);
    case "downloading": return findDownloading(rest);
    case "verified": return findVerified(rest);
    case "prepared": return findLanded("prepared", rest);
    case "switched": return findLanded("switched", rest);
    case "failed": return isReason(rest) ? { state: "failed", reason: rest } : undefined;
    case undefined: return undefined;
  }
}

function findQueued(rest: string): Slot | undefined {
  const [, fence] = /^fence=(\d{1,15})$/.exec(rest) ?? [];
  return fence === undefined ? undefined : { state: "queued", fence: Number(fence) };
}

function findDownloading(rest: string): Slot | undefined {
  const match = /^(?<done>\d{1,15})\/(?<total>\d{1,15}|\?) fence=(?<fence>\d{1,15}) owner=(?<owner>[A-Za-z0-9_.-]{1,64}) since=(?<since>\d{1,15}) until=(?<until>\d{1,15})$/.exec(rest);
  const { done, total, fence, owner, since, until } = match?.groups ?? {};
  if (owner === undefined) return undefined;
  return {
    state: "downloading", fence: Number(fence), owner, sinceMs: Number(since), leaseUntilMs: Number(until),
    bytesDone: Number(done), bytesTotal: total === "?" ? null : Number(total),
  };
}

function findVerified(rest: string): Slot | undefined {
  const [, bytes, fence] = /^(\d{1,15}) fence=(\d{1,15})$/.exec(rest) ?? [];
  return bytes === undefined ? undefined : { state: "verified", fence: Number(fence), bytes: Number(bytes) };
}

function findLanded(state: "prepared" | "switched", rest: string): Slot | undefined {
  const [, bytes, generation] = /^(\d{1,15}) ([0-9a-f]+)$/.exec(rest) ?? [];
  if (bytes === undefined || generation === undefined || !isGeneration(generation)) return undefined;
  return { state, bytes: Number(bytes), generation };
}

function requireText(key: string, text: unknown): string {
  if (typeof text === "string") return text;
  throw foreign(key);
}
