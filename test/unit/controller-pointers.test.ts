import { expect } from "chai";
import { describe, it } from "mocha";
import { addHolding, createCatalog, followPointers, isHeldByOther, readersOf, removeHolding, resolveShards, resolveSomeShards, widenedColumns, type Catalog } from "../../lib/cluster/controller/tables/catalog.js";
import { isNear } from "../../lib/cluster/controller/tables/looking.js";
import { followRegistry } from "../../lib/cluster/controller/tables/pointers.js";
import type { Pointed } from "../../lib/cluster/controller/tables/generations.js";
import { describeCluster } from "../../lib/cluster/controller/answers/report.js";
import { createSessions } from "../../lib/cluster/controller/peers/sessions.js";
import type { Holding } from "../../lib/wire/messages.js";
import type { TablePointer } from "../../lib/registry/pointers.js";
import { createFakeRegistry } from "../support/fake-registry.js";
import { failureOf } from "../support/failure.js";
import { assigned, generationOf, holding, idOf, oneAssigned, oneError, Scheduling, setHoldings } from "../support/scheduling.js";
import { until } from "../support/until.js";
import { ownFacts } from "../support/cluster-info.js";

/** A holding that keeps another generation beside its current one. */
function keeping(current: Holding, { name: _, changedMs: __, kept: ___, ...beside }: Holding): Holding {
  return { ...current, kept: [beside] };
}

function catalogOf(held: Readonly<Record<string, readonly Holding[]>>): Catalog {
  const catalog = createCatalog();
  for (const [workerId, holdings] of Object.entries(held)) for (const one of holdings) addHolding(catalog, workerId, one);
  return catalog;
}

function pointersTo(generations: Readonly<Record<string, string>>): Pointed {
  return new Map(Object.entries(generations).map(([name, text]) => [name, generationOf(text)]));
}

function pinned(catalog: Catalog, table: string): string[] {
  return [...new Set(resolveShards(catalog, [table]).map(({ generation }) => generation))];
}

const older = holding("taxi.bcolz", { generation: "a" });
const newer = holding("taxi.bcolz", { generation: "b", changedMs: 5 });

