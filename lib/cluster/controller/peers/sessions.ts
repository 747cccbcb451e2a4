/**
 * Who is at the other end of a connection. A peer is the routing id of one connection; a client or worker keeps its own
 * id when it connects again, and then only its newest peer speaks for it.
 */
import type { ProcessRole } from "../../../wire/messages.js";

/** A client that said hello. */
export interface ClientSession {
  readonly kind: "client";
  readonly id: string;
  readonly peer: string;
  /** The public key that it owns, 64 hexadecimal digits; null where it has proved none. */
  readonly key: string | null;
  lastHeardMs: number;
}

/** A worker, downloader or mover that registered, with what it said about its process. */
export interface WorkerSession {
  readonly kind: "worker";
  readonly id: string;
  readonly peer: string;
  readonly key: string | null;
  readonly node: string;
  readonly pid: number;
  readonly role: ProcessRole;
  readonly dataDir: string;
  readonly startedMs: number;
}

/** One end of a connection that we know. */
export type Session = ClientSession | WorkerSession;

/** All sessions, each under its peer and under its id. */
export interface Sessions {
  readonly byPeer: Map<string, Session>;
  readonly clients: Map<string, ClientSession>;
  readonly workers: Map<string, WorkerSession>;
}

/** Sessions of one controller; another client or worker is not taken. */
export const sessionsMax = 20_000;

/** Nobody yet. */
export function createSessions(): Sessions {
  return { byPeer: new Map(), clients: new Map(), workers: new Map() };
}

/**
 * The peers whose sessions end when a new one begins, with all that was going on in them: whoever spoke over the same connection
 * under another id, and the client itself, with the same key, whose earlier calls it does not know to be going on. A worker
 * that registers again is told apart by the core, which blames no shard for it.
 */
export function replacedPeers(sessions: Sessions, { kind, id, peer, key }: Session): Set<string> {
  const there = sessions.byPeer.get(peer);
  const earlier = kind === "client" ? sessions.clients.get(id) : undefined;
  const isSameWorker = kind === "worker" && there?.kind === "worker" && there.id === id;
  return new Set([...(there === undefined || isSameWorker ? [] : [peer]), ...(earlier === undefined || earlier.key !== key ? [] : [earlier.peer])]);
}

/**
 * Records a session in place of an earlier one of the same id and key; tells whether it did. Whoever learns the id of
 * another does not get what it is sent.
 */
export function addSession(sessions: Sessions, session: Session): boolean {
  const earlier = session.kind === "client" ? sessions.clients.get(session.id) : sessions.workers.get(session.id);
  if (earlier !== undefined && earlier.key !== session.key) return false;
  if (earlier !== undefined) removeSession(sessions, earlier.peer);
  removeSession(sessions, session.peer);
  if (sessions.byPeer.size >= sessionsMax) return false;
  sessions.byPeer.set(session.peer, session);
  if (session.kind === "client") sessions.clients.set(session.id, session);
  else sessions.workers.set(session.id, session);
  return true;
}

/** Takes out the session of a peer and gives it; undefined when the peer is a stranger by now. */
export function removeSession(sessions: Sessions, peer: string): Session | undefined {
  const session = sessions.byPeer.get(peer);
  if (session === undefined) return undefined;
  sessions.byPeer.delete(peer);
  if (session.kind === "client") sessions.clients.delete(session.id);
  else sessions.workers.delete(session.id);
  return session;
}
