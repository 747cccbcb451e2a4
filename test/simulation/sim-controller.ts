/** A controller in the simulator: the real scheduling core, with the little that node.ts adds to it modelled. */
import { on } from "../../lib/cluster/controller/core.js";
import { eventOfMessage, type Action, type Event } from "../../lib/cluster/controller/events.js";
import { cancelledByClient, errorHeader } from "../../lib/cluster/controller/calls/failures.js";
import { invariants } from "../../lib/cluster/controller/invariants.js";
import { isNear } from "../../lib/cluster/controller/tables/looking.js";
import { createState, type ControllerState } from "../../lib/cluster/controller/state.js";
import { createAdoption, createWaitingCalls } from "../../lib/cluster/controller/calls/waiting-calls.js";
import type { ClientMessage, ClientReply, WorkerMessage, WorkerReply } from "../../lib/wire/messages.js";
import type { SimLink } from "./sim-link.js";
import { SimProcess } from "./sim-process.js";
import { registryOf } from "./sim-registry.js";
import { expiryMs, heartbeatMs, type Connection } from "./sim-worker.js";
import { drawDelayMs, drawId, type World } from "./world.js";

/** Tasks that each call and worker may have before a small call has its first. */
const turnsMax = 3;

/** A controller at one address, with as many lives as it takes. */
export class SimController {
  readonly address: string;
  readonly connections = new Set<Connection>();
  state: ControllerState | undefined;
  /** How many lives it has begun. */
  life = 0;
  readonly #world: World;
  readonly #process: SimProcess;
  /** The newest connection of each client that said hello. */
  readonly #clients = new Map<string, SimLink>();
  readonly #sessions = new Map<string, Connection>();
  readonly #asked = new Set<Connection>();
  #waiting = createWaitingCalls<SimLink>(() => this.#process.nowMs);
  /** Small calls of which nothing was handed out yet, and how many tasks of others may be before. */
  readonly #patience = new Map<string, number>();
  #adoption = createAdoption(() => false);
  #alarmAtMs = Infinity;

  constructor(world: World, address: string) {
    this.#world = world;
    this.address = address;
    this.#process = new SimProcess(world);
    this.start();
    this.#beat();
  }

  get isUp(): boolean {
    return this.state !== undefined;
  }

  start(): void {
    const { random } = this.#world;
    this.life += 1;
    this.#waiting = createWaitingCalls(() => this.#process.nowMs);
    this.state = createState({
      origin: this.address, expiryMs, attemptsMax: 3, queueTasksMax: 12, queueBytesMax: 10_000, makeId: () => drawId(random),
    });
    const { state } = this;
    this.#adoption = createAdoption((epoch) => isNear(state, epoch));
    registryOf(this.#world).start(this);
  }

  /** Ends its life: everything it knew is gone, and all connections with it. */
  crash(): void {
    this.state = undefined;
    this.life += 1;
    this.#patience.clear();
    this.#sessions.clear();
    for (const connection of [...this.connections]) connection.worker.cut(connection);
    const links = [...this.#clients.values()];
    this.#clients.clear();
    for (const link of links) link.client.noteGone(link);
  }

  /** Stops the process for a while, as SIGSTOP does. */
  freeze(durationMs: number): void {
    this.#process.stop(durationMs);
  }

  leapClock(ms: number): void {
    this.#process.leap(ms);
  }

  receive(connection: Connection, header: WorkerMessage, body: readonly Uint8Array[]): void {
    this.#perform(() => { this.#receive(connection, header, body); });
  }

  receiveOfClient(link: SimLink, header: ClientMessage, body: readonly Uint8Array[]): void {
    this.#perform(() => { this.#receiveOfClient(link, header, body); });
  }

  /** The sockets have noticed that a connection is gone. */
  noteGone(connection: Connection): void {
    this.#perform(() => { this.#loseWorker(connection, "connection lost", false); });
  }

  /** The registry has told of pointers. */
  notePointers(event: Event & { kind: "pointers" }): void {
    this.#perform(() => { this.dispatch(event); });
  }

  noteClientGone(link: SimLink): void {
    this.#perform(() => {
      const { id } = link.client;
      if (this.#clients.get(id) !== link) return;
      this.#clients.delete(id);
      this.dispatch({ kind: "clientLost", clientId: id });
    });
  }

  /** What waits for a process that is stopped and then dies is lost with it. */
  #perform(happen: () => void): void {
    const { life } = this;
    this.#process.perform(() => { if (this.life === life) happen(); });
  }