describe("pointers in the catalog", () => {
  it("decide which generation is read, whoever holds another", () => {
    const catalog = catalogOf({ w1: [newer], w2: [newer], w3: [older] });
    followPointers(catalog, 1, pointersTo({ "taxi.bcolz": "a" }));
    expect(pinned(catalog, "taxi")).to.deep.equal([generationOf("a")]);
    followPointers(catalog, 2, pointersTo({ "taxi.bcolz": "b" }));
    expect(pinned(catalog, "taxi")).to.deep.equal([generationOf("b")]);
    followPointers(catalog, 3, new Map());
    expect(pinned(catalog, "taxi"), "without a pointer").to.deep.equal([generationOf("b")]);
  });

  it("of an earlier epoch are old news", () => {
    const catalog = catalogOf({ w1: [newer], w2: [older] });
    followPointers(catalog, 2, pointersTo({ "taxi.bcolz": "b" }));
    followPointers(catalog, 1, pointersTo({ "taxi.bcolz": "a" }));
    expect(pinned(catalog, "taxi")).to.deep.equal([generationOf("b")]);
    expect(catalog.epoch).to.equal(2);
  });

  it("may name a generation that is kept beside the current one, which is read where it is kept, with its columns", () => {
    const wide: Holding = { ...older, columns: [{ name: "v", dtype: "float64" }] };
    const catalog = catalogOf({ w1: [newer], w2: [keeping(newer, wide)] });
    followPointers(catalog, 1, pointersTo({ "taxi.bcolz": "a" }));
    const shards = resolveShards(catalog, ["taxi"]);
    expect(shards.map(({ generation }) => generation)).to.deep.equal([generationOf("a")]);
    expect([...readersOf(catalog, shards[0]!).keys()]).to.deep.equal(["w2"]);
    addHolding(catalog, "w3", setHoldings("other", 1)[0]!);
    const both = resolveShards(catalog, ["taxi", "other"]);
    expect(widenedColumns(catalog, both, ["v"])).to.deep.equal([{ name: "v", dtype: "float64" }]);
    removeHolding(catalog, "w2", "taxi.bcolz");
    expect(catalog.shards.get("taxi.bcolz")?.byKept.size).to.equal(0);
  });

  it("are read by those that have the generation as the current one and by those that keep it", () => {
    const catalog = catalogOf({ w1: [newer], w2: [keeping(newer, older)], w3: [older] });
    followPointers(catalog, 1, pointersTo({ "taxi.bcolz": "a" }));
    const [shard] = resolveShards(catalog, ["taxi"]);
    expect([...readersOf(catalog, shard!).keys()]).to.have.members(["w2", "w3"]);
    expect([isHeldByOther(catalog, shard!, "w2"), isHeldByOther(catalog, shard!, "w3")]).to.deep.equal([true, true]);
    removeHolding(catalog, "w3", "taxi.bcolz");
    expect([...readersOf(catalog, shard!).keys()]).to.deep.equal(["w2"]);
    expect(isHeldByOther(catalog, shard!, "w2")).to.equal(false);
  });

  it("to what nobody holds are SHARD_UNAVAILABLE, for the table, its base and patterns of it, and for no other", async () => {
    const catalog = catalogOf({ w1: [newer, holding("bus.bcolz")] });
    followPointers(catalog, 1, pointersTo({ "taxi.bcolz": "c", "gone.bcolz": "c" }));
    for (const table of ["taxi", "taxi.bcolz", "ta*", "gone", "gone.bcolz"]) {
      const failure = await failureOf(() => resolveShards(catalog, [table]));
      expect(failure, table).to.include({ code: "SHARD_UNAVAILABLE" });
      expect(failure.message).to.contain("holds the generation in use of").and.contain(".bcolz");
    }
    expect(pinned(catalog, "bus")).to.deep.equal([generationOf("1")]);
    const partial = { missingIsEmpty: false, isPartialAllowed: true };
    expect(resolveSomeShards(catalog, ["taxi", "bus"], partial, [])).to.deep.equal({ shards: resolveShards(catalog, ["bus"]), lacking: ["taxi.bcolz"] });
    expect(await failureOf(() => resolveSomeShards(catalog, ["taxi", "typo"], partial, []))).to.include({ code: "UNKNOWN_TABLE" });
  });

  it("to a generation that is gone lead to no other one", async () => {
    const catalog = catalogOf({ w1: [newer], w2: [older] });
    followPointers(catalog, 1, pointersTo({ "taxi.bcolz": "a" }));
    expect(await failureOf(() => resolveShards(catalog, ["taxi"], [{ name: "taxi.bcolz", generation: generationOf("a") }]))).to.include({ code: "SHARD_UNAVAILABLE" });
  });

  it("move a set as a whole: to a smaller one, back to the one that is kept, and never to a mixture", async () => {
    const [large, small] = [setHoldings("taxi", 4, { generation: "a" }), setHoldings("taxi", 2, { generation: "b", changedMs: 9 })];
    const held = large.map((shard, index) => (small[index] === undefined ? shard : keeping(small[index], shard)));
    const catalog = catalogOf({ w1: held });
    followPointers(catalog, 1, new Map(large.map(({ name, generation }) => [name, generation])));
    expect(resolveShards(catalog, ["taxi"])).to.have.length(4);
    expect(pinned(catalog, "taxi-*.bcolzs")).to.deep.equal([generationOf("a")]);
    followPointers(catalog, 2, new Map(small.map(({ name, generation }) => [name, generation])));
    expect(resolveShards(catalog, ["taxi"])).to.have.length(2);
    expect(pinned(catalog, "taxi")).to.deep.equal([generationOf("b")]);
    followPointers(catalog, 3, new Map([[small[0]!.name, small[0]!.generation], [large[1]!.name, large[1]!.generation]]));
    expect(await failureOf(() => resolveShards(catalog, ["taxi"]))).to.include({ code: "SHARD_UNAVAILABLE" });
  });

  it("make nodes that differ a warning only where one has not what they name", () => {
    const core = new Scheduling();
    core.register("w1", [newer]);
    core.register("w2", [older]);
    const own = ownFacts();
    const info = () => describeCluster({ own, state: core.state, sessions: createSessions(), controllers: [] }, 0);
    expect(info()).to.deep.include({ epoch: 0 }).and.property("warnings").with.length(1);
    core.tell({ kind: "pointers", epoch: 7, pointed: pointersTo({ "taxi.bcolz": "b" }) });
    expect(info()).to.deep.include({ epoch: 7, warnings: [
      "node node of w2 lacks the generation in use of taxi.bcolz, and is not asked for it; copy or download the table again to node of w2",
    ] });
    const source = { bucket: "s3://shop/daily", replicas: null, hasManifest: true };
    const fetched = { epoch: 7, tables: new Map([["taxi.bcolz", { generation: generationOf("b"), epoch: 7, source }]]) };
    expect(describeCluster({ own, state: core.state, sessions: createSessions(), controllers: [], pointers: fetched }, 0).warnings).to.deep.equal([
      "node node of w2 lacks the generation in use of taxi.bcolz, and is not asked for it; start bqueryd downloader and bqueryd movebcolz on node of w2, which fetch it by themselves",
    ]);
    core.tell({ kind: "holdings", workerId: "w2", added: [keeping(older, newer)], removed: [] });
    expect(info(), "once it keeps that").to.deep.include({ warnings: [] });
  });
});

