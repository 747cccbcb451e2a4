import { expect } from "chai";
import { describe, it } from "mocha";
import { checkInvariants, createWorkerState, on, type WorkerState } from "../../lib/cluster/worker/core.js";
import type { Instruction, WorkerEvent } from "../../lib/cluster/worker/events.js";
import type { Failure } from "../../lib/cluster/worker/failure.js";
import type { Cost, Holding, WorkerMessage, WorkerReply } from "../../lib/wire/messages.js";

const cost: Cost = {
  shards: 1, shardsPruned: 0, rowsScanned: 10, chunksDecoded: 1, chunksPruned: 0, chunksFromStatistics: 0, partialCacheHits: 0, cacheHits: 0, bytesDecoded: 80, scanMs: 1, mergeMs: 0,
};
const failure: Failure = { code: "CORRUPT_CHUNK", message: "cannot decode", details: {}, retry: "elsewhere", shard: "taxi-0.bcolzs" };
const query = Uint8Array.of(1, 2, 3);

/** A worker that computes, holds taxi-0 to taxi-2 and is linked to the given controllers. */
function startWorker(...links: string[]): { state: WorkerState; apply(event: WorkerEvent, nowMs?: number): Instruction[] } {
  let nonces = 0;
  const state = createWorkerState({
    workerId: "f".repeat(32), node: "n1", pid: 7, version: "1", dataDir: "/data", startedMs: 0, expiryMs: 5_000,
    newNonce: () => (++nonces).toString().padStart(32, "0"),
  });
  function apply(event: WorkerEvent, nowMs = 0): Instruction[] {
    const instructions = on(state, event, nowMs);
    checkInvariants(state);
    return instructions;
  }
  apply({ kind: "holdingsChanged", added: [0, 1, 2].map((index) => holding(`taxi-${index}.bcolzs`)), removed: [] });
  apply({ kind: "computeUp" });
  for (const link of links) apply({ kind: "linked", link });
  return { state, apply };
}

function holding(name: string): Holding {
  return { name, generation: "a".repeat(64), rows: 10, bytes: 100, set: null, columns: [{ name: "v", dtype: "int64" }], changedMs: 0 };
}

type Received = WorkerEvent & { kind: "received" };

function received(link: string, header: WorkerReply, body: Uint8Array[] = []): Received {
  return { kind: "received", link, header, body };
}

function task(link: string, taskId: string, nonce: string | undefined, shard = "taxi-0.bcolzs"): Received {
  return received(link, {
    type: "task", taskId, attempt: 1, kind: "groupby", queryId: "q", nonce: nonce ?? "", remainingMs: 1_000,
    shards: [{ ordinal: 0, name: shard, generation: "a".repeat(64) }],
  }, [query]);
}

/** The same of a controller that has more to give. */
function busyTask(link: string, taskId: string, nonce: string | undefined): Received {
  const { header, body } = task(link, taskId, nonce);
  return received(link, { ...header, offersNext: true } as WorkerReply, [...body]);
}

function sent(instructions: Instruction[]): [string, WorkerMessage][] {
  return instructions.flatMap((instruction) => (instruction.kind === "send" ? [[instruction.link, instruction.header]] : []));
}

function sentTypes(instructions: Instruction[]): string[] {
  return sent(instructions).map(([link, { type }]) => `${link} ${type}`);
}

