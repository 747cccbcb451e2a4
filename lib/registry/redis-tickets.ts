/**
 * Tickets in a Redis server. Keys (REGISTRY.md), with `CLUSTER:` before them in clusters other than `default`:
 *
 *   bqueryd_tickets                sorted set: the ids by when they were made
 *   bqueryd_tickets_changed        a number that rises with every change that watchers are told of
 *   bqueryd_download_ticket_ID     hash: `plan`, the texts of the head, and by `NODE TABLE` a slot (ticket-entries.ts)
 */
import { limits } from "../base/limits.js";
import { decodeEpoch, epochMoved, foreign } from "./entries.js";
import type { RedisLink } from "./redis-link.js";
import { changeTexts, requireFields, requireList, requireText } from "./redis-replies.js";
import * as scripts from "./redis-ticket-scripts.js";
import { decodeHead, decodePlan, decodeSlot, encodeSlot, headFields, isEnded, newHeadTexts, noTicket, requireCommit, requirePlan, requireTicketChange, ticketExists, ticketMoved, tooManyTickets, wrongPurpose } from "./ticket-entries.js";
import { keyOfSlot, type TicketHead, type TicketKeeper } from "./tickets.js";

/** The keys of tickets, and of what is changed with them. */
export interface TicketKeys {
  readonly tickets: string;
  readonly counter: string;
  readonly ticketPrefix: string;
  readonly epoch: string;
  readonly pointers: string;
  readonly channel: string;
}

/** The tickets behind a link, which is not closed here. */
export function keepRedisTickets(link: RedisLink, keys: TicketKeys): TicketKeeper {
  const { tickets, counter, ticketPrefix, epoch, pointers, channel } = keys;
  const keyOf = (id: string): string => ticketPrefix + id;
  return {
    async create(plan, places) {
      requirePlan(plan, places);
      const head = Object.entries(newHeadTexts(places.length, 0)).flat();
      const args = [plan.id, String(limits.ticketsMax), ticketPrefix, JSON.stringify(plan), String(head.length / 2), ...head];
      for (const place of places) args.push(keyOfSlot(place));
      const answer = await link.run(scripts.createTicket, [keyOf(plan.id), tickets, counter, channel], args);
      if (answer === "taken") throw ticketExists(plan.id);
      if (answer === "full") throw tooManyTickets();
    },
    async list() {
      const [nowText, found] = requireList(tickets, await link.run(scripts.listTickets, [tickets], [ticketPrefix, ...headFields]), 2);
      if (!Array.isArray(found)) throw foreign(tickets);
      return { nowMs: decodeEpoch(tickets, requireText(tickets, nowText)), heads: found.map((entry: unknown) => readHead(ticketPrefix, tickets, entry)) };
    },
    async plan(id) {
      const text = requireText(keyOf(id), await link.run(scripts.readPlan, [keyOf(id)], []));
      return text === "" ? undefined : decodePlan(keyOf(id), text);
    },
    async slots(plan, node) {
      const key = keyOf(plan.id);
      // One node's are a small part of many: they are asked for by name, so that the server does not go through all.
      const reply = node === undefined
        ? link.run(scripts.readAllSlots, [key], [])
        : link.run(scripts.readSlots, [key], plan.tables.map(({ table }) => keyOfSlot({ node, table })));
      const slots = requireFields(key, await reply).filter(([field]) => field.includes(" "));
      return new Map(slots.map(([field, text]) => [field, decodeSlot(`${key} ${field}`, text)]));
    },
    async change(id, change) {
      requireTicketChange(id, change);
      const { head } = change;
      const args = [String(change.expectedVersion), head?.state ?? "", head?.reason ?? "", head !== null && isEnded(head.state) ? "yes" : "no", String(head?.keepMs ?? "")];
      for (const slot of change.slots) args.push(keyOfSlot(slot), encodeSlot(slot.from), encodeSlot(slot.to));
      requireDone(id, await link.run(scripts.changeTicket, [keyOf(id), counter, channel], args));
    },
    async commit(id, commit) {
      requireCommit(id, commit);
      const { expectedVersion, expectedEpoch } = commit;
      const args = [String(expectedVersion), String(expectedEpoch), ...commit.pointers.flatMap(changeTexts)];
      const reply = await link.run(scripts.commitTicket, [keyOf(id), counter, channel, epoch, pointers], args);
      const [how, text] = requireList(keyOf(id), reply, 2);
      if (how === "purpose") throw wrongPurpose(id);
      if (how === "epoch") throw epochMoved(expectedEpoch, decodeEpoch(epoch, requireText(epoch, text)));
      requireDone(id, reply);
      return decodeEpoch(epoch, requireText(epoch, text));
    },
    async remove(id) {
      return await link.run(scripts.removeTicket, [keyOf(id), tickets, counter, channel], [id]) === "yes";
    },
  };
}

/** An id and the texts of a head. */
function readHead(ticketPrefix: string, key: string, entry: unknown): TicketHead {
  const [idText, texts] = requireList(key, entry, 2);
  const id = requireText(key, idText);
  const values = requireList(ticketPrefix + id, texts, headFields.length);
  return decodeHead(ticketPrefix + id, id, Object.fromEntries(headFields.map((field, index) => [field, values[index]])));
}

function requireDone(id: string, reply: unknown): void {
  const [how, what] = requireList(id, reply, 2);
  if (how === "gone") throw noTicket(id);
  if (how === "moved") throw ticketMoved(id, requireText(id, what));
}
