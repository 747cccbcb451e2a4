import { readdirSync } from "node:fs";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { createPool, inOrder } from "../../lib/formats/input/pool.js";
import type { Pool } from "../../lib/formats/input/pool.js";
import { failureOf } from "../support/failure.js";
import type { PoolTask } from "./csv-pool-entry.js";

const entry = new URL("./csv-pool-entry.js", import.meta.url);

function double(...values: readonly number[]): PoolTask & { kind: "double" } {
  return { kind: "double", values: Float64Array.from(values) };
}

async function* items(count: number): AsyncGenerator<number> {
  for (let item = 0; item < count; item++) yield item;
}

describe("pool of threads", function () {
  this.timeout(60_000);
  let pool: Pool<PoolTask, Float64Array>;
  beforeEach(() => {
    pool = createPool<PoolTask, Float64Array>(entry, { threads: 2 });
  });
  afterEach(() => pool.close());

  it("does tasks with buffers that go with them and come back", async () => {
    const task = double(1, 2.5);
    const result = await pool.run(task, [task.values.buffer]);
    expect([...result]).to.deep.equal([2, 5]);
    expect(task.values.length).to.equal(0);
  });

  it("gives the results of inOrder in the order of the items", async () => {
    const flow = { itemsMax: 4, bytesMax: 100, bytesOf: () => 1, signal: undefined };
    const results: number[] = [];
    for await (const result of inOrder(items(50), (item) => pool.run(double(item), []), flow)) results.push(result[0]!);
    expect(results).to.deep.equal(Array.from({ length: 50 }, (_, item) => item * 2));
  });

  it("keeps no more under way than inOrder allows, in items and in bytes, but always one", async () => {
    for (const [itemsMax, bytesMax, expected] of [[3, 1_000, 3], [100, 25, 2], [5, 1, 1]] as const) {
      let underWay = 0;
      let most = 0;
      const work = async (item: number): Promise<number> => {
        most = Math.max(most, ++underWay);
        await pool.run(double(item), []);
        underWay--;
        return item;
      };
      for await (const item of inOrder(items(20), work, { itemsMax, bytesMax, bytesOf: () => 10, signal: undefined })) expect(item).to.be.at.least(0);
      expect(most).to.equal(expected);
    }
  });

  it("tells failures of tasks as what they are, and goes on", async () => {
    const refused = await failureOf(() => pool.run({ kind: "refuse" }, []));
    expect([refused.code, refused.message, refused.details]).to.deep.equal(["BAD_INPUT", "these values are bad", { path: "x" }]);
    const thrown = await failureOf(() => pool.run({ kind: "throw" }, []));
    expect([thrown.code, thrown.message]).to.deep.equal(["INTERNAL", "not foreseen"]);
    expect([...await pool.run(double(4), [])]).to.deep.equal([8]);
  });

  it("fails everything when a thread ends by itself", async () => {
    const failures = await Promise.all([pool.run({ kind: "die" }, []), pool.run({ kind: "hang" }, [])].map((run) => failureOf(() => run)));
    expect(failures.map(({ code }) => code)).to.deep.equal(["INTERNAL", "INTERNAL"]);
    expect((await failureOf(() => pool.run(double(1), []))).code).to.equal("INTERNAL");
  });

  it("ends at once when it is closed, whatever the threads are at, and twice is once", async () => {
    const threads = readdirSync("/proc/self/task").length;
    const hanging = failureOf(() => pool.run({ kind: "hang" }, []));
    await pool.close();
    await pool.close();
    expect((await hanging).code).to.equal("CANCELLED");
    expect((await failureOf(() => pool.run(double(1), []))).code).to.equal("CANCELLED");
    expect(readdirSync("/proc/self/task").length).to.be.at.most(threads);
  });

  it("tells a failure of inOrder in its place, after the results before it", async () => {
    const results: number[] = [];
    const work = (item: number): Promise<Float64Array> => pool.run(item === 3 ? { kind: "refuse" } : double(item), []);
    const error = await failureOf(async () => {
      for await (const result of inOrder(items(10), work, { itemsMax: 6, bytesMax: 10, bytesOf: () => 0, signal: undefined })) results.push(result[0]!);
    });
    expect(error.code).to.equal("BAD_INPUT");
    expect(results).to.deep.equal([0, 2, 4]);
  });
});