describe("worker core", () => {
  it("registers with its holdings and offers itself to a controller it is linked to", () => {
    const { state, apply } = startWorker();
    const messages = sent(apply({ kind: "linked", link: "c1" }, 40));
    expect(messages.map(([, { type }]) => type)).to.deep.equal(["register", "ready"]);
    expect(messages[0]![1]).to.deep.include({ workerId: "f".repeat(32), uptimeMs: 40, role: "worker" });
    expect(messages[0]![1]).to.have.property("holdings").with.lengthOf(3);
    expect(messages[1]![1]).to.deep.equal({ type: "ready", nonce: state.nonce, cached: [] });
  });

  it("offers one nonce to all its controllers", () => {
    const { state, apply } = startWorker("c1");
    const [, ready] = sent(apply({ kind: "linked", link: "c2" }));
    expect(ready![1]).to.deep.equal({ type: "ready", nonce: state.nonce, cached: [] });
  });

  it("runs the first task that names its nonce and declines the second", () => {
    const { state, apply } = startWorker("c1", "c2");
    const { nonce } = state;
    const first = apply(task("c2", "t1", nonce));
    expect(first[0]).to.deep.equal({
      kind: "run",
      task: { taskId: "t1", query, shards: [{ ordinal: 0, name: "taxi-0.bcolzs", generation: "a".repeat(64) }], deadlineMs: 1_000 },
    });
    const second = sent(apply(task("c1", "t2", nonce)));
    expect(second).to.deep.equal([["c1", { type: "declined", taskId: "t2", reason: "the offer was taken or withdrawn" }]]);
  });

  it("forwards blocks and the end of a task to its controller alone, then offers a fresh nonce to all", () => {
    const { state, apply } = startWorker("c1", "c2");
    const { nonce } = state;
    apply(task("c2", "t1", nonce));
    const partial = Uint8Array.of(9);
    expect(apply({ kind: "block", taskId: "t1", block: { start: 0, size: 1 }, partial })).to.deep.equal([
      { kind: "send", link: "c2", header: { type: "partial", taskId: "t1", block: { start: 0, size: 1 } }, body: [partial] },
    ]);
    const end = apply({ kind: "taskDone", taskId: "t1", cost, cacheChanges: [{ shard: "taxi-0.bcolzs", columns: ["v"] }] });
    expect(sentTypes(end)).to.deep.equal(["c2 done", "c1 ready", "c2 ready"]);
    expect(state.nonce).to.not.equal(nonce);
  });

  it("tells every controller of cache changes once, and a new one of the whole cache", () => {
    const { state, apply } = startWorker("c1");
    apply(task("c1", "t1", state.nonce));
    const cacheChanges = [{ shard: "taxi-0.bcolzs", columns: ["v"] }];
    const [, first] = sent(apply({ kind: "taskDone", taskId: "t1", cost, cacheChanges }));
    expect(first![1]).to.deep.include({ cached: cacheChanges });
    const [, newcomer] = sent(apply({ kind: "linked", link: "c2" }));
    expect(newcomer![1]).to.deep.include({ cached: cacheChanges });
    apply(task("c1", "t2", state.nonce));
    const later = sent(apply({ kind: "taskFailed", taskId: "t2", failure, cacheChanges: [] }));
    expect(later.map(([, header]) => header.type === "ready" && header.cached)).to.deep.equal([false, [], []]);
  });

  it("takes one task ahead of its only controller, and begins it when the one before it is over", () => {
    const { state, apply } = startWorker("c1");
    const [, early] = apply(busyTask("c1", "t1", state.nonce), 5);
    expect(early).to.deep.equal({ kind: "send", link: "c1", header: { type: "ready", nonce: state.nonce, cached: [], running: "t1" }, body: [] });
    const { nonce } = state;
    expect(apply(busyTask("c1", "t2", nonce), 7)).to.deep.equal([]);
    expect(sentTypes(apply(task("c1", "t3", nonce))), "a second one ahead").to.deep.equal(["c1 declined"]);
    const cacheChanges = [{ shard: "taxi-0.bcolzs", columns: ["v"] }];
    const [done, run, ready, ...others] = apply({ kind: "taskDone", taskId: "t1", cost, cacheChanges }, 9);
    expect(done).to.have.nested.property("header.type", "done");
    expect(run).to.deep.include({ kind: "run" }).and.have.nested.property("task.deadlineMs", 1_007);
    expect(ready).to.have.property("header").which.deep.equals({ type: "ready", nonce: state.nonce, cached: cacheChanges, running: "t2" });
    expect(others).to.deep.equal([]);
    expect(sentTypes(apply({ kind: "taskDone", taskId: "t2", cost, cacheChanges: [] }))).to.deep.equal(["c1 done", "c1 ready"]);
  });

  it("makes no offer beside a task while it has another controller, which would never get its turn", () => {
    const { state, apply } = startWorker("c1", "c2");
    expect(sentTypes(apply(busyTask("c1", "t1", state.nonce)))).to.deep.equal([]);
    expect(sentTypes(apply({ kind: "taskDone", taskId: "t1", cost, cacheChanges: [] }))).to.deep.equal(["c1 done", "c1 ready", "c2 ready"]);
  });

  it("registers before it says anything else when its controller has forgotten it", () => {
    const { state, apply } = startWorker("c1");
    apply(busyTask("c1", "t1", state.nonce));
    apply(busyTask("c1", "t2", state.nonce));
    expect(sentTypes(apply(received("c1", { type: "heartbeat", known: false })))).to.deep.equal(["c1 register"]);
  });

  it("keeps the offer that it made while it ran a task, so that a task on its way is taken", () => {
    const { state, apply } = startWorker("c1");
    apply(busyTask("c1", "t1", state.nonce));
    const { nonce } = state;
    const end = sent(apply({ kind: "taskDone", taskId: "t1", cost, cacheChanges: [] }));
    expect(end[1]![1]).to.deep.equal({ type: "ready", nonce, cached: [] });
    expect(apply(task("c1", "t2", nonce))[0]).to.have.property("kind", "run");
  });

  it("makes no offer beside a task whose controller has nothing more", () => {
    const { state, apply } = startWorker("c1");
    expect(sentTypes(apply(task("c1", "t1", state.nonce)))).to.deep.equal([]);
  });

  it("never begins a task ahead that was cancelled, or whose controller is gone", () => {
    for (const dropped of [received("c1", { type: "cancelTask", taskId: "t2" }), { kind: "unlinked", link: "c1" } as const]) {
      const { state, apply } = startWorker("c1");
      apply(busyTask("c1", "t1", state.nonce));
      apply(task("c1", "t2", state.nonce));
      apply({ kind: "linked", link: "c2" });
      apply(dropped);
      const end = apply({ kind: "taskDone", taskId: "t1", cost, cacheChanges: [] });
      expect(end.filter(({ kind }) => kind === "run")).to.deep.equal([]);
      expect(state.running).to.equal(undefined);
    }
  });

  it("begins the task ahead when the one before it was cancelled or failed", () => {
    const { state, apply } = startWorker("c1");
    apply(busyTask("c1", "t1", state.nonce));
    apply(task("c1", "t2", state.nonce));
    apply(received("c1", { type: "cancelTask", taskId: "t1" }));
    const end = apply({ kind: "taskFailed", taskId: "t1", failure: { ...failure, code: "CANCELLED" }, cacheChanges: [] });
    expect(end[0]).to.have.nested.property("task.taskId", "t2");
  });

  it("hands a task ahead back when it stops, or its compute thread ends", () => {
    for (const event of [{ kind: "stop", reason: "SIGTERM" }, { kind: "computeLost", failure }] as const) {
      const { state, apply } = startWorker("c1");
      apply(busyTask("c1", "t1", state.nonce));
      apply(task("c1", "t2", state.nonce));
      const declined = sent(apply(event)).map(([, header]) => header).filter(({ type }) => type === "declined");
      expect(declined).to.have.lengthOf(1);
      expect(declined[0]).to.have.property("taskId", "t2");
    }
  });

  it("ignores a task message that is repeated, and what comes late of a task it no longer runs", () => {
    const { state, apply } = startWorker("c1");
    const first = task("c1", "t1", state.nonce);
    apply(first);
    expect(apply(first)).to.deep.equal([]);
    expect(apply({ kind: "taskDone", taskId: "t0", cost, cacheChanges: [] })).to.deep.equal([]);
    expect(apply({ kind: "block", taskId: "t0", block: { start: 0, size: 1 }, partial: query })).to.deep.equal([]);
    expect(apply(received("c1", { type: "cancelTask", taskId: "t0" }))).to.deep.equal([]);
    expect(state.running?.taskId).to.equal("t1");
  });

  it("fails a task that carries more than a query", () => {
    const { state, apply } = startWorker("c1");
    const [answer] = sent(apply({ ...task("c1", "t1", state.nonce), body: [query, query] }));
    expect(answer![1]).to.deep.include({ type: "failed", code: "BAD_MESSAGE", retry: "never" });
  });

  it("fails a task for rows that does not say of every shard where it goes on", () => {
    const { state, apply } = startWorker("c1");
    const asked = task("c1", "t1", state.nonce);
    const [answer] = sent(apply({ ...asked, header: { ...asked.header, rows: { slices: 1, rowsMax: null, from: [] } } as WorkerReply }));
    expect(answer![1]).to.deep.include({ type: "failed", code: "BAD_MESSAGE", retry: "never" });
  });

  it("forwards slices of rows to its controller, and none of a task it gave up", () => {
    const { state, apply } = startWorker("c1");
    apply(task("c1", "t1", state.nonce));
    const slice = { ordinal: 0, from: 0, next: 5, rows: 5, bytes: Uint8Array.of(1) };
    expect(sent(apply({ kind: "slice", taskId: "t1", slice }))[0]![1]).to.deep.equal({ type: "slice", taskId: "t1", ordinal: 0, from: 0, next: 5, rows: 5 });
    apply({ kind: "received", link: "c1", header: { type: "cancelTask", taskId: "t1" }, body: [] });
    expect(apply({ kind: "slice", taskId: "t1", slice })).to.deep.equal([]);
  });

  it("reports a failure with its code, retry rule and shard", () => {
    const { state, apply } = startWorker("c1");
    apply(task("c1", "t1", state.nonce));
    const [answer] = sent(apply({ kind: "taskFailed", taskId: "t1", failure, cacheChanges: [] }));
    expect(answer![1]).to.deep.equal({ type: "failed", taskId: "t1", ...failure });
  });

  it("fails a task at once whose block is larger than a message may be, and stops it", () => {
    const { state, apply } = startWorker("c1");
    apply(task("c1", "t1", state.nonce));
    const tooLarge: Failure = { ...failure, code: "MEMORY_LIMIT", retry: "never" };
    const instructions = apply({ kind: "blockRefused", taskId: "t1", failure: tooLarge });
    expect(sent(instructions)).to.deep.equal([["c1", { type: "failed", taskId: "t1", ...tooLarge }]]);
    expect(instructions.at(-1)).to.deep.equal({ kind: "cancel", taskId: "t1" });
    expect(sentTypes(apply({ kind: "taskDone", taskId: "t1", cost, cacheChanges: [] }))).to.deep.equal(["c1 ready"]);
  });

  it("registers with tables of very many columns in several messages", () => {
    const { apply } = startWorker();
    const columns = Array.from({ length: 10_000 }, (_, index) => ({ name: `c${index}`, dtype: "bool" }));
    const added = Array.from({ length: 11 }, (_, index) => ({ ...holding(`wide-${index}.bcolzs`), columns }));
    apply({ kind: "holdingsChanged", added, removed: [] });
    const messages = sent(apply({ kind: "linked", link: "c1" }));
    expect(messages.map(([, { type }]) => type)).to.deep.equal(["register", "holdings", "holdings", "ready"]);
    const names = messages.flatMap(([, header]) => {
      return header.type === "register" ? header.holdings : header.type === "holdings" ? header.added : [];
    }).map(({ name }) => name);
    expect(names).to.have.lengthOf(14);
    expect(new Set(names).size).to.equal(14);
  });

  it("fails a task over a shard it does not hold without running it, and is ready again", () => {
    const { state, apply } = startWorker("c1");
    const messages = sent(apply(task("c1", "t1", state.nonce, "../secret.bcolz")));
    expect(messages.map(([, { type }]) => type)).to.deep.equal(["failed", "ready"]);
    expect(messages[0]![1]).to.deep.include({ code: "SHARD_UNAVAILABLE", retry: "elsewhere", shard: "../secret.bcolz" });
  });

  it("stops a cancelled task, says no more about it and is ready again when it has stopped", () => {
    const { state, apply } = startWorker("c1");
    apply(task("c1", "t1", state.nonce));
    expect(apply(received("c1", { type: "cancelTask", taskId: "t1" }))).to.deep.equal([{ kind: "cancel", taskId: "t1" }]);
    expect(apply({ kind: "block", taskId: "t1", block: { start: 0, size: 1 }, partial: query })).to.deep.equal([]);
    const end = apply({ kind: "taskFailed", taskId: "t1", failure: { ...failure, code: "CANCELLED" }, cacheChanges: [] });
    expect(sentTypes(end)).to.deep.equal(["c1 ready"]);
  });

  it("stops the task of a controller that is gone, and only that", () => {
    const { state, apply } = startWorker("c1", "c2");
    apply(task("c1", "t1", state.nonce));
    expect(apply({ kind: "unlinked", link: "c2" })).to.deep.equal([]);
    expect(apply({ kind: "unlinked", link: "c1" })).to.deep.equal([{ kind: "cancel", taskId: "t1" }]);
  });

  it("registers again with a controller that does not know it", () => {
    const { apply } = startWorker("c1");
    expect(sentTypes(apply(received("c1", { type: "heartbeat", known: false })))).to.deep.equal(["c1 register", "c1 ready"]);
    expect(apply(received("c1", { type: "heartbeat", known: true }))).to.deep.equal([]);
  });

  it("sends heartbeats while it computes, and reconnects to a controller that was silent too long", () => {
    const { state, apply } = startWorker("c1", "c2");
    apply(task("c1", "t1", state.nonce));
    expect(sentTypes(apply({ kind: "tick" }, 4_999))).to.deep.equal(["c1 heartbeat", "c2 heartbeat"]);
    apply(received("c2", { type: "heartbeat", known: true }), 4_999);
    expect(apply({ kind: "tick" }, 5_000)).to.deep.equal([
      { kind: "cancel", taskId: "t1" },
      { kind: "reconnect", link: "c1" },
      { kind: "send", link: "c2", header: { type: "heartbeat" }, body: [] },
    ]);
  });

  it("fails its task elsewhere when the compute thread dies, forgets the cache and takes no task until there is another", () => {
    const { state, apply } = startWorker("c1");
    apply(task("c1", "t1", state.nonce));
    apply({ kind: "taskDone", taskId: "t1", cost, cacheChanges: [{ shard: "taxi-0.bcolzs", columns: ["v"] }] });
    apply(task("c1", "t2", state.nonce));
    expect(sentTypes(apply({ kind: "computeLost", failure }))).to.deep.equal(["c1 failed"]);
    expect(sentTypes(apply(task("c1", "t3", undefined)))).to.deep.equal(["c1 declined"]);
    const [ready] = sent(apply({ kind: "computeUp" }));
    expect(ready![1]).to.deep.include({ type: "ready", cached: [{ shard: "taxi-0.bcolzs", columns: [] }] });
  });

  it("tells controllers what came and went, and registers with what is left", () => {
    const { apply } = startWorker("c1");
    const [message] = sent(apply({ kind: "holdingsChanged", added: [holding("new.bcolz")], removed: ["taxi-1.bcolzs"] }));
    expect(message![1]).to.deep.equal({ type: "holdings", added: [holding("new.bcolz")], removed: ["taxi-1.bcolzs"] });
    const [register] = sent(apply({ kind: "linked", link: "c2" }));
    expect(register![1].type === "register" && register![1].holdings.map(({ name }) => name))
      .to.deep.equal(["taxi-0.bcolzs", "taxi-2.bcolzs", "new.bcolz"]);
  });

  it("finishes its task before it leaves, declining others", () => {
    const { state, apply } = startWorker("c1", "c2");
    const { nonce } = state;
    apply(task("c1", "t1", nonce));
    expect(apply({ kind: "stop", reason: "SIGTERM" })).to.deep.equal([]);
    expect(sent(apply(task("c2", "t2", nonce)))[0]![1]).to.deep.include({ type: "declined", reason: "the worker is stopping" });
    const end = apply({ kind: "taskDone", taskId: "t1", cost, cacheChanges: [] });
    expect(sentTypes(end)).to.deep.equal(["c1 done", "c1 bye", "c2 bye"]);
    expect(end.at(-1)).to.deep.equal({ kind: "leave", reason: "SIGTERM" });
    expect(apply({ kind: "tick" })).to.deep.equal([]);
  });

  it("hands its task back when it must leave at once", () => {
    const { state, apply } = startWorker("c1");
    apply(task("c1", "t1", state.nonce));
    const end = apply({ kind: "stopNow", reason: "SIGTERM" });
    expect(end[0]).to.deep.equal({ kind: "cancel", taskId: "t1" });
    expect(sent(end)[0]![1]).to.deep.include({ type: "failed", taskId: "t1", code: "WORKER_LOST", retry: "elsewhere" });
    expect(end.at(-1)).to.deep.equal({ kind: "leave", reason: "SIGTERM" });
  });

  it("leaves when a controller shuts it down", () => {
    const { apply } = startWorker("c1");
    expect(apply(received("c1", { type: "shutdown", reason: "killall" })).at(-1)).to.deep.equal({ kind: "leave", reason: "killall" });
  });
});
