import { expect } from "chai";
import { describe, it } from "mocha";
import { on } from "../../lib/cluster/controller/core.js";
import type { Action } from "../../lib/cluster/controller/events.js";
import { limits } from "../../lib/base/limits.js";
import { answers, assigned, generationOf, holding, idOf, oneAssigned, oneError, Scheduling, setHoldings, shardNames, type CallAsks } from "../support/scheduling.js";

const id = idOf("call");
const large = { rows: 1_000_000 };

function forwarded(actions: readonly Action[], type: string): unknown[] {
  return actions.flatMap((action) => (action.kind === "forward" && action.header.type === type ? [action.header] : []));
}

function granted(core: Scheduling, slices: number, attempt = 1): Action[] {
  return core.tell({ kind: "credit", clientId: "client", id, attempt, slices });
}

/** Workers that hold two large shards, and a call for their rows. */
function asking(rows: CallAsks["rows"], workers = 1): { core: Scheduling; tasks: ReturnType<typeof assigned> } {
  const core = new Scheduling();
  const set = setHoldings("t", 2).map((shard) => ({ ...shard, ...large }));
  for (let worker = 0; worker < workers; worker++) core.join(`w${worker}`, set);
  return { core, tasks: assigned(core.call(id, ["t"], { asks: { rows: rows! } })) };
}

