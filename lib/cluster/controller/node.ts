/** A controller: turns messages and timers into events of the scheduling core, and does what the core decides. */
import { monotonicMs, randomId, wallMs } from "../../base/clock.js";
import type { Config } from "../../base/config.js";
import { BquerydError, toBquerydError, unreachable, type ErrorCode } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import { version } from "../../base/version.js";
import type { ControllerRecord, Registry } from "../../registry/registry.js";
import { countMalformed, createMalformedCounts } from "../../wire/malformed.js";
import type { ClientMessage, ClientReply, WorkerMessage, WorkerReply } from "../../wire/messages.js";
import { bindRouter, type Incoming, type Router } from "../../wire/router.js";
import { createAlarm, type Alarm } from "./alarm.js";
import { on } from "./core.js";
import { eventOfMessage, type Action, type Body, type Event } from "./events.js";
import { listController, type Listing } from "./listing.js";
import { askKillall } from "./neighbours.js";
import { describeCluster, listTables, type OwnFacts } from "./report.js";
import { addSession, createSessions, removeSession, type ClientSession, type WorkerSession } from "./sessions.js";
import { createState, type ControllerState } from "./state.js";

/** What a controller needs from the process it runs in. The registry stays the caller's. */
export interface ControllerOptions {
  readonly config: Config;
  readonly log: Log;
  readonly registry: Registry;
}

/** A controller that serves until it is stopped or told to. */
export interface RunningController {
  /** Where clients and workers connect: `tcp://127.0.0.1:14300`. */
  readonly address: string;
  /** Resolves with the reason when everything is closed. */
  readonly stopped: Promise<string>;
  /** Takes no more calls, finishes those it has within a bound, leaves the registry and closes. Never throws. */
  stop(reason: string): Promise<void>;
}

/** How long a controller that is stopping lets its calls go on. */
const finishMsMax = 10_000;
/** Connections that end together are looked for together. */
const probeMs = 10;
/** How many times the silence of a worker a client may be silent: programs are busy with their own things. */
const clientPatience = 6;
const loopback = /^(127(\.\d{1,3}){3}|localhost|::1|\[::1\])$/;

/**
 * A controller that listens on `config.bind` and is listed in the registry. Throws CONFIG for an address that is not
 * loopback, PORT_IN_USE, REGISTRY_UNAVAILABLE.
 */
export async function startController({ config, log, registry }: ControllerOptions): Promise<RunningController> {
  if (!loopback.test(config.bind)) {
    throw new BquerydError("CONFIG", `bind is ${config.bind}, which other machines can reach, and this release has no keys to tell them apart; set bind to 127.0.0.1`, { details: { key: "bind" } });
  }
  const node = new ControllerNode(config, log, registry);
  try {
    await node.open();
  } catch (cause) {
    await node.close();
    throw cause;
  }
  return { address: node.address, stopped: node.stopped, stop: (reason) => node.stop(reason) };
}

class ControllerNode {
  readonly stopped: Promise<string>;
  readonly #config: Config;
  readonly #log: Log;
  readonly #registry: Registry;
  readonly #id = randomId();
  readonly #startedMs = monotonicMs();
  readonly #record: Omit<ControllerRecord, "address">;
  readonly #state: ControllerState;
  readonly #sessions = createSessions();
  readonly #malformed = createMalformedCounts();
  readonly #alarm: Alarm;
  /** Some connection has ended: heartbeats to everybody find out whose. */
  readonly #probe = createAlarm(() => { this.#sendHeartbeats(); }, Infinity);
  readonly #events: Event[] = [];
  /** Strangers asked to register since the last beat: what they sent before they heard of it asks for no more. */
  readonly #askedToRegister = new Set<string>();
  #router: Router | undefined;
  #listing: Listing | undefined;
  #beats: NodeJS.Timeout | undefined;
  #lastBeatMs = monotonicMs();
  #messagesIn = 0;
  #messagesOut = 0;
  #isDispatching = false;
  #stopping: Promise<void> | undefined;
  #settleStopped: (reason: string) => void = () => undefined;
  #onDrained: () => void = () => undefined;