describe("imports that no query reads", () => {
  const pointed: TablePointer = { generation: generationOf("a"), epoch: 1_000, source: null };
  function warningsOf(held: readonly Holding[], tables: ReadonlyMap<string, TablePointer>): readonly string[] {
    const core = new Scheduling();
    core.register("w1", held);
    core.tell({ kind: "pointers", epoch: 1_000, pointed: new Map([...tables].map(([name, { generation }]) => [name, generation!])) });
    return describeCluster({ own: ownFacts(), state: core.state, sessions: createSessions(), controllers: [], pointers: { epoch: 1_000, tables } }, 0).warnings;
  }

  it("are told with the way to switch to them, and not the generation that a rollback left", () => {
    const [before, made] = [holding("taxi.bcolz", { generation: "a" }), holding("taxi.bcolz", { generation: "b" })];
    const tables = new Map([["taxi.bcolz", pointed]]);
    const held = (writtenMs: number): Holding[] => [keeping({ ...made, writtenMs }, before)];
    const [a, b] = [generationOf("a").slice(0, 8), generationOf("b").slice(0, 8)];
    expect(warningsOf(held(1_001), tables)).to.deep.equal([`taxi.bcolz: a pointer from a rollback names generation ${a}; an import has made ${b}; rpc.rollback('taxi.bcolz', '${b}') switches to it`]);
    expect(warningsOf(held(999), tables), "current since before the rollback").to.deep.equal([]);
    const source = { bucket: "b", replicas: null, hasManifest: true };
    expect(warningsOf(held(1_001), new Map([["taxi.bcolz", { ...pointed, source }]]))[0]).to.contain("the pointer of its download names");
    expect(warningsOf(held(1_001), new Map([["taxi.bcolz", { ...pointed, generation: generationOf("b") }]]))).to.deep.equal([]);
  });

  it("are to be distributed where a node of the table lacks them, as a rollback is refused then", () => {
    const [before, made] = [holding("taxi.bcolz", { generation: "a" }), holding("taxi.bcolz", { generation: "b" })];
    const core = new Scheduling();
    core.register("w1", [keeping({ ...made, writtenMs: 1_001 }, before)]);
    core.register("w2", [before]);
    core.tell({ kind: "pointers", epoch: 1_000, pointed: pointersTo({ "taxi.bcolz": "a" }) });
    const { warnings } = describeCluster({ own: ownFacts(), state: core.state, sessions: createSessions(), controllers: [], pointers: { epoch: 1_000, tables: new Map([["taxi.bcolz", pointed]]) } }, 0);
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/; node of w2 lacks it: bqueryd distribute taxi\.bcolz BUCKET on node of w1 brings it to all and switches to it$/);
  });

  it("are to be distributed where a node of the set lacks any of its shards", () => {
    const [before, made] = [setHoldings("taxi", 2, { generation: "a" }), setHoldings("taxi", 2, { generation: "b" })];
    const core = new Scheduling();
    core.register("w1", made.map((one, index) => keeping({ ...one, writtenMs: 1_001 }, before[index]!)));
    core.register("w2", [before[1]!]);
    const tables = new Map(before.map(({ name, generation }): [string, TablePointer] => [name, { ...pointed, generation }]));
    core.tell({ kind: "pointers", epoch: 1_000, pointed: new Map(before.map(({ name, generation }) => [name, generation])) });
    const { warnings } = describeCluster({ own: ownFacts(), state: core.state, sessions: createSessions(), controllers: [], pointers: { epoch: 1_000, tables } }, 0);
    expect(warnings.filter((one) => one.startsWith("taxi:"))).to.have.length(1).and.property("0").that.matches(/; node of w2 lacks it: bqueryd distribute taxi BUCKET on node of w1 brings it to all/);
  });

  it("are told once of a set, by the name and the import that a rollback takes", () => {
    const [before, made] = [setHoldings("taxi", 3, { generation: "a" }), setHoldings("taxi", 3, { generation: "b" })];
    const held = made.map((one, index) => keeping({ ...one, writtenMs: 2_000 }, before[index]!));
    const warnings = warningsOf(held, new Map(before.map(({ name, generation }) => [name, { ...pointed, generation }])));
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.contain(`rpc.rollback('taxi', '${made[0]!.set!.id.slice(0, 8)}')`);
  });
});

