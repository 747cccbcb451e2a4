import { expect } from "chai";
import { describe, it } from "mocha";
import { isBaseName, isTableName, parseTableName, shardOrder } from "../../lib/columns/names.js";
import { describeIncomplete, resolveSome, resolveTables, type AvailableTable } from "../../lib/columns/resolve-tables.js";
import { failureOf } from "../support/failure.js";

const id = "0".repeat(32);
const otherId = "1".repeat(32);

function shards(base: string, numbers: readonly number[], count: number, setId = id): AvailableTable[] {
  return numbers.map((number) => ({ name: `${base}-${number}.bcolzs`, set: { id: setId, index: number, count } }));
}

function tables(...names: string[]): AvailableTable[] {
  return names.map((name) => ({ name, set: null }));
}

describe("table names", () => {
  it("splits off the last number of a shard", () => {
    expect(parseTableName("taxi-2019-12.bcolzs")).to.deep.equal({ base: "taxi-2019", shard: 12, directory: "taxi-2019-12.bcolzs" });
    expect(parseTableName("taxi.bcolz")).to.deep.equal({ base: "taxi", shard: null, directory: "taxi.bcolz" });
  });

  it("takes no name that could leave the folder or that nobody could ask for", () => {
    for (const name of ["", ".bcolz", "../x.bcolz", "a/b.bcolz", "-x.bcolz", "é.bcolz", "taxi", "taxi.bcolzs", "taxi-x.bcolzs", `${"a".repeat(129)}.bcolz`, "a*.bcolz"]) {
      expect(isTableName(name), name).to.equal(false);
    }
    expect(isBaseName("taxi")).to.equal(true);
    expect(isBaseName("taxi.bcolz")).to.equal(false);
  });

  it("names the grammar in its refusal", async () => {
    const failure = await failureOf(() => parseTableName("no good"));
    expect(failure.code).to.equal("BAD_INPUT");
    expect(failure.message).to.include("'no good'").and.to.include("NAME.bcolz");
  });

  it("finds very many shards that a large set lacks about as quickly as few", () => {
    const asked = Array.from({ length: 50_000 }, (_, number) => `taxi-${number + 1}.bcolzs`);
    const { names, lacking } = resolveSome(asked, shards("taxi", [0, 1], 100_000), { missingIsEmpty: false, isPartialAllowed: true });
    expect([names, lacking.length]).to.deep.equal([["taxi-1.bcolzs"], 49_999]);
  });

  it("tells which sets lack shards", () => {
    const available = [...shards("taxi", [0, 1, 2], 4), ...shards("whole", [0, 1], 2), ...shards("two", [0], 3), ...shards("two", [1], 3, otherId), ...shards("old", [0], 2, otherId), ...shards("old", [0, 1], 2), ...tables("one.bcolz", "loose-7.bcolzs")];
    expect(describeIncomplete(available)).to.deep.equal(["taxi lacks taxi-3.bcolzs of 4 shards", "the shards of two are of 2 imports, none of which is whole"]);
  });

  it("orders shards by number", () => {
    const names = ["b-1.bcolzs", "a-10.bcolzs", "a-9.bcolzs", "a.bcolz", "a-2.bcolzs"];
    expect(names.sort(shardOrder)).to.deep.equal(["a.bcolz", "a-2.bcolzs", "a-9.bcolzs", "a-10.bcolzs", "b-1.bcolzs"]);
  });
});

