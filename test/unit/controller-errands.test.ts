import { expect } from "chai";
import { describe, it } from "mocha";
import type { Action } from "../../lib/cluster/controller/events.js";
import { listQueries } from "../../lib/cluster/controller/answers/queries.js";
import type { ClientMessage, Errand } from "../../lib/wire/messages.js";
import { answers, assigned, freeCost, holding, idOf, oneAssigned, oneError, Scheduling } from "../support/scheduling.js";

const [c1, c2, w1, w2] = ["c1", "c2", "w1", "w2"].map(idOf) as [string, string, string, string];
const nap: Errand = { kind: "sleep", seconds: 1 };
const code: Errand = { kind: "execute_code", function: "fs.readdirSync" };

type Asked = ClientMessage & { type: "call" };
type Given = Action & { kind: "assignErrand" };

function ask(core: Scheduling, id: string, errands: Errand[], more: Partial<Asked> = {}, clientId = "client"): Action[] {
  const call: Asked = { type: "call", id, verb: errands[0]!.kind, tables: [], columns: [], remainingMs: 60_000, errands, ...more };
  return core.tell({ kind: "called", clientId, call, body: [Uint8Array.of(7)] });
}

function given(actions: readonly Action[]): Given[] {
  return actions.filter((action) => action.kind === "assignErrand");
}

function oneGiven(actions: readonly Action[]): Given {
  const errands = given(actions);
  expect(errands, "errands given out").to.have.length(1);
  return errands[0]!;
}

function finish(core: Scheduling, { workerId, header }: Given): Action[] {
  const { taskId } = header;
  return [...core.tell({ kind: "answer", workerId, taskId, form: "json", body: [Uint8Array.of(1)] }), ...core.tell({ kind: "done", workerId, taskId, cost: freeCost })];
}

function join(core: Scheduling, ...workers: string[]): void {
  for (const worker of workers) core.join(worker, [holding("taxi.bcolz")]);
}

