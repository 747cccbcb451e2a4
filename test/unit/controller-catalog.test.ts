import { expect } from "chai";
import { describe, it } from "mocha";
import { addHolding, createCatalog, isHeldByOther, preferredReader, readersOf, removeHolding, resolveShards, resolveSomeShards, type Catalog } from "../../lib/cluster/controller/tables/catalog.js";
import { describeCluster, listTables } from "../../lib/cluster/controller/answers/report.js";
import { createSessions } from "../../lib/cluster/controller/peers/sessions.js";
import { choosePreferred } from "../../lib/base/rendezvous.js";
import type { Holding } from "../../lib/wire/messages.js";
import { failureOf } from "../support/failure.js";
import { generationOf, holding, idOf, Scheduling, setHoldings } from "../support/scheduling.js";
import { ownFacts } from "../support/cluster-info.js";

function catalogOf(held: Readonly<Record<string, readonly Holding[]>>): Catalog {
  const catalog = createCatalog();
  for (const [workerId, holdings] of Object.entries(held)) for (const one of holdings) addHolding(catalog, workerId, one);
  return catalog;
}

function pinned(catalog: Catalog, table: string): string[] {
  return resolveShards(catalog, [table]).map(({ generation }) => generation);
}

describe("catalog: which generation a query reads", () => {
  it("takes the one most workers hold, though another changed later", () => {
    const older = [holding("taxi.bcolz", { generation: "a", changedMs: 1 })];
    const catalog = catalogOf({ w1: older, w2: older, w3: [holding("taxi.bcolz", { generation: "b", changedMs: 2 })] });
    expect(pinned(catalog, "taxi")).to.deep.equal([generationOf("a")]);
  });

  it("takes the one that changed last when as many hold each", () => {
    const catalog = catalogOf({ w1: [holding("taxi.bcolz", { generation: "b", changedMs: 1 })], w2: [holding("taxi.bcolz", { generation: "a", changedMs: 2 })] });
    expect(pinned(catalog, "taxi")).to.deep.equal([generationOf("a")]);
  });

  it("takes the greater id when they changed at the same time", () => {
    const catalog = catalogOf({ w1: [holding("taxi.bcolz", { generation: "b" })], w2: [holding("taxi.bcolz", { generation: "a" })] });
    expect(pinned(catalog, "taxi")).to.deep.equal([generationOf("b")]);
  });

  it("chooses the shards of a set together, never some of one import and some of another", () => {
    const catalog = catalogOf({ w1: setHoldings("taxi", 4, { generation: "a" }), w2: setHoldings("taxi", 4, { generation: "b", changedMs: 5 }) });
    for (const { name } of setHoldings("taxi", 2)) addHolding(catalog, "w3", setHoldings("taxi", 4, { generation: "a" }).find((one) => one.name === name)!);
    expect(new Set(pinned(catalog, "taxi"))).to.deep.equal(new Set([generationOf("a")]));
  });

  it("reads the complete set while a newer one is still arriving", () => {
    const newer = setHoldings("taxi", 4, { generation: "b", changedMs: 5 });
    const catalog = catalogOf({ w1: setHoldings("taxi", 4, { generation: "a" }), w2: newer.slice(0, 3) });
    expect(pinned(catalog, "taxi")).to.deep.equal(Array.from({ length: 4 }, () => generationOf("a")));
    addHolding(catalog, "w2", newer[3]!);
    expect(pinned(catalog, "taxi")).to.deep.equal(Array.from({ length: 4 }, () => generationOf("b")));
  });

  it("leaves out what an earlier, larger import left lying about", () => {
    const leftover = setHoldings("taxi", 6, { generation: "a" }).slice(4);
    const catalog = catalogOf({ w1: [...setHoldings("taxi", 4, { generation: "b" }), ...leftover] });
    expect(resolveShards(catalog, ["taxi"])).to.have.length(4);
  });

  it("leaves out a generation that is gone", () => {
    const catalog = catalogOf({ w1: [holding("taxi.bcolz", { generation: "b" })], w2: [holding("taxi.bcolz", { generation: "a" })] });
    const [shard] = resolveShards(catalog, ["taxi"], [{ name: "taxi.bcolz", generation: generationOf("b") }]);
    expect(shard!.generation).to.equal(generationOf("a"));
  });

  it("forgets what it computed when a holding changes", async () => {
    const catalog = catalogOf({ w1: [holding("taxi.bcolz", { generation: "a" })] });
    expect(pinned(catalog, "taxi")).to.deep.equal([generationOf("a")]);
    addHolding(catalog, "w1", holding("taxi.bcolz", { generation: "b" }));
    expect(pinned(catalog, "taxi")).to.deep.equal([generationOf("b")]);
    removeHolding(catalog, "w1", "taxi.bcolz");
    expect((await failureOf(() => pinned(catalog, "taxi"))).code).to.equal("UNKNOWN_TABLE");
  });
});

