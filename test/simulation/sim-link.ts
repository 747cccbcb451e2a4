/** One connection of a client to one life of a controller: messages of each end arrive in order, or stop arriving. */
import type { ClientMessage, ClientReply } from "../../lib/wire/messages.js";
import type { SimClient } from "./sim-client.js";
import type { SimController } from "./sim-controller.js";
import { chance, drawDelayMs, type World } from "./world.js";

/** What a client and a controller talk over. */
export interface SimLink {
  readonly controller: SimController;
  readonly client: SimClient;
  /** As the client has it: what comes after that it does not read. */
  isOpen: boolean;
  /** Of a half-open connection: nothing gets through to that end any more. */
  isDeaf: { controller: boolean; client: boolean };
  sendUp(header: ClientMessage, body?: readonly Uint8Array[]): void;
  sendDown(header: ClientReply, body?: readonly Uint8Array[]): void;
}

/** A connection that stands as long as the controller lives. */
export function openSimLink(world: World, client: SimClient, controller: SimController): SimLink {
  const { random, timeline } = world;
  const { life } = controller;
  const lastMs = { up: 0, down: 0 };
  const arriveAt = (way: "up" | "down"): number => lastMs[way] = Math.max(lastMs[way], timeline.nowMs + drawDelayMs(random));
  const link: SimLink = {
    controller, client, isOpen: true, isDeaf: { controller: false, client: false },
    sendUp(header, body = []) {
      timeline.at(arriveAt("up"), () => {
        // What was on its way when the connection ended may still arrive, up to the first message that does not.
        if (!link.isOpen && chance(random, 0.5)) link.isDeaf.controller = true;
        if (!link.isDeaf.controller && controller.life === life) controller.receiveOfClient(link, header, body);
      });
    },
    sendDown(header, body = []) {
      timeline.at(arriveAt("down"), () => { if (!link.isDeaf.client) client.receive(link, header, body); });
    },
  };
  return link;
}
