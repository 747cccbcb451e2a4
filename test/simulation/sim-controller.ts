/** A controller in the simulator: the real scheduling core, with the little that node.ts adds to it modelled. */
import { on } from "../../lib/cluster/controller/core.js";
import { eventOfMessage, type Action, type Event } from "../../lib/cluster/controller/events.js";
import { invariants } from "../../lib/cluster/controller/invariants.js";
import { createState, type ControllerState } from "../../lib/cluster/controller/state.js";
import type { ClientMessage, WorkerMessage, WorkerReply } from "../../lib/wire/messages.js";
import type { SimClient } from "./sim-client.js";
import { expiryMs, heartbeatMs, type Connection } from "./sim-worker.js";
import { drawDelayMs, drawId, type World } from "./world.js";

/** A controller at one address, with as many lives as it takes. */
export class SimController {
  readonly address: string;
  readonly connections = new Set<Connection>();
  state: ControllerState | undefined;
  /** How many lives it has begun. */
  life = 0;
  readonly #world: World;
  readonly #clients = new Map<string, SimClient>();
  readonly #sessions = new Map<string, Connection>();
  readonly #asked = new Set<Connection>();
  readonly #lastToClientMs = new Map<string, number>();
  #alarmAtMs = Infinity;

  constructor(world: World, address: string) {
    this.#world = world;
    this.address = address;
    this.start();
    this.#beat();
  }

  get isUp(): boolean {
    return this.state !== undefined;
  }

  start(): void {
    const { random } = this.#world;
    this.life += 1;
    this.state = createState({
      origin: this.address, expiryMs, attemptsMax: 3, queueTasksMax: 12, queueBytesMax: 10_000, makeId: () => drawId(random),
    });
  }

  /** Ends its life: everything it knew is gone, and all connections with it. */
  crash(): void {
    this.state = undefined;
    this.#sessions.clear();
    for (const connection of [...this.connections]) connection.worker.cut(connection);
    for (const client of this.#clients.values()) client.loseController(this);
    this.#clients.clear();
  }

  receive(connection: Connection, header: WorkerMessage, body: readonly Uint8Array[]): void {
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
    if (header.type === "bye") this.noteGone(connection);
    else this.dispatch(eventOfMessage(workerId, header, body));
  }

  receiveOfClient(client: SimClient, header: ClientMessage & { type: "call" | "cancel" | "credit" }, body: readonly Uint8Array[]): void {
    if (this.state === undefined) return;
    this.#clients.set(client.id, client);
    this.#world.note(() => `${this.address} <- client ${client.id.slice(0, 4)} ${header.type} ${header.id.slice(0, 4)}`);
    if (header.type === "call") this.dispatch({ kind: "called", clientId: client.id, call: header, body });
    else if (header.type === "credit") this.dispatch({ kind: "credit", clientId: client.id, id: header.id, attempt: header.attempt, slices: header.slices });
    else this.dispatch({ kind: "cancelled", clientId: client.id, id: header.id });
  }

  /** The sockets have noticed that a connection is gone. */
  noteGone(connection: Connection): void {
    if (this.#sessions.get(connection.worker.id) !== connection) return;
    this.#sessions.delete(connection.worker.id);
    this.dispatch({ kind: "workerLost", workerId: connection.worker.id, reason: "gone", saidBye: false });
  }

  noteClientGone(client: SimClient): void {
    this.dispatch({ kind: "clientLost", clientId: client.id });
    this.#clients.delete(client.id);
  }

  dispatch(event: Event): void {
    if (this.state === undefined) return;
    const actions = on(this.state, event, this.#world.timeline.nowMs);
    for (const sentence of invariants(this.state)) this.#world.problems.push(`after ${event.kind}: not so: ${sentence}`);
    for (const action of actions) this.#execute(action);
  }

  #execute(action: Action): void {
    switch (action.kind) {
      case "assign": this.#sendToWorkerId(action.workerId, action.header, action.body); break;
      case "cancelTask": this.#sendToWorkerId(action.workerId, { type: "cancelTask", taskId: action.taskId }); break;
      case "forward": case "answer": case "refuse": this.#sendToClient(action); break;
      case "wakeAt": this.#setAlarm(action.atMs); break;
      case "log":
        this.#world.count(`log ${action.event}`);
        this.#world.note(() => `${this.address}    ${action.event} ${JSON.stringify(action.facts)}`);
        break;
    }
  }

  #setAlarm(atMs: number): void {
    const { life } = this;
    this.#alarmAtMs = atMs;
    this.#world.timeline.at(atMs, () => {
      if (this.life === life && this.#alarmAtMs === atMs) this.dispatch({ kind: "tick" });
    });
  }

  #sendToClient(action: Action & { kind: "forward" | "answer" | "refuse" }): void {
    const { random, timeline } = this.#world;
    const client = this.#clients.get(action.clientId);
    const atMs = Math.max(this.#lastToClientMs.get(action.clientId) ?? 0, timeline.nowMs + drawDelayMs(random));
    this.#lastToClientMs.set(action.clientId, atMs);
    timeline.at(atMs, () => { client?.receive(action.header, action.kind === "forward" ? action.body : []); });
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
    this.#world.timeline.after(heartbeatMs, () => {
      this.#asked.clear();
      for (const connection of this.#sessions.values()) this.#sendToWorker(connection, { type: "heartbeat", known: true });
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
