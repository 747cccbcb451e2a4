/** A controller: turns messages and timers into events of the scheduling core, and does what the core decides. */
import { boundLog } from "../../base/bounded-log.js";
import { monotonicMs, randomId, wallMs } from "../../base/clock.js";
import type { Config } from "../../base/config.js";
import type { LogLevel } from "../../base/config-keys.js";
import { toBquerydError, unreachable, type ErrorCode } from "../../base/errors.js";
import { createHeapCollector, idleGarbageBytesMax } from "../../base/garbage.js";
import type { Log } from "../../base/log.js";
import { withResolvers } from "../../base/resolvers.js";
import { version } from "../../base/version.js";
import type { ControllerFacts } from "../metrics/controller-metrics.js";
import { clusterMark } from "../../registry/cluster-mark.js";
import type { ControllerRecord, Registry } from "../../registry/registry.js";
import { addressOf, shortAddress } from "../../wire/addresses.js";
import type { Reached } from "../../wire/documents.js";
import { countMalformed, createMalformedCounts } from "../../wire/malformed.js";
import type { ClientMessage, ClientReply, WorkerMessage, WorkerReply } from "../../wire/messages.js";
import { bindRouter, type Incoming, type Router } from "../../wire/router.js";
import { createAccess, type Access } from "./peers/access.js";
import { createAlarm } from "./alarm.js";
import { createHearingAlarm, type HearingAlarm } from "./peers/hearing.js";
import { createAsked } from "./answers/asked.js";
import { countAnswer, countClientLost, createCallCounts } from "./answers/call-counts.js";
import { countCarriers } from "./carriers.js";
import { on } from "./core.js";
import { eventOfMessage, type Action, type Body, type Event } from "./events.js";
import { cancelledByClient, errorHeader } from "./calls/failures.js";
import { listController, type Listing } from "./peers/listing.js";
import { defaultPorts } from "./peers/ports.js";
import { createSessions, removeSession, type ClientSession } from "./peers/sessions.js";
import { isNear } from "./tables/looking.js";
import { followRegistry, type PointersFollower } from "./tables/pointers.js";
import { createState, isRegistered, type ControllerState } from "./state.js";
import { createStrangers, type Strangers } from "./peers/strangers.js";
import { createAdoption, createWaitingCalls } from "./calls/waiting-calls.js";

/** What a controller needs from the process it runs in. The registry stays the caller's. */
export interface ControllerOptions {
  readonly config: Config;
  readonly log: Log;
  readonly registry: Registry;
}

/** A controller that serves until it is stopped or told to. */
export interface RunningController {
  /** Where clients and workers connect: `tcp://127.0.0.1:14300`, with its public key behind it where it has one. */
  readonly address: string;
  /** Takes the keys that `authorized_keys` lists now; who is no longer let in loses its session. Throws CONFIG, and changes nothing. */
  reload(config: Config): void;
  /** Resolves with the reason when everything is closed. */
  readonly stopped: Promise<string>;
  /** Takes no more calls, finishes those it has within a bound, leaves the registry and closes. Never throws. */
  stop(reason: string): Promise<void>;
  /** What metrics are made of. */
  look(): ControllerFacts;
  /** Takes over what can change while it serves: attempts_max, queue_tasks_max. */
  reload(config: Config): void;
}

/** How long a controller that is stopping lets its calls go on. */
const finishMsMax = 10_000;
/** What other controllers are given to answer, however short heartbeats are: a connection has to be made first. */
const neighbourMsMin = 2_000;
/** Connections that end together are looked for together. */
const probeMs = 10;
/** How many times the silence of a worker a client may be silent: programs are busy with their own things. */
const clientPatience = 6;

/**
 * A controller that listens on `config.bind` and is listed in the registry. Throws CONFIG for keys that cannot be read and
 * for an address that needs some, PORT_IN_USE, REGISTRY_UNAVAILABLE.
 */
export async function startController({ config, log, registry }: ControllerOptions): Promise<RunningController> {
  const node = new ControllerNode(config, log, registry);
  try {
    await node.open();
  } catch (cause) {
    await node.close();
    throw cause;
  }
  const reload = (changed: Config): void => {
    // First what can fail: all of it is taken over or nothing.
    node.reload(changed);
    const { attemptsMax, queueTasksMax } = changed;
    Object.assign(node.look().state.options, { attemptsMax, queueTasksMax });
  };
  return { address: node.address, stopped: node.stopped, stop: (reason) => node.stop(reason), look: () => node.look(), reload };
}