describe("catalog: who may read a shard", () => {
  const older = { ordinal: 0, name: "taxi.bcolz", generation: generationOf("a") };

  it("is whoever has exactly that generation, while anyone has", () => {
    const catalog = catalogOf({ w1: [holding("taxi.bcolz", { generation: "a" })], w2: [holding("taxi.bcolz", { generation: "b" })] });
    expect([...readersOf(catalog, older).keys()]).to.deep.equal(["w1"]);
    expect(isHeldByOther(catalog, older, "w1")).to.equal(false);
    expect(isHeldByOther(catalog, older, "w2")).to.equal(true);
  });

  it("is whoever has the name, once nobody has that generation as the current one", () => {
    const catalog = catalogOf({ w1: [holding("taxi.bcolz", { generation: "c" })], w2: [holding("taxi.bcolz", { generation: "b" })] });
    expect([...readersOf(catalog, older).keys()]).to.deep.equal(["w1", "w2"]);
  });

  it("is nobody when nobody has the name", () => {
    expect(readersOf(createCatalog(), older).size).to.equal(0);
    expect(preferredReader(createCatalog(), older)).to.equal(undefined);
  });

  it("prefers another holder when the preferred one is gone, and no other shard moves", () => {
    const workers = ["w1", "w2", "w3", "w4"];
    const catalog = catalogOf(Object.fromEntries(workers.map((workerId) => [workerId, setHoldings("taxi", 200)])));
    const shards = resolveShards(catalog, ["taxi"]);
    const before = shards.map((shard) => preferredReader(catalog, shard));
    for (const { name } of shards) removeHolding(catalog, "w2", name);
    const after = shards.map((shard) => preferredReader(catalog, shard));
    expect(after).to.not.include("w2");
    expect(after.filter((worker, index) => before[index] !== "w2" && worker !== before[index])).to.deep.equal([]);
  });
});

describe("catalog: sets of very many shards", () => {
  it("give neighbours to one worker, in aligned blocks, and to each worker its part", () => {
    const workers = ["w1", "w2"];
    const catalog = catalogOf(Object.fromEntries(workers.map((workerId) => [workerId, setHoldings("taxi", 1_024)])));
    const readers = resolveShards(catalog, ["taxi"]).map((shard) => preferredReader(catalog, shard)!);
    expect(readers.every((reader, ordinal) => reader === readers[ordinal - ordinal % 4])).to.equal(true);
    for (const worker of workers) expect(readers.filter((reader) => reader === worker).length, worker).to.be.within(300, 724);
  });

  it("of fewer shards are given out one by one", () => {
    const catalog = catalogOf({ w1: setHoldings("taxi", 256), w2: setHoldings("taxi", 256) });
    const shards = resolveShards(catalog, ["taxi"]);
    expect(shards.map((shard) => preferredReader(catalog, shard))).to.deep.equal(shards.map(({ name }) => choosePreferred(name, ["w1", "w2"])));
  });
});

