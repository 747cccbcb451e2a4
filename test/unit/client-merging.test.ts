import { expect } from "chai";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterEach, describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import type { GroupbyQuery } from "../../lib/client/arguments.js";
import { groupby } from "../../lib/client/groupby.js";
import { createMergeThread, type MergeThread } from "../../lib/client/merge-thread.js";
import { createMerger } from "../../lib/client/merger.js";
import type { Answer, Asker, Call, News } from "../../lib/client/session.js";
import type { Table } from "../../lib/client/table.js";
import type { Partial } from "../../lib/engine/partial.js";
import { encodePartial } from "../../lib/engine/partial-bytes.js";
import { decodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { noCost } from "../../lib/wire/costs.js";
import { failureOf } from "../support/failure.js";
import { stubShards } from "../support/merge-stub.js";

const id = "0".repeat(32);
const query = { tables: "t", keys: ["k"], measures: [["v", "sum", "v"]], order: [["v", "desc"]] } as const;
const asked = parseQuery({ keys: ["k"], measures: [["v", "sum", "v"]] });
const stub = new URL("../support/merge-stub.js", import.meta.url);

/** Sums of every `step`th whole number below a limit; 40,000 of them pass what is merged in the client. */
function partialOf(below: number, step: number, dtype: "int64" | "string" = "int64"): Partial {
  const groups = Math.ceil(below / step);
  const array = BigInt64Array.from({ length: groups }, (_, k) => BigInt(k * step));
  const domain = dtype === "int64" ? { dtype, array } : { dtype, offsets: new Uint32Array(groups + 1), bytes: new Uint8Array(0) };
  return {
    groups, keys: [{ dtype, domain, codes: null, source: null }], rows: new Float64Array(groups).fill(1),
    states: [{ kind: "count", counts: null }, { kind: "sum", dtype: "int64", sums: Float64Array.from(array, (value) => Number(value) * step) }],
  };
}

/** Sums of a half in each of the groups 0, 1, 2, ... */
function floatsOf(groups: number): Partial {
  const domain = { dtype: "int64" as const, array: BigInt64Array.from({ length: groups }, (_, k) => BigInt(k)) };
  return {
    groups, keys: [{ dtype: "int64", domain, codes: null, source: null }], rows: new Float64Array(groups).fill(1),
    states: [{ kind: "count", counts: null }, { kind: "sum", dtype: "float64", decimals: [], pairs: Float64Array.from({ length: 2 * groups }, (_, k) => (k % 2 === 0 ? 0.5 : 0)) }],
  };
}

type Part = [start: number, size: number, partial: Partial];

/** A controller that answers every call with these partials, or bytes of them, one a shard, and is told what becomes of the call; with `ends` false it says no more. */
function answering(partials: readonly (Partial | Uint8Array)[], ends = true): { session: Asker; isCancelled(): boolean } {
  const accepted: News = { type: "accepted", id, queryId: id, attempt: 1, shards: partials.map((_, ordinal) => ({ name: `t-${ordinal}.bcolzs`, ordinal, generation: id })) };
  let isCancelled = false;
  const ask = async (call: Call): Promise<Answer> => {
    call.onReply!(accepted, [], () => undefined);
    partials.forEach((partial, start) => { call.onReply!({ type: "partial", id, attempt: 1, block: { start, size: 1 } }, [partial instanceof Uint8Array ? partial : encodePartial(partial)], () => undefined); });
    await new Promise((resolve, reject) => {
      // The result comes in a later turn, as from a socket.
      if (ends) setImmediate(resolve);
      const end = (): void => {
        isCancelled = true;
        reject(new BquerydError("CANCELLED", "the call was cancelled"));
      };
      call.signal?.addEventListener("abort", end);
      call.onAsked?.(end);
    });
    return { type: "result", id, value: null, cost: noCost, queuedMs: 0, workers: 1, retries: 0 };
  };
  return { session: { ask }, isCancelled: () => isCancelled };
}

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => { setImmediate(resolve); });
}

