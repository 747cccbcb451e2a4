import { expect } from "chai";
import { describe, it } from "mocha";
import type { Action } from "../../lib/cluster/controller/events.js";
import { answers, assigned, freeCost, holding, oneAssigned, Scheduling, setHoldings, shardNames, type Assigned, type CallAsks } from "../support/scheduling.js";

/** Two holders of sixteen shards and a call for them: `quick` has done all it was given and is idle, `stuck` has a task of old. */
function begin(options: ConstructorParameters<typeof Scheduling>[0] = {}, asks: CallAsks = {}): { core: Scheduling; stuck: Assigned; quick: string } {
  const core = new Scheduling(options);
  core.join("w1", setHoldings("taxi", 16));
  core.join("w2", setHoldings("taxi", 16));
  const [stuck, ...rest] = assigned(core.call("c1", ["taxi"], { asks }));
  core.work(rest, 10);
  // What is left to its preferred reader for a while.
  for (let left = core.wait(20); assigned(left).length > 0; left = core.wait(20)) core.work(left, 1);
  return { core, stuck: stuck!, quick: rest[0]!.workerId };
}

/** Lets both workers be heard of, and time pass. */
function waitAlive(core: Scheduling, ms: number): Action[] {
  const actions: Action[] = [];
  for (let left = ms; left > 0; left -= 250) {
    core.nowMs += Math.min(left, 250);
    for (const workerId of core.state.workers.keys()) core.tell({ kind: "heartbeat", workerId });
    actions.push(...core.tell({ kind: "tick" }));
  }
  return actions;
}

function retried(actions: readonly Action[]): string[] {
  return actions.flatMap((action) => (action.kind === "log" && action.event === "task.retried" ? [String(action.facts["reason"])] : []));
}

