import { expect } from "chai";
import { describe, it } from "mocha";
import { limits } from "../../lib/base/limits.js";
import type { Action } from "../../lib/cluster/controller/events.js";
import { describeCluster } from "../../lib/cluster/controller/answers/report.js";
import { createSessions } from "../../lib/cluster/controller/peers/sessions.js";
import { decodeInfo, type ClusterInfo } from "../../lib/wire/documents.js";
import { assigned, holding, oneAssigned, oneError, Scheduling, setHoldings } from "../support/scheduling.js";
import { ownFacts } from "../support/cluster-info.js";

const own = ownFacts();

function infoOf(core: Scheduling): ClusterInfo {
  return decodeInfo(describeCluster({ own, state: core.state, sessions: createSessions(), controllers: [] }, core.nowMs));
}

function logged(actions: readonly Action[], event: string): Record<string, unknown>[] {
  return actions.flatMap((action) => (action.kind === "log" && action.event === event ? [{ level: action.level, ...action.facts }] : []));
}

describe("workers that leave", () => {
  it("are in info() and the log with the reason and what became of their tasks", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 4));
    core.join("w2", [holding("taxi-0.bcolzs", { set: { id: "taxi 1", index: 0, count: 4 } })]);
    core.call("c1", ["taxi"]);
    const actions = core.tell({ kind: "workerLost", workerId: "w1", reason: "connection lost", saidBye: false });
    expect(oneError(actions).code).to.equal("SHARD_UNAVAILABLE");
    expect(logged(actions, "worker.lost")).to.deep.equal([{ level: "warn", worker: "w1", node: "node of w1", reason: "connection lost", givenBack: 0, elsewhere: 0, failedCalls: 1 }]);
    core.nowMs = 12_000;
    const { departures, warnings } = infoOf(core);
    expect(departures).to.deep.equal([{ worker: "w1", role: "worker", node: "node of w1", reason: "connection lost", ago: 12, given_back: 0, elsewhere: 0, failed_calls: 1 }]);
    expect(warnings[0]).to.equal("worker w1 on node of w1 was lost 12 s ago (connection lost): 0 tasks given back, 1 call failed; see the log of its node");
    core.join("w1", setHoldings("taxi", 4));
    expect(infoOf(core).warnings[0]).to.equal("worker w1 on node of w1 was lost 12 s ago (connection lost) and is back: 0 tasks given back, 1 call failed; see the log of its node");
    core.nowMs = 301_000;
    expect(infoOf(core).warnings.join()).to.not.include("was lost");
  });

  it("give their tasks back where others can read them", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    core.call("c1", ["taxi"]);
    core.join("w2", [holding("taxi.bcolz")]);
    const actions = core.tell({ kind: "workerLost", workerId: "w1", reason: "connection lost", saidBye: false });
    expect(logged(actions, "worker.lost")[0]).to.include({ givenBack: 1, failedCalls: 0 });
  });

  it("say in plain words why they left in order, of which nobody is warned", () => {
    const core = new Scheduling();
    const reasons = ["SIGTERM", "killworkers", "memory_limit of 1 GB was reached"].map((reason) => {
      core.join("w1", [holding("taxi.bcolz")]);
      return logged(core.tell({ kind: "workerLost", workerId: "w1", reason, saidBye: true }), "worker.lost")[0];
    });
    expect(reasons.map((facts) => [facts?.["level"], facts?.["reason"]])).to.deep.equal([
      ["info", "drained after SIGTERM"], ["info", "drained, told to by killworkers"], ["info", "drained: memory_limit of 1 GB was reached"],
    ]);
    expect(infoOf(core).warnings).to.deep.equal([]);
    core.join("w1", [holding("taxi.bcolz")]);
    expect(logged(core.wait(5_000), "worker.lost")[0]).to.include({ level: "warn", reason: "heartbeat lost: nothing heard of it for 5000 ms" });
  });

  it("are told of when they register again, and the latest 32 are kept", () => {
    const core = new Scheduling();
    for (let time = 0; time < 40; time++) core.register("w1", [holding("taxi.bcolz")]);
    expect(core.state.departures).to.have.length(32);
    expect(core.state.departures[0]).to.include({ reason: "registered again over a new connection", isOrderly: true });
  });
});