describe("the merging of an answer", () => {
  const threads: MergeThread[] = [];
  let opened = 0;

  /** A thread that is closed after the test, and counts its jobs. */
  function open(program?: URL): MergeThread {
    const thread = createMergeThread(program);
    threads.push(thread);
    opened = 0;
    return { ...thread, open: (...args) => { opened += 1; return thread.open(...args); } };
  }
  function ask(partials: readonly Partial[], mergeThread: MergeThread, more: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<Table> {
    const { timeoutMs = 10_000, ...rest } = more;
    return groupby(answering(partials).session, { ...query, ...rest }, { timeoutMs, mergeBytes: 2 ** 24, mergeThread, differing: { keys: new Set() } });
  }

  afterEach(async () => {
    await Promise.all(threads.splice(0).map((thread) => thread.close()));
  });

  it("takes runs of shards that are no block, and refuses what came before, is past the end or does not add up", async () => {
    const merge = (count: number, ...parts: Part[]): unknown[] => {
      const merger = createMerger(asked, count, { bytesMax: Infinity });
      for (const [start, size, partial] of parts) merger.add({ start, size }, encodePartial(partial));
      return [merger.partial().groups, Buffer.from(encodePartial(merger.partial())).toString("latin1")];
    };
    const refused = (...parts: Part[]): Promise<BquerydError> => failureOf(async () => {
      await nextTurn();
      merge(5, ...parts);
    });
    const [thirds, halves, whole] = [partialOf(300, 3), partialOf(300, 2), partialOf(300, 1)];
    const [left, right] = [createMerger(asked, 2, { bytesMax: Infinity }), createMerger(asked, 3, { bytesMax: Infinity })];
    left.add({ start: 0, size: 1 }, encodePartial(thirds));
    left.add({ start: 1, size: 1 }, encodePartial(halves));
    right.add({ start: 0, size: 2 }, encodePartial(whole));
    right.add({ start: 2, size: 1 }, encodePartial(halves));
    expect(merge(5, [2, 3, right.partial()], [0, 2, left.partial()])).to.deep.equal(merge(5, [0, 1, thirds], [1, 1, halves], [2, 2, whole], [4, 1, halves]));
    expect(await refused([1, 3, whole], [3, 1, whole])).to.include({ code: "BAD_MESSAGE", message: "a partial of the shards 3 to 3 came twice, or there are no such shards; ask again" });
    expect(await refused([0, 1, whole], [0, 3, whole])).to.include({ code: "BAD_MESSAGE" });
    expect(await refused([3, 3, whole])).to.include({ code: "BAD_MESSAGE" });
    expect(await refused([0, 3, floatsOf(1)])).to.include({ code: "BAD_MESSAGE", message: "a partial of shards that are no block does not add up in any order; a worker is broken" });
  });

  it("is asked for a second time, by aligned blocks, where runs come beside what does not add up in any order", async () => {
    const asks: string[] = [];
    const ask = async (call: Call): Promise<Answer> => {
      const { blocks } = decodeQuery(call.body[0]!);
      asks.push(blocks);
      const parts: Part[] = blocks === "any" ? [[0, 3, partialOf(6, 1)], [3, 1, floatsOf(6)]] : [[0, 2, partialOf(6, 1)], [2, 2, floatsOf(6)]];
      call.onReply!({ type: "accepted", id, queryId: id, attempt: 1, shards: [0, 1, 2, 3].map((ordinal) => ({ name: `t-${ordinal}.bcolzs`, ordinal, generation: id })) }, [], () => undefined);
      for (const [start, size, partial] of parts) call.onReply!({ type: "partial", id, attempt: 1, block: { start, size } }, [encodePartial(partial)], () => undefined);
      await nextTurn();
      return { type: "result", id, value: null, cost: noCost, queuedMs: 0, workers: 1, retries: 0 };
    };
    const limits = { timeoutMs: 60_000, mergeBytes: 2 ** 24, mergeThread: open(), differing: { keys: new Set<string>() } };
    const table = await groupby({ ask }, query, limits);
    expect(asks).to.deep.equal(["any", "aligned"]);
    await groupby({ ask }, query, limits);
    expect(asks, "once it is known").to.deep.equal(["any", "aligned", "aligned"]);
    expect(table.column("v").values).to.deep.equal(Float64Array.from([5.5, 4.5, 3.5, 2.5, 1.5, 0.5]));
  });

  it("is left to a thread where it is large, and is the same", async () => {
    const thread = open();
    const small = await ask([partialOf(300, 3), partialOf(300, 2)], thread);
    expect(opened).to.equal(0);
    const large = await ask([partialOf(60_000, 3), partialOf(60_000, 2), partialOf(60_000, 1)], thread);
    expect(opened).to.equal(1);
    expect(small.numRows).to.equal(200);
    const expected = Array.from({ length: 60_000 }, (_, k) => ({ k, v: k + (k % 3 === 0 ? 3 * k : 0) + (k % 2 === 0 ? 2 * k : 0) })).sort((a, b) => b.v - a.v || a.k - b.k);
    expect(large.column("k").values).to.deep.equal(BigInt64Array.from(expected, ({ k }) => BigInt(k)));
    expect(large.column("v").values).to.deep.equal(BigInt64Array.from(expected, ({ v }) => BigInt(v)));
    expect(large.summary.mergedMs).to.be.above(0);
  });

  it("that fails in the thread fails the call at once, and cancels it", async () => {
    const thread = open();
    const { session, isCancelled } = answering([new Uint8Array(2 ** 21)], false);
    const error = await failureOf(() => groupby(session, query, { timeoutMs: 60_000, mergeBytes: 2 ** 24, mergeThread: thread, differing: { keys: new Set() } }));
    expect(error).to.include({ code: "BAD_MESSAGE" });
    expect(isCancelled()).to.equal(true);
    expect(await failureOf(() => ask([partialOf(90_000, 1), partialOf(90_000, 1, "string")], thread))).to.include({ code: "SCHEMA_MISMATCH" });
  });

  it("holds no more than it may, counting what partials take and not the bytes they come in, here and in the thread", async () => {
    const askWithin = (mergeBytes: number, partials: readonly Partial[]): Promise<Table> => groupby(answering(partials).session, query, { timeoutMs: 60_000, mergeBytes, mergeThread: open(), differing: { keys: new Set() } });
    // Numbers below 256 come in a byte each and take eight.
    const narrow = (below: number): Partial => ({ ...partialOf(below, 1), states: [{ kind: "count", counts: null }, { kind: "sum", dtype: "int64", sums: Float64Array.from({ length: below }, (_, k) => k % 200) }] });
    for (const [below, threads] of [[10_000, 0], [200_000, 1]] as const) {
      const bytes = encodePartial(narrow(below)).length;
      const failure = await failureOf(() => askWithin(1.5 * bytes, [narrow(below)]));
      expect(failure).to.include({ code: "MEMORY_LIMIT" });
      expect(failure.message).to.match(/grouping by 'k'.*merge_memory/);
      expect(opened).to.equal(threads);
      expect((await askWithin(4 * bytes, [narrow(below)])).numRows).to.equal(below);
    }
  });

  it("counts what one partial takes before it is decoded, and what the columns of its answer take", async () => {
    const [groups, bins] = [200, 1_000];
    const counts = Float64Array.from({ length: groups * (bins + 2) }, (_, cell) => cell % 251);
    const keys = BigInt64Array.from({ length: groups }, (_, k) => BigInt(k));
    const wide = encodePartial({
      groups, keys: [{ dtype: "int64", domain: { dtype: "int64", array: keys }, codes: null, source: null }], rows: Float64Array.from(keys, (key) => Number(key % 7n) + 1),
      states: [{ kind: "histogram", inputs: ["float64"], cells: bins + 2, counts }, { kind: "count", counts: null }],
    });
    const measures = [...["h", "i", "j"].map((name) => ["v", "histogram", name, { bins, low: 0, high: 1 }]), ["*", "count", "n"]];
    const askWithin = (mergeBytes: number, more: { readonly [K in keyof GroupbyQuery]?: GroupbyQuery[K] } = {}): Promise<Table> => groupby(answering([wide]).session, { tables: "t", keys: ["k"], measures, ...more }, { timeoutMs: 60_000, mergeBytes, mergeThread: open(), differing: { keys: new Set() } });
    // A byte each, which takes eight.
    const undecoded = await failureOf(() => askWithin(4 * wide.length, { limit: 1 }));
    expect(undecoded).to.include({ code: "MEMORY_LIMIT" });
    expect(undecoded.message).to.match(/^grouping by 'k' takes \d+ bytes to merge/);
    const whole = await askWithin(30 * wide.length);
    for (const more of [{}, { having: [["n", ">", 0]] }]) expect((await failureOf(() => askWithin(12 * wide.length, more))).message).to.match(/^grouping by 'k' gives columns of \d+ bytes, more than the \d+ of merge_memory/);
    for (const more of [{ limit: 3, offset: 1 }, { having: [["k", "in", [5, 199]]] }, { order: [["n", "desc"]], limit: 4 }] as const) {
      const page = await askWithin(12 * wide.length, more);
      expect(page.numRows).to.be.within(2, 4);
      for (const row of page.rows()) expect(row).to.deep.equal(whole.rows()[Number(row["k"])]);
      const places = Array.from(page.column("k").values as BigInt64Array, Number);
      const [some, all] = [page.column("h").bins!, whole.column("h").bins!];
      expect([...some.over as BigInt64Array]).to.deep.equal(places.map((place) => (all.over as BigInt64Array)[place]));
    }
    expect((await failureOf(() => askWithin(30 * wide.length, { order: ["h"], limit: 1 }))).message).to.match(/'h', which is of lists/);
  });

  it("of many partials of the same groups takes no more than a few of them do", async () => {
    const same = Array.from({ length: 32 }, () => partialOf(20_000, 1));
    const taken = 32 * encodePartial(same[0]!).length;
    expect((await groupby(answering(same).session, query, { timeoutMs: 60_000, mergeBytes: taken, mergeThread: open(), differing: { keys: new Set() } })).numRows).to.equal(20_000);
  });

  it("fails with what the thread dies of, and the next one has another thread", async () => {
    const thread = open(stub);
    const large = partialOf(150_000, 1);
    const jobOf = (shards: number): Promise<Table> => ask(Array.from({ length: shards }, () => large), thread);
    expect(await failureOf(() => jobOf(stubShards.exit))).to.include({ code: "INTERNAL", message: "the thread that merges partial answers ended unexpectedly: exit code 3; ask again" });
    expect(await failureOf(() => jobOf(stubShards.crash))).to.include({ code: "INTERNAL", message: "the thread that merges partial answers ended unexpectedly: a defect; ask again" });
    const failing = failureOf(() => jobOf(stubShards.forever));
    // What is asked is asked within the turn.
    await nextTurn();
    await thread.close();
    expect(await failing).to.include({ code: "CANCELLED" });
  });

  it("ends when the call does, by signal and by time", async () => {
    const thread = open(stub);
    const large = Array.from({ length: stubShards.forever }, () => partialOf(60_000, 1));
    expect(await failureOf(() => ask(large, thread, { timeoutMs: 100 }))).to.include({ code: "DEADLINE" });
    const abort = new AbortController();
    const failing = failureOf(() => ask(large, thread, { signal: abort.signal }));
    // Some turns later all has been said, and the thread is waited for.
    for (let turn = 0; turn < 5; turn++) await nextTurn();
    abort.abort();
    expect(await failing).to.include({ code: "CANCELLED" });
  });

  it("keeps no process alive that has nothing else to do", async function ends() {
    this.timeout(60_000);
    const script = `
      import { createMergeThread } from ${JSON.stringify(new URL("../../lib/client/merge-thread.js", import.meta.url).href)};
      import { encodeQuery } from ${JSON.stringify(new URL("../../lib/engine/query/bytes.js", import.meta.url).href)};
      import { parseQuery } from ${JSON.stringify(new URL("../../lib/engine/query/query.js", import.meta.url).href)};
      const query = parseQuery({ keys: [], measures: [["*", "count", "rows"]] });
      const { result } = await createMergeThread().open(encodeQuery(query), { shardCount: 0, bytesMax: 1 }, () => undefined).finish(5_000);
      console.log(result.numRows);
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
    expect(stdout).to.equal("1\n");
  });
});