  #receive(connection: Connection, header: WorkerMessage, body: readonly Uint8Array[]): void {
    if (this.state === undefined) return;
    const workerId = connection.worker.id;
    this.#world.note(() => `${this.address} <- ${workerId.slice(0, 4)} ${describe(header)}`);
    if (header.type === "register") {
      this.#sessions.set(workerId, connection);
      this.dispatch({ kind: "registered", workerId, node: header.node, holdings: header.holdings });
      return;
    }
    if (this.#sessions.get(workerId) !== connection || !this.state.workers.has(workerId)) {
      if (header.type === "bye" || this.#asked.has(connection)) return;
      this.#asked.add(connection);
      this.#sendToWorker(connection, { type: "heartbeat", known: false });
      return;
    }
    if (header.type === "bye") this.#loseWorker(connection, header.reason, true);
    else this.dispatch(eventOfMessage(workerId, header, body));
  }

  #receiveOfClient(link: SimLink, header: ClientMessage, body: readonly Uint8Array[]): void {
    if (this.state === undefined) return;
    const { id: clientId } = link.client;
    this.#world.note(() => `${this.address} <- client ${clientId.slice(0, 4)} ${header.type} ${"id" in header ? header.id.slice(0, 4) : ""}`);
    if (header.type === "hello") {
      if (this.#clients.has(clientId)) this.dispatch({ kind: "clientLost", clientId });
      this.#clients.set(clientId, link);
      return;
    }
    if (this.#clients.get(clientId) !== link) link.sendDown({ type: "heartbeat", known: false });
    else if (header.type === "call") this.#takeOnceKnown(link, header, body);
    else if (header.type === "credit") this.dispatch({ kind: "credit", clientId, id: header.id, attempt: header.attempt, slices: header.slices });
    else if (header.type === "cancel") this.#cancel(link, header.id);
  }

  #takeOnceKnown(link: SimLink, call: ClientMessage & { type: "call" }, body: readonly Uint8Array[]): void {
    if (call.verb !== "groupby") {
      this.#take(link, call, body);
      return;
    }
    const reach = (then: () => void): void => { registryOf(this.#world).reach(this, call.epoch ?? 0, () => { this.#adoption.wait(call.epoch ?? 0, then); }); };
    this.#waiting.wait(link, call.id, reach, (waitedMs) => { this.#take(link, { ...call, remainingMs: Math.max(0, call.remainingMs - waitedMs) }, body); });
  }

  #cancel(link: SimLink, id: string): void {
    if (!this.#waiting.takeBack(link, id)) this.dispatch({ kind: "cancelled", clientId: link.client.id, id });
    else {
      this.#world.count("cancelled before it was taken");
      link.sendDown(errorHeader(id, cancelledByClient(this.address)));
    }
  }

  #take(link: SimLink, call: ClientMessage & { type: "call" }, body: readonly Uint8Array[]): void {
    const { id: clientId } = link.client;
    if (this.#clients.get(clientId) === link) this.dispatch({ kind: "called", clientId, call, body });
  }

  #loseWorker(connection: Connection, reason: string, saidBye: boolean): void {
    if (this.#sessions.get(connection.worker.id) !== connection) return;
    this.#sessions.delete(connection.worker.id);
    this.dispatch({ kind: "workerLost", workerId: connection.worker.id, reason, saidBye });
  }

  dispatch(event: Event): void {
    if (this.state === undefined) return;
    const actions = on(this.state, event, this.#process.nowMs);
    for (const sentence of invariants(this.state)) this.#world.problems.push(`after ${event.kind}: not so: ${sentence}`);
    for (const action of actions) this.#execute(action);
    this.#adoption.check();
  }

  #execute(action: Action): void {
    switch (action.kind) {
      case "assign": case "assignErrand":
        this.#watchTurns(action.header.queryId);
        this.#sendToWorkerId(action.workerId, action.header, action.body);
        break;
      case "look":
        this.#world.count("looked for");
        this.#sendToWorkerId(action.workerId, { type: "look" });
        break;
      case "cancelTask": this.#sendToWorkerId(action.workerId, { type: "cancelTask", taskId: action.taskId }); break;
      case "forward": case "answer": case "refuse": this.#sendToClient(action); break;
      case "wakeAt": this.#setAlarm(action.atMs); break;
      case "log":
        this.#world.count(`log ${action.event}`);
        if ("again" in action.facts) this.#world.count("task begun again");
        this.#world.note(() => `${this.address}    ${action.event} ${JSON.stringify(action.facts)}`);
        break;
    }
  }

  /** An alarm as node.ts has it: one that goes off late lets what was sent meanwhile be read first. */
  #setAlarm(atMs: number): void {
    const { life } = this;
    this.#alarmAtMs = atMs;
    this.#process.at(atMs, () => {
      if (this.life !== life || this.#alarmAtMs !== atMs) return;
      if (this.#process.nowMs - atMs > heartbeatMs) this.#setAlarm(this.#process.nowMs + 50);
      else this.dispatch({ kind: "tick" });
    });
  }

  #sendToClient(action: Action & { kind: "forward" | "answer" | "refuse" }): void {
    const { header } = action;
    if (header.type === "accepted" && header.shards.length === 1 && !this.#world.faults) {
      this.#patience.set(header.queryId, turnsMax * (this.state!.calls.size + 1) * Math.max(1, this.state!.workers.size));
    }
    this.#clients.get(action.clientId)?.sendDown(header, action.kind === "forward" ? action.body : []);
  }

