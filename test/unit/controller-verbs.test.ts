import { expect } from "chai";
import { describe, it } from "mocha";
import { answerVerb, type OwnVerb, type VerbAnswer, type VerbHost } from "../../lib/cluster/controller/answers/verbs.js";
import type { NeighbourAnswer, Question } from "../../lib/cluster/controller/peers/neighbours.js";
import { BquerydError } from "../../lib/base/errors.js";
import { resolveShards } from "../../lib/cluster/controller/tables/catalog.js";
import { decodeGenerations, type GenerationInfo, type QueryInfo } from "../../lib/wire/documents.js";
import type { ClientMessage, Holding, WorkerReply } from "../../lib/wire/messages.js";
import { generationOf, holding, idOf, oneError, Scheduling, setHoldings } from "../support/scheduling.js";
import type { PointerChange } from "../../lib/registry/pointers.js";
import { createFakeRegistry } from "../support/fake-registry.js";
import { createSilentLog } from "../support/silent-log.js";

/** A controller with one worker, neighbours that answer so or each verb in its way, and what it was told to do. */
function start(others: NeighbourAnswer[] | ((question: Question) => NeighbourAnswer[]) = []) {
  const core = new Scheduling();
  core.join(idOf("w"), [holding("taxi.bcolz")]);
  const done: string[] = [];
  const registry = createFakeRegistry();
  const host: VerbHost = {
    controllerId: idOf("c"), state: core.state, log: createSilentLog().log, setLevel: (level) => { done.push(`own level ${level}`); }, nowMs: () => core.nowMs,
    dispatch: (event) => { done.push(event.kind); core.tell(event); },
    tell: (header: WorkerReply, whom) => { done.push(`${whom}: ${header.type}`); return { workers: 1, ...(whom === "all" ? { downloaders: 3, movers: 2 } : {}) }; },
    askOthers: async (question: Question) => { done.push(`others: ${question.verb}`); return Array.isArray(others) ? others : others(question); },
    withdraw: async () => { done.push("withdraw"); },
    registry, nodes: () => [],
    reach: (epoch, then) => {
      void registry.pointers().then(({ epoch: found, tables }) => {
        const pointed = [...tables].flatMap(([name, { generation }]): [string, string][] => (generation === null ? [] : [[name, generation]]));
        if (epoch > core.state.catalog.epoch) core.tell({ kind: "pointers", epoch: found, pointed: new Map(pointed) });
        then();
      });
    },
    stop: (reason) => { done.push(`stop ${reason}`); },
  };
  const ask = (verb: OwnVerb, more: Partial<ClientMessage & { type: "call" }> = {}): Promise<VerbAnswer> => {
    return answerVerb(host, idOf("client"), { type: "call", id: idOf("call"), tables: [], columns: [], remainingMs: 1, ...more, verb });
  };
  return { core, done, ask, registry };
}

function result(value: unknown): NeighbourAnswer {
  return { type: "result", id: idOf("x"), value, cost: null, queuedMs: 0, workers: 0, retries: 0 };
}

/** A query of another controller. */
const theirs: QueryInfo = {
  query: idOf("theirs"), verb: "groupby", subject: "taxi", tables: ["taxi"], client: idOf("x"), affinity: "a", state: "running", shards_done: 0, shards: 1, queued: 0, running: 0, workers: 1, controller: idOf("y"),
};

const failed: NeighbourAnswer = { type: "error", id: idOf("x"), code: "NOT_FOUND", message: "no", details: {}, origin: "" };