describe("generations that wait", () => {
  const waiting = (one: Holding): Holding => ({ ...one, prepared: true });
  /** Beside a current one. */
  function besideOf(current: Holding, next: Holding): Holding {
    const { kept: [one] = [], ...rest } = keeping(current, next);
    return { ...rest, kept: [{ ...one!, prepared: true }] };
  }

  it("are part of no query until a pointer names them, whoever has another one as the current one", async () => {
    const catalog = catalogOf({ w1: [waiting(newer)], w2: [waiting(newer)] });
    expect(await failureOf(() => resolveShards(catalog, ["taxi"]))).to.include({ code: "UNKNOWN_TABLE" });
    addHolding(catalog, "w3", older);
    expect(pinned(catalog, "taxi")).to.deep.equal([generationOf("a")]);
    followPointers(catalog, 1, pointersTo({ "taxi.bcolz": "b" }));
    const [shard] = resolveShards(catalog, ["taxi"]);
    expect(shard).to.include({ generation: generationOf("b") });
    expect([...readersOf(catalog, shard!).keys()]).to.have.members(["w1", "w2"]);
    removeHolding(catalog, "w1", "taxi.bcolz");
    removeHolding(catalog, "w2", "taxi.bcolz");
    expect(catalog.shards.get("taxi.bcolz")?.byKept.size).to.equal(0);
  });

  it("of a set that grows are read together with its new shards, and change nothing before that and when each node makes them current", () => {
    const [small, large] = [setHoldings("taxi", 2, { generation: "a" }), setHoldings("taxi", 4, { generation: "b", changedMs: 9 })];
    const held = large.map((shard, index) => (small[index] === undefined ? waiting(shard) : besideOf(small[index], shard)));
    const catalog = catalogOf({ w1: held, w2: held });
    expect(pinned(catalog, "taxi")).to.deep.equal([generationOf("a")]);
    expect(resolveShards(catalog, ["taxi"])).to.have.length(2);
    followPointers(catalog, 1, new Map(large.map(({ name, generation }) => [name, generation])));
    const after = resolveShards(catalog, ["taxi"]);
    expect(after.map(({ generation }) => generation)).to.deep.equal(large.map(({ generation }) => generation));
    for (const [index, shard] of large.entries()) addHolding(catalog, "w1", small[index] === undefined ? shard : keeping(shard, small[index]));
    expect(resolveShards(catalog, ["taxi"])).to.deep.equal(after);
    expect([...readersOf(catalog, after[3]!).keys()]).to.have.members(["w1", "w2"]);
  });

  it("are looked for before queries go by a pointer to them, until somebody has told of them", () => {
    const core = new Scheduling();
    core.join("w1", [older]);
    core.join("w2", [older]);
    const asked = core.tell({ kind: "pointers", epoch: 3, pointed: pointersTo({ "taxi.bcolz": "b" }) });
    expect(asked.flatMap((action) => (action.kind === "look" ? [action.workerId] : []))).to.deep.equal(["w1", "w2"]);
    expect([core.state.catalog.epoch, pinned(core.state.catalog, "taxi")]).to.deep.equal([0, [generationOf("a")]]);
    expect([isNear(core.state, 3), isNear(core.state, 4)]).to.deep.equal([true, false]);
    core.tell({ kind: "holdings", workerId: "w2", added: [besideOf(older, newer)], removed: [] });
    expect([core.state.catalog.epoch, pinned(core.state.catalog, "taxi")]).to.deep.equal([3, [generationOf("b")]]);
    expect(isNear(core.state, 3)).to.equal(false);
  });

  it("that nobody finds keep a pointer waiting for a second, and no longer for those that come meanwhile", async () => {
    const core = new Scheduling();
    core.join("w1", [older]);
    core.tell({ kind: "pointers", epoch: 3, pointed: pointersTo({ "taxi.bcolz": "c" }) });
    core.wait(600);
    core.tell({ kind: "pointers", epoch: 4, pointed: pointersTo({ "taxi.bcolz": "d" }) });
    core.tell({ kind: "pointers", epoch: 3, pointed: pointersTo({ "taxi.bcolz": "c" }) });
    expect(core.state.catalog.epoch).to.equal(0);
    core.wait(400);
    expect(core.state.catalog.epoch).to.equal(4);
    expect(await failureOf(() => resolveShards(core.state.catalog, ["taxi"]))).to.include({ code: "SHARD_UNAVAILABLE" });
  });

  it("take the place of one that is gone under a query, which begins again once", () => {
    const core = new Scheduling();
    core.join("w1", [besideOf(older, newer)]);
    const task = assigned(core.call(idOf("first"), ["taxi"]))[0]!;
    core.tell({ kind: "pointers", epoch: 2, pointed: pointersTo({ "taxi.bcolz": "b" }) });
    core.tell({ kind: "holdings", workerId: "w1", added: [newer], removed: [] });
    const again = [...core.fail(task, "GENERATION_GONE", { retry: "same", shard: "taxi.bcolz" }), ...core.ready("w1")];
    const accepted = again.find((action) => action.kind === "forward");
    expect(accepted).to.nested.include({ "header.type": "accepted", "header.attempt": 2, "header.epoch": 2, "header.shards[0].generation": generationOf("b") });
    const second = core.fail(oneAssigned(again), "GENERATION_GONE", { retry: "same", shard: "taxi.bcolz" });
    expect(oneError(second)).to.include({ code: "GENERATION_GONE" });
  });
});