describe("rendezvous", () => {
  it("spreads shards evenly, whatever the order of the holders", () => {
    const workers = Array.from({ length: 8 }, (_, index) => `worker ${index}`);
    const counts = new Map<string, number>();
    for (let shard = 0; shard < 8_000; shard++) {
      const preferred = choosePreferred(`taxi-${shard}.bcolzs`, workers)!;
      expect(choosePreferred(`taxi-${shard}.bcolzs`, workers.toReversed())).to.equal(preferred);
      counts.set(preferred, (counts.get(preferred) ?? 0) + 1);
    }
    for (const worker of workers) expect(counts.get(worker), worker).to.be.within(850, 1_150);
  });
});

describe("files()", () => {
  it("lists tables and sets by name, with what they hold and who has them", () => {
    const bike = holding("bike.bcolz", { rows: 7 });
    const catalog = catalogOf({ w1: [...setHoldings("taxi", 3), bike], w2: setHoldings("taxi", 3) });
    const columns = [{ name: "v", dtype: "int64" }];
    const generation = generationOf("1").slice(0, 8);
    expect(listTables(catalog)).to.deep.equal([
      { table: "bike.bcolz", kind: "table", shards: 1, rows: 7, holders: 1, generations: [generation], columns },
      { table: "taxi", kind: "set", shards: 3, rows: 30, holders: 2, generations: [generation, generation, generation], columns },
    ]);
  });
});

describe("catalog: what is kept of calls", () => {
  it("is small however many tables they name", () => {
    const core = new Scheduling();
    core.join("w", [holding("t.bcolz")]);
    const tables = Array.from({ length: 2_000 }, (_, at) => `none-${at}`);
    for (const missing of [{}, { missing: "empty" as const }]) core.call(idOf(`call ${JSON.stringify(missing)}`), ["t", ...(missing.missing === undefined ? [] : tables)], { asks: missing });
    core.call(idOf("columns"), Array.from({ length: 2_000 }, () => "t"), { columns: tables });
    const { habits, catalog } = core.state;
    expect([...habits.keys(), ...catalog.resolved.keys()].filter((key) => key.length > 64)).to.deep.equal([]);
  });

  it("is an index of all tables, until a holding changes", () => {
    const lenient = { missingIsEmpty: true, isPartialAllowed: false };
    const catalog = catalogOf({ w: setHoldings("t", 3) });
    const count = (table: string): number => resolveSomeShards(catalog, [table], lenient, []).shards.length;
    expect([count("t"), count("u")]).to.deep.equal([3, 0]);
    const { index } = catalog;
    expect([index !== undefined, count("t"), catalog.index === index]).to.deep.equal([true, 3, true]);
    addHolding(catalog, "w", holding("u.bcolz"));
    expect([count("u"), catalog.index === index]).to.deep.equal([1, false]);
    removeHolding(catalog, "w", "u.bcolz");
    expect(count("u")).to.equal(0);
  });

  it("is no more than some lists of shards", () => {
    const catalog = catalogOf({ w: setHoldings("t", 20_000) });
    for (let call = 0; call < 30; call++) resolveShards(catalog, [...Array.from({ length: call + 1 }, () => "t")]);
    expect(catalog.resolvedShards).to.be.at.most(400_000).and.to.equal(catalog.resolved.size * 20_000);
  });
});

describe("info()", () => {
  it("warns of a set that lacks shards", () => {
    const core = new Scheduling();
    core.join("w", [...setHoldings("t", 4).slice(0, 3), ...setHoldings("whole", 2), holding("one.bcolz")]);
    const own = ownFacts();
    expect(describeCluster({ own, state: core.state, sessions: createSessions(), controllers: [] }, 0).warnings).to.deep.equal([
      "t lacks t-3.bcolzs of 4 shards: no live worker holds the rest; start a worker whose data_dir has it, or import the set again",
    ]);
  });
});
