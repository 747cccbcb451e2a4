import { expect } from "chai";
import * as fc from "fast-check";
import { describe, it } from "mocha";
import { checkInvariants, createWorkerState, on, type WorkerState } from "../../lib/cluster/worker/core.js";
import type { Instruction, WorkerEvent } from "../../lib/cluster/worker/events.js";
import type { Cost, Holding } from "../../lib/wire/messages.js";

const links = ["c1", "c2", "c3"];
const cost: Cost = {
  shards: 1, shardsPruned: 0, rowsScanned: 1, chunksDecoded: 1, chunksPruned: 0, chunksFromStatistics: 0, partialCacheHits: 0, cacheHits: 0, bytesDecoded: 8, scanMs: 1, mergeMs: 0,
};
const failure = { code: "IO", message: "no", details: {}, retry: "elsewhere", shard: null } as const;
const held: Holding = { name: "t.bcolz", generation: "a".repeat(64), rows: 1, bytes: 8, set: null, columns: [], changedMs: 0 };

/** A step as drawn: what it means depends on the state it meets. */
interface Step {
  readonly kind: "linked" | "unlinked" | "unknown" | "task" | "errand" | "staleTask" | "strangeTask" | "cancel" | "cancelNext" | "block" | "blockRefused" | "done" | "failed"
    | "lost" | "up" | "tick" | "holdings" | "stop" | "stopNow";
  readonly link: string;
  readonly waitMs: number;
}

const steps = fc.array(fc.record<Step>({
  kind: fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom("linked", "task", "errand", "staleTask", "block", "done", "failed", "tick", "up") },
    { weight: 8, arbitrary: fc.constantFrom("unlinked", "unknown", "strangeTask", "cancel", "cancelNext", "blockRefused", "lost", "holdings") },
    { weight: 1, arbitrary: fc.constantFrom("stop", "stopNow") },
  ),
  link: fc.constantFrom(...links),
  waitMs: fc.integer({ min: 0, max: 2_000 }),
}), { minLength: 20, maxLength: 150 });

/** The world around a worker: which nonces each controller saw, which tasks it sent and what became of them. */
class World {
  readonly state: WorkerState;
  readonly answers = new Map<string, number>();
  readonly excused = new Set<string>();
  /** What the compute thread runs; it ends only by its own word or its death. */
  computing: string | undefined;
  /** Whether that is an errand, which outlives the compute thread. */
  isErrand = false;
  #nowMs = 0;
  #tasks = 0;
  #lastNonce = "";

  constructor() {
    let nonces = 0;
    this.state = createWorkerState({
      workerId: "w", node: "n", pid: 1, version: "1", dataDir: "/", startedMs: 0, expiryMs: 5_000, newNonce: () => `nonce ${++nonces}`,
    });
    this.state.holdings.set(held.name, held);
  }

  step({ kind, link, waitMs }: Step): void {
    this.#nowMs += waitMs;
    const event = this.#eventOf(kind, link);
    if (event === undefined) return;
    // A task whose controller went away, or that was cancelled, is owed no answer.
    const { running, next } = this.state;
    const isLinkNew = kind === "unlinked" || kind === "linked" || kind === "unknown";
    if (running !== undefined && (kind === "cancel" || (isLinkNew && running.link === link))) this.excused.add(running.taskId);
    if (next !== undefined && (kind === "cancelNext" || (isLinkNew && next.link === link))) this.excused.add(next.task.taskId);
    for (const instruction of on(this.state, event, this.#nowMs)) {
      if (instruction.kind === "reconnect" && next?.link === instruction.link) this.excused.add(next.task.taskId);
      this.#obey(instruction);
    }
    checkInvariants(this.state);
    expect(this.state.running?.taskId, "what the core and the compute thread think is running").to.equal(this.computing);
  }

  #eventOf(kind: Step["kind"], link: string): WorkerEvent | undefined {
    const taskId = this.computing;
    switch (kind) {
      case "linked": case "unlinked": return { kind, link };
      case "unknown": return this.state.links.has(link) ? { kind: "received", link, header: { type: "heartbeat", known: false }, body: [] } : undefined;
      case "task": return this.#task(link, this.#lastNonce, held.name);
      case "errand": return this.#errand(link);
      case "staleTask": return this.#task(link, "nonce 0", held.name);
      case "strangeTask": return this.#task(link, this.#lastNonce, "../x.bcolz");
      case "cancel": return this.#cancel(this.state.running);
      case "cancelNext": return this.#cancel(this.state.next === undefined ? undefined : { taskId: this.state.next.task.taskId, link: this.state.next.link });
      case "block": return taskId === undefined ? undefined : { kind, taskId, block: { start: 0, size: 1 }, partial: Uint8Array.of(1) };
      case "blockRefused": return taskId === undefined ? undefined : { kind, taskId, failure };
      case "done": return this.isErrand ? this.#end({ kind: "errandDone", taskId: taskId ?? "", answer: { form: "json", bytes: Uint8Array.of(1) } }) : this.#end({ kind: "taskDone", taskId: taskId ?? "", cost, cacheChanges: [{ shard: held.name, columns: ["v"] }] });
      case "failed": return this.#end({ kind: "taskFailed", taskId: taskId ?? "", failure, cacheChanges: [] });
      case "lost":
        if (!this.isErrand) this.computing = undefined;
        return { kind: "computeLost", failure };
      case "up": return this.state.computeUp ? undefined : { kind: "computeUp" };
      case "holdings": return { kind: "holdingsChanged", added: [held], removed: [] };
      case "tick": return { kind };
      case "stop": case "stopNow": return { kind, reason: "test" };
    }
  }