describe("verbs of a controller", () => {
  it("queries lists its own and those of the others, which list only theirs", async () => {
    const { core, done, ask } = start([result([theirs]), failed, result("nonsense"), result([{ query: 5 }])]);
    core.call(idOf("q"), ["taxi"]);
    const own = [...core.state.calls.keys()];
    const queriesOf = ({ outcome }: VerbAnswer): string[] => ("value" in outcome ? (outcome.value as { query: string }[]).map(({ query }) => query) : []);
    expect(queriesOf(await ask("queries"))).to.deep.equal([...own, theirs.query]);
    expect(queriesOf(await ask("queries", { relayed: true }))).to.deep.equal(own);
    expect(done).to.deep.equal(["others: queries"]);
  });

  it("cancel ends the one it finds, and takes no beginning of several", async () => {
    const { core, done, ask } = start();
    core.call(idOf("q1"), ["taxi"]);
    core.call(idOf("q2"), ["taxi"]);
    const [first, second] = [...core.state.calls.keys()] as [string, string];
    const common = [...first].findIndex((digit, at) => digit !== second[at]);
    expect((await ask("cancel", { query: first.slice(0, common) })).outcome).to.have.nested.property("failure.code", "USAGE");
    expect(core.state.calls.size).to.equal(2);
    expect((await ask("cancel", { query: first })).outcome).to.deep.equal({ value: first });
    expect([...core.state.calls.keys()]).to.deep.equal([second]);
    expect((await ask("cancel", { query: first, relayed: true })).outcome).to.have.nested.property("failure.code", "NOT_FOUND");
    expect(done).to.deep.equal(["queryCancelled"]);
  });

  it("cancel that names no query ends none, not even the only one there is", async () => {
    const { core, done, ask } = start([result([theirs])]);
    core.call(idOf("q"), ["taxi"]);
    expect((await ask("cancel")).outcome).to.have.nested.property("failure.code", "BAD_QUERY");
    expect([core.state.calls.size, done]).to.deep.equal([1, []]);
  });

  it("cancel asks the others for one that it does not have, if only one of theirs is meant", async () => {
    const { done, ask } = start(({ verb }) => (verb === "queries" ? [failed, result([theirs]), result([{ ...theirs, query: idOf("theirs2") }])] : [failed, result(theirs.query)]));
    expect((await ask("cancel", { query: theirs.query.slice(0, 14) })).outcome).to.deep.equal({ value: theirs.query });
    expect(done).to.deep.equal(["others: queries", "others: cancel"]);
    expect((await ask("cancel", { query: "f".repeat(32) })).outcome).to.have.nested.property("failure.code", "NOT_FOUND");
    expect((await ask("cancel", { query: theirs.query.slice(0, 12) })).outcome).to.have.nested.property("failure.code", "USAGE");
    expect(done.filter((what) => what === "others: cancel")).to.have.length(1);
    const gone = start(({ verb }) => (verb === "queries" ? [result([theirs])] : [failed]));
    expect((await gone.ask("cancel", { query: theirs.query })).outcome).to.have.nested.property("failure.code", "NOT_FOUND");
  });

  it("cancel tells the caller which client it was", () => {
    const core = new Scheduling();
    core.join(idOf("w"), [holding("taxi.bcolz")]);
    core.call(idOf("q"), ["taxi"]);
    const [queryId] = [...core.state.calls.keys()] as [string];
    expect(oneError(core.tell({ kind: "queryCancelled", queryId, by: "client ab, with cancel" })).message).to.equal("the call was cancelled by client ab, with cancel");
  });

  it("loglevel reaches itself, its workers and the others, and of these counts those that said so", async () => {
    const { done, ask } = start([result({}), failed]);
    expect((await ask("loglevel", { level: "debug" })).outcome).to.deep.equal({ value: { level: "debug", controllers: 2, workers: 1, downloaders: 3, movers: 2 } });
    expect(done).to.deep.equal(["own level debug", "all: setLogLevel", "others: loglevel"]);
  });

  it("kill, killworkers and killall do nothing to those who carry the answer before it is on its way", async () => {
    const kill = start();
    const killed = await kill.ask("kill");
    expect([killed.outcome, kill.done]).to.deep.equal([{ value: { workers: 0, controllers: 1 } }, []]);
    killed.afterwards?.();
    expect(kill.done).to.deep.equal(["stop kill"]);
    const workers = start();
    const answer = await workers.ask("killworkers");
    expect([answer.outcome, workers.done]).to.deep.equal([{ value: { workers: 1, controllers: 0 } }, []]);
    answer.afterwards?.();
    expect(workers.done).to.deep.equal(["workers: shutdown"]);
    const all = start([result({}), failed]);
    const last = await all.ask("killall");
    expect([last.outcome, all.done]).to.deep.equal([{ value: { workers: 1, downloaders: 3, movers: 2, controllers: 2 } }, ["withdraw", "stopping", "all: shutdown", "others: killall"]]);
    last.afterwards?.();
    expect(all.done.at(-1)).to.equal("stop killall");
  });
});

