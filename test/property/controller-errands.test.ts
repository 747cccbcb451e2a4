import { expect } from "chai";
import * as fc from "fast-check";
import { describe, it } from "mocha";
import type { Action } from "../../lib/cluster/controller/events.js";
import type { Errand } from "../../lib/wire/messages.js";
import { freeCost, holding, idOf, Scheduling } from "../support/scheduling.js";

/** A step as drawn: what it means depends on what runs where. */
interface Step {
  readonly kind: "sleep" | "code" | "query" | "ready" | "answer" | "done" | "fail" | "decline" | "lost" | "register" | "cancel" | "end" | "wait";
  readonly worker: number;
  readonly pick: number;
}

const kinds = ["sleep", "code", "query", "ready", "ready", "answer", "done", "done", "fail", "decline", "lost", "register", "cancel", "end", "wait"] as const;
const steps = fc.array(fc.record<Step>({ kind: fc.constantFrom(...kinds), worker: fc.nat(2), pick: fc.nat(1_000) }), { minLength: 10, maxLength: 120 });
const remainingMs = 5_000;

/** A core, three workers that come and go, and a record of what was given out and answered. */
class World {
  readonly core = new Scheduling({ expiryMs: 1e9 });
  /** Final answers by call. */
  readonly answers = new Map<string, number>();
  /** How often execute_code was begun: given out and not handed back as not begun. */
  readonly begun = new Map<string, number>();
  /** What each worker was given last, and has said nothing final about. */
  readonly running = new Map<string, { taskId: string; queryId: string; isErrand: boolean }>();
  #ids = 0;

  step({ kind, worker, pick }: Step): void {
    const workerId = idOf(`w${worker}`);
    const task = this.running.get(workerId);
    const isThere = this.core.state.workers.has(workerId);
    switch (kind) {
      case "sleep": this.#ask({ kind: "sleep", seconds: 1 }); break;
      case "code": this.#ask({ kind: "execute_code", function: "fs.readdirSync" }); break;
      case "query": this.#note(this.core.call(this.#id(), ["taxi"])); break;
      case "register":
        this.running.delete(workerId);
        this.#note(this.core.register(workerId, [holding("taxi.bcolz")]));
        break;
      case "ready": if (isThere && task === undefined) this.#note(this.core.ready(workerId)); break;
      case "answer": if (task?.isErrand === true) this.#note(this.core.tell({ kind: "answer", workerId, taskId: task.taskId, form: "json", body: [] })); break;
      case "wait": this.#note(this.core.wait(pick)); break;
      case "lost":
        this.running.delete(workerId);
        if (isThere) this.#note(this.core.tell({ kind: "workerLost", workerId, reason: "killed", saidBye: false }));
        break;
      case "cancel": this.#note(this.core.tell({ kind: "cancelled", clientId: "client", id: [...this.answers.keys()][pick] ?? "" })); break;
      case "end": this.#note(this.core.tell({ kind: "queryCancelled", queryId: [...this.core.state.calls.keys()][pick % 3] ?? "", by: "somebody" })); break;
      default: if (task !== undefined && isThere) this.#endTask(kind, workerId, task, pick);
    }
  }

  #endTask(kind: "done" | "fail" | "decline", workerId: string, { taskId, queryId }: { taskId: string; queryId: string }, pick: number): void {
    this.running.delete(workerId);
    if (kind === "done") this.#note(this.core.tell({ kind: "done", workerId, taskId, cost: freeCost }));
    else if (kind === "fail") this.#note(this.core.tell({ kind: "failed", workerId, taskId, code: "IO", message: "no", details: {}, retry: (["never", "same", "elsewhere"] as const)[pick % 3]!, shard: null }));
    else {
      this.begun.set(queryId, (this.begun.get(queryId) ?? 1) - 1);
      this.#note(this.core.tell({ kind: "declined", workerId, taskId, reason: "busy" }));
    }
  }

  #ask(errand: Errand): void {
    const id = this.#id();
    this.#note(this.core.tell({ kind: "called", clientId: "client", call: { type: "call", id, verb: errand.kind, tables: [], columns: [], remainingMs, errands: [errand] }, body: [] }));
  }

  #id(): string {
    const id = idOf(`call ${this.#ids++}`);
    this.answers.set(id, 0);
    return id;
  }

  #note(actions: readonly Action[]): void {
    for (const action of actions) {
      if (action.kind === "answer" || action.kind === "refuse") this.answers.set(action.header.id, this.answers.get(action.header.id)! + 1);
      if (action.kind !== "assign" && action.kind !== "assignErrand") continue;
      const { taskId, queryId } = action.header;
      this.running.set(action.workerId, { taskId, queryId, isErrand: action.kind === "assignErrand" });
      if (action.kind === "assignErrand" && action.header.errand.kind === "execute_code") this.begun.set(queryId, (this.begun.get(queryId) ?? 0) + 1);
    }
  }
}

describe("errands among queries, any course of events", () => {
  it("are answered exactly once by their deadline, and no function is begun twice", () => {
    fc.assert(fc.property(steps, (drawn) => {
      const world = new World();
      for (const step of drawn) world.step(step);
      for (const count of world.answers.values()) expect(count).to.be.at.most(1);
      world.step({ kind: "wait", worker: 0, pick: 2 * remainingMs });
      world.step({ kind: "wait", worker: 0, pick: 60_000 });
      expect([...world.answers.values()].filter((count) => count !== 1)).to.deep.equal([]);
      expect(world.core.state.tasks.size).to.equal(0);
      for (const [query, count] of world.begun) expect(count, query).to.be.at.most(1);
    }), { numRuns: 300 });
  });
});