describe("what the log tells of calls", () => {
  it("is nothing of one that is quick, and one line of one that takes long", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    const quick = oneAssigned(core.call("c1", ["taxi"]));
    core.nowMs = limits.slowQueryMs - 1;
    core.tell({ kind: "heartbeat", workerId: "w1" });
    expect(logged(core.finish(quick), "query.slow")).to.deep.equal([]);
    core.call("c2", ["taxi"]);
    core.nowMs += 2_000;
    const slow = oneAssigned(core.ready("w1"));
    core.nowMs += 3_000;
    const [facts, ...more] = logged(core.finish(slow), "query.slow");
    expect(facts).to.include({ level: "info", client: "client", call: "c2", shards: 1, tookMs: 5_000, queuedMs: 2_000, scannedMs: 3_000, rows: 0, workers: 1, retries: 0 });
    expect(facts?.["tables"]).to.deep.equal(["taxi"]);
    expect(more).to.deep.equal([]);
  });

  it("says of one that failed how far it had come", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 4));
    const task = oneAssigned(core.call("c1", ["taxi"]));
    core.partial("w1", task.header.taskId, task.header.shards[0]!.ordinal);
    core.nowMs = 70;
    const [facts] = logged(core.fail(task, "OVERFLOW", { retry: "never" }), "query.failed");
    expect(facts).to.include({ code: "OVERFLOW", call: "c1", shards: 4, outstanding: 3, tookMs: 70, queuedMs: 0, workers: 1, retries: 0 });
  });

  it("says now and then that the queue is full, and how many found it so", () => {
    const core = new Scheduling({ queueTasksMax: 1 });
    core.register("w1", [holding("taxi.bcolz")]);
    core.call("c0", ["taxi"]);
    const lines = [0, 1, 2].map((index) => logged(core.call(`more ${index}`, ["taxi"]), "query.failed").length);
    expect(lines).to.deep.equal([1, 0, 0]);
    core.nowMs = 10_000;
    core.register("w1", [holding("taxi.bcolz")]);
    expect(logged(core.call("later", ["taxi"]), "query.failed")[0]).to.include({ code: "BUSY", refused: 3 });
  });
});

describe("a full queue", () => {
  it("says when to ask again by the pace at which calls are answered", () => {
    const core = new Scheduling({ queueTasksMax: 4 });
    core.join("w1", [holding("taxi.bcolz")]);
    for (let call = 0; call < 8; call++) {
      const [task] = assigned(core.call(`quick ${call}`, ["taxi"]));
      core.nowMs += 400;
      core.finish(task!);
      core.nowMs += 900; // With nothing to do, which is no pace.
      core.ready("w1");
    }
    for (let call = 0; call < 4; call++) core.call(`c${call}`, ["taxi"]);
    const { code, message, details } = oneError(core.call("c4", ["taxi"]));
    expect([code, details]).to.deep.equal(["BUSY", { queued: 4, retryAfterMs: 1_600 }]);
    expect(message).to.equal("the controller has 4 calls to answer and takes no more; ask again in 1600 ms");
  });

  it("says so when it is the bytes of the queries that are too many", () => {
    const core = new Scheduling({ queueBytesMax: 100 });
    core.register("w1", [holding("taxi.bcolz")]);
    core.call("c1", ["taxi"], { body: [new Uint8Array(60)] });
    const { code, message } = oneError(core.call("c2", ["taxi"], { body: [new Uint8Array(60)] }));
    expect(code).to.equal("BUSY");
    expect(message).to.equal("the 1 calls that the controller has to answer take 60 of the 100 bytes it keeps for queries, and it takes no more; ask again in 100 ms");
  });
});