describe("generations and rollback", () => {
  /** A holding of the first, which keeps the others; those whose number is below `waiting` wait. */
  function keep([first, ...others]: readonly Holding[], waiting = 0): Holding {
    return { ...first!, kept: others.map(({ name: _, changedMs: __, ...one }, index) => ({ ...one, ...(index < waiting ? { prepared: true as const } : {}) })) };
  }
  const versions = ["a", "b", "c"].map((generation) => holding("bus.bcolz", { generation }));
  const [a, b, c] = versions as [Holding, Holding, Holding];
  const valueOf = ({ outcome }: VerbAnswer): unknown => ("value" in outcome ? outcome.value : outcome.failure);

  it("lists what nodes have, the latest first, with how they have it and what is in use", async () => {
    const { core, ask } = start();
    core.join(idOf("w1"), [keep([b, c, a], 1)]);
    core.join(idOf("w2"), [{ ...a, writtenMs: 5 }]);
    const listed = valueOf(await ask("generations", { tables: ["bus"] })) as GenerationInfo[];
    expect(listed.map(({ generation }) => generation)).to.deep.equal(["c", "b", "a"].map(generationOf));
    expect(listed.map(({ in_use: isInUse }) => isInUse)).to.deep.equal([false, true, false]);
    expect(listed.map(({ nodes }) => nodes.map(({ state }) => state))).to.deep.equal([["prepared"], ["current"], ["kept", "current"]]);
    expect(listed[2]).to.deep.include({ shards: 1, lacking: 0, rows: 10, written: "1970-01-01T00:00:00.005Z" });
    expect(decodeGenerations(listed)).to.equal(listed);
    expect(valueOf(await ask("generations", { tables: ["b*"] }))).to.include({ code: "UNKNOWN_TABLE" });
    expect(valueOf(await ask("generations", { tables: ["bus", "taxi"] }))).to.include({ code: "USAGE" });
  });

  it("goes back one generation at a time, gives a table its first pointer with that, and forward to one that is named", async () => {
    const { core, ask, registry } = start();
    core.join(idOf("w1"), [keep([c, b, a])]);
    core.join(idOf("w2"), [keep([c, b, a])]);
    const back = await ask("rollback", { tables: ["bus"] });
    expect(back.outcome).to.deep.equal({ value: { table: "bus", from: c.generation, to: b.generation, shards: 1, epoch: 1 }, epoch: 1 });
    expect([...core.state.catalog.pointed]).to.deep.equal([["bus.bcolz", b.generation]]);
    expect(valueOf(await ask("rollback", { tables: ["bus.bcolz"] }))).to.include({ from: b.generation, to: a.generation });
    expect(valueOf(await ask("rollback", { tables: ["bus"] }))).to.include({ code: "NOT_FOUND" });
    expect(valueOf(await ask("rollback", { tables: ["bus"], generation: c.generation.slice(0, 2) }))).to.include({ from: a.generation, to: c.generation });
    expect(valueOf(await ask("rollback", { tables: ["bus"], generation: "ff" }))).to.include({ code: "NOT_FOUND" });
    expect(valueOf(await ask("rollback", { tables: ["bus"], generation: "6" })), "begins all three").to.include({ code: "USAGE" });
    expect((await registry.pointers()).epoch).to.equal(3);
  });

  it("says which node lacks the generation, and moves nothing to one that not all have, or that waits for its ticket", async () => {
    const { core, ask, registry } = start();
    core.join(idOf("w1"), [keep([b, a])]);
    core.join(idOf("w2"), [keep([b, c], 1)]);
    expect(valueOf(await ask("rollback", { tables: ["bus"] }))).to.deep.include({ code: "SHARD_UNAVAILABLE", details: { table: "bus", generation: a.generation, nodes: [`node of ${idOf("w2")}`] } });
    expect(valueOf(await ask("rollback", { tables: ["bus"], generation: c.generation }))).to.include({ code: "USAGE" });
    expect((await registry.pointers()).epoch).to.equal(0);
  });

  it("moves a set as a whole, to one of fewer shards and back, and no shard of it alone", async () => {
    const { core, ask, registry } = start();
    const [small, large] = [setHoldings("trips", 2, { generation: "a" }), setHoldings("trips", 3, { generation: "b" })];
    core.join(idOf("w1"), large.map((shard, index) => keep(small[index] === undefined ? [shard] : [shard, small[index]])));
    expect(valueOf(await ask("rollback", { tables: ["trips"] }))).to.deep.include({ from: "trips b", to: "trips a", shards: 2 });
    expect([...(await registry.pointers()).tables].map(([name, { generation }]) => [name, generation])).to.deep.equal([...small.map(({ name, generation }) => [name, generation]), [large[2]!.name, null]]);
    expect(resolveShards(core.state.catalog, ["trips"]).map(({ generation }) => generation)).to.deep.equal(small.map(({ generation }) => generation));
    expect(valueOf(await ask("rollback", { tables: ["trips"], generation: "7" }))).to.include({ code: "NOT_FOUND" });
    expect(valueOf(await ask("rollback", { tables: [large[0]!.name] }))).to.include({ code: "NOT_FOUND" });
    expect(valueOf(await ask("rollback", { tables: [large[0]!.name], generation: "trips b" }))).to.include({ code: "USAGE" });
    expect(valueOf(await ask("rollback", { tables: ["trips"], generation: "trips b" }))).to.deep.include({ from: "trips a", to: "trips b", shards: 3 });
    expect(resolveShards(core.state.catalog, ["trips"])).to.have.length(3);
    const listed = valueOf(await ask("generations", { tables: ["trips"] })) as GenerationInfo[];
    expect(listed.map(({ generation, shards, rows, in_use: isInUse }) => [generation, shards, rows, isInUse])).to.deep.equal([["trips b", 3, 30, true], ["trips a", 2, 20, false]]);
  });

  it("goes on where other tables were moved meanwhile, and is STALE where this one was", async () => {
    const { core, ask, registry } = start();
    core.join(idOf("w1"), [keep([c, b, a])]);
    const stale = new BquerydError("STALE", "the epoch is another");
    const move = registry.movePointers.bind(registry);
    let meanwhile: PointerChange = { table: "other.bcolz", generation: null };
    registry.movePointers = async (changes, epoch) => {
      registry.movePointers = move;
      await registry.movePointers([meanwhile], epoch);
      throw stale;
    };
    expect(valueOf(await ask("rollback", { tables: ["bus"] }))).to.include({ to: b.generation, epoch: 2 });
    meanwhile = { table: "bus.bcolz", generation: c.generation };
    registry.movePointers = async (changes, epoch) => {
      registry.movePointers = move;
      await registry.movePointers([meanwhile], epoch);
      throw stale;
    };
    expect(valueOf(await ask("rollback", { tables: ["bus"] }))).to.include({ code: "STALE" });
    expect((await registry.pointers()).tables.get("bus.bcolz")).to.include({ generation: c.generation });
  });
});