describe("pointers in the scheduling core", () => {
  it("let a query that runs finish on its generation, and give the next the new one", () => {
    const core = new Scheduling();
    core.tell({ kind: "pointers", epoch: 1, pointed: pointersTo({ "taxi.bcolz": "a" }) });
    core.join("w1", [keeping(newer, older)]);
    const before = core.call(idOf("first"), ["taxi"]);
    const accepted = (actions: typeof before) => actions.flatMap((action) => (action.kind === "forward" && action.header.type === "accepted" ? [action.header] : []))[0]!;
    expect(accepted(before)).to.include({ epoch: 1 }).and.nested.property("shards[0].generation", generationOf("a"));
    core.tell({ kind: "pointers", epoch: 2, pointed: pointersTo({ "taxi.bcolz": "b" }) });
    const task = before.flatMap((action) => (action.kind === "assign" ? [action] : []))[0]!;
    expect(core.finish(task).some((action) => action.kind === "answer" && action.header.type === "result")).to.equal(true);
    expect(accepted(core.call(idOf("second"), ["taxi"]))).to.include({ epoch: 2 }).and.nested.property("shards[0].generation", generationOf("b"));
  });

  it("refuse a client that has seen a later epoch with STALE, until that is known here", () => {
    const core = new Scheduling();
    core.join("w1", [older]);
    const call = { type: "call" as const, id: idOf("x"), verb: "groupby" as const, tables: ["taxi"], columns: [], remainingMs: 1_000, epoch: 5 };
    const [refused] = core.tell({ kind: "called", clientId: "client", call, body: [] });
    expect(refused).to.nested.include({ "kind": "refuse", "header.code": "STALE" });
    core.tell({ kind: "pointers", epoch: 5, pointed: pointersTo({ "taxi.bcolz": "a" }) });
    const taken = core.tell({ kind: "called", clientId: "client", call, body: [] });
    expect(taken.find(({ kind }) => kind === "forward")).to.nested.include({ "header.type": "accepted", "header.epoch": 5 });
  });
});

