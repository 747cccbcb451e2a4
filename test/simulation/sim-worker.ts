/** A worker process in the simulator: the real state machine of workers over a modelled compute thread. */
import { checkInvariants, createWorkerState, on, type WorkerState } from "../../lib/cluster/worker/core.js";
import type { ComputeTask, ErrandTask, Instruction, WorkerEvent } from "../../lib/cluster/worker/events.js";
import type { Failure } from "../../lib/cluster/worker/failure.js";
import { alignedBlocks, contiguous } from "../../lib/engine/tree.js";
import type { Block, Cost, ShardRef, WorkerMessage, WorkerReply } from "../../lib/wire/messages.js";
import type { SimController } from "./sim-controller.js";
import { SimProcess } from "./sim-process.js";
import { chance, delayMsMax, drawDelayMs, drawId, generationOf, holdingsOf, pick, pickOne, rowsOf, valueOf, type NodeData, type World } from "./world.js";

/** Silence after which a worker gives up a connection, and a controller a worker. */
export const expiryMs = 5_000;
/** The time between two signs of life. */
export const heartbeatMs = 1_000;

/** One connection of a worker process to one life of a controller. Each end keeps its messages in order. */
export interface Connection {
  readonly peer: string;
  readonly worker: SimWorker;
  readonly controller: SimController;
  isOpen: boolean;
  /** Nothing more comes out of it at the controller's end, or at the worker's. */
  isDry: boolean;
  isDeaf: boolean;
  lastUpMs: number;
  lastDownMs: number;
}

/** A worker process from its start to its end. */
export class SimWorker {
  readonly id: string;
  readonly node: NodeData;
  isAlive = true;
  readonly #world: World;
  readonly #state: WorkerState;
  readonly #connections = new Map<string, Connection>();
  /** How many times slower than a good one. */
  readonly #slowness: number;
  readonly #process: SimProcess;
  #running: ComputeTask | ErrandTask | undefined;

