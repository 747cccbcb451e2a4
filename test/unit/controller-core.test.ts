import { expect } from "chai";
import { describe, it } from "mocha";
import type { Action } from "../../lib/cluster/controller/events.js";
import { digestOf } from "../../lib/wire/digest.js";
import { answers, assigned, freeCost, generationOf, holding, idOf, oneAssigned, oneError, Scheduling, setHoldings, shardNames } from "../support/scheduling.js";

/** The shards of the call that was accepted. */
function acceptedShards(actions: readonly Action[]): string[] {
  return actions.flatMap((action) => (action.kind === "forward" && action.header.type === "accepted" ? action.header.shards.map(({ name }) => name) : []));
}

describe("scheduling core: calls", () => {
  it("accepts a call with its ordered shards and answers it once, with costs summed", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 12));
    const accepted = core.call("c1", ["taxi"]);
    const forwarded = accepted.flatMap((action) => (action.kind === "forward" && action.header.type === "accepted" ? action.header.shards : []));
    expect(forwarded.map(({ name }) => name)).to.deep.equal(Array.from({ length: 12 }, (_, index) => `taxi-${index}.bcolzs`));
    const [answer, ...more] = answers(core.work(accepted));
    expect(more).to.deep.equal([]);
    expect(answer).to.include({ type: "result", id: "c1", workers: 1, retries: 0 });
    expect(answer).to.have.nested.property("cost.shards", 12);
  });

  it("hands partials on as they come, with their bodies unopened", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    const task = oneAssigned(core.call("c1", ["taxi"], { body: [Uint8Array.of(9)] }));
    expect(task.body).to.deep.equal([Uint8Array.of(9)]);
    expect(core.partial("w1", task.header.taskId, 0)).to.deep.equal([
      { kind: "forward", clientId: "client", header: { type: "partial", id: "c1", attempt: 1, block: { start: 0, size: 1 } }, body: [Uint8Array.of(0)] },
    ]);
  });

  it("names the nearest table when one is unknown, at once", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    const error = oneError(core.call("c1", ["taxy"]));
    expect(error).to.include({ code: "UNKNOWN_TABLE", id: "c1" });
    expect(error.message).to.contain("taxi");
  });

  it("tells why a table cannot be opened that a worker has, and takes it for missing in no way", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz"), holding("ride-0.bcolzs"), holding("ride-1.bcolzs"), ...setHoldings("trip", 2)]);
    const broken = (...names: string[]) => core.tell({ kind: "broken", workerId: "w1", tables: names.map((name) => ({ name, code: "CORRUPT_FOOTER", message: `the footer of ${name} is cut short` })) });
    broken("cab.bcolz", "ride-2.bcolzs", "trip-7.bcolzs", "../etc");
    for (const tables of [["cab"], ["cab.bcolz"], ["taxi", "c*"], ["ride"], ["ride-*.bcolzs"]]) {
      const name = tables.includes("ride") || tables.includes("ride-*.bcolzs") ? "ride-2.bcolzs" : "cab.bcolz";
      const message = `${name} cannot be opened by worker w1 on node of w1: the footer of ${name} is cut short (bqueryd verify tells more)`;
      for (const asks of [{}, { missing: "empty" }] as const) expect(oneError(core.call("c1", tables, { asks })), `${tables.join()}`).to.include({ code: "CORRUPT_FOOTER", message });
    }
    expect(oneError(core.call("c2", ["cub"])).code).to.equal("UNKNOWN_TABLE");
    for (const [id, table] of [["c3", "taxi"], ["c4", "trip"], ["c5", "ride-1.bcolzs"]] as const) expect(acceptedShards(core.call(id, [table]))).to.have.length(table === "trip" ? 2 : 1);
    expect(acceptedShards(core.call("c6", ["ride"], { asks: { partial: "allow" } }))).to.deep.equal(["ride-0.bcolzs", "ride-1.bcolzs"]);
    core.join("w2", [holding("ride-2.bcolzs")]);
    expect(acceptedShards(core.call("c7", ["ride"])), "another worker can open it").to.have.length(3);
    broken();
    expect(oneError(core.call("c8", ["cab"])).code).to.equal("UNKNOWN_TABLE");
  });

  it("fails a set with a missing shard at once, naming the shard", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 4).filter((_, index) => index !== 2));
    const error = oneError(core.call("c1", ["taxi"]));
    expect(error.code).to.equal("SHARD_UNAVAILABLE");
    expect(error.message).to.contain("taxi-2.bcolzs");
  });

  it("answers at once what its client knows, as long as the shards are those and none is lacking", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 4));
    const known = digestOf(setHoldings("taxi", 4));
    const actions = core.call("c1", ["taxi"], { asks: { known } });
    expect(assigned(actions)).to.deep.equal([]);
    expect(answers(actions)).to.deep.equal([{ type: "result", id: "c1", value: null, cost: freeCost, queuedMs: 0, workers: 0, retries: 0, unchanged: true }]);
    expect(core.state.calls.size).to.equal(0);
    expect(answers(core.call("rows", ["taxi"], { asks: { known, rows: { slices: 8, rowsMax: null } } }))).to.deep.equal([]);
    core.register("w1", setHoldings("taxi", 4, { generation: "2" }));
    expect(answers(core.call("c2", ["taxi"], { asks: { known } }))).to.deep.equal([]);
    core.register("w1", setHoldings("taxi", 4).slice(1));
    expect(oneError(core.call("c3", ["taxi"], { asks: { known } })).code).to.equal("SHARD_UNAVAILABLE");
    expect(answers(core.call("c4", ["taxi"], { asks: { known: digestOf(setHoldings("taxi", 4).slice(1)), partial: "allow" } }))).to.deep.equal([]);
  });

  it("does not call a table unknown while no worker is there to know it", () => {
    const error = oneError(new Scheduling().call("c1", ["taxi"]));
    expect(error.code).to.equal("SHARD_UNAVAILABLE");
    expect(error.message, "what those wait for whose workers were just killed").to.include("those of `bqueryd up` come back by themselves");
  });

  it("refuses a call without tables", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    expect(oneError(core.call("c1", [])).code).to.equal("BAD_QUERY");
  });

  it("answers BUSY with a hint when the queue is full of calls, or of bytes", () => {
    const core = new Scheduling({ queueTasksMax: 2, queueBytesMax: 100 });
    core.register("w1", [holding("taxi.bcolz")]);
    core.call("c1", ["taxi"], { body: [new Uint8Array(60)] });
    expect(oneError(core.call("c2", ["taxi"], { body: [new Uint8Array(60)] })).code).to.equal("BUSY");
    core.call("c3", ["taxi"]);
    const error = oneError(core.call("c4", ["taxi"]));
    expect(error.code).to.equal("BUSY");
    expect(error.details["retryAfterMs"]).to.be.within(100, 10_000);
  });

  it("names what was outstanding when time runs out", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 4));
    const task = oneAssigned(core.call("c1", ["taxi"], { remainingMs: 1_000 }));
    core.partial("w1", task.header.taskId, 0);
    core.nowMs = 999;
    expect(answers(core.tell({ kind: "heartbeat", workerId: "w1" }))).to.deep.equal([]);
    const actions = core.wait(1);
    const error = oneError(actions);
    expect(error.code).to.equal("DEADLINE");
    expect(error.details).to.deep.include({ outstanding: 3, asked: 4, shards: ["taxi-1.bcolzs", "taxi-2.bcolzs", "taxi-3.bcolzs"] });
    expect(actions).to.deep.include({ kind: "cancelTask", workerId: "w1", taskId: task.header.taskId });
  });

  it("asks for a tick at the deadline", () => {
    const core = new Scheduling();
    core.register("w1", [holding("taxi.bcolz")]);
    core.nowMs = 100;
    expect(core.call("c1", ["taxi"], { remainingMs: 1_000 })).to.deep.include({ kind: "wakeAt", atMs: 1_100 });
  });

  it("cancels its tasks and answers CANCELLED when the client takes a call back", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    const task = oneAssigned(core.call("c1", ["taxi"]));
    const actions = core.tell({ kind: "cancelled", clientId: "client", id: "c1" });
    expect(oneError(actions).code).to.equal("CANCELLED");
    expect(actions).to.deep.include({ kind: "cancelTask", workerId: "w1", taskId: task.header.taskId });
    expect(core.finish(task)).to.deep.equal([]);
  });

  it("lets nobody take back the call of another client", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    core.call("c1", ["taxi"]);
    expect(core.tell({ kind: "cancelled", clientId: "another", id: "c1" })).to.deep.equal([]);
  });

  it("cancels the tasks of a client that is gone, and answers nobody", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    const task = oneAssigned(core.call("c1", ["taxi"]));
    expect(core.tell({ kind: "clientLost", clientId: "client" })).to.deep.equal([{ kind: "cancelTask", workerId: "w1", taskId: task.header.taskId }]);
    expect(core.state.calls.size).to.equal(0);
  });

  it("takes no calls while it stops, and finishes those it has", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    const task = oneAssigned(core.call("c1", ["taxi"]));
    core.tell({ kind: "stopping", finish: true });
    expect(oneError(core.call("c2", ["taxi"])).code).to.equal("NO_CONTROLLER");
    expect(answers(core.finish(task))).to.have.length(1);
    core.ready("w1");
  });

  it("fails what is left when it may not finish", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    core.call("c1", ["taxi"]);
    expect(oneError(core.tell({ kind: "stopping", finish: false })).code).to.equal("CONNECTION_LOST");
  });

  it("ignores a call that is repeated while it is open", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    core.call("c1", ["taxi"]);
    expect(core.call("c1", ["taxi"])).to.deep.equal([]);
  });

  it("fails a call whose news cannot be sent", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    core.call("c1", ["taxi"]);
    expect(oneError(core.tell({ kind: "unsendable", clientId: "client", id: "c1", message: "too large" }))).to.include({ code: "MEMORY_LIMIT", message: "too large" });
  });
});