describe("errands in the scheduling core", () => {
  it("go to an idle worker with their body, and what they come to goes to the client, then the result", () => {
    const core = new Scheduling();
    join(core, w1);
    const task = oneGiven(ask(core, c1, [nap]));
    expect(task).to.deep.include({ workerId: w1, body: [Uint8Array.of(7)] });
    expect(task.header).to.deep.include({ type: "errand", errand: nap, remainingMs: 60_000 });
    const actions = finish(core, task);
    expect(actions.map((action) => "header" in action && action.header.type)).to.deep.equal(["answer", "result"]);
    expect(actions[0]).to.deep.include({ clientId: "client", body: [Uint8Array.of(1)] });
    expect([core.state.calls.size, core.state.tasks.size, core.state.bodyBytes]).to.deep.equal([0, 0, 0]);
  });

  it("wait in the queue of their affinity while all workers are busy, and go before what came later", () => {
    const core = new Scheduling();
    join(core, w1);
    const first = oneGiven(ask(core, c1, [nap]));
    expect(given(ask(core, c2, [nap], { affinity: "night" }))).to.deep.equal([]);
    expect(assigned(core.call(idOf("q"), ["taxi"]))).to.deep.equal([]);
    expect([...core.state.queues.keys()]).to.deep.equal(["night", "client"]);
    finish(core, first);
    const second = oneGiven(core.ready(w1));
    finish(core, second);
    oneAssigned(core.ready(w1));
  });

  it("leave no trace in what shards are thought to cost", () => {
    const core = new Scheduling();
    join(core, w1);
    const task = oneGiven(ask(core, c1, [nap]));
    core.wait(4_000);
    finish(core, task);
    expect([core.state.taskMs.value, core.state.shardMs.value]).to.deep.equal([undefined, undefined]);
  });

  it("several are queued at once, with the ids of their queries for an answer, and outlive their client", () => {
    const core = new Scheduling();
    join(core, w1, w2);
    const actions = ask(core, c1, [nap, nap, nap], { detached: true, affinity: "night" });
    const tasks = given(actions);
    const [answer] = answers(actions);
    expect(answer).to.deep.include({ type: "result", id: c1, value: [...core.state.calls.keys()] });
    expect(tasks).to.have.length(2);
    core.tell({ kind: "clientLost", clientId: "client" });
    for (const task of tasks) finish(core, task);
    const last = oneGiven(core.ready(w1));
    expect(answers(finish(core, last)).map(({ id }) => id)).to.not.include(c1);
    expect(core.state.calls.size).to.equal(0);
  });

  it("several are taken together or not at all", () => {
    const core = new Scheduling({ queueTasksMax: 3 });
    join(core, w1);
    expect(oneError(ask(core, c1, [nap, nap, nap, nap], { detached: true })).code).to.equal("BUSY");
    expect(core.state.calls.size).to.equal(0);
    expect(given(ask(core, c1, [nap, nap, nap], { detached: true }))).to.have.length(1);
  });

  it("of another kind than their verb, none, or several that somebody waits for are refused", () => {
    const core = new Scheduling();
    join(core, w1);
    for (const [errands, more] of [[[code], { verb: "sleep" }], [[nap], { errands: [] }], [[nap, nap], {}], [[nap, code], { detached: true }]] as const) {
      expect(oneError(ask(core, c1, [...errands], more as Partial<Asked>)).code).to.equal("BAD_QUERY");
    }
  });

  it("fail at once where no worker is", () => {
    expect(oneError(ask(new Scheduling(), c1, [nap])).code).to.equal("SHARD_UNAVAILABLE");
  });

  it("for a named worker wait for that one, and fail when it goes", () => {
    const core = new Scheduling();
    join(core, w1, w2);
    const first = oneGiven(ask(core, c1, [nap], { worker: w2 }));
    expect(first.workerId).to.equal(w2);
    expect(given(ask(core, c2, [nap], { worker: w2.slice(0, 4) }))).to.deep.equal([]);
    const lost = core.tell({ kind: "workerLost", workerId: w2, reason: "gone", saidBye: false });
    expect(answers(lost).map((answer) => answer.type === "error" && answer.code)).to.have.members(["WORKER_LOST", "SHARD_UNAVAILABLE"]);
  });

  it("for a worker that is not there, or whose name is the beginning of two, are refused", () => {
    const core = new Scheduling();
    join(core, w1, w2);
    expect(oneError(ask(core, c1, [nap], { worker: "f" }))).to.include({ code: "NOT_FOUND" });
    expect(oneError(ask(core, c1, [nap], { worker: w1.slice(0, 2) }))).to.include({ code: "USAGE" });
  });

  it("of a lost worker are done by another; execute_code never is, and its caller is told", () => {
    for (const how of ["lost", "registered again"]) {
      const core = new Scheduling();
      join(core, w1);
      const [sleep, call] = [oneGiven(ask(core, c1, [nap])), c2];
      const end = (): Action[] => (how === "lost" ? core.tell({ kind: "workerLost", workerId: w1, reason: "killed", saidBye: false }) : core.register(w1, [holding("taxi.bcolz")]));
      join(core, w2);
      const again = oneGiven(end());
      expect([again.workerId, again.header.errand]).to.deep.equal([w2, sleep.header.errand]);
      finish(core, again);
      if (how === "lost") join(core, w1);
      else core.ready(w1);
      oneGiven(ask(core, call, [code], { worker: w1 }));
      core.ready(w2);
      const ended = end();
      expect(given(ended)).to.deep.equal([]);
      expect(oneError(ended)).to.include({ id: c2, code: "WORKER_LOST" });
      expect(oneError(ended).message).to.match(/while it did execute_code fs\.readdirSync; it may have been done or not/);
    }
  });

  it("of execute_code are not given out again by an offer that comes twice, nor where more tries are configured meanwhile", () => {
    for (const how of ["offer", "tries"]) {
      const core = new Scheduling();
      core.register(w1, [holding("taxi.bcolz")]);
      const old = { kind: "ready", workerId: w1, nonce: idOf("old"), cached: [] } as const;
      core.tell(old);
      finish(core, oneGiven(ask(core, c1, [nap])));
      join(core, w2);
      oneGiven(ask(core, c2, [nap], { worker: w2 }));
      core.ready(w1);
      const task = oneGiven(ask(core, idOf("code"), [code]));
      expect(task.workerId).to.equal(w1);
      Object.assign(core.state.options, { attemptsMax: 9 });
      if (how === "offer") {
        expect(core.tell(old)).to.deep.equal([]);
        finish(core, task);
      } else expect(oneError(core.tell({ kind: "workerLost", workerId: w1, reason: "killed", saidBye: false }))).to.include({ id: idOf("code"), code: "WORKER_LOST" });
      expect(core.state.calls.size).to.equal(1);
    }
  });

  it("of execute_code wait for the word of a worker that has begun something else, whose next offer is not forgotten", () => {
    for (const how of ["declined", "cancelled"]) {
      const core = new Scheduling();
      join(core, w1);
      const { header: { taskId } } = oneGiven(ask(core, c1, [code]));
      expect(core.ready(w1)).to.deep.equal([]);
      ask(core, c2, [nap]);
      core.tell(how === "declined" ? { kind: "declined", workerId: w1, taskId, reason: "the offer was taken" } : { kind: "cancelled", clientId: "client", id: c1 });
      expect(core.state.wakeAtMs).to.be.at.most(core.nowMs);
      core.wait(0);
      expect([...core.state.tasks.values()].map((task) => task.workerId)).to.deep.equal([w1]);
    }
  });

  it("that were declined, and so not begun, are given out again, execute_code as well", () => {
    const core = new Scheduling();
    join(core, w1);
    const { header: { taskId } } = oneGiven(ask(core, c1, [code]));
    core.tell({ kind: "declined", workerId: w1, taskId, reason: "busy" });
    oneGiven(core.ready(w1));
  });

  it("go to another worker where the file is not on this one, and tell of it when it is on none", () => {
    const core = new Scheduling();
    join(core, w1, w2);
    const read: Errand = { kind: "readfile", path: "notes.txt" };
    const first = oneGiven(ask(core, c1, [read]));
    const fail = ({ workerId, header: { taskId } }: Given): Action[] => core.tell({ kind: "failed", workerId, taskId, code: "NOT_FOUND", message: "no such file", details: {}, retry: "elsewhere", shard: null });
    const second = oneGiven(fail(first));
    expect(second.workerId).to.not.equal(first.workerId);
    expect(oneError(fail(second))).to.include({ code: "NOT_FOUND", message: "no such file" });
  });

  it("end with their deadline, which names them, and their worker is told", () => {
    const core = new Scheduling();
    join(core, w1);
    const { header: { taskId } } = oneGiven(ask(core, c1, [nap], { remainingMs: 500 }));
    const actions = core.wait(501);
    expect(oneError(actions)).to.include({ code: "DEADLINE" }).and.have.property("message").which.match(/^time ran out over sleep\(1\) \(at it: worker /);
    expect(actions.filter((action) => action.kind === "cancelTask")).to.deep.equal([{ kind: "cancelTask", workerId: w1, taskId }]);
  });

  it("answers that are late, repeated, or of another worker are dropped", () => {
    const core = new Scheduling();
    join(core, w1, w2);
    const task = oneGiven(ask(core, c1, [nap]));
    const { taskId } = task.header;
    const other = task.workerId === w1 ? w2 : w1;
    expect(core.tell({ kind: "answer", workerId: other, taskId, form: "json", body: [] })).to.deep.equal([]);
    finish(core, task);
    expect(core.tell({ kind: "answer", workerId: task.workerId, taskId, form: "json", body: [] })).to.deep.equal([]);
  });

  it("that a worker ends without an answer fail by and by, and never in silence", () => {
    const core = new Scheduling({ attemptsMax: 1 });
    join(core, w1);
    const { workerId, header: { taskId } } = oneGiven(ask(core, c1, [nap]));
    expect(oneError(core.tell({ kind: "done", workerId, taskId, cost: freeCost })).code).to.equal("INTERNAL");
  });
});

describe("queries", () => {
  it("are listed with what they are, how far they are and how long they take", () => {
    const core = new Scheduling();
    join(core, w1);
    ask(core, c1, [nap], { affinity: "night" });
    core.wait(250);
    core.call(idOf("q"), ["taxi", "taxi.bcolz"], { clientId: "other" });
    core.wait(1_000);
    const [sleep, query] = listQueries(core.state, idOf("controller"), core.nowMs);
    expect(sleep).to.deep.include({ verb: "sleep", subject: "sleep(1)", client: "client", affinity: "night", state: "running", shards_done: 0, shards: 1, queued: 0, running: 1.25, workers: 1, controller: idOf("controller") });
    expect(query).to.deep.include({ verb: "groupby", subject: "taxi, taxi.bcolz", tables: ["taxi", "taxi.bcolz"], client: "other", state: "waiting", queued: 1, running: 0, workers: 0 });
  });

  it("that somebody else ends are CANCELLED for their caller, who is told by whom, and for their worker", () => {
    const core = new Scheduling();
    join(core, w1);
    const { header: { taskId } } = oneGiven(ask(core, c1, [nap]));
    const [queryId] = core.state.calls.keys();
    const actions = core.tell({ kind: "queryCancelled", queryId: queryId!, by: "client 1234" });
    expect(oneError(actions)).to.include({ id: c1, code: "CANCELLED", message: "the call was cancelled by client 1234" });
    expect(actions.some((action) => action.kind === "cancelTask" && action.taskId === taskId)).to.equal(true);
    expect(core.tell({ kind: "queryCancelled", queryId: queryId!, by: "client 1234" })).to.deep.equal([]);
  });
});
