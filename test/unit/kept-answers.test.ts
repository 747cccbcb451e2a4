import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { groupby, type CallLimits } from "../../lib/client/groupby.js";
import type { GroupbyQuery } from "../../lib/client/arguments.js";
import { createKeptAnswers } from "../../lib/client/kept-answers.js";
import { createMergeThread, type MergeThread } from "../../lib/client/merge-thread.js";
import type { Accepted, Answer, Asker, Call } from "../../lib/client/session.js";
import type { Table } from "../../lib/client/table.js";
import type { Values } from "../../lib/engine/values.js";
import { encodePartial } from "../../lib/engine/partial-bytes.js";
import { decodeQuery } from "../../lib/engine/query/bytes.js";
import type { StateColumn } from "../../lib/engine/states/kinds.js";
import { noCost } from "../../lib/wire/costs.js";
import { digestOf } from "../../lib/wire/digest.js";
import type { LeftOut } from "../../lib/wire/messages.js";
import { failureOf } from "../support/failure.js";

const id = "0".repeat(32);

/** A cluster of one table, whose generation is a digit, with the whole numbers below a count, each a group of its own, or texts. */
class StubCluster {
  generation = 1;
  groups = 4;
  hasTexts = false;
  /** What it says is left out of an answer. */
  leftOut: LeftOut[] = [];
  /** Whether it says that nothing has changed whatever it is asked. */
  isWrong = false;
  /** What calls knew. */
  readonly known: (string | undefined)[] = [];

  async ask({ asks, onReply }: Call): Promise<Answer> {
    await new Promise((resolve) => { setImmediate(resolve); });
    const shards = [{ name: "t.bcolz", ordinal: 0, generation: String(this.generation).repeat(64) }];
    this.known.push(asks?.known);
    const result: Answer = { type: "result", id, value: null, cost: noCost, queuedMs: 0, workers: 1, retries: 0, ...(this.leftOut.length === 0 ? {} : { leftOut: this.leftOut }) };
    if (this.isWrong || asks?.known === digestOf(shards)) return { ...result, unchanged: true };
    onReply!({ type: "accepted", id, queryId: String(this.generation).repeat(32), attempt: 1, shards }, [], () => undefined);
    onReply!({ type: "partial", id, attempt: 1, block: { start: 0, size: 1 } }, [this.#partial()], () => undefined);
    return result;
  }

  #partial(): Uint8Array {
    const numbers = Float64Array.from({ length: this.groups }, (_, k) => k);
    const array = BigInt64Array.from(numbers, BigInt);
    const texts = [...numbers].map((k) => `g${this.generation}-${k}`);
    const domain: Values = this.hasTexts
      ? { dtype: "string", offsets: Uint32Array.from([...texts, ""], (_, k) => texts.slice(0, k).join("").length), bytes: Buffer.from(texts.join("")) }
      : { dtype: "int64", array };
    return encodePartial({
      groups: this.groups, keys: [{ dtype: domain.dtype, domain, codes: null, source: null }], rows: numbers.map(() => 1),
      states: [{ kind: "count", counts: null }, { kind: "sum", dtype: "float64", decimals: [], pairs: Float64Array.from({ length: 2 * this.groups }, (_, k) => (k % 2 === 0 ? k / 4 : 0)) }],
    });
  }
}

/** One shard of nine rows, asked for the ends of a histogram and for the histogram. */
class EndsCluster implements Asker {
  unchanged = 0;