describe("scheduling core: tasks that go wrong", () => {
  it("gives what a killed worker left unanswered to another holder, and only that", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 8));
    const task = oneAssigned(core.call("c1", ["taxi"]));
    core.partial("w1", task.header.taskId, task.header.shards[0]!.ordinal);
    core.register("w2", setHoldings("taxi", 8));
    core.tell({ kind: "workerLost", workerId: "w1", reason: "killed", saidBye: false });
    const read = assigned(core.work(core.ready("w2"))).flatMap(({ header }) => shardNames(header));
    expect(read).to.have.length(7).and.not.include(task.header.shards[0]!.name);
  });

  it("finishes a call right after one of two workers is killed in mid-task", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 16));
    core.join("w2", setHoldings("taxi", 16));
    const [one, two] = assigned(core.call("c1", ["taxi"]));
    core.partial(one!.workerId, one!.header.taskId, one!.header.shards[0]!.ordinal);
    const lost = core.tell({ kind: "workerLost", workerId: one!.workerId, reason: "killed", saidBye: false });
    const rest = core.work([two!]);
    const [answer, ...more] = answers([...lost, ...rest]);
    expect(answer).to.include({ type: "result", workers: 2, retries: 1 });
    expect(more).to.deep.equal([]);
  });

  it("hands a lost task on in the same breath when a holder is idle", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    const task = oneAssigned(core.call("c1", ["taxi"]));
    core.join("w2", [holding("taxi.bcolz")]);
    const again = oneAssigned(core.tell({ kind: "workerLost", workerId: "w1", reason: "killed", saidBye: false }));
    expect(again.workerId).to.equal("w2");
    expect(again.header.taskId).to.not.equal(task.header.taskId);
  });

  it("counts a silent worker as lost after its expiry, and asks for a tick by then", () => {
    const core = new Scheduling();
    expect(core.join("w1", [holding("taxi.bcolz")])).to.deep.include({ kind: "wakeAt", atMs: 5_000 });
    core.nowMs = 3_000;
    core.tell({ kind: "heartbeat", workerId: "w1" });
    core.wait(4_999);
    expect(core.state.workers.size).to.equal(1);
    core.wait(1);
    expect(core.state.workers.size).to.equal(0);
  });

  it("fails the query of a table whose holders are all gone, at once, and no other", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    core.join("w2", [holding("bike.bcolz")]);
    core.call("c1", ["taxi"]);
    core.call("c2", ["taxi"]);
    const bike = oneAssigned(core.call("c3", ["bike"]));
    const lost = core.tell({ kind: "workerLost", workerId: "w1", reason: "killed", saidBye: false });
    expect(answers(lost).map((answer) => [answer.id, answer.type === "error" && answer.code])).to.deep.equal([["c1", "SHARD_UNAVAILABLE"], ["c2", "SHARD_UNAVAILABLE"]]);
    expect(answers(core.finish(bike))[0]).to.include({ type: "result", id: "c3" });
  });

  it("gives up a shard after three lost workers, naming the last one and the shard", () => {
    const core = new Scheduling();
    core.register("standby", [holding("taxi.bcolz")]);
    core.join("w1", [holding("taxi.bcolz")]);
    core.call("c1", ["taxi"]);
    core.tell({ kind: "workerLost", workerId: "w1", reason: "killed", saidBye: false });
    core.join("w2", [holding("taxi.bcolz")]);
    core.tell({ kind: "workerLost", workerId: "w2", reason: "killed", saidBye: false });
    core.join("w3", [holding("taxi.bcolz")]);
    const error = oneError(core.tell({ kind: "workerLost", workerId: "w3", reason: "killed", saidBye: false }));
    expect(error.code).to.equal("WORKER_LOST");
    expect(error.message).to.contain("w3").and.contain("taxi.bcolz");
  });

  it("tries a shard that failed on one worker on another, and not there again", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    const task = oneAssigned(core.call("c1", ["taxi"]));
    expect(assigned([...core.register("w2", [holding("taxi.bcolz")]), ...core.fail(task, "CORRUPT_CHUNK", { shard: "taxi.bcolz" }), ...core.ready("w1"), ...core.wait(1_000)])).to.deep.equal([]);
    expect(oneAssigned(core.ready("w2")).workerId).to.equal("w2");
  });

  it("fails with the last error when no other worker is left to try", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    const task = oneAssigned(core.call("c1", ["taxi"]));
    expect(oneError(core.fail(task, "CORRUPT_CHUNK", { shard: "taxi.bcolz" }))).to.include({ code: "CORRUPT_CHUNK", message: "CORRUPT_CHUNK happened" });
  });

  it("rests before it tries the same worker again", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    const task = oneAssigned(core.call("c1", ["taxi"]));
    const failed = core.fail(task, "OBJECT_STORE", { retry: "same" });
    expect(failed).to.deep.include({ kind: "wakeAt", atMs: 100 });
    expect(assigned(core.ready("w1"))).to.deep.equal([]);
    expect(oneAssigned(core.wait(100)).workerId).to.equal("w1");
  });

  it("fails the call at once on an error that no retry helps, and cancels its other tasks", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 16));
    core.join("w2", setHoldings("taxi", 16));
    const [one, two] = assigned(core.call("c1", ["taxi"]));
    const actions = core.fail(one!, "DTYPE_MISMATCH", { retry: "never" });
    expect(oneError(actions).code).to.equal("DTYPE_MISMATCH");
    expect(actions).to.deep.include({ kind: "cancelTask", workerId: two!.workerId, taskId: two!.header.taskId });
  });

  it("counts a failure that names its shard against that shard alone", () => {
    const core = new Scheduling({ attemptsMax: 2 });
    core.join("w1", setHoldings("taxi", 16));
    let task = oneAssigned(core.call("c1", ["taxi"]));
    expect(task.header.shards.length).to.be.greaterThan(1);
    for (const index of [0, 1]) {
      core.fail(task, "OBJECT_STORE", { retry: "same", shard: shardNames(task.header)[index]! });
      core.nowMs += 100;
      task = oneAssigned(core.ready("w1"));
    }
    expect(oneError(core.fail(task, "OBJECT_STORE", { retry: "same", shard: shardNames(task.header)[0]! })).code).to.equal("OBJECT_STORE");
  });

  it("does not hold a declined offer against the shard", () => {
    const core = new Scheduling({ attemptsMax: 1 });
    core.join("w1", [holding("taxi.bcolz")]);
    const task = oneAssigned(core.call("c1", ["taxi"]));
    core.tell({ kind: "declined", workerId: "w1", taskId: task.header.taskId, reason: "the offer was taken" });
    const again = oneAssigned(core.ready("w1"));
    expect(answers(core.finish(again))[0]).to.include({ type: "result", retries: 0 });
  });

  it("drops partials that are late, repeated, of another worker's task, or out of place", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 16));
    core.join("w2", setHoldings("taxi", 16));
    const [one, two] = assigned(core.call("c1", ["taxi"]));
    const [mine] = one!.header.shards;
    expect(core.partial(two!.workerId, one!.header.taskId, mine!.ordinal)).to.deep.equal([]);
    expect(core.partial(one!.workerId, idOf("unknown"), mine!.ordinal)).to.deep.equal([]);
    expect(core.partial(one!.workerId, one!.header.taskId, two!.header.shards[0]!.ordinal)).to.deep.equal([]);
    expect(core.partial(one!.workerId, one!.header.taskId, 0, 1_024)).to.deep.equal([]);
    expect(core.partial(one!.workerId, one!.header.taskId, 1, 2)).to.deep.equal([]);
    expect(core.partial(one!.workerId, one!.header.taskId, mine!.ordinal)).to.have.length(1);
    expect(core.partial(one!.workerId, one!.header.taskId, mine!.ordinal)).to.deep.equal([]);
    expect(core.state.calls.size).to.equal(1);
  });

  it("tries elsewhere when a worker ends a task without answering it", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    const task = oneAssigned(core.call("c1", ["taxi"]));
    core.join("w2", [holding("taxi.bcolz")]);
    expect(oneAssigned(core.tell({ kind: "done", workerId: "w1", taskId: task.header.taskId, cost: freeCost })).workerId).to.equal("w2");
  });

  it("forgets the task of a worker that registers again, and gives it out anew", () => {
    const core = new Scheduling({ attemptsMax: 1 });
    core.join("w1", [holding("taxi.bcolz")]);
    const task = oneAssigned(core.call("c1", ["taxi"]));
    expect(answers(core.register("w1", [holding("taxi.bcolz")]))).to.deep.equal([]);
    expect(core.finish(task)).to.deep.equal([]);
    expect(answers(core.finish(oneAssigned(core.ready("w1"))))).to.have.length(1);
  });

  it("takes an offer once, however often it is repeated", () => {
    const core = new Scheduling();
    core.register("w1", [holding("taxi.bcolz")]);
    const offer = { kind: "ready", workerId: "w1", nonce: idOf("offer"), cached: [] } as const;
    core.tell(offer);
    oneAssigned(core.call("c1", ["taxi"]));
    core.tell(offer);
    expect(assigned(core.call("c2", ["taxi"]))).to.deep.equal([]);
  });
});

