import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { askEngine } from "../support/ask-engine.js";
import type { StoredShard } from "../support/random/store.js";
import { writeShards, writeTable } from "../support/write-table.js";

/** Small numbers and two that are too large to be multiplied, each beside small ones and, in shards, by itself. */
const values = [1n, 5n, 5n, 2n ** 62n, 5n, null, 7n, -(2n ** 62n)];
const shardCount = 8;

describe("conditions that compute", () => {
  let dataDir = "";
  let engine: Engine;
  let cuts: readonly (readonly StoredShard[])[] = [];

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-failing-"));
    engine = createEngine({ dataDir, cacheBytes: 2 ** 22, queryBytes: 2 ** 26 });
    const columns = [
      { name: "v", dtype: "int64" as const, values },
      { name: "w", dtype: "int64" as const, values: values.map((value) => (value === null || value > 100n || value < -100n ? 0n : 1n)) },
      { name: "s", dtype: "string" as const, values: values.map((value) => String(value)) },
    ];
    const names = Array.from({ length: shardCount }, (_, shard) => `many-${shard}.bcolzs`);
    const generations = await writeShards(names.map((name) => join(dataDir, name)), columns);
    cuts = [
      [{ ordinal: 0, name: "one.bcolz", generation: await writeTable(join(dataDir, "one.bcolz"), columns) }],
      names.map((name, ordinal) => ({ ordinal, name, generation: generations[ordinal]! })),
    ];
  });

  after(async () => {
    engine.close();
    await rm(dataDir, { recursive: true });
  });

  async function countOne(shards: readonly StoredShard[], where: readonly unknown[]): Promise<number | string> {
    try {
      return (await askEngine(engine, shards, { measures: [["*", "count", "n"]], where })).partial.rows[0] ?? 0;
    } catch (cause) {
      if (cause instanceof BquerydError) return cause.code;
      throw cause;
    }
  }

  /** How many rows a where list selects, or the code of its failure: the same however the rows are cut. */
  async function count(where: readonly unknown[]): Promise<number | string> {
    const [one, many] = [await countOne(cuts[0]!, where), await countOne(cuts[1]!, where)];
    expect(many, JSON.stringify(where)).to.equal(one);
    return one;
  }

  const times = (op: string, value: number): unknown[] => [{ expr: "v * 4" }, op, value];

  it("fail where a row that they look at has no value", async () => {
    for (const where of [[times("==", 20)], [times(">=", -1)], [times("<", 2 ** 53)], [["v", ">", 3], times("==", 20)], [[{ expr: "v * 4" }, "is not null"]], [{ or: [times("==", 20), times("==", 4)] }]]) expect(await count(where)).to.equal("OVERFLOW");
    expect(await count([["v", ">", 3], ["v", "<", 9], [{ expr: "v + 9223372036854775807" }, ">", 0]])).to.equal("OVERFLOW");
  });

  it("are computed only for rows that comparisons of columns leave, wherever these stand in the list", async () => {
    for (const rest of [[["v", "between", [-100, 100]]], [["w", "==", 1]], [["s", "in", ["1", "5", "7"]]], [["v", ">", -9], ["s", "!=", String(2 ** 62)], ["w", ">", 0]]]) {
      expect(await count([...rest, times("==", 20)])).to.equal(3);
      expect(await count([times("==", 20), ...rest])).to.equal(3);
      expect(await count([{ and: [{ and: rest }, { or: [times("==", 20), times("==", 4)] }] }])).to.equal(4);
    }
  });

  it("are computed only for rows that those written before them leave", async () => {
    expect(await count([[{ expr: "w + 0" }, "==", 1], times("==", 20)])).to.equal(3);
    expect(await count([times("==", 20), [{ expr: "w + 0" }, "==", 1]])).to.equal("OVERFLOW");
    expect(await count([[{ expr: "length(s)" }, "<", 3], times(">", 4), [{ expr: "v - 5" }, "==", 0]])).to.equal(3);
  });

  it("are computed for what no other alternative selects already", async () => {
    expect(await count([{ or: [["w", "==", 0], times("==", 20)] }])).to.equal(6);
    expect(await count([{ or: [times("==", 20), ["w", "==", 0]] }])).to.equal(6);
    expect(await count([{ or: [[{ expr: "w * 2" }, "==", 0], times("==", 20), times("==", 28)] }])).to.equal(7);
    expect(await count([{ not: { or: [["w", "==", 0], times("==", 20)] } }])).to.equal(2);
  });

  it("are so as conditions of case too", async () => {
    const chosen = (condition: string): unknown[] => [[{ expr: `case when ${condition} then 1 else 0 end` }, "==", 1]];
    expect(await count(chosen("v < 100 and v > -100 and v * 4 = 20"))).to.equal(3);
    expect(await count(chosen("v * 4 = 20 and w = 1"))).to.equal(3);
    expect(await count(chosen("w = 0 or v * 4 = 20"))).to.equal(6);
    expect(await count(chosen("v * 4 = 20"))).to.equal("OVERFLOW");
    expect(await count([["w", "==", 1], ...chosen("v * 4 = 20")])).to.equal(3);
  });

  it("fail as what is counted too, whether or not a null is among the rows", async () => {
    const counted = async (shards: readonly StoredShard[], op: string, where: readonly unknown[]): Promise<unknown> => {
      try {
        const { partial: { rows, states } } = await askEngine(engine, shards, { keys: ["w"], measures: [[{ expr: "v * 4" }, op, "c"]], where });
        return [states[0]!.kind, [...rows]];
      } catch (cause) {
        if (cause instanceof BquerydError) return cause.code;
        throw cause;
      }
    };
    for (const shards of cuts) {
      for (const op of ["count", "count_na"]) {
        expect(await counted(shards, op, [])).to.equal("OVERFLOW");
        expect(await counted(shards, op, [["v", ">", 5]])).to.equal("OVERFLOW");
        expect(await counted(shards, op, [["v", "between", [0, 9]]])).to.deep.equal(["count", [5]]);
      }
    }
  });
});