class ControllerNode {
  readonly #end = withResolvers<string>();
  readonly stopped = this.#end.promise;
  readonly #config: Config;
  readonly #log: Log;
  readonly #registry: Registry;
  readonly #id = randomId();
  readonly #startedMs = monotonicMs();
  readonly #record: Omit<ControllerRecord, "address">;
  readonly #state: ControllerState;
  readonly #access: Access;
  readonly #sessions = createSessions();
  readonly #malformed = createMalformedCounts();
  readonly #take: ReturnType<typeof createAsked>;
  readonly #calls = createCallCounts();
  readonly #waiting = createWaitingCalls<ClientSession>(monotonicMs);
  readonly #adoption = createAdoption((epoch) => isNear(this.#state, epoch));
  readonly #alarm: HearingAlarm;
  /** Some connection has ended: heartbeats to everybody find out whose. */
  readonly #probe = createAlarm(() => { this.#sendHeartbeats(); }, Infinity);
  readonly #collect = createHeapCollector(idleGarbageBytesMax);
  readonly #events: Event[] = [];
  readonly #strangers: Strangers;
  #router: Router | undefined;
  #listing: Listing | undefined;
  #pointers: PointersFollower | undefined;
  #beats: NodeJS.Timeout | undefined;
  #lastBeatMs = monotonicMs();
  /** As loglevel() has set it. */
  #level: LogLevel | undefined;
  #messagesIn = 0;
  #messagesOut = 0;
  #isDispatching = false;
  #stopping: Promise<void> | undefined;
  #onDrained: () => void = () => undefined;