  /** Small calls have their turn among large ones: others take a bounded number of tasks before. */
  #watchTurns(queryId: string): void {
    this.#patience.delete(queryId);
    for (const [waiting, turns] of this.#patience) {
      if (!this.state!.calls.has(waiting)) this.#patience.delete(waiting);
      else if (turns === 0) this.#world.problems.push(`the small call ${waiting} waits while others have their turn again and again`);
      else this.#patience.set(waiting, turns - 1);
    }
  }

  #sendToWorkerId(workerId: string, header: WorkerReply, body: readonly Uint8Array[] = []): void {
    const connection = this.#sessions.get(workerId);
    if (connection !== undefined) this.#sendToWorker(connection, header, body);
  }

  #sendToWorker(connection: Connection, header: WorkerReply, body: readonly Uint8Array[] = []): void {
    const { random, timeline } = this.#world;
    const atMs = Math.max(connection.lastDownMs, timeline.nowMs + drawDelayMs(random));
    connection.lastDownMs = atMs;
    timeline.at(atMs, () => { connection.worker.receive(connection, header, body); });
  }

  #beat(): void {
    this.#process.after(heartbeatMs, () => {
      this.#asked.clear();
      for (const [workerId, connection] of this.#sessions) {
        if (this.state?.workers.has(workerId) === true) this.#sendToWorker(connection, { type: "heartbeat", known: true });
      }
      const alive: ClientReply = { type: "heartbeat", known: true };
      if (this.state !== undefined) for (const link of this.#clients.values()) link.sendDown(alive);
      this.#beat();
    });
  }
}

function describe(header: WorkerMessage): string {
  const task = "taskId" in header ? ` task ${header.taskId.slice(0, 4)}` : "";
  const block = header.type === "partial" ? ` block ${header.block.start}+${header.block.size}` : "";
  const code = header.type === "failed" ? ` ${header.code} ${header.shard}` : "";
  return `${header.type}${task}${block}${code}`;
}