describe("scheduling core: generations", () => {
  it("pins the generation that most workers hold", () => {
    const core = new Scheduling();
    core.register("w1", [holding("taxi.bcolz", { generation: "a", changedMs: 5 })]);
    core.register("w2", [holding("taxi.bcolz", { generation: "b" })]);
    core.join("w3", [holding("taxi.bcolz", { generation: "b" })]);
    expect(oneAssigned(core.call("c1", ["taxi"])).header.shards[0]!.generation).to.equal(generationOf("b"));
  });

  it("gives a shard only to workers whose generation it is", () => {
    const core = new Scheduling();
    core.register("w1", [holding("taxi.bcolz", { generation: "b", changedMs: 5 })]);
    core.join("w2", [holding("taxi.bcolz", { generation: "a" })]);
    expect(assigned([...core.call("c1", ["taxi"]), ...core.wait(1_000)])).to.deep.equal([]);
    expect(oneAssigned(core.ready("w1")).workerId).to.equal("w1");
  });

  it("asks a worker for the generation before its current one when nobody else has it", () => {
    const core = new Scheduling();
    core.register("w1", [holding("taxi.bcolz", { generation: "a" })]);
    core.call("c1", ["taxi"]);
    core.tell({ kind: "holdings", workerId: "w1", added: [holding("taxi.bcolz", { generation: "b" })], removed: [] });
    expect(oneAssigned(core.ready("w1")).header.shards[0]!.generation).to.equal(generationOf("a"));
  });

  it("begins again once, voiding earlier partials, when a generation is gone", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 4, { generation: "a" }));
    const task = oneAssigned(core.call("c1", ["taxi"]));
    core.partial("w1", task.header.taskId, task.header.shards[0]!.ordinal);
    core.tell({ kind: "holdings", workerId: "w1", added: setHoldings("taxi", 4, { generation: "b" }), removed: [] });
    const restarted = core.fail(task, "GENERATION_GONE", { retry: "same", shard: shardNames(task.header)[1]! });
    const header = restarted.flatMap((action) => (action.kind === "forward" ? [action.header] : []))[0];
    expect(header).to.include({ type: "accepted", attempt: 2 });
    const actions = core.work(core.ready("w1"));
    expect(answers(actions)[0]).to.include({ type: "result", retries: 1 });
    const generations = new Set(assigned(actions).flatMap(({ header: { shards } }) => shards.map(({ generation }) => generation)));
    expect([...generations]).to.deep.equal([generationOf("b")]);
  });

  it("fails with GENERATION_GONE when there is no other generation to begin again with", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz", { generation: "a" })]);
    const task = oneAssigned(core.call("c1", ["taxi"]));
    expect(oneError(core.fail(task, "GENERATION_GONE", { retry: "same", shard: "taxi.bcolz" })).code).to.equal("GENERATION_GONE");
  });

  it("fails with GENERATION_GONE when that happens a second time", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz", { generation: "a" })]);
    let task = oneAssigned(core.call("c1", ["taxi"]));
    for (const generation of ["b", "c"]) {
      core.tell({ kind: "holdings", workerId: "w1", added: [holding("taxi.bcolz", { generation })], removed: [] });
      const actions = core.fail(task, "GENERATION_GONE", { retry: "same", shard: "taxi.bcolz" });
      if (generation === "c") expect(oneError(actions).code).to.equal("GENERATION_GONE");
      else task = oneAssigned(core.ready("w1"));
    }
  });

  it("begins again over the set that took the place of one with more shards", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 4, { generation: "a" }));
    const task = oneAssigned(core.call("c1", ["taxi"]));
    core.partial("w1", task.header.taskId, task.header.shards[0]!.ordinal);
    core.call("c2", ["taxi-*.bcolzs"]);
    const replaced = core.tell({ kind: "holdings", workerId: "w1", added: setHoldings("taxi", 2, { generation: "b" }), removed: ["taxi-2.bcolzs", "taxi-3.bcolzs"] });
    expect(answers(replaced)).to.deep.equal([]);
    const again = replaced.flatMap((action) => (action.kind === "forward" && action.header.type === "accepted" ? [action.header] : []));
    expect(again.map(({ id, attempt, shards }) => [id, attempt, shards.map(({ name, generation }) => [name, generation])])).to.deep.include.members([
      ["c2", 2, [["taxi-0.bcolzs", generationOf("b")], ["taxi-1.bcolzs", generationOf("b")]]],
    ]);
    core.work(core.fail(task, "SHARD_UNAVAILABLE", { retry: "elsewhere", shard: "taxi-3.bcolzs" }));
    const results = answers(core.work(core.ready("w1")));
    expect(results.map(({ id, type }) => [id, type])).to.have.deep.members([["c1", "result"], ["c2", "result"]]);
  });

  it("takes a set that lost a shard, or shards outside of a set, for no new set", () => {
    for (const [shards, kept] of [[setHoldings("taxi", 3), ["taxi"]], [[0, 1, 2].map((shard) => holding(`taxi-${shard}.bcolzs`)), ["taxi-*.bcolzs"]]] as const) {
      const core = new Scheduling();
      core.register("w1", shards.slice(0, 2));
      core.register("w2", shards.slice(2));
      core.call("c1", [...kept]);
      const actions = core.tell({ kind: "holdings", workerId: "w2", added: [], removed: ["taxi-2.bcolzs"] });
      expect(oneError(actions).code).to.equal("SHARD_UNAVAILABLE");
    }
  });

  it("asks another worker that still has the generation before it begins again", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz", { generation: "a" })]);
    const task = oneAssigned(core.call("c1", ["taxi"]));
    core.join("w2", [holding("taxi.bcolz", { generation: "a" })]);
    expect(oneAssigned(core.fail(task, "GENERATION_GONE", { retry: "same", shard: "taxi.bcolz" }))).to.include({ workerId: "w2" });
  });
});