describe("resolving tables", () => {
  it("finds the table or the set behind a bare name", () => {
    const available = [...shards("taxi", [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0], 11), ...tables("trips.bcolz")];
    expect(resolveTables(["taxi"], available).slice(0, 3)).to.deep.equal(["taxi-0.bcolzs", "taxi-1.bcolzs", "taxi-2.bcolzs"]);
    expect(resolveTables(["taxi"], available)).to.have.length(11);
    expect(resolveTables(["trips"], available)).to.deep.equal(["trips.bcolz"]);
    expect(resolveTables(["trips.bcolz"], available)).to.deep.equal(["trips.bcolz"]);
  });

  it("takes shards one by one and each once, in order of number", () => {
    expect(resolveTables(["taxi-2.bcolzs", "taxi-0.bcolzs", "taxi-2.bcolzs"], shards("taxi", [0, 1, 2], 3))).to.deep.equal(["taxi-0.bcolzs", "taxi-2.bcolzs"]);
    expect(resolveTables(["taxi", "taxi-1.bcolzs"], shards("taxi", [0, 1, 2], 3))).to.have.length(3);
  });

  it("takes none of two shards outside a set that have one number, and each by its own name", async () => {
    const available = tables("t-7.bcolzs", "t-07.bcolzs", "t-8.bcolzs");
    for (const [name, directories] of [["t", available], ["t", available.toReversed()], ["t-*.bcolzs", available]] as const) {
      expect((await failureOf(() => resolveTables([name], directories))).code, name).to.equal("AMBIGUOUS_TABLE");
    }
    for (const name of ["t-7.bcolzs", "t-07.bcolzs"]) expect(resolveTables([name], available)).to.deep.equal([name]);
    expect(resolveTables(["t"], tables("t-07.bcolzs", "t-08.bcolzs", "t-08.bcolzs"))).to.have.length(2);
  });

  it("counts a table with several holders once", () => {
    const available = [...shards("taxi", [0, 1], 2), ...shards("taxi", [0, 1], 2), ...tables("a.bcolz", "a.bcolz")];
    expect(resolveTables(["taxi", "a"], available)).to.deep.equal(["a.bcolz", "taxi-0.bcolzs", "taxi-1.bcolzs"]);
  });

  it("gives only the star a meaning in globs", () => {
    const available = [...shards("taxi", [0, 1, 10], 3, id), ...tables("taxi.bcolz", "taxxi.bcolz")];
    expect(resolveTables(["taxi-*.bcolzs"], shards("taxi", [0, 1], 2))).to.deep.equal(["taxi-0.bcolzs", "taxi-1.bcolzs"]);
    expect(resolveTables(["taxi-1*.bcolzs"], available)).to.deep.equal(["taxi-1.bcolzs", "taxi-10.bcolzs"]);
    expect(resolveTables(["t*x*i.bcolz"], available)).to.deep.equal(["taxi.bcolz", "taxxi.bcolz"]);
    expect(resolveTables(["*taxi*.bcolz"], available)).to.deep.equal(["taxi.bcolz"]);
  });

  it("answers a hostile glob at once", async () => {
    const available = tables(`${"a".repeat(120)}.bcolz`);
    expect((await failureOf(() => resolveTables([`${"*a".repeat(10)}b`], available))).code).to.equal("UNKNOWN_TABLE");
    expect((await failureOf(() => resolveTables([`${"*a".repeat(100)}b`], available))).code).to.equal("BAD_QUERY");
    const many = Array.from({ length: 21 }, (_, k) => `a${k}*`);
    expect(await failureOf(() => resolveTables(many, available))).to.have.property("message").that.contains("the limit is 20");
    expect(resolveTables(Array.from({ length: 1_000 }, () => "a*"), available)).to.have.length(1);
  });

  it("names the nearest for what it does not know", async () => {
    const failure = await failureOf(() => resolveTables(["flihgts"], shards("flights", [0], 1)));
    expect(failure.code).to.equal("UNKNOWN_TABLE");
    expect(failure.message).to.equal("no table 'flihgts'; did you mean 'flights'?");
    expect((await failureOf(() => resolveTables(["x"], []))).message).to.include("no table is available");
    expect((await failureOf(() => resolveTables(["constructor"], tables("a.bcolz")))).code).to.equal("UNKNOWN_TABLE");
  });

  it("refuses a name that is both a table and a set", async () => {
    const failure = await failureOf(() => resolveTables(["taxi"], [...shards("taxi", [0], 1), ...tables("taxi.bcolz")]));
    expect(failure.code).to.equal("AMBIGUOUS_TABLE");
    expect(failure.message).to.include("taxi.bcolz").and.to.include("taxi-*.bcolzs");
  });

  it("refuses two complete sets of one name", async () => {
    const available = [...shards("taxi", [0, 1], 2), { name: "taxi-2.bcolzs", set: { id: otherId, index: 0, count: 1 } }];
    expect((await failureOf(() => resolveTables(["taxi"], available))).code).to.equal("AMBIGUOUS_TABLE");
  });

  it("names the shards that a set lacks", async () => {
    const failure = await failureOf(() => resolveTables(["taxi"], shards("taxi", [0, 2, 3], 5)));
    expect(failure.code).to.equal("SHARD_UNAVAILABLE");
    expect(failure.message).to.include("taxi lacks taxi-1.bcolzs, taxi-4.bcolzs of 5 shards");
    expect((await failureOf(() => resolveTables(["taxi-*.bcolzs"], shards("taxi", [0, 2], 3)))).code).to.equal("SHARD_UNAVAILABLE");
    expect((await failureOf(() => resolveTables(["taxi-1.bcolzs"], shards("taxi", [0, 2], 3)))).code).to.equal("SHARD_UNAVAILABLE");
    expect((await failureOf(() => resolveTables(["taxi-3.bcolzs"], shards("taxi", [0, 2], 3)))).code).to.equal("UNKNOWN_TABLE");
  });

  it("never mixes the shards of two imports", async () => {
    const switching = [...shards("taxi", [0, 1], 4, id), ...shards("taxi", [2, 3], 4, otherId)];
    expect((await failureOf(() => resolveTables(["taxi"], switching))).code).to.equal("SHARD_UNAVAILABLE");
    expect((await failureOf(() => resolveTables(["taxi-1.bcolzs", "taxi-2.bcolzs"], switching))).code).to.equal("SHARD_UNAVAILABLE");
    expect(resolveTables(["taxi-0.bcolzs", "taxi-1.bcolzs"], switching)).to.have.length(2);
  });

  it("takes the one whole set where shards of an older one are left", () => {
    const available = [...shards("taxi", [0, 1], 2, id), ...shards("taxi", [2, 3], 4, otherId)];
    expect(resolveTables(["taxi"], available)).to.deep.equal(["taxi-0.bcolzs", "taxi-1.bcolzs"]);
    expect(resolveTables(["taxi-*.bcolzs"], available)).to.deep.equal(["taxi-0.bcolzs", "taxi-1.bcolzs"]);
  });

  it("takes shards outside any set as they are", () => {
    expect(resolveTables(["trips"], tables("trips-7.bcolzs", "trips-3.bcolzs"))).to.deep.equal(["trips-3.bcolzs", "trips-7.bcolzs"]);
  });

  it("leaves out what may be missing, and names the shards that a set is known to lack", async () => {
    const available = [...shards("taxi", [0, 2], 3), ...tables("trips.bcolz")];
    const lenient = { missingIsEmpty: true, isPartialAllowed: true };
    expect(resolveSome(["taxi", "trips", "nowhere", "no*.bcolz"], available, lenient)).to.deep.equal({ names: ["taxi-0.bcolzs", "taxi-2.bcolzs", "trips.bcolz"], lacking: ["taxi-1.bcolzs"] });
    expect(resolveSome(["taxi-1.bcolzs"], available, lenient)).to.deep.equal({ names: [], lacking: ["taxi-1.bcolzs"] });
    expect(resolveSome(["taxi-*.bcolzs"], available, lenient).lacking).to.deep.equal(["taxi-1.bcolzs"]);
    expect((await failureOf(() => resolveSome(["taxi"], available, { ...lenient, isPartialAllowed: false }))).code).to.equal("SHARD_UNAVAILABLE");
    expect((await failureOf(() => resolveSome(["nowhere"], available, { ...lenient, missingIsEmpty: false }))).code).to.equal("UNKNOWN_TABLE");
    expect(resolveSome(["taxi"], shards("taxi", [0], 2 ** 53 - 1), lenient).lacking).to.have.length.below(1_000_000);
  });

  it("counts what a set lacks without naming all of it, however many shards it says it has", () => {
    const many = Array.from({ length: 2_000 }, (_, k) => shards(`s${k}`, [1], 1e15)).flat();
    const startMs = performance.now();
    const phrases = describeIncomplete(many);
    expect(performance.now() - startMs, "ms").to.be.below(2_000);
    expect(phrases).to.have.length(2_000);
    expect(phrases[0]).to.equal("s0 lacks s0-0.bcolzs, s0-2.bcolzs, s0-3.bcolzs, s0-4.bcolzs, s0-5.bcolzs and 999999999999994 more of 1000000000000000 shards");
  });
});
