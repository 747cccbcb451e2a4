/** Peers that a controller does not know yet: who introduces itself gets a session, whoever else speaks is told to. */
import { monotonicMs } from "../../../base/clock.js";
import type { Log } from "../../../base/log.js";
import type { LogLevel } from "../../../base/config-keys.js";
import type { ClientMessage, ClientReply, WorkerMessage } from "../../../wire/messages.js";
import type { FirstMessage } from "../../../wire/introduction.js";
import type { Router } from "../../../wire/router.js";
import type { Access } from "./access.js";
import type { Event } from "../events.js";
import { addSession, removeSession, replacedPeers, type ClientSession, type Sessions, type WorkerSession } from "./sessions.js";

/** What meeting strangers needs of its controller. */
export interface StrangersHost {
  readonly sessions: Sessions;
  readonly access: Access;
  readonly log: Log;
  /** Names this controller in errors. */
  readonly origin: string;
  /** The mark of its cluster (registry/cluster-mark.ts). */
  readonly cluster: string;
  /** What it says of itself to whoever is welcome. */
  readonly welcome: Omit<ClientReply & { type: "welcome" }, "type">;
  readonly send: Router["send"];
  /** The level that loglevel() set last, for those that come later; undefined where nobody has. */
  findLevel(): LogLevel | undefined;
  dispatch(event: Event): void;
  /** Ends the session of a peer, with all that was going on in it. */
  lose(peer: string, reason: string): void;
}

/** Meets strangers; made by `createStrangers`. */
export interface Strangers {
  welcomeClient(peer: string, hello: ClientMessage & { type: "hello" }): void;
  register(peer: string, header: WorkerMessage & { type: "register" }): void;
  /** Asks whoever speaks as a worker to register, once between two beats: what it sent before it hears of it asks for no more. */
  askToRegister(peer: string, header: WorkerMessage): void;
  refuseClient(peer: string, header: Exclude<ClientMessage, { type: "hello" }>): void;
  /** A beat has passed. */
  forgetAsked(): void;
}

/** What a controller does about strangers. */
export function createStrangers({ sessions, access, log, origin, cluster, welcome, send, findLevel, dispatch, lose }: StrangersHost): Strangers {
  const asked = new Set<string>();
  /** Records a session in place of those that it ends; tells whether there was room for it. */
  function begin(session: ClientSession | WorkerSession): boolean {
    for (const replaced of replacedPeers(sessions, session)) lose(replaced, "it began anew");
    if (addSession(sessions, session)) return true;
    log.warn({ event: "peer.refused", [session.kind]: session.id, sessions: sessions.byPeer.size });
    return false;
  }
  /** Tells whether a peer looks for a controller of another cluster, which had this address before. */
  function isForeign(header: FirstMessage): boolean {
    if (header.cluster === undefined || header.cluster === cluster) return false;
    access.noteRefused(header.type === "hello" ? "a client" : `a ${header.role} on ${header.node}`, "it looks for a controller of another cluster");
    return true;
  }
  return {
    welcomeClient(peer, hello) {
      if (isForeign(hello)) {
        send(peer, "client", { type: "heartbeat", known: false });
        return;
      }
      const session: ClientSession = { kind: "client", id: hello.clientId, peer, key: access.identify(hello), lastHeardMs: monotonicMs() };
      if (begin(session)) send(peer, "client", { type: "welcome", ...welcome });
    },
    register(peer, header) {
      const { workerId, node, pid, role, dataDir, uptimeMs, holdings } = header;
      if (isForeign(header)) {
        send(peer, "worker", { type: "refused", reason: "this controller is of another cluster, and has the address of one that is gone" });
        return;
      }
      const key = access.identify(header);
      if (access.refuseWorker(key, role, (refused) => { send(peer, "worker", refused); })) return;
      if (!begin({ kind: "worker", id: workerId, peer, key, node, pid, role, dataDir, startedMs: monotonicMs() - uptimeMs })) return;
      send(peer, "worker", { type: "welcome", ...welcome });
      const level = findLevel();
      if (level !== undefined) send(peer, "worker", { type: "setLogLevel", level });
      dispatch(role === "worker" ? { kind: "registered", workerId, node, holdings } : { kind: "carrierRegistered", workerId, node, role, dataDir });
    },
    askToRegister(peer, { type }) {
      if (type === "bye" || asked.has(peer)) return;
      removeSession(sessions, peer);
      asked.add(peer);
      send(peer, "worker", { type: "heartbeat", known: false });
    },
    refuseClient(peer, header) {
      if (header.type === "bye") return;
      send(peer, "client", { type: "heartbeat", known: false });
      if (header.type !== "call") return;
      const message = "this controller does not know the client; connect again";
      send(peer, "client", { type: "error", id: header.id, code: "CONNECTION_LOST", message, details: {}, origin });
    },
    forgetAsked() { asked.clear(); },
  };
}
