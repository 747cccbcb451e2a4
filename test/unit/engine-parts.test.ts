import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { askEngine, type LocalAnswer } from "../support/ask-engine.js";
import { everyMeasure } from "../support/every-measure.js";
import { failureOf } from "../support/failure.js";
import { writeTable } from "../support/write-table.js";

const rows = 100_000;
const cacheBytes = 2 ** 26;

describe("groups that need more memory than a query may take", function () {
  this.timeout(60_000);
  let dataDir = "";
  let generation = "";
  const engines: Engine[] = [];
  const open = (queryBytes: number): Engine => {
    const engine = createEngine({ dataDir, cacheBytes, queryBytes });
    engines.push(engine);
    return engine;
  };
  let roomy: Engine;
  let tight: Engine;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-parts-"));
    const random = seededRandom(3);
    const some = <T>(make: (row: number) => T): (T | null)[] => Array.from({ length: rows }, (_, row) => (random() < 0.1 ? null : make(row)));
    const below = (end: number): number => Math.floor(random() * end);
    generation = await writeTable(join(dataDir, "t.bcolz"), [
      { name: "id", dtype: "int64", values: some(() => BigInt(below(2 ** 31)) * 4_294_967_311n) },
      { name: "x", dtype: "float64", values: some(() => below(rows) / 7 - 5_000) },
      { name: "text", dtype: "string", values: some((row) => `a text of its own ${row * 7_919}`) },
      { name: "few", dtype: "string", values: some(() => `few ${below(300)}`) },
      { name: "n", dtype: "int32", values: some(() => BigInt(below(1_000) - 500)) },
      { name: "v", dtype: "float64", values: some(() => random() * 100) },
    ]);
    [roomy, tight] = [open(2 ** 28), open(7 * 2 ** 20)];
  });

  after(async () => {
    for (const engine of engines) engine.close();
    await rm(dataDir, { recursive: true });
  });

  const ask = (engine: Engine, keys: readonly unknown[], measures: readonly unknown[], where: readonly unknown[] = []): Promise<LocalAnswer> =>
    askEngine(engine, [{ ordinal: 0, name: "t.bcolz", generation }], { keys, measures, where });

  /** The same bytes, and what was read of columns over and over. */
  async function expectSame(keys: readonly unknown[], measures: readonly unknown[], where: readonly unknown[] = [], engine = tight): Promise<void> {
    const whole = await ask(roomy, keys, measures, where);
    const parts = await ask(engine, keys, measures, where);
    const what = JSON.stringify([keys, measures]);
    expect(Buffer.compare(parts.bytes[0]!, whole.bytes[0]!), what).to.equal(0);
    expect(parts.cost.rowsScanned, what).to.equal(whole.cost.rowsScanned);
    const read = ({ cost }: LocalAnswer): number => cost.chunksDecoded + cost.cacheHits;
    expect(read(parts), what).to.be.at.least(2 * read(whole));
  }

  it("are found part by part, whatever their keys are", async () => {
    const measures = [["v", "sum", "s"], ["n", "mean", "m"]];
    for (const keys of [["id"], ["x"], ["text"], ["few", "n"], ["id", "few"], [{ expr: "id % 100003", as: "k" }, "n"]]) await expectSame(keys, measures);
    await expectSame(["id"], measures, [["n", ">", -300]]);
    await expectSame(["text", "few"], measures, [["v", "<", 80]]);
    await expectSame(["text", "x", "n"], measures, [], open(12 * 2 ** 20));
  });

  it("give every measure the same bytes", async () => {
    const ranges: Readonly<Record<string, object>> = { histogram: { bins: 3, low: 0, high: 100 }, histogram2d: { bins: 2, low: 0, high: 100 } };
    const measures = everyMeasure("v", "n").map((measure) => [...(measure as unknown[]).slice(0, 3), ...[ranges[String((measure as unknown[])[1])] ?? (measure as unknown[])[3] ?? {}]]);
    await expectSame(["id", "few"], measures.filter(([, op]) => op !== "sorted_count_distinct"), [], open(32 * 2 ** 20));
  });

  it("are found though a group takes much, as a histogram of very many bins does", async () => {
    const wide = ["v", "histogram", "h", { bins: 20_000, low: 0, high: 100 }];
    for (const keys of [["id"], ["n"]]) expect((await ask(roomy, keys, [wide], [["id", "<", 2 ** 50]])).partial.groups, keys.join()).to.be.within(5, 100);
    const [key] = (await ask(open(40 * 2 ** 20), ["n"], [["v", "histogram", "h", { bins: 200, low: 0, high: 100 }]])).partial.keys;
    expect(key).to.have.property("codes", null);
  });

  it("are found in as many parts whatever was asked and cached before", async () => {
    const random = seededRandom(5);
    const values = (make: (row: number) => number): number[] => Array.from({ length: 131_072 }, (_, row) => make(row));
    const others = Array.from({ length: 14 }, (_, place) => ({ name: `x${place}`, dtype: "float64" as const, values: values(() => random()) }));
    const [name, path] = ["runs.bcolz", join(dataDir, "runs.bcolz")];
    const shards = [{ ordinal: 0, name, generation: await writeTable(path, [
      { name: "run", dtype: "int32", values: values((row) => Math.floor(row / 656)).map(BigInt) },
      { name: "v", dtype: "float64", values: values(() => random() * 10 ** Math.floor(random() * 10)) },
      { name: "n", dtype: "uint64", values: values((row) => row).map(BigInt) },
      ...others,
    ]) }];
    const query = { keys: ["run"], measures: [["v", "sum", "s"], ["v", "var", "o"], ["v", "median", "m"], ["n", "median", "k"], ["n", "count_distinct", "d"], ["x0", "median", "l"]], where: [], cache: "columns" as const };
    const answers = new Set<string>();
    for (let history = 0; history < 5; history++) {
      const engine = createEngine({ dataDir, cacheBytes: 2 ** 23, queryBytes: 14 * 2 ** 20 });
      for (let asked = 0; asked < history; asked++) {
        const measures = others.filter(() => random() < 0.3).map((other) => [other.name, random() < 0.5 ? "sum" : "median", other.name]);
        await askEngine(engine, shards, { keys: random() < 0.5 ? ["run"] : [], measures: [["*", "count", "rows"], ...measures], where: random() < 0.3 ? [["x5", ">", 0.5]] : [] });
      }
      answers.add(Buffer.from((await askEngine(engine, shards, query)).bytes[0]!).toString("latin1"));
      engine.close();
    }
    expect(answers.size).to.equal(1);
  });

  it("are MEMORY_LIMIT where rows of other groups matter", async () => {
    expect(await failureOf(() => ask(tight, ["id"], [["n", "sorted_count_distinct", "runs"]]))).to.have.property("code", "MEMORY_LIMIT");
  });

  it("that no number of parts makes small enough are MEMORY_LIMIT naming the keys, and the memory is back", async () => {
    const small = open(2 ** 22);
    const failure = await failureOf(() => ask(small, [{ expr: "concat(text, few)", as: "key of mine" }], [["v", "median", "m"]]));
    expect(failure).to.have.property("code", "MEMORY_LIMIT");
    expect(failure).to.have.property("message").that.contains("'key of mine'");
    expect((await ask(small, ["few"], [["*", "count", "n"]])).partial.groups).to.equal(301);
  });
});