describe("scheduling core: who gets what", () => {
  it("gives a worker the shards it has cached first", () => {
    const core = new Scheduling();
    core.register("w1", setHoldings("taxi", 64));
    core.register("w2", setHoldings("taxi", 64));
    core.call("c1", ["taxi"]);
    const cached = ["taxi-40.bcolzs", "taxi-41.bcolzs", "taxi-7.bcolzs"];
    const task = oneAssigned(core.ready("w1", cached.map((shard) => ({ shard, columns: ["v", "w"] }))));
    expect(shardNames(task.header)).to.have.members(cached);
  });

  it("counts a shard as cached only with every column the call reads", () => {
    const core = new Scheduling();
    core.register("w1", setHoldings("taxi", 64));
    core.register("w2", setHoldings("taxi", 64));
    core.call("c1", ["taxi"], { columns: ["v", "w"] });
    const half = core.ready("w1", [{ shard: "taxi-3.bcolzs", columns: ["v"] }]);
    expect(shardNames(oneAssigned(half).header)).to.not.deep.equal(["taxi-3.bcolzs"]);
  });

  it("divides shards nobody has cached among their holders, each always the same ones", () => {
    const seen = [1, 2].map(() => {
      const core = new Scheduling();
      for (const worker of ["w1", "w2", "w3"]) core.register(worker, setHoldings("taxi", 30));
      core.call("c1", ["taxi"]);
      return ["w1", "w2", "w3"].map((worker) => shardNames(oneAssigned(core.ready(worker)).header));
    });
    expect(seen[0]).to.deep.equal(seen[1]);
    expect(new Set(seen[0]!.flat()).size).to.equal(seen[0]!.flat().length);
  });

  it("leaves shards to their preferred reader for the mean time of a task, then gives them to anyone", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 8));
    core.work(core.call("warm up", ["taxi"]), 40);
    core.register("w2", setHoldings("taxi", 8));
    const own = assigned(core.work(core.call("c1", ["taxi"]), 40)).flatMap(({ header }) => shardNames(header));
    expect(own.length).to.be.within(1, 7);
    expect(assigned(core.wait(30))).to.deep.equal([]);
    const rest = shardNames(oneAssigned(core.wait(20)).header);
    expect(own).to.not.include.any.members(rest);
  });

  it("serves affinity keys in turn, so that a large call delays no small one", () => {
    const core = new Scheduling();
    core.join("w1", [...setHoldings("taxi", 200), holding("bike.bcolz")]);
    const large = core.call("large", ["taxi"], { clientId: "a" });
    core.call("small", ["bike"], { clientId: "b" });
    const batches = assigned(core.work(large, 20)).map(({ header }) => shardNames(header));
    expect(batches.indexOf(batches.find(([name]) => name === "bike.bcolz")!)).to.be.at.most(2);
    expect(batches.length).to.be.greaterThan(5);
  });

  it("serves the calls of one key in turn as well", () => {
    const core = new Scheduling();
    core.join("w1", [...setHoldings("taxi", 200), holding("bike.bcolz")]);
    const large = core.call("large", ["taxi"], { affinity: "k" });
    core.call("small", ["bike"], { affinity: "k" });
    const batches = assigned(core.work(large, 20)).map(({ header }) => shardNames(header));
    expect(batches.indexOf(batches.find(([name]) => name === "bike.bcolz")!)).to.be.at.most(2);
    expect(batches.length).to.be.greaterThan(5);
  });

  it("gives at most ten milliseconds of work at a time, as far as it knows the cost", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 200));
    let task = oneAssigned(core.call("c1", ["taxi"]));
    core.nowMs += 2 * task.header.shards.length;
    core.finish(task);
    task = oneAssigned(core.ready("w1"));
    expect(task.header.shards).to.have.length(5);
  });

  it("gives up to a hundred milliseconds of work at a time where partials are large, and less while another call waits", () => {
    const core = new Scheduling();
    core.join("w1", [...setHoldings("taxi", 400), holding("bike.bcolz")]);
    let task = oneAssigned(core.call("large", ["taxi"], { clientId: "a" }));
    for (const place of [0, 1]) {
      core.nowMs += 2 * task.header.shards.length;
      core.finish(task, 200_000);
      task = oneAssigned(core.ready("w1"));
      expect(task.header.shards.length, `batch ${place}`).to.be.within(32, 50);
    }
    core.call("small", ["bike"], { clientId: "b" });
    core.nowMs += 2 * task.header.shards.length;
    core.finish(task, 200_000);
    task = oneAssigned(core.ready("w1"));
    expect(task.header.shards.length).to.be.within(1, 5);
    core.nowMs += 2 * task.header.shards.length;
    core.finish(task, 200_000);
    expect(shardNames(oneAssigned(core.ready("w1")).header)).to.deep.equal(["bike.bcolz"]);
  });

  it("cuts the first batches of a call by what the latest one that read the same columns cost", () => {
    const core = new Scheduling();
    core.join("w1", [...setHoldings("taxi", 10), ...setHoldings("bike", 10)]);
    core.join("w2", [...setHoldings("taxi", 10), ...setHoldings("bike", 10)]);
    const ask = (table: string, columns: string[], bytes: number, mergesRuns = false): number[] => {
      const sizes: number[] = [];
      for (let tasks = assigned(core.call(`${table} ${sizes.length} ${core.nowMs}`, [table], { columns })); tasks.length > 0;) {
        sizes.push(...tasks.map(({ header }) => header.shards.length));
        core.nowMs += 8;
        for (const task of tasks) (mergesRuns ? core.finishRun(task, bytes) : core.finish(task, bytes));
        tasks = tasks.flatMap(({ workerId }) => assigned(core.ready(workerId)));
      }
      return sizes;
    };
    ask("taxi", ["v"], 200_000);
    ask("bike", ["v"], 2_000);
    expect(ask("taxi", ["v"], 200_000), "whole blocks").to.deep.equal([4, 6]);
    ask("taxi", ["w"], 200_000, true);
    expect(ask("taxi", ["w"], 200_000, true), "half the shards each, as workers gave one partial a task").to.deep.equal([5, 5]);
    expect(ask("bike", ["v"], 2_000)[0]).to.be.lessThan(4);
    expect(ask("taxi", ["v", "w"], 2_000)[0]).to.be.lessThan(4);
  });

  it("forgets one slow call among others when it cuts batches", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 10));
    core.join("w2", setHoldings("taxi", 10));
    const ask = (taskMs: number): number => {
      const tasks = assigned(core.call(`at ${core.nowMs}`, ["taxi"]));
      core.nowMs += taskMs;
      const next = tasks.flatMap((task) => [...core.finish(task), ...core.ready(task.workerId)]);
      core.work(next, taskMs);
      return tasks.reduce((sum, { header }) => sum + header.shards.length, 0);
    };
    for (let k = 0; k < 5; k++) ask(4);
    expect(ask(200)).to.equal(10);
    expect(ask(4), "shards handed out at once").to.equal(10);
  });

  it("gives the last batches so that workers end together, whoever is idle first", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 24));
    core.work(core.call("one", ["taxi"]), 16);
    core.register("w2", setHoldings("taxi", 24));
    const cached = setHoldings("taxi", 24).map(({ name }) => ({ shard: name, columns: ["v"] }));
    for (const worker of ["w1", "w2"]) core.ready(worker, cached);
    const tasks = assigned(core.call("two", ["taxi"]));
    const sizes = tasks.map(({ header }) => header.shards.length);
    for (let waiting = tasks; waiting.length > 0;) {
      core.nowMs += 8;
      waiting = waiting.flatMap((task) => { core.finish(task); return assigned(core.ready(task.workerId)); });
      sizes.push(...waiting.map(({ header }) => header.shards.length));
    }
    expect(sizes.reduce((sum, size) => sum + size)).to.equal(24);
    expect(Math.max(...sizes) - Math.min(...sizes), `batches of ${sizes.join()}`).to.be.at.most(1);
  });

  it("gives a worker its whole part at once when that is little work", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 8));
    for (let task = oneAssigned(core.call("c1", ["taxi"])); ;) {
      core.nowMs += task.header.shards.length;
      core.finish(task);
      const [next] = assigned(core.ready("w1"));
      if (next === undefined) break;
      task = next;
    }
    core.join("w2", setHoldings("taxi", 8));
    const sizes = assigned(core.call("c2", ["taxi"])).map(({ header }) => header.shards.length);
    expect(sizes).to.deep.equal([4, 4]);
  });

  describe("a worker that is soon done", () => {
    /** Two workers of ten shards, each of which is known to take so long. */
    function start(shardMs: number): Scheduling {
      const core = new Scheduling();
      const cached = setHoldings("taxi", 10).map(({ name }) => ({ shard: name, columns: ["v"] }));
      for (const worker of ["w1", "w2"]) core.join(worker, setHoldings("taxi", 10));
      for (let tasks = assigned(core.call("known", ["taxi"])); tasks.length > 0;) {
        core.nowMs += shardMs * Math.max(...tasks.map(({ header }) => header.shards.length));
        tasks = tasks.flatMap((task) => { core.finish(task); return assigned(core.ready(task.workerId, cached)); });
      }
      for (const worker of ["w1", "w2"]) core.ready(worker, cached);
      return core;
    }

    it("gets the next task ahead, and each its fair part of the call", () => {
      const core = start(4);
      const [first, second] = assigned(core.call("c1", ["taxi"]));
      expect([first, second].map((task) => [task!.header.shards.length, task!.header.offersNext])).to.deep.equal([[2, true], [2, true]]);
      const ahead = [first!, second!].map((task) => oneAssigned(core.readyBeside(task)));
      expect(ahead.map(({ workerId, header }) => [workerId, header.shards.length])).to.deep.equal([[first!.workerId, 2], [second!.workerId, 2]]);
      core.nowMs += 8;
      core.finish(first!);
      const last = oneAssigned(core.readyBeside(ahead[0]!));
      expect([last.header.shards.length, last.header.offersNext]).to.deep.equal([1, true]);
      core.finish(second!);
      const [end] = assigned(core.readyBeside(ahead[1]!));
      expect([end?.header.shards.length, end?.header.offersNext]).to.deep.equal([1, undefined]);
      core.nowMs += 12;
      const results = [...ahead, last, end!].flatMap((task) => answers(core.finish(task)));
      expect(results).to.have.lengthOf(1);
    });

    it("gets nothing ahead that another is to do", () => {
      const core = start(4);
      const [first, second] = assigned(core.call("c1", ["taxi"]));
      const ahead = oneAssigned(core.readyBeside(first!));
      core.nowMs += 8;
      for (const task of [first!, second!]) core.finish(task);
      // Of six that are left, the first worker has two at hand and takes one more; the rest are for the second.
      expect(oneAssigned(core.readyBeside(ahead)).header.shards).to.have.lengthOf(1);
      expect(oneAssigned(core.ready(second!.workerId)).header.shards).to.have.lengthOf(2);
    });

    it("is not asked to offer itself when idle workers take the rest", () => {
      const tasks = assigned(start(1).call("c1", ["taxi"]));
      expect(tasks.map(({ header }) => [header.shards.length, header.offersNext])).to.deep.equal([[5, undefined], [5, undefined]]);
    });

    it("is not asked to offer itself beside long tasks", () => {
      const tasks = assigned(start(30).call("c1", ["taxi"]));
      expect(tasks.map(({ header }) => header.offersNext)).to.deep.equal([undefined, undefined]);
    });

    it("loses both tasks with its end, and only the one it ran counts as tried", () => {
      const core = start(4);
      const [first] = assigned(core.call("c1", ["taxi"]));
      const ahead = oneAssigned(core.readyBeside(first!));
      core.tell({ kind: "workerLost", workerId: first!.workerId, reason: "it ended", saidBye: false });
      const [call] = core.state.calls.values();
      const triesOf = (task: typeof ahead): number[] => task.header.shards.map(({ ordinal }) => call!.tries[ordinal]!);
      expect([triesOf(first!), triesOf(ahead)]).to.deep.equal([[1, 1], [0, 0]]);
    });

    it("that offers itself without a word of its tasks never began them", () => {
      const core = start(4);
      const [first] = assigned(core.call("c1", ["taxi"]));
      core.readyBeside(first!);
      core.ready(first!.workerId);
      const worker = core.state.workers.get(first!.workerId);
      expect(worker!.nextTaskId).to.equal(undefined);
      expect(worker!.taskId).to.not.equal(first!.header.taskId);
    });

    it("gets nothing ahead while another call waits for its turn", () => {
      const core = start(4);
      const tasks = assigned(core.call("c1", ["taxi"]));
      core.call("c2", ["taxi"], { affinity: "other" });
      expect(tasks.flatMap((task) => assigned(core.readyBeside(task)))).to.deep.equal([]);
      core.nowMs += 8;
      for (const task of tasks) core.finish(task);
      const next = tasks.map(({ workerId }) => oneAssigned(core.ready(workerId)).header.queryId);
      expect(new Set(next).size, "calls in turn").to.equal(2);
    });

    it("gets nothing ahead, and less at a time, while calls of other queues come now and then", () => {
      const core = start(4);
      const [task] = assigned(core.call("c1", ["taxi"]));
      expect(task!.header.shards).to.have.lengthOf(2);
      core.call("c2", ["taxi"], { affinity: "other" });
      core.tell({ kind: "cancelled", clientId: "client", id: "c2" });
      expect(assigned(core.readyBeside(task!))).to.deep.equal([]);
      core.nowMs += 8;
      core.finish(task!);
      const next = oneAssigned(core.ready(task!.workerId));
      expect(next.header.shards, "of 4 ms each").to.have.lengthOf(1);
      core.nowMs += 100;
      expect(oneAssigned(core.readyBeside(next)).header.shards).to.have.lengthOf(2);
    });
  });

  it("tells workers the time that remains", () => {
    const core = new Scheduling();
    core.register("w1", [holding("taxi.bcolz")]);
    core.call("c1", ["taxi"], { remainingMs: 1_000 });
    core.nowMs = 400;
    expect(oneAssigned(core.ready("w1")).header.remainingMs).to.equal(600);
  });
});