  ask({ onReply, asks, body }: Call): Promise<Answer> {
    const shards = [{ name: "t.bcolz", ordinal: 0, generation: "1".repeat(64) }];
    const result: Answer = { type: "result", id, value: null, cost: { ...noCost, rowsScanned: 9 }, queuedMs: 0, workers: 1, retries: 0 };
    if (asks?.known === digestOf(shards)) {
      this.unchanged += 1;
      return Promise.resolve({ ...result, cost: noCost, unchanged: true });
    }
    const isAnswer = decodeQuery(body[0]!).measures.some(({ op }) => op === "histogram");
    const end = (kind: "min" | "max", value: number) => ({ kind, values: { dtype: "float64", array: Float64Array.of(value) }, seen: Uint8Array.of(1) }) as const;
    const states: StateColumn[] = isAnswer ? [{ kind: "histogram", inputs: ["float64"], cells: 4, counts: Float64Array.of(4, 5, 0, 0) }] : [end("min", 0), end("max", 8)];
    onReply!({ type: "accepted", id, queryId: "1".repeat(32), attempt: 1, shards }, [], () => undefined);
    onReply!({ type: "partial", id, attempt: 1, block: { start: 0, size: 1 } }, [encodePartial({ groups: 1, keys: [], rows: Float64Array.of(9), states })], () => undefined);
    return Promise.resolve(result);
  }
}

describe("an answer that a client keeps", () => {
  let cluster: StubCluster;
  let mergeThread: MergeThread;
  let limits: CallLimits;

  const ask = (more: Partial<GroupbyQuery> = {}): Promise<Table> => groupby(cluster, { tables: "t", keys: ["k"], measures: [["v", "sum", "v"]], ...more }, limits);

  beforeEach(() => {
    cluster = new StubCluster();
    mergeThread = createMergeThread();
    limits = { timeoutMs: 60_000, mergeBytes: 2 ** 24, mergeThread, differing: { keys: new Set() }, answers: createKeptAnswers(2 ** 20) };
  });

  afterEach(() => mergeThread.close());

  it("is given again while its shards are the same, and the summary says so", async () => {
    const [first, second] = [await ask(), await ask()];
    expect([first.summary.unchanged, second.summary.unchanged]).to.deep.equal([false, true]);
    expect(second.rows()).to.deep.equal(first.rows());
    expect(second.summary).to.deep.include({ queryId: "1".repeat(32), generations: first.summary.generations, shards: 1, shardsAnswered: 1, rows: 4, rowsScanned: 0 });
  });

  it("is not that of a new generation, nor of one that was left out", async () => {
    await ask();
    Object.assign(cluster, { generation: 2, groups: 3 });
    const second = await ask();
    expect([second.numRows, second.summary.unchanged, second.summary.queryId]).to.deep.equal([3, false, "2".repeat(32)]);
    expect((await ask()).summary.unchanged).to.equal(true);
    Object.assign(cluster, { generation: 3, leftOut: [{ name: "u.bcolz", code: "SHARD_UNAVAILABLE", message: "gone", rows: null }] });
    await ask({ partial: "allow" });
    await ask({ partial: "allow" });
    expect(cluster.known.slice(-2)).to.deep.equal([undefined, undefined]);
  });

  it("is one question's alone, and of none that bypasses caches or names generations", async () => {
    await ask();
    const others: Partial<GroupbyQuery>[] = [
      { cache: false }, { cache: "columns" }, { generations: { "t.bcolz": "1".repeat(64) } }, { partial: "allow" }, { missing: "empty" }, { tables: ["t", "t"] },
      { limit: 2 }, { order: ["v"] }, { where: [["v", ">", 0]] }, { measures: [["v", "sum", "w"]] },
    ];
    for (const other of others) {
      expect((await ask(other)).summary.unchanged, JSON.stringify(other)).to.equal(false);
      expect(cluster.known.at(-1), JSON.stringify(other)).to.equal(undefined);
    }
  });

  it("is not all that was asked, where the ends of a histogram are asked for anew", async () => {
    const spy = new EndsCluster();
    const histogram = (): Promise<Table> => groupby(spy, { tables: "t", measures: [[{ expr: "v + 1" }, "histogram", "h", { bins: 2 }]] }, limits);
    const [first, second] = [await histogram(), await histogram()];
    expect(second.rows()).to.deep.equal(first.rows());
    expect([spy.unchanged, second.summary.rowsScanned, second.summary.unchanged]).to.deep.equal([1, 9, false]);
  });

  it("stays as it is whatever its callers write into their arrays", async () => {
    for (let k = 0; k < 3; k++) {
      const table = await ask();
      const [keys, sums] = [table.column("k").values as BigInt64Array, table.column("v").values as Float64Array];
      expect([[...keys], [...sums]]).to.deep.equal([[0n, 1n, 2n, 3n], [0, 0.5, 1, 1.5]]);
      keys.fill(-1n);
      sums.fill(-1);
    }
  });

  it("has texts that stay as they are, too, and are those of the answer whose table is asked for them", async () => {
    cluster.hasTexts = true;
    const early = await ask();
    cluster.generation = 2;
    for (let k = 0; k < 3; k++) {
      const texts = (await ask()).column("k").values as string[];
      expect(texts).to.deep.equal(["g2-0", "g2-1", "g2-2", "g2-3"]);
      texts.fill("").reverse();
    }
    expect(early.column("k").values).to.deep.equal(["g1-0", "g1-1", "g1-2", "g1-3"]);
  });

  it("has its texts made once, while there is room for them", () => {
    const accepted: Accepted = { type: "accepted", id, queryId: id, attempt: 1, shards: [] };
    const counts = [2 ** 20, 2 ** 16].map((bytes) => {
      const answers = createKeptAnswers(bytes);
      let made = 0;
      for (let k = 0; k < 3; k++) {
        const shared = answers.find("key")?.shared ?? answers.keep("key", { accepted, result: { columns: [], numRows: 0 } });
        expect(shared!("k", () => { made += 1; return Array.from({ length: 200 }, String); })).to.have.length(200);
      }
      return made;
    });
    expect(counts).to.deep.equal([1, 3]);
  });

  it("takes no more memory than it may", async () => {
    cluster.groups = 20_000; // Of which one answer is more than an eighth of a megabyte.
    await ask();
    expect((await ask()).summary.unchanged).to.equal(false);
    limits = { ...limits, answers: createKeptAnswers(0) };
    cluster.groups = 4;
    await ask();
    expect((await ask()).summary.unchanged).to.equal(false);
  });

  it("is none that the controller only believes to be there", async () => {
    cluster.isWrong = true;
    expect(await failureOf(ask)).to.include({ code: "BAD_MESSAGE" });
  });
});