describe("rows in the scheduling core", () => {
  it("are asked for within the client's credit, and again when it has taken some", () => {
    const { core, tasks: [task] } = asking({ slices: 3, rowsMax: null });
    expect(task!.header.rows).to.deep.equal({ slices: 3, rowsMax: null, from: [0] });
    expect(shardNames(task!.header)).to.deep.equal(["t-0.bcolzs"]);
    const sent = [0, 10, 20].flatMap((from) => core.slice(task!, 0, from, from + 10));
    expect(forwarded(sent, "slice")).to.have.length(3);
    core.done(task!);
    expect(assigned(core.ready("w0")), "without credit").to.have.length(0);
    expect(assigned(granted(core, 2, 7)), "credit of another attempt").to.have.length(0);
    expect(oneAssigned(granted(core, 2)).header.rows).to.deep.equal({ slices: 2, rowsMax: null, from: [30] });
  });

  it("leave their worker to other calls while the client takes none", () => {
    const { core, tasks: [task] } = asking({ slices: 1, rowsMax: null });
    core.slice(task!, 0, 0, 10);
    core.done(task!);
    core.ready("w0");
    expect(shardNames(oneAssigned(core.call(idOf("other"), ["t-1.bcolzs"], { clientId: "another" })).header)).to.deep.equal(["t-1.bcolzs"]);
  });

  it("of later shards leave credit to the first that is not finished", () => {
    const { tasks } = asking({ slices: 20, rowsMax: null }, 2);
    expect(tasks.map(({ header }) => [header.shards[0]!.ordinal, header.rows!.slices])).to.deep.equal([[0, 8], [1, 4]]);
    expect(asking({ slices: 16, rowsMax: null }, 2).tasks.map(({ header }) => header.shards[0]!.ordinal)).to.deep.equal([0]);
  });

  it("of small shards come several to a task", () => {
    const core = new Scheduling();
    core.join("w", setHoldings("t", 20));
    const task = oneAssigned(core.call(id, ["t"], { asks: { rows: { slices: 24, rowsMax: null } } }));
    expect(task.header.rows!.from).to.deep.equal([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  it("go on where they stood when their worker is lost, and come once", () => {
    const { core, tasks: [task] } = asking({ slices: 8, rowsMax: null }, 2);
    expect(forwarded(core.slice(task!, 0, 0, 10), "slice")).to.have.length(1);
    expect(forwarded(core.slice(task!, 0, 0, 10), "slice"), "repeated").to.have.length(0);
    expect(forwarded(core.slice(task!, 0, 20, 30), "slice"), "with a gap").to.have.length(0);
    expect(forwarded(core.slice(task!, 0, 10, 10), "slice"), "without an end").to.have.length(0);
    expect(forwarded(core.slice(task!, 1, 0, 10), "slice"), "of a shard of no task").to.have.length(0);
    const again = oneAssigned(core.tell({ kind: "workerLost", workerId: task!.workerId, reason: "gone", saidBye: false }));
    expect(again.workerId).to.not.equal(task!.workerId);
    expect(again.header.rows).to.deep.equal({ slices: 7, rowsMax: null, from: [10] });
  });

  it("that a worker does not send count as a failed try", () => {
    const { core, tasks: [task] } = asking({ slices: 8, rowsMax: null });
    core.slice(task!, 0, 0, null);
    expect(assigned(core.done(task!))).to.have.length(0);
    const next = oneAssigned(core.ready("w0"));
    expect(oneError(core.done(next)).code).to.equal("INTERNAL");
  });

  it("end with the first that are enough, and the other tasks with them", () => {
    const { core, tasks: [first, second] } = asking({ slices: 24, rowsMax: 15 }, 2);
    expect([first, second].map((task) => task!.header.rows!.rowsMax)).to.deep.equal([15, 15]);
    core.slice(second!, 1, 0, 20, 15);
    expect(answers(core.slice(first!, 0, 0, 20, 10)), "15 rows, but not the first").to.have.length(0);
    const enough = core.slice(first!, 0, 20, 25, 5);
    expect(enough.filter(({ kind }) => kind === "cancelTask"), "both have sent what they may").to.have.length(0);
    expect(answers([...core.done(second!), ...core.done(first!)]).map(({ type }) => type)).to.deep.equal(["result"]);
  });

  it("that would be enough by themselves are not looked for further while the first are", () => {
    const { core, tasks: [first, second] } = asking({ slices: 24, rowsMax: 15 }, 2);
    core.slice(second!, 1, 0, 20, 15);
    core.done(second!);
    expect(assigned(core.ready(second!.workerId))).to.have.length(0);
    expect(answers(core.slice(first!, 0, 0, null, 3)).map(({ type }) => type)).to.deep.equal(["result"]);
  });

  it("that are enough take back a task that would go on", () => {
    const { core, tasks: [first, second] } = asking({ slices: 24, rowsMax: 15 }, 2);
    core.slice(second!, 1, 0, 20, 3);
    const enough = core.slice(first!, 0, 0, 20, 15);
    expect(enough.flatMap((action) => (action.kind === "cancelTask" ? [action.taskId] : []))).to.deep.equal([second!.header.taskId]);
    expect(answers(core.done(first!)).map(({ type }) => type)).to.deep.equal(["result"]);
    expect(core.state.calls.size).to.equal(0);
  });

  it("fail at a shard only when those before it are finished and not enough", () => {
    for (const retry of ["never", "elsewhere"] as const) {
      const { core, tasks: [first, second] } = asking({ slices: 24, rowsMax: 15 }, 2);
      expect(answers(core.fail(second!, "OVERFLOW", { retry, shard: "t-1.bcolzs" }))).to.have.length(0);
      expect(assigned(core.ready(second!.workerId)), "while the first shard is not finished").to.have.length(0);
      core.slice(first!, 0, 0, 10, 3);
      expect(answers(core.slice(first!, 0, 10, null, 12)).concat(answers(core.done(first!))).map(({ type }) => type)).to.deep.equal(["result"]);
    }
  });

  it("that are not enough fail with the first shard in order that does, whichever failed first", () => {
    const core = new Scheduling();
    const set = setHoldings("t", 3).map((shard) => ({ ...shard, ...large }));
    for (const worker of ["w0", "w1", "w2"]) core.join(worker, set);
    const [first, second, third] = assigned(core.call(id, ["t"], { asks: { rows: { slices: 40, rowsMax: 15 } } }));
    core.fail(third!, "OVERFLOW", { retry: "never", shard: "t-2.bcolzs" });
    core.fail(second!, "DTYPE_MISMATCH", { retry: "never", shard: "t-1.bcolzs" });
    core.ready(second!.workerId);
    core.slice(first!, 0, 0, null, 3);
    const again = oneAssigned(core.done(first!));
    expect([shardNames(again.header), again.header.rows!.rowsMax]).to.deep.equal([["t-1.bcolzs"], 12]);
    expect(oneError(core.fail(again, "DTYPE_MISMATCH", { retry: "never", shard: "t-1.bcolzs" })).code).to.equal("DTYPE_MISMATCH");
  });

  it("do not fail, or go without, what nobody has any more behind rows that may be enough", () => {
    for (const partial of ["error", "allow"] as const) {
      const core = new Scheduling();
      const [head, next] = setHoldings("t", 2).map((shard) => ({ ...shard, ...large }));
      core.join("w0", [head!]);
      core.join("w1", [next!]);
      const [first, second] = assigned(core.call(id, ["t"], { asks: { rows: { slices: 40, rowsMax: 10 }, ...(partial === "allow" ? { partial } : {}) } }));
      const lost = [
        ...core.tell({ kind: "holdings", workerId: "w1", added: [], removed: ["t-1.bcolzs"] }),
        ...core.fail(second!, "SHARD_UNAVAILABLE", { shard: "t-1.bcolzs" }),
      ];
      expect(answers(lost)).to.deep.equal([]);
      const [answer] = answers([...core.slice(first!, 0, 0, null, 10), ...core.done(first!)]);
      expect(answer).to.deep.include({ type: "result" }).and.not.have.property("leftOut");
    }
  });

  it("fail, or go without, what nobody has any more when it is the first that is not finished", () => {
    for (const partial of ["error", "allow"] as const) {
      const core = new Scheduling();
      const [head, next, last] = setHoldings("t", 3).map((shard) => ({ ...shard, ...large }));
      core.join("w0", [head!, last!]);
      core.join("w1", [next!]);
      const [first, second] = assigned(core.call(id, ["t"], { asks: { rows: { slices: 40, rowsMax: 10 }, ...(partial === "allow" ? { partial } : {}) } }));
      core.tell({ kind: "holdings", workerId: "w1", added: [], removed: ["t-1.bcolzs"] });
      core.fail(second!, "SHARD_UNAVAILABLE", { shard: "t-1.bcolzs" });
      const then = [...core.slice(first!, 0, 0, null, 3), ...core.done(first!)];
      if (partial === "error") expect(oneError(then).code).to.equal("SHARD_UNAVAILABLE");
      else expect(shardNames(oneAssigned([...then, ...core.ready("w0")]).header)).to.deep.equal(["t-2.bcolzs"]);
    }
  });

  it("end at once when without a shard that is left out those that came are enough", () => {
    const core = new Scheduling();
    const set = setHoldings("t", 3).map((shard) => ({ ...shard, ...large }));
    core.join("w0", [set[0]!]);
    core.join("w1", [set[1]!]);
    core.join("w2", [set[2]!]);
    const tasks = assigned(core.call(id, ["t"], { asks: { rows: { slices: 40, rowsMax: 10 }, partial: "allow" } }));
    core.slice(tasks[1]!, 1, 0, null, 10);
    core.done(tasks[1]!);
    const lost = core.tell({ kind: "workerLost", workerId: tasks[0]!.workerId, reason: "it ended", saidBye: false });
    expect(lost.filter(({ kind }) => kind === "cancelTask")).to.have.length(1);
    expect(answers(lost)[0]).to.deep.include({ type: "result" });
  });

  it("of very many shards are not looked through again for every credit", () => {
    const core = new Scheduling();
    core.join("w", setHoldings("t", 20_000));
    core.call(id, ["t"], { asks: { rows: { slices: 1, rowsMax: null } } });
    const { shards } = core.state.catalog;
    const get = shards.get.bind(shards);
    let looked = 0;
    shards.get = (name) => {
      looked += 1;
      return get(name);
    };
    on(core.state, { kind: "credit", clientId: "client", id, attempt: 1, slices: 1 }, 0);
    expect(looked).to.be.below(1_000);
  });

  it("are asked for no faster however much credit a client claims", () => {
    const { core } = asking({ slices: 1, rowsMax: null });
    for (let round = 0; round < 10; round++) granted(core, limits.sliceCreditMax);
    expect([...core.state.calls.values()][0]!.stream!.credit).to.equal(limits.sliceCreditMax);
  });

  it("begin anew when a generation is gone", () => {
    const { core, tasks: [task] } = asking({ slices: 5, rowsMax: null });
    core.slice(task!, 0, 0, 10);
    core.tell({ kind: "holdings", workerId: "w0", added: setHoldings("t", 2, { generation: "2" }).map((shard) => ({ ...shard, ...large })), removed: [] });
    const again = core.fail(task!, "GENERATION_GONE", { retry: "same", shard: "t-0.bcolzs" });
    expect(forwarded(again, "accepted")).to.have.length(1);
    expect(oneAssigned(core.ready("w0")).header.rows).to.deep.equal({ slices: 5, rowsMax: null, from: [0] });
  });
});

describe("answers at generations that are named", () => {
  it("name the shards that the set has besides, without partial too", () => {
    for (const more of [{}, { partial: "allow" as const }]) {
      const core = new Scheduling();
      core.join("w", setHoldings("t", 4));
      const generations = ["t-0.bcolzs", "t-2.bcolzs"].map((name) => ({ name, generation: generationOf("1") }));
      const [answer] = answers(core.work(core.call(id, ["t"], { asks: { ...more, generations } })));
      expect(answer?.type === "result" ? answer.leftOut : answer).to.deep.equal(["t-1.bcolzs", "t-3.bcolzs"].map((name) => {
        return { name, code: "SHARD_UNAVAILABLE", message: `the query names no generation of ${name}, which its set has; ask without generations`, rows: 10 };
      }));
    }
  });

  it("are whole where these are the shards that were asked for", () => {
    const core = new Scheduling();
    core.join("w", setHoldings("t", 4));
    const generations = [{ name: "t-0.bcolzs", generation: generationOf("1") }];
    const [answer] = answers(core.work(core.call(id, ["t-0.bcolzs"], { asks: { generations } })));
    expect(answer).to.include({ type: "result" }).and.not.to.have.property("leftOut");
  });
});

describe("answers that may be partial", () => {
  const partial: CallAsks = { partial: "allow" };

  it("go without shards that nobody holds, and name them", () => {
    const core = new Scheduling();
    core.join("w", setHoldings("t", 3).filter((_, shard) => shard !== 1));
    expect(oneError(core.call(idOf("whole"), ["t"])).code).to.equal("SHARD_UNAVAILABLE");
    const [answer] = answers(core.work(core.call(id, ["t"], { asks: partial })));
    expect(answer).to.deep.include({ type: "result" });
    expect(answer?.type === "result" ? answer.leftOut!.map(({ name, code, rows }) => [name, code, rows]) : []).to.deep.equal([["t-1.bcolzs", "SHARD_UNAVAILABLE", null]]);
  });

  it("go without a shard that its only worker cannot read", () => {
    const core = new Scheduling();
    core.join("a", setHoldings("t", 2));
    const task = oneAssigned(core.call(id, ["t"], { asks: partial }));
    const failed = core.fail(task, "CORRUPT_CHUNK", { shard: "t-0.bcolzs" });
    expect(forwarded(failed, "leftOut")).to.deep.equal([{ type: "leftOut", id, attempt: 1, ordinal: 0 }]);
    const [answer] = answers(core.work([...failed, ...core.ready("a")]));
    expect(answer?.type === "result" ? answer.leftOut : []).to.deep.equal([{ name: "t-0.bcolzs", code: "CORRUPT_CHUNK", message: "CORRUPT_CHUNK happened", rows: 10 }]);
  });

  it("go without a shard that was tried too often, or whose workers are lost", () => {
    const core = new Scheduling({ attemptsMax: 1 });
    core.join("a", [holding("x.bcolz")]);
    core.join("b", [holding("y.bcolz")]);
    const [first, second] = assigned(core.call(id, ["x", "y"], { asks: partial }));
    core.finish(first!);
    const [answer] = answers(core.tell({ kind: "workerLost", workerId: second!.workerId, reason: "gone", saidBye: false }));
    expect(answer?.type === "result" ? answer.leftOut!.map(({ code }) => code) : []).to.deep.equal(["WORKER_LOST"]);
  });

  it("fail when nothing could be had, and for what no other worker would do better", () => {
    const core = new Scheduling();
    core.join("a", [holding("x.bcolz")]);
    const task = oneAssigned(core.call(id, ["x"], { asks: partial }));
    expect(oneError(core.fail(task, "CORRUPT_CHUNK", { shard: "x.bcolz" })).code).to.equal("CORRUPT_CHUNK");
    core.ready("a");
    const other = oneAssigned(core.call(idOf("again"), ["x"], { asks: partial }));
    expect(oneError(core.fail(other, "OVERFLOW", { retry: "never" })).code).to.equal("OVERFLOW");
    expect(oneError(core.call(idOf("unknown"), ["nowhere"], { asks: partial })).code).to.equal("UNKNOWN_TABLE");
  });

  it("of rows forget those of a shard that is left out", () => {
    const core = new Scheduling();
    core.join("a", setHoldings("t", 2).map((shard) => ({ ...shard, ...large })));
    const task = oneAssigned(core.call(id, ["t"], { asks: { ...partial, rows: { slices: 24, rowsMax: 10 } } }));
    core.slice(task, 0, 0, 20, 9);
    core.fail(task, "CORRUPT_CHUNK", { shard: "t-0.bcolzs" });
    const rest = oneAssigned(core.ready("a"));
    expect([shardNames(rest.header), rest.header.rows!.rowsMax]).to.deep.equal([["t-1.bcolzs"], 10]);
  });
});

describe("tables that are missing", () => {
  it("are empty where that is asked for, and columns have the dtype that another shard says", () => {
    const core = new Scheduling();
    core.join("w", [holding("x.bcolz"), { ...holding("y.bcolz"), columns: [{ name: "w", dtype: "string" }] }]);
    const [answer] = answers(core.call(id, ["nowhere"], { asks: { missing: "empty" } }));
    expect(answer).to.include({ type: "result" });
    const tasks = assigned(core.work(core.call(idOf("two"), ["x", "y", "nowhere"], { columns: ["v", "w", "z"], asks: { missing: "empty" } })));
    expect(tasks.flatMap(({ header }) => shardNames(header))).to.have.members(["x.bcolz", "y.bcolz"]);
    expect(tasks[0]!.header.absent).to.deep.equal([{ name: "v", dtype: "int64" }, { name: "w", dtype: "string" }]);
  });
});

describe("columns that are not of one dtype in all shards", () => {
  const columnsOf = (v: string, w: string) => ({ columns: [{ name: "v", dtype: v }, { name: "w", dtype: w }, { name: "u", dtype: "bool" }] });

  it("are named to workers with what holds them all", () => {
    const core = new Scheduling();
    core.join("w", [{ ...holding("x.bcolz"), ...columnsOf("int8", "date") }, { ...holding("y.bcolz"), ...columnsOf("float32", "string") }, { ...holding("z.bcolz"), ...columnsOf("int64", "string") }]);
    const widenedOf = (tables: string[], columns: string[], call: string): unknown => {
      const tasks = assigned(core.work(core.call(idOf(call), tables, { columns })));
      expect(tasks.map(({ header }) => header.widened)).to.have.deep.members(tasks.map(() => tasks[0]!.header.widened));
      return tasks[0]!.header.widened;
    };
    expect(widenedOf(["x", "y", "z"], ["v", "w", "u"], "one")).to.deep.equal([{ name: "v", dtype: "float64" }, { name: "w", dtype: null }]);
    expect(widenedOf(["x", "z"], ["v", "u"], "two")).to.deep.equal([{ name: "v", dtype: "int64" }]);
    expect(widenedOf(["y", "z"], ["w", "u"], "three")).to.equal(undefined);
    expect(widenedOf(["x", "y", "z"], ["u"], "four")).to.equal(undefined);
  });

  it("are named to clients that ask for rows, and to no others", () => {
    const core = new Scheduling();
    core.join("w", [{ ...holding("x.bcolz"), ...columnsOf("int8", "date") }, { ...holding("z.bcolz"), ...columnsOf("int64", "string") }]);
    const acceptedOf = (call: string, asks: object): unknown => core.call(idOf(call), ["x", "z"], { columns: ["v", "u"], asks }).flatMap((action) => (action.kind === "forward" && action.header.type === "accepted" ? [action.header.widened] : []));
    expect(acceptedOf("one", { rows: { slices: 2, rowsMax: null } })).to.deep.equal([[{ name: "v", dtype: "int64" }]]);
    expect(acceptedOf("two", {})).to.deep.equal([undefined]);
  });
});

describe("generations that a call names", () => {
  const pinned = (...names: string[]): CallAsks => ({ generations: names.map((name) => ({ name, generation: generationOf("old") })) });

  it("are read, by whoever holds the shard, and no others", () => {
    const core = new Scheduling();
    core.join("w", setHoldings("t", 3));
    const tasks = assigned(core.work(core.call(id, ["t"], { asks: pinned("t-0.bcolzs", "t-2.bcolzs") })));
    expect(tasks.flatMap(({ header }) => header.shards).map(({ name, generation }) => [name, generation])).to.deep.equal([["t-0.bcolzs", generationOf("old")], ["t-2.bcolzs", generationOf("old")]]);
  });

  it("are GENERATION_GONE when nobody keeps them, and the call does not begin anew", () => {
    const core = new Scheduling();
    core.join("w", setHoldings("t", 2));
    expect(oneError(core.call(idOf("one"), ["t"], { asks: pinned("t-0.bcolzs", "t-9.bcolzs") })).message).to.match(/t-9\.bcolzs/);
    const task = oneAssigned(core.call(id, ["t"], { asks: pinned("t-0.bcolzs") }));
    const failed = core.fail(task, "GENERATION_GONE", { retry: "same", shard: "t-0.bcolzs" });
    expect(forwarded(failed, "accepted")).to.have.length(0);
    expect(oneError(failed).code).to.equal("GENERATION_GONE");
  });
});