describe("a task that takes too long", () => {
  it("is begun again by an idle holder, once, and the first answer of a shard is the one", () => {
    const { core, stuck, quick } = begin();
    const actions = waitAlive(core, 1_000);
    const again = oneAssigned(actions);
    expect(again.workerId).to.equal(quick);
    expect(shardNames(again.header)).to.deep.equal(shardNames(stuck.header));
    expect(retried(actions)[0]).to.match(/^it runs for \d+ ms, where 250 ms would be long$/);
    const [first] = stuck.header.shards;
    const forwarded = core.partial(stuck.workerId, stuck.header.taskId, first!.ordinal);
    expect(forwarded.filter(({ kind }) => kind === "forward")).to.have.length(1);
    expect(core.partial(quick, again.header.taskId, first!.ordinal), "the late answer").to.deep.equal([]);
  });

  it("is called off when the other has answered all it had left, and the answer counts the retry", () => {
    const { core, stuck } = begin();
    const again = oneAssigned(waitAlive(core, 500));
    const actions = core.finish(again);
    expect(actions).to.deep.include({ kind: "cancelTask", workerId: stuck.workerId, taskId: stuck.header.taskId });
    expect(answers(actions)).to.have.length(1);
    expect(answers(actions)[0]).to.include({ type: "result", retries: 1 });
    expect(core.finish(stuck), "late").to.deep.equal([]);
  });

  it("calls the second off when it is first after all", () => {
    const { core, stuck, quick } = begin();
    const again = oneAssigned(waitAlive(core, 500));
    const actions = core.finish(stuck);
    expect(actions).to.deep.include({ kind: "cancelTask", workerId: quick, taskId: again.header.taskId });
    expect(answers(actions)[0]).to.include({ type: "result" });
  });

  it("is not left out for a try that failed while another is at it, where fewer tries are configured meanwhile", () => {
    const { core, stuck } = begin({}, { partial: "allow" });
    const again = oneAssigned(waitAlive(core, 500));
    Object.assign(core.state.options, { attemptsMax: 1 });
    core.fail(stuck, "IO", { shard: shardNames(stuck.header)[0]! });
    const [answer] = answers(core.finish(again));
    expect(answer).to.include({ type: "result" }).and.not.have.property("leftOut");
  });

  it("does not wait while it may only be busy", () => {
    const { core } = begin();
    expect(assigned(waitAlive(core, 240 - core.nowMs))).to.deep.equal([]);
  });

  it("is judged by rows: one of a hundred times as many may take so much longer", () => {
    const core = new Scheduling();
    const large = { ...holding("taxi-0.bcolzs", { rows: 1_000_000, set: { id: "taxi", index: 0, count: 2 } }) };
    const small = holding("taxi-1.bcolzs", { rows: 10_000, set: { id: "taxi", index: 1, count: 2 } });
    core.join("w1", [large, small]);
    core.join("w2", [large, small]);
    const tasks = assigned(core.call("c1", ["taxi"]));
    const quick = tasks.find(({ header }) => shardNames(header).includes("taxi-1.bcolzs"))!;
    expect(shardNames(quick.header)).to.deep.equal(["taxi-1.bcolzs"]);
    core.work([quick], 10);
    expect(assigned(waitAlive(core, 2_750))).to.deep.equal([]);
    expect(assigned(waitAlive(core, 500))).to.have.length(1);
  });

  it("of a worker that was silent for half of the expiry is begun again, whatever it would take", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    core.join("w2", [holding("taxi.bcolz")]);
    const task = oneAssigned(core.call("c1", ["taxi"]));
    const other = task.workerId === "w1" ? "w2" : "w1";
    core.nowMs = 2_400;
    core.tell({ kind: "heartbeat", workerId: other });
    expect(assigned(core.wait(0))).to.deep.equal([]);
    const actions = core.wait(100);
    expect(oneAssigned(actions).workerId).to.equal(other);
    expect(retried(actions)).to.deep.equal(["nothing heard of its worker for 2500 ms"]);
  });

  it("without siblings is judged by what calls like it took, and by nothing where nothing is known", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    core.join("w2", [holding("taxi.bcolz")]);
    const first = oneAssigned(core.call("c1", ["taxi"]));
    expect(assigned(waitAlive(core, 4_000))).to.deep.equal([]);
    core.finish(first);
    core.ready(first.workerId);
    const second = oneAssigned(core.call("c2", ["taxi"]));
    expect(assigned(waitAlive(core, 12_000))).to.deep.equal([]);
    expect(assigned(waitAlive(core, 500))).to.have.length(1);
    expect(answers(core.finish(second))[0]).to.include({ type: "result", retries: 1 });
  });

  it("is not judged by what came from a cache of answers", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 2));
    core.join("w2", setHoldings("taxi", 2));
    const [one] = assigned(core.call("c1", ["taxi"]));
    core.partial(one!.workerId, one!.header.taskId, one!.header.shards[0]!.ordinal);
    core.nowMs = 1;
    core.tell({ kind: "done", workerId: one!.workerId, taskId: one!.header.taskId, cost: { ...freeCost, shards: 1, partialCacheHits: 1 } });
    core.ready(one!.workerId);
    expect(assigned(waitAlive(core, 2_000))).to.deep.equal([]);
  });

  it("lets nothing wait behind it that was given to its worker ahead", () => {
    const core = new Scheduling();
    core.join("w1", setHoldings("taxi", 64));
    const stuck = oneAssigned(core.call("c1", ["taxi"]));
    const ahead = oneAssigned(core.readyBeside(stuck));
    core.join("w2", setHoldings("taxi", 64));
    core.work(core.ready("w2"), 1);
    const actions = waitAlive(core, 3_000);
    expect(actions).to.deep.include({ kind: "cancelTask", workerId: "w1", taskId: ahead.header.taskId });
  });

  it("is not begun again for rows, nor at a shard with one try left", () => {
    const { core } = begin({ attemptsMax: 1 });
    expect(assigned(waitAlive(core, 2_000))).to.deep.equal([]);
    const rows = new Scheduling();
    rows.join("w1", [holding("taxi.bcolz")]);
    rows.join("w2", [holding("taxi.bcolz")]);
    expect(assigned(rows.call("c1", ["taxi"], { asks: { rows: { slices: 8, rowsMax: null } } }))).to.have.length(1);
    expect(assigned(waitAlive(rows, 4_000))).to.deep.equal([]);
  });

  it("for rows goes on elsewhere where it stood when its worker is silent", () => {
    const core = new Scheduling();
    core.join("w1", [holding("taxi.bcolz")]);
    core.join("w2", [holding("taxi.bcolz")]);
    const task = oneAssigned(core.call("c1", ["taxi"], { asks: { rows: { slices: 8, rowsMax: null } } }));
    core.slice(task, 0, 0, 7);
    const other = task.workerId === "w1" ? "w2" : "w1";
    core.nowMs = 2_400;
    core.tell({ kind: "heartbeat", workerId: other });
    const actions = core.wait(100);
    expect(actions).to.deep.include({ kind: "cancelTask", workerId: task.workerId, taskId: task.header.taskId });
    const again = oneAssigned(actions);
    expect([again.workerId, again.header.rows?.from]).to.deep.equal([other, [7]]);
    expect(core.slice(task, 0, 7, null), "late").to.deep.equal([]);
    core.slice(again, 0, 7, null);
    expect(answers(core.done(again))[0]).to.include({ type: "result", retries: 1 });
  });

  it("goes on alone when the second is lost, and the second when it is lost itself", () => {
    for (const isSecond of [true, false]) {
      const { core, stuck, quick } = begin();
      const again = oneAssigned(waitAlive(core, 500));
      const [lost, left] = isSecond ? [quick, stuck] : [stuck.workerId, again];
      const actions = core.tell({ kind: "workerLost", workerId: lost, reason: "killed", saidBye: false });
      expect(assigned(actions)).to.deep.equal([]);
      expect(core.state.departures[0]).to.include({ elsewhere: 1, givenBack: 0, failedCalls: 0 });
      expect(answers(core.finish(left))[0]).to.include({ type: "result" });
    }
  });

  it("with blocks of which the other answered a part ends without blame, and what is left is read again", () => {
    const { core, stuck, quick } = begin();
    const again = oneAssigned(waitAlive(core, 500));
    const [first] = again.header.shards;
    core.partial(quick, again.header.taskId, first!.ordinal);
    expect(core.partial(stuck.workerId, stuck.header.taskId, first!.ordinal, again.header.shards.length), "a block with that shard in it").to.deep.equal([]);
    expect(core.partial(stuck.workerId, stuck.header.taskId, first!.ordinal, 2), "a smaller one").to.deep.equal([]);
    core.tell({ kind: "workerLost", workerId: quick, reason: "killed", saidBye: false });
    core.done(stuck);
    const rest = oneAssigned(core.ready(stuck.workerId));
    expect(rest.header.shards).to.have.length(again.header.shards.length - 1);
    expect(answers(core.finish(rest))[0]).to.include({ type: "result" });
  });

  it("ends its call when only its cost is missing", () => {
    const { core, stuck } = begin();
    for (const { ordinal } of stuck.header.shards) core.partial(stuck.workerId, stuck.header.taskId, ordinal);
    expect(answers(waitAlive(core, 1_000))[0]).to.include({ type: "result", retries: 0 });
  });
});