describe("following the registry's pointers", () => {
  const pointer = (text: string, epoch: number) => ({ generation: generationOf(text), epoch, source: null });

  it("tells of those there are, of each move, and of none that are taken away", async () => {
    const registry = createFakeRegistry();
    await registry.movePointers([{ table: "a.bcolz", generation: generationOf("1") }], 0);
    const told: [number, Pointed][] = [];
    const follower = await followRegistry({ registry, onPointers: (epoch, pointed) => { told.push([epoch, pointed]); }, onControllers: () => undefined });
    expect(told).to.deep.equal([[1, pointersTo({ "a.bcolz": "1" })]]);
    await registry.movePointers([{ table: "a.bcolz", generation: null }, { table: "b.bcolz", generation: generationOf("2") }], 1);
    await until("the move is told", () => told.length === 2);
    expect(told[1]).to.deep.equal([2, pointersTo({ "b.bcolz": "2" })]);
    await follower.close();
  });

  it("puts back what an emptied registry has lost, and never goes back itself", async () => {
    const registry = createFakeRegistry();
    const full = { epoch: 9, tables: new Map([["a.bcolz", pointer("1", 4)], ["b.bcolz", pointer("2", 9)]]) };
    registry.point(full);
    const epochs: number[] = [];
    const follower = await followRegistry({ registry, onPointers: (epoch) => { epochs.push(epoch); }, onControllers: () => undefined });
    registry.point({ epoch: 0, tables: new Map() });
    await until("they are back", async () => (await registry.pointers()).epoch === 9);
    expect(await registry.pointers()).to.deep.equal(full);
    expect(epochs).to.deep.equal([9]);
    await follower.close();
  });

  it("reads the registry before a call that has seen a later epoch is judged, also when that is away", async () => {
    const registry = createFakeRegistry();
    let epoch = 0;
    const follower = await followRegistry({ registry, onPointers: (found) => { epoch = found; }, onControllers: () => undefined });
    const reached = (wanted: number) => new Promise<number>((resolve) => { follower.reach(wanted, () => { resolve(epoch); }); });
    expect(await reached(0)).to.equal(0);
    const moved = { epoch: 3, tables: new Map([["a.bcolz", pointer("1", 3)]]) };
    registry.pointers = async () => moved;
    expect(await reached(3)).to.equal(3);
    registry.isLost = true;
    registry.pointers = async () => { throw new Error("the registry is away"); };
    expect(await reached(4)).to.equal(3);
    await follower.close();
  });

  it("does not begin where they cannot be read: what is answered without them could be of other generations", async () => {
    const registry = createFakeRegistry();
    registry.isLost = true;
    let changes = 0;
    const failure = await failureOf(() => followRegistry({ registry, onPointers: () => undefined, onControllers: () => { changes += 1; } }));
    expect(failure.message).to.match(/the registry is away/);
    registry.list("tcp://127.0.0.1:1");
    expect(changes, "told of after that").to.equal(0);
  });

  it("tells of changed controllers, and of nothing once closed", async () => {
    const registry = createFakeRegistry();
    let changes = 0;
    const follower = await followRegistry({ registry, onPointers: () => undefined, onControllers: () => { changes += 1; } });
    registry.list("tcp://127.0.0.1:1");
    expect(changes).to.equal(1);
    await follower.close();
    registry.list();
    expect(changes).to.equal(1);
  });
});