  constructor(world: World, node: NodeData) {
    this.#world = world;
    this.node = node;
    this.id = drawId(world.random);
    this.#process = new SimProcess(world);
    this.#slowness = world.faults && chance(world.random, 0.15) ? pickOne(world.random, [4, 20, 50]) : 1;
    this.#state = createWorkerState({
      workerId: this.id, node: node.name, pid: 1, version: "1", dataDir: "/", startedMs: this.#process.nowMs, expiryMs,
      newNonce: () => drawId(world.random),
    });
    this.#apply({ kind: "holdingsChanged", added: holdingsOf(world, node), removed: [] });
    this.#apply({ kind: "computeUp" });
    this.#beat();
  }

  /** Whether it has a task nobody has taken back. */
  get isBusy(): boolean {
    return this.#state.running !== undefined;
  }

  connect(controller: SimController): void {
    const { random, timeline } = this.#world;
    if (!this.isAlive || this.#connections.get(controller.address)?.isOpen === true) return;
    if (!controller.isUp) {
      timeline.after(200, () => { this.connect(controller); });
      return;
    }
    const connection: Connection = { peer: drawId(random), worker: this, controller, isOpen: true, isDry: false, isDeaf: false, lastUpMs: 0, lastDownMs: 0 };
    this.#connections.set(controller.address, connection);
    controller.connections.add(connection);
    this.#perform(() => { this.#apply({ kind: "linked", link: controller.address }); });
  }

  /** Breaks a connection: both ends learn of it in their own time, and this one connects again. */
  cut(connection: Connection): void {
    if (!connection.isOpen) return;
    const { random, timeline } = this.#world;
    connection.isOpen = false;
    connection.controller.connections.delete(connection);
    timeline.after(1_000 * random(), () => { connection.controller.noteGone(connection); });
    timeline.after(100 * random(), () => {
      this.#perform(() => { this.#apply({ kind: "unlinked", link: connection.controller.address }); });
      timeline.after(2_000 * random(), () => { this.connect(connection.controller); });
    });
  }

  get connections(): readonly Connection[] {
    return [...this.#connections.values()].filter(({ isOpen }) => isOpen);
  }

  /** Ends the process at once, wherever it is. */
  kill(): void {
    this.isAlive = false;
    for (const connection of this.connections) this.cut(connection);
  }

  /** Asks it to finish and leave. */
  leave(): void {
    this.#perform(() => { this.#apply({ kind: "stop", reason: "SIGTERM" }); });
  }

  /** Stops the process for a while, as SIGSTOP does. */
  freeze(durationMs: number): void {
    this.#process.stop(durationMs);
  }

  leapClock(ms: number): void {
    this.#process.leap(ms);
  }

  /** The compute thread dies and comes back. */
  loseCompute(): void {
    this.#perform(() => {
      if (this.#running !== undefined && !("errand" in this.#running)) this.#running = undefined;
      const failure: Failure = { code: "WORKER_LOST", message: "the compute thread ended", details: {}, retry: "elsewhere", shard: null };
      this.#apply({ kind: "computeLost", failure });
      this.#world.timeline.after(100, () => { this.#perform(() => { this.#apply({ kind: "computeUp" }); }); });
    });
  }

  noticeTables(base: string): void {
    this.#perform(() => { this.#apply({ kind: "holdingsChanged", added: holdingsOf(this.#world, this.node, base), removed: [] }); });
  }

  receive(connection: Connection, header: WorkerReply, body: readonly Uint8Array[]): void {
    this.#perform(() => {
      if (!connection.isOpen || connection.isDeaf) return;
      this.#world.note(() => `worker ${this.id.slice(0, 4)} <- ${header.type} ${"taskId" in header ? header.taskId.slice(0, 4) : ""}`);
      this.#apply({ kind: "received", link: connection.controller.address, header, body });
    });
  }

  #beat(): void {
    this.#process.after(heartbeatMs, () => {
      if (!this.isAlive) return;
      this.#apply({ kind: "tick" });
      this.#beat();
    });
  }

  #perform(happen: () => void): void {
    if (!this.isAlive) return;
    this.#process.perform(() => { if (this.isAlive) happen(); });
  }

  #apply(event: WorkerEvent): void {
    if (!this.isAlive) return;
    const instructions = on(this.#state, event, this.#process.nowMs);
    checkInvariants(this.#state);
    for (const instruction of instructions) this.#execute(instruction);
  }

  #execute(instruction: Instruction): void {
    switch (instruction.kind) {
      case "send": this.#send(instruction.link, instruction.header, instruction.body); break;
      case "run": this.#run(instruction.task); break;
      case "runErrand": this.#runErrand(instruction.task); break;
      case "cancel": this.#cancel(instruction.taskId); break;
      case "reconnect": {
        const connection = this.#connections.get(instruction.link);
        if (connection !== undefined) this.cut(connection);
        break;
      }
      case "leave":
        // What it said last still arrives.
        this.#world.timeline.after(2 * delayMsMax, () => { this.kill(); });
        break;
      case "look": this.#apply({ kind: "holdingsChanged", added: holdingsOf(this.#world, this.node), removed: [] }); break;
      case "welcomed": case "setLogLevel": break;
    }
  }

  #send(link: string, header: WorkerMessage, body: readonly Uint8Array[]): void {
    const connection = this.#connections.get(link);
    if (connection === undefined || !connection.isOpen) return;
    const { random, timeline, faults } = this.#world;
    const atMs = Math.max(connection.lastUpMs, timeline.nowMs + drawDelayMs(random));
    connection.lastUpMs = atMs;
    timeline.at(atMs, () => {
      // What was on its way when a connection broke may still arrive, up to the first message that does not.
      if (!connection.isOpen && chance(random, 0.5)) connection.isDry = true;
      if (!connection.isDry) connection.controller.receive(connection, header, body);
    });
    const isAnswer = header.type === "partial" || header.type === "slice" || header.type === "answer" || header.type === "done" || header.type === "failed" || header.type === "declined";
    if (faults && isAnswer && chance(random, 0.03)) {
      this.#world.count("fault repeated message");
      timeline.at(atMs + 3_000 * random(), () => { if (!connection.isDry) connection.controller.receive(connection, header, body); });
    }
  }

  #runErrand(task: ErrandTask): void {
    const { begun, problems } = this.#world;
    const { errand } = task;
    this.#running = task;
    if (errand.kind === "execute_code" && begun.has(errand.function)) problems.push(`execute_code ${errand.function} was begun twice`);
    if (errand.kind === "execute_code") begun.add(errand.function);
    const ms = errand.kind === "sleep" ? 1_000 * errand.seconds : 60 * this.#world.random();
    this.#world.timeline.after(ms, () => {
      this.#perform(() => {
        if (this.#running !== task) return;
        this.#running = undefined;
        this.#apply({ kind: "errandDone", taskId: task.taskId, answer: { form: "json", bytes: new Uint8Array(1) } });
      });
    });
  }

  #run(task: ComputeTask): void {
    this.#running = task;
    if (task.rows !== undefined) {
      const { slices, rowsMax, from } = task.rows;
      this.#runSlices(task, { place: 0, from: from[0]!, slices, rows: rowsMax ?? Infinity });
      return;
    }
    this.#runBlocks(task, this.#drawBlocks(task));
  }

  /** Single shards, aligned blocks, or the runs that partials which add up in any way are merged over. */
  #drawBlocks({ taskId, shards }: ComputeTask): Block[] {
    const mergesBlocks = chance(this.#world.random, 0.8);
    if (Number.parseInt(taskId.slice(0, 2), 16) < 0x80) return contiguous(shards).map((run) => ({ start: run[0]!.ordinal, size: run.length }));
    return alignedBlocks(shards.map(({ ordinal }) => ordinal), mergesBlocks ? 64 : 1);
  }

  #runBlocks(task: ComputeTask, blocks: readonly Block[]): void {
    const [block, ...rest] = blocks;
    const shards = block === undefined ? [] : task.shards.filter(({ ordinal }) => ordinal >= block.start && ordinal < block.start + block.size);
    this.#world.timeline.after(this.#drawWorkMs(shards.length), () => {
      this.#perform(() => {
        if (this.#running !== task) return;
        const failure = this.#drawFailure(task, shards);
        if (failure !== undefined) this.#end({ kind: "taskFailed", taskId: task.taskId, failure, cacheChanges: [] });
        else if (block === undefined) this.#end({ kind: "taskDone", taskId: task.taskId, cost: costOf(task), cacheChanges: this.#drawCacheChanges(task) });
        else {
          const sum = shards.reduce((total, { generation }) => total + valueOf(generation), 0);
          this.#apply({ kind: "block", taskId: task.taskId, block, partial: new Uint8Array(Float64Array.of(sum).buffer) });
          this.#runBlocks(task, rest);
        }
      });
    });
  }

  /** Slices of up to 9 rows, of as many shards in turn as the task may send. */
  #runSlices(task: ComputeTask, at: { place: number; from: number; slices: number; rows: number }): void {
    const shard = task.shards[at.place];
    this.#world.timeline.after(this.#drawWorkMs(0.2), () => {
      this.#perform(() => {
        if (this.#running !== task) return;
        const failure = this.#drawFailure(task, shard === undefined ? [] : [shard]);
        if (failure !== undefined) this.#end({ kind: "taskFailed", taskId: task.taskId, failure, cacheChanges: [] });
        else if (shard === undefined || at.slices === 0 || at.rows <= 0) this.#end({ kind: "taskDone", taskId: task.taskId, cost: costOf(task), cacheChanges: [] });
        else {
          const left = rowsOf(shard.generation) - at.from;
          const rows = Math.min(left, 1 + pick(this.#world.random, 9), at.rows);
          const isLast = rows === left;
          this.#apply({ kind: "slice", taskId: task.taskId, slice: { ordinal: shard.ordinal, from: at.from, next: isLast ? null : at.from + rows, rows, bytes: new Uint8Array(1) } });
          const next = isLast ? { place: at.place + 1, from: task.rows!.from[at.place + 1] ?? 0 } : { place: at.place, from: at.from + rows };
          this.#runSlices(task, { ...next, slices: at.slices - 1, rows: at.rows - rows });
        }
      });
    });
  }

  #end(event: WorkerEvent & { kind: "taskDone" | "taskFailed" }): void {
    this.#running = undefined;
    this.#apply(event);
  }

  #cancel(taskId: string): void {
    const task = this.#running;
    if (task?.taskId !== taskId) return;
    this.#running = undefined;
    const failure: Failure = { code: "CANCELLED", message: "cancelled", details: {}, retry: "never", shard: null };
    this.#world.timeline.after(5 * this.#world.random(), () => {
      this.#perform(() => { this.#apply({ kind: "taskFailed", taskId, failure, cacheChanges: [] }); });
    });
  }

  #drawWorkMs(shards: number): number {
    return this.#slowness * (0.05 + shards * 8 * this.#world.random() ** 2);
  }

  /** What reading these shards comes to, when it does not come to a partial. */
  #drawFailure(task: ComputeTask, shards: readonly ShardRef[]): Failure | undefined {
    for (const { name, generation } of shards) {
      const set = this.#world.sets.find(({ names }) => names.includes(name))!;
      const isKept = [...this.node.versions.get(set.base)!, ...this.node.waiting.get(set.base) ?? []].some((version) => generationOf(name, version) === generation);
      if (!isKept) return { code: "GENERATION_GONE", message: `${name} was replaced`, details: {}, retry: "same", shard: name };
      if (this.node.corrupt.has(name)) return { code: "CORRUPT_CHUNK", message: `${name} is corrupt`, details: {}, retry: "elsewhere", shard: name };
    }
    if (!this.#world.faults || !chance(this.#world.random, 0.003)) return undefined;
    this.#world.count("fault task failed");
    const shard = pickOne(this.#world.random, [null, pickOne(this.#world.random, task.shards).name]);
    return pickOne(this.#world.random, [
      { code: "IO", message: "a read failed", details: {}, retry: "elsewhere", shard },
      { code: "OBJECT_STORE", message: "a store was away", details: {}, retry: "same", shard },
      { code: "OVERFLOW", message: "a sum does not fit", details: {}, retry: "never", shard },
    ] as const);
  }

  #drawCacheChanges(task: ComputeTask): { shard: string; columns: string[] }[] {
    const { random } = this.#world;
    return task.shards.filter(() => chance(random, 0.7)).map(({ name }) => ({ shard: name, columns: pick(random, 5) === 0 ? [] : ["v"] }));
  }
}

/** The mean of what #drawWorkMs draws, so that batches are cut as in life. */
function costOf({ shards }: ComputeTask): Cost {
  return { shards: shards.length, shardsPruned: 0, rowsScanned: 0, chunksDecoded: 0, chunksPruned: 0, chunksFromStatistics: 0, partialCacheHits: 0, cacheHits: 0, bytesDecoded: 0, scanMs: 8 / 3 * shards.length, mergeMs: 0 };
}