  constructor(config: Config, log: Log, registry: Registry) {
    this.#config = config;
    this.#log = boundLog(log, monotonicMs);
    this.#registry = registry;
    this.#access = createAccess(config, log);
    this.#record = { id: this.#id, node: config.node, pid: process.pid, startedMs: wallMs() };
    this.#alarm = createHearingAlarm(() => { this.#dispatch({ kind: "tick" }); }, {
      lateMsMax: config.heartbeatMs, expiryMs: config.expiryMs, peers: () => this.#sessions.byPeer.size, others: () => [this.#state.workers, this.#state.carriers],
    });
    this.#state = createState({
      origin: `controller ${this.#id.slice(0, 8)} on ${config.node}`, expiryMs: config.expiryMs, attemptsMax: config.attemptsMax,
      queueTasksMax: config.queueTasksMax, queueBytesMax: config.messageBytesMax, makeId: randomId,
    });
    const { node, heartbeatMs, expiryMs } = config;
    this.#strangers = createStrangers({
      sessions: this.#sessions, access: this.#access, log: this.#log, origin: this.#state.options.origin, cluster: clusterMark(config), welcome: { controllerId: this.#id, node, version, heartbeatMs, expiryMs },
      send: (...message) => {
        this.#router?.send(...message);
        this.#messagesOut += 1;
      },
      findLevel: () => this.#level, dispatch: (event) => { this.#dispatch(event); }, lose: (peer, reason) => { this.#lose(peer, reason); },
    });
    this.#take = createAsked({
      controllerId: this.#id, state: this.#state, sessions: this.#sessions, access: this.#access, calls: this.#calls, waiting: this.#waiting, log: this.#log, registry,
      neighbours: { messageBytesMax: config.messageBytesMax, timeoutMs: Math.max(neighbourMsMin, 2 * heartbeatMs) },
      describeOwn: () => ({ ...this.#record, ...this.look(), address: shortAddress(this.address), version, startedMs: this.#startedMs, refused: this.#access.refused }),
      dispatch: (event) => { this.#dispatch(event); }, answer: (clientId, header) => { this.#answer(clientId, header); },
      reach: (epoch, then) => { this.#pointers?.reach(epoch, () => { this.#adoption.wait(epoch, then); }); },
      tell: (header, whom) => this.#tell(header, whom), setLevel: (level) => { this.#log.setLevel(this.#level = level); },
      withdraw: async () => { await this.#listing?.withdraw(); }, stop: (reason) => { void this.stop(reason); },
    });
  }

  get address(): string {
    return addressOf(this.#router?.address ?? "", { host: this.#config.advertise, publicKey: this.#access.guard?.keys.publicKey });
  }

  async open(): Promise<void> {
    const { bind, port, messageBytesMax, heartbeatMs, expiryMs } = this.#config;
    // Before anybody can ask: what is answered without the pointers could be of other generations.
    this.#pointers = await followRegistry({
      registry: this.#registry, onPointers: (epoch, pointed) => { this.#dispatch({ kind: "pointers", epoch, pointed }); },
      onControllers: () => { this.#listing?.renew(); },
    });
    this.#router = await bindRouter({
      bind, port: port ?? defaultPorts, messageBytesMax, guard: this.#access.guard,
      onMessage: (peer, message) => { this.#receive(peer, message); },
      onUnreachable: (peer) => { this.#lose(peer, "connection lost: it cannot be reached any more"); },
      onMalformed: (peer, error) => { this.#noteMalformed(peer, error); },
      onRefused: () => { this.#access.noteRefused("a peer without CURVE keys", "it does not know the key of this controller, or has none"); },
      onDisconnect: () => { this.#probe.set(monotonicMs() + probeMs); },
    });
    this.#listing = await listController({
      registry: this.#registry, record: { ...this.#record, address: this.address }, ttlMs: Math.max(3 * heartbeatMs, expiryMs), log: this.#log,
    });
    this.#beats = setInterval(() => { this.#beat(); }, heartbeatMs);
  }

  reload(config: Config): void {
    this.#access.reload(config);
    for (const { peer } of [...this.#sessions.byPeer.values()].filter((session) => !this.#access.isWelcome(session))) {
      this.#router?.shutOut(peer);
      this.#lose(peer, "its key is not authorized any more");
    }
  }

  stop(reason: string): Promise<void> {
    return this.#stopping ??= this.#finish(reason);
  }

  look(): ControllerFacts {
    return {
      state: this.#state, sessions: this.#sessions, calls: this.#calls, messagesIn: this.#messagesIn, messagesOut: this.#messagesOut,
      malformed: this.#malformed.total, isListed: this.#listing?.isListed() ?? false,
    };
  }

  async close(): Promise<void> {
    clearInterval(this.#beats);
    await this.#pointers?.close();
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
    this.#end.resolve(reason);
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
    this.#adoption.check();
    if (this.#state.calls.size === 0) this.#onDrained();
  }

  #execute(action: Action): void {
    switch (action.kind) {
      case "assign": case "assignErrand": this.#assign(action); break;
      case "cancelTask": this.#sendToWorker(action.workerId, { type: "cancelTask", taskId: action.taskId }); break;
      case "look": this.#sendToWorker(action.workerId, { type: "look" }); break;
      case "forward": this.#forward(action.clientId, action.header, action.body); break;
      case "answer": case "refuse": this.#answer(action.clientId, action.header); break;
      case "wakeAt": this.#alarm.set(action.atMs); break;
      case "log": this.#log[action.level]({ event: action.event, ...action.facts }); break;
      default: unreachable(action);
    }
  }

  #assign({ workerId, header, body }: Action & { kind: "assign" | "assignErrand" }): void {
    try {
      this.#sendToWorker(workerId, header, body);
    } catch (cause) {
      const { code, message, details, retry } = toBquerydError(cause, "send a task");
      this.#dispatch({ kind: "failed", workerId, taskId: header.taskId, code, message, details, retry, shard: null });
    }
  }

  #forward(clientId: string, header: (Action & { kind: "forward" })["header"], body: Body): void {
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
    // A small call is answered in a moment: one message is enough for both.
    this.#router?.send(session.peer, "client", header, body, header.type === "accepted");
    this.#messagesOut += 1;
    if (header.type === "result" || header.type === "error") countAnswer(this.#calls, clientId, header, monotonicMs());
  }

  #sendToWorker(workerId: string, header: WorkerReply, body: Body = []): void {
    const session = this.#sessions.workers.get(workerId);
    if (session === undefined) return; // Gone since; its task is given to another.
    this.#router?.send(session.peer, "worker", header, body);
    this.#messagesOut += 1;
  }

  #tell(header: WorkerReply, whom: "workers" | "all"): Reached {
    const { workers, carriers } = this.#state;
    for (const id of [...workers.keys(), ...(whom === "all" ? carriers.keys() : [])]) this.#sendToWorker(id, header);
    return { workers: workers.size, ...(whom === "all" && carriers.size > 0 ? countCarriers(this.#state) : {}) };
  }

  #receive(peer: string, message: Incoming): void {
    this.#messagesIn += 1;
    this.#alarm.noteRead();
    if (message.channel === "client") this.#receiveOfClient(peer, message.header, message.body);
    else this.#receiveOfWorker(peer, message.header, message.body);
  }

  #receiveOfClient(peer: string, header: ClientMessage, body: Body): void {
    if (header.type === "hello") {
      this.#strangers.welcomeClient(peer, header);
      return;
    }
    const session = this.#sessions.byPeer.get(peer);
    if (session?.kind !== "client") {
      this.#strangers.refuseClient(peer, header);
      return;
    }
    session.lastHeardMs = monotonicMs();
    switch (header.type) {
      case "call": this.#take(session, header, body); break;
      case "cancel": this.#cancel(session, header.id); break;
      case "credit": this.#dispatch({ kind: "credit", clientId: session.id, id: header.id, attempt: header.attempt, slices: header.slices }); break;
      case "heartbeat": break;
      case "bye": this.#lose(peer, "it said goodbye", true); break;
      default: unreachable(header);
    }
  }

  #cancel(session: ClientSession, id: string): void {
    const isWaiting = this.#waiting.takeBack(session, id);
    if (isWaiting) this.#answer(session.id, errorHeader(id, cancelledByClient(this.#state.options.origin)));
    else this.#dispatch({ kind: "cancelled", clientId: session.id, id });
  }

  #receiveOfWorker(peer: string, header: WorkerMessage, body: Body): void {
    if (header.type === "register") {
      this.#strangers.register(peer, header);
      return;
    }
    const workerId = this.#knownWorker(peer);
    if (workerId === undefined) this.#strangers.askToRegister(peer, header);
    else if (header.type === "bye") this.#lose(peer, header.reason, true);
    else this.#dispatch(eventOfMessage(workerId, header, body));
  }

  /** The id of the worker, downloader or mover at a peer, as long as the core has not given it up. */
  #knownWorker(peer: string): string | undefined {
    const session = this.#sessions.byPeer.get(peer);
    return session?.kind === "worker" && isRegistered(this.#state, session.id) ? session.id : undefined;
  }

  /** A peer is gone: its worker or client, if it was one, is lost at once. */
  #lose(peer: string, reason: string, saidBye = false): void {
    const session = removeSession(this.#sessions, peer);
    if (session?.kind === "worker") this.#dispatch({ kind: "workerLost", workerId: session.id, reason, saidBye });
    if (session?.kind !== "client") return;
    countClientLost(this.#calls, session.id, monotonicMs());
    this.#dispatch({ kind: "clientLost", clientId: session.id });
  }

  #noteMalformed(peer: string, { code, message }: { code: ErrorCode; message: string }): void {
    this.#alarm.noteRead();
    const count = countMalformed(this.#malformed, peer, monotonicMs());
    if (count > 0) this.#log.warn({ event: "peer.malformed", peer, code, message, count });
  }

  #beat(): void {
    const nowMs = monotonicMs();
    const { heartbeatMs, expiryMs } = this.#config;
    // After a pause of this process itself, what clients sent meanwhile has not been read yet.
    const wasAway = nowMs - this.#lastBeatMs > 2 * heartbeatMs;
    this.#lastBeatMs = nowMs;
    this.#strangers.forgetAsked();
    const silent = wasAway ? [] : [...this.#sessions.clients.values()].filter((client) => nowMs - client.lastHeardMs >= clientPatience * expiryMs);
    for (const { id, peer } of silent) {
      this.#log.info({ event: "client.lost", client: id, reason: "nothing heard of it" });
      this.#lose(peer, "nothing heard of it");
    }
    this.#sendHeartbeats();
    this.#listing?.renew();
    if (this.#state.calls.size === 0) this.#collect();
  }

  #sendHeartbeats(): void {
    for (const { id } of this.#sessions.clients.values()) this.#sendToClient(id, { type: "heartbeat", known: true });
    for (const { id, peer } of [...this.#sessions.workers.values()]) {
      // One that was given up hears nothing more, so that it connects again even if only its own messages are lost.
      if (isRegistered(this.#state, id)) this.#sendToWorker(id, { type: "heartbeat", known: true });
      else removeSession(this.#sessions, peer);
    }
  }
}