  constructor(config: Config, log: Log, registry: Registry) {
    this.#config = config;
    this.#log = log;
    this.#registry = registry;
    this.#record = { id: this.#id, node: config.node, pid: process.pid, startedMs: wallMs() };
    this.#alarm = createAlarm(() => { this.#dispatch({ kind: "tick" }); }, config.heartbeatMs);
    this.#state = createState({
      origin: `controller ${this.#id.slice(0, 8)} on ${config.node}`, expiryMs: config.expiryMs, attemptsMax: config.attemptsMax,
      queueTasksMax: config.queueTasksMax, queueBytesMax: config.messageBytesMax, makeId: randomId,
    });
    this.stopped = new Promise((resolve) => { this.#settleStopped = resolve; });
  }

  get address(): string {
    return this.#router?.address ?? "";
  }

  async open(): Promise<void> {
    const { bind, port, messageBytesMax, heartbeatMs } = this.#config;
    this.#router = await bindRouter({
      bind, port: port ?? { first: 14_300, last: 14_399 }, messageBytesMax,
      onMessage: (peer, message) => { this.#receive(peer, message); },
      onUnreachable: (peer) => { this.#lose(peer, "its connection is gone"); },
      onMalformed: (peer, error) => { this.#noteMalformed(peer, error); },
      onDisconnect: () => { this.#probe.set(monotonicMs() + probeMs); },
    });
    this.#listing = await listController({
      registry: this.#registry, record: { ...this.#record, address: this.address }, ttlMs: 3 * heartbeatMs, log: this.#log,
    });
    this.#beats = setInterval(() => { this.#beat(); }, heartbeatMs);
  }

  stop(reason: string): Promise<void> {
    return this.#stopping ??= this.#finish(reason);
  }

  async close(): Promise<void> {
    clearInterval(this.#beats);
    await this.#listing?.withdraw();
    await this.#router?.close();
    this.#alarm.cancel();
    this.#probe.cancel();
  }

  async #finish(reason: string): Promise<void> {
    this.#dispatch({ kind: "stopping", finish: true });
    await this.#listing?.withdraw();
    await this.#drain(Math.min(this.#config.timeoutMs, finishMsMax));
    this.#dispatch({ kind: "stopping", finish: false });
    await this.close();
    this.#settleStopped(reason);
  }

  /** Waits until no call is left, or the time is over. */
  async #drain(timeoutMs: number): Promise<void> {
    if (this.#state.calls.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onDrained = () => { clearTimeout(timer); resolve(); };
    });
  }

  /** Events that come while one is worked on wait for their turn: sending can tell of a peer that is gone. */
  #dispatch(event: Event): void {
    this.#events.push(event);
    if (this.#isDispatching) return;
    this.#isDispatching = true;
    for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
      const actions = on(this.#state, next, monotonicMs());
      // Workers first: they are waited for, and what clients are told can wait for a moment.
      for (const action of actions) if (action.kind === "assign") this.#execute(action);
      for (const action of actions) if (action.kind !== "assign") this.#execute(action);
    }
    this.#isDispatching = false;
    if (this.#state.calls.size === 0) this.#onDrained();
  }

  #execute(action: Action): void {
    switch (action.kind) {
      case "assign": this.#assign(action); break;
      case "cancelTask": this.#sendToWorker(action.workerId, { type: "cancelTask", taskId: action.taskId }); break;
      case "forward": this.#forward(action.clientId, action.header, action.body); break;
      case "answer": case "refuse": this.#answer(action.clientId, action.header); break;
      case "wakeAt": this.#alarm.set(action.atMs); break;
      case "log": this.#log[action.level]({ event: action.event, ...action.facts }); break;
      default: unreachable(action);
    }
  }

  #assign({ workerId, header, body }: Action & { kind: "assign" }): void {
    try {
      this.#sendToWorker(workerId, header, body);
    } catch (cause) {
      const { code, message, details, retry } = toBquerydError(cause, "send a task");
      this.#dispatch({ kind: "failed", workerId, taskId: header.taskId, code, message, details, retry, shard: null });
    }
  }

  #forward(clientId: string, header: ClientReply & { type: "accepted" | "partial" | "slice" | "leftOut" }, body: Body): void {
    try {
      this.#sendToClient(clientId, header, body);
    } catch (cause) {
      this.#dispatch({ kind: "unsendable", clientId, id: header.id, message: toBquerydError(cause).message });
    }
  }

  #answer(clientId: string, header: ClientReply & { type: "result" | "error" }): void {
    try {
      this.#sendToClient(clientId, header);
    } catch (cause) {
      const { code, message } = toBquerydError(cause);
      this.#sendToClient(clientId, { type: "error", id: header.id, code, message, details: {}, origin: this.#state.options.origin });
    }
  }

  #sendToClient(clientId: string, header: ClientReply, body: Body = []): void {
    const session = this.#sessions.clients.get(clientId);
    if (session === undefined) return; // Gone since; its calls go with it.
    this.#router?.send(session.peer, "client", header, body);
    this.#messagesOut += 1;
  }

  #sendToWorker(workerId: string, header: WorkerReply, body: Body = []): void {
    const session = this.#sessions.workers.get(workerId);
    if (session === undefined) return; // Gone since; its task is given to another.
    this.#router?.send(session.peer, "worker", header, body);
    this.#messagesOut += 1;
  }

  #receive(peer: string, message: Incoming): void {
    this.#messagesIn += 1;
    if (message.channel === "client") this.#receiveOfClient(peer, message.header, message.body);
    else this.#receiveOfWorker(peer, message.header, message.body);
  }

  #receiveOfClient(peer: string, header: ClientMessage, body: Body): void {
    if (header.type === "hello") {
      this.#welcomeClient(peer, header.clientId);
      return;
    }
    const session = this.#sessions.byPeer.get(peer);
    if (session?.kind !== "client") {
      this.#refuseStranger(peer, header);
      return;
    }
    session.lastHeardMs = monotonicMs();
    switch (header.type) {
      case "call": this.#call(session, header, body); break;
      case "cancel": this.#dispatch({ kind: "cancelled", clientId: session.id, id: header.id }); break;
      case "credit": this.#dispatch({ kind: "credit", clientId: session.id, id: header.id, attempt: header.attempt, slices: header.slices }); break;
      case "heartbeat": break;
      case "bye": this.#lose(peer, "it said goodbye", true); break;
      default: unreachable(header);
    }
  }

  #receiveOfWorker(peer: string, header: WorkerMessage, body: Body): void {
    if (header.type === "register") {
      this.#register(peer, header);
      return;
    }
    const workerId = this.#knownWorker(peer);
    if (workerId === undefined) this.#askToRegister(peer, header);
    else if (header.type === "bye") this.#lose(peer, header.reason, true);
    else this.#dispatch(eventOfMessage(workerId, header, body));
  }

  #welcomeClient(peer: string, id: string): void {
    if (!addSession(this.#sessions, { kind: "client", id, peer, lastHeardMs: monotonicMs() })) {
      this.#log.warn({ event: "peer.refused", client: id, sessions: this.#sessions.byPeer.size });
      return;
    }
    this.#sendToClient(id, { type: "welcome", ...this.#welcome() });
  }

  #register(peer: string, header: WorkerMessage & { type: "register" }): void {
    const { workerId, node, pid, role, dataDir, uptimeMs, holdings } = header;
    const session: WorkerSession = { kind: "worker", id: workerId, peer, node, pid, role, dataDir, startedMs: monotonicMs() - uptimeMs };
    if (!addSession(this.#sessions, session)) {
      this.#log.warn({ event: "peer.refused", worker: workerId, node, sessions: this.#sessions.byPeer.size });
      return;
    }
    this.#sendToWorker(workerId, { type: "welcome", ...this.#welcome() });
    this.#dispatch({ kind: "registered", workerId, node, holdings });
  }

  #welcome(): Omit<ClientReply & { type: "welcome" }, "type"> {
    const { node, heartbeatMs, expiryMs } = this.#config;
    return { controllerId: this.#id, node, version, heartbeatMs, expiryMs };
  }

  /** The id of the worker at a peer, as long as the core has not given it up. */
  #knownWorker(peer: string): string | undefined {
    const session = this.#sessions.byPeer.get(peer);
    return session?.kind === "worker" && this.#state.workers.has(session.id) ? session.id : undefined;
  }

  #askToRegister(peer: string, { type }: WorkerMessage): void {
    if (type === "bye" || this.#askedToRegister.has(peer)) return;
    removeSession(this.#sessions, peer);
    this.#askedToRegister.add(peer);
    this.#router?.send(peer, "worker", { type: "heartbeat", known: false });
  }

  #refuseStranger(peer: string, header: Exclude<ClientMessage, { type: "hello" }>): void {
    if (header.type === "bye") return;
    this.#router?.send(peer, "client", { type: "heartbeat", known: false });
    if (header.type !== "call") return;
    const message = "this controller does not know the client; connect again";
    this.#router?.send(peer, "client", { type: "error", id: header.id, code: "CONNECTION_LOST", message, details: {}, origin: this.#state.options.origin });
  }

  #call(client: ClientSession, call: ClientMessage & { type: "call" }, body: Body): void {
    switch (call.verb) {
      case "groupby": this.#dispatch({ kind: "called", clientId: client.id, call, body }); break;
      case "ping": this.#answerValue(client, call.id, "pong"); break;
      case "files": this.#answerValue(client, call.id, listTables(this.#state.catalog)); break;
      case "info": void this.#answerInfo(client, call.id); break;
      case "killall": void this.#killall(client, call.id); break;
      default: unreachable(call.verb);
    }
  }

  #answerValue(client: ClientSession, id: string, value: unknown): void {
    this.#answer(client.id, { type: "result", id, value, cost: null, queuedMs: 0, workers: 0, retries: 0 });
  }

  async #answerInfo(client: ClientSession, id: string): Promise<void> {
    const controllers = await this.#registry.controllers().catch((cause: unknown) => ({ problem: toBquerydError(cause).message }));
    const own: OwnFacts = {
      ...this.#record, address: this.address, version, startedMs: this.#startedMs,
      messagesIn: this.#messagesIn, messagesOut: this.#messagesOut, malformed: this.#malformed.total,
    };
    this.#answerValue(client, id, describeCluster({ own, state: this.#state, sessions: this.#sessions, controllers }, monotonicMs()));
  }

  /** Stops every worker, the other controllers, and this one. */
  async #killall(client: ClientSession, id: string): Promise<void> {
    // Off the list first: the others ask those on it in turn.
    await this.#listing?.withdraw();
    const others = this.#state.stopping ? [] : await this.#registry.controllers().catch(() => []);
    this.#dispatch({ kind: "stopping", finish: false });
    const workers = [...this.#state.workers.keys()];
    for (const workerId of workers) this.#sendToWorker(workerId, { type: "shutdown", reason: "killall" });
    const options = { messageBytesMax: this.#config.messageBytesMax, timeoutMs: 2 * this.#config.heartbeatMs };
    const asked = await Promise.allSettled(others.filter((other) => other.id !== this.#id).map(({ address }) => askKillall(address, options)));
    const answered = asked.filter((outcome) => outcome.status === "fulfilled" && outcome.value).length;
    this.#answerValue(client, id, { workers: workers.length, controllers: 1 + answered });
    await this.stop("killall");
  }

  /** A peer is gone: its worker or client, if it was one, is lost at once. */
  #lose(peer: string, reason: string, saidBye = false): void {
    const session = removeSession(this.#sessions, peer);
    if (session?.kind === "worker") this.#dispatch({ kind: "workerLost", workerId: session.id, reason, saidBye });
    if (session?.kind === "client") this.#dispatch({ kind: "clientLost", clientId: session.id });
  }

  #noteMalformed(peer: string, { code, message }: { code: ErrorCode; message: string }): void {
    const count = countMalformed(this.#malformed, peer, monotonicMs());
    if (count > 0) this.#log.warn({ event: "peer.malformed", peer, code, message, count });
  }

  #beat(): void {
    const nowMs = monotonicMs();
    const { heartbeatMs, expiryMs } = this.#config;
    // After a pause of this process itself, what clients sent meanwhile has not been read yet.
    const wasAway = nowMs - this.#lastBeatMs > 2 * heartbeatMs;
    this.#lastBeatMs = nowMs;
    this.#askedToRegister.clear();
    const silent = wasAway ? [] : [...this.#sessions.clients.values()].filter((client) => nowMs - client.lastHeardMs >= clientPatience * expiryMs);
    for (const { id, peer } of silent) {
      this.#log.info({ event: "client.lost", client: id, reason: "nothing heard of it" });
      this.#lose(peer, "nothing heard of it");
    }
    this.#sendHeartbeats();
    this.#listing?.renew();
  }

  #sendHeartbeats(): void {
    for (const { id } of this.#sessions.clients.values()) this.#sendToClient(id, { type: "heartbeat", known: true });
    for (const { id } of this.#sessions.workers.values()) this.#sendToWorker(id, { type: "heartbeat", known: true });
  }
}