  #task(link: string, nonce: string, name: string): WorkerEvent | undefined {
    if (!this.state.links.has(link) || this.state.phase === "left") return undefined;
    const taskId = `task ${++this.#tasks}`;
    this.answers.set(taskId, 0);
    const shards = [{ ordinal: 0, name, generation: held.generation }];
    return { kind: "received", link, header: { type: "task", taskId, attempt: 1, kind: "groupby", queryId: "q", nonce, shards, remainingMs: 1, ...(this.#tasks % 3 === 0 ? {} : { offersNext: true as const }) }, body: [Uint8Array.of(1)] };
  }

  #errand(link: string): WorkerEvent | undefined {
    if (!this.state.links.has(link) || this.state.phase === "left") return undefined;
    const taskId = `task ${++this.#tasks}`;
    this.answers.set(taskId, 0);
    return { kind: "received", link, header: { type: "errand", taskId, attempt: 1, queryId: "q", nonce: this.#lastNonce, errand: { kind: "sleep", seconds: 1 }, remainingMs: 1 }, body: [] };
  }

  #cancel(task: { readonly taskId: string; readonly link: string } | undefined): WorkerEvent | undefined {
    if (task === undefined || !this.state.links.has(task.link)) return undefined;
    return { kind: "received", link: task.link, header: { type: "cancelTask", taskId: task.taskId }, body: [] };
  }

  #end(event: WorkerEvent & { kind: "taskDone" | "taskFailed" | "errandDone" }): WorkerEvent | undefined {
    if (this.computing === undefined) return undefined;
    this.computing = undefined;
    return event;
  }

  #obey(instruction: Instruction): void {
    switch (instruction.kind) {
      case "run": case "runErrand":
        expect(this.computing, "tasks run one at a time").to.equal(undefined);
        expect(this.excused.has(instruction.task.taskId), "no task begins that nobody waits for").to.equal(false);
        this.computing = instruction.task.taskId;
        this.isErrand = instruction.kind === "runErrand";
        break;
      case "cancel":
        expect(instruction.taskId).to.equal(this.computing);
        this.excused.add(instruction.taskId);
        break;
      case "send": this.#note(instruction.link, instruction.header); break;
      case "leave": this.computing = undefined; break;
      case "reconnect": case "welcomed": case "setLogLevel": case "look": break;
    }
  }

  #note(link: string, header: (Instruction & { kind: "send" })["header"]): void {
    expect(links).to.include(link);
    if (header.type === "ready") this.#lastNonce = header.nonce;
    if (header.type === "partial" || header.type === "answer") expect(this.excused.has(header.taskId), "no partial or answer of a cancelled task").to.equal(false);
    if (header.type === "done" || header.type === "failed" || header.type === "declined") {
      this.answers.set(header.taskId, (this.answers.get(header.taskId) ?? 0) + 1);
    }
  }
}

describe("worker core, any course of events", () => {
  it("runs one task at a time and answers every task exactly once unless it was cancelled", () => {
    fc.assert(fc.property(steps, (drawn) => {
      const world = new World();
      for (const step of drawn) world.step(step);
      for (const [taskId, answers] of world.answers) {
        if (world.excused.has(taskId)) expect(answers, taskId).to.be.at.most(1);
        else expect(answers, taskId).to.equal(taskId === world.computing || taskId === world.state.next?.task.taskId ? 0 : 1);
      }
    }), { numRuns: 500 });
  });
});
