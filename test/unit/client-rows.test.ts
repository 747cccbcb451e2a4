import { inspect } from "node:util";
import { expect } from "chai";
import { afterEach, describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import type { GroupbyQuery } from "../../lib/client/arguments.js";
import { groupby } from "../../lib/client/groupby.js";
import { createMergeThread, type MergeThread } from "../../lib/client/merge-thread.js";
import { streamRows } from "../../lib/client/row-stream.js";
import type { Answer, Asker, Call, News } from "../../lib/client/session.js";
import type { Table } from "../../lib/client/table.js";
import { encodeRows } from "../../lib/engine/rows/slice-bytes.js";
import { noCost } from "../../lib/wire/costs.js";
import { failureOf } from "../support/failure.js";
import { until } from "../support/until.js";

const id = "0".repeat(32);
const limits = { timeoutMs: 60_000, mergeBytes: 1_000_000, mergeThread: createMergeThread(), differing: { keys: new Set<string>() } };
const query: GroupbyQuery = { tables: "t", keys: ["v"], aggregate: false };

/** What a made-up controller says of the one call there is, and the credit it was given. */
interface Script {
  accept(shards: number, attempt?: number): void;
  slice(ordinal: number, from: number, next: number | null, values: readonly number[], attempt?: number): void;
  leaveOut(ordinal: number): void;
  end(answer?: Partial<Answer>): void;
  readonly granted: number;
  readonly call: Call;
  readonly isCancelled: boolean;
}

function createSession(): { session: Asker; script: Script } {
  let call: Call | undefined;
  let [granted, isCancelled] = [0, false];
  let resolve: (answer: Answer) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  function tell(news: News, body: readonly Uint8Array[] = []): void {
    try {
      call!.onReply!(news, body, (_attempt, slices) => { granted += slices; });
    } catch (error) {
      reject(error);
    }
  }
  const script: Script = {
    accept: (shards, attempt = 1) => { tell({ type: "accepted", id, queryId: id, attempt, shards: Array.from({ length: shards }, (_, ordinal) => ({ ordinal, name: `t-${ordinal}.bcolzs`, generation: "a".repeat(64) })) }); },
    slice: (ordinal, from, next, values, attempt = 1) => {
      const columns = [{ values: { dtype: "int64", array: BigInt64Array.from(values, BigInt) }, isNull: null }] as const;
      tell({ type: "slice", id, attempt, ordinal, from, next, rows: values.length }, [encodeRows({ count: values.length, columns })]);
    },
    leaveOut: (ordinal) => { tell({ type: "leftOut", id, attempt: 1, ordinal }); },
    end: (answer = {}) => { resolve({ type: "result", id, value: null, cost: noCost, queuedMs: 0, workers: 1, retries: 0, ...answer }); },
    get granted() { return granted; },
    get call() { return call!; },
    get isCancelled() { return isCancelled; },
  };
  const ask = (asked: Call): Promise<Answer> => new Promise((resolveAsk, rejectAsk) => {
    [call, resolve, reject] = [asked, resolveAsk, rejectAsk];
    const end = (): void => {
      isCancelled = true;
      rejectAsk(new BquerydError("CANCELLED", "the call was cancelled"));
    };
    asked.signal?.addEventListener("abort", end);
    asked.onAsked?.(end);
  });
  return { session: { ask }, script };
}

/** What is asked is asked within the turn. */
async function untilAsked(): Promise<void> {
  await new Promise((resolve) => { setImmediate(resolve); });
}

/** The values of a collected answer to what the controller says. */
async function collect(input: Partial<GroupbyQuery>, say: (script: Script) => void): Promise<unknown[]> {
  const { session, script } = createSession();
  const asking = groupby(session, { ...query, ...input }, limits);
  await untilAsked();
  say(script);
  return [...await asking].map(({ v }) => v);
}

const name = "t-1.bcolzs";
const leftOut = [{ name, code: "IO", message: "cannot read", rows: 9 }];

describe("collected rows", () => {
  it("are in the order of shards, and their credit is given back as they come", async () => {
    const { session, script } = createSession();
    const asking = groupby(session, query, limits);
    await untilAsked();
    script.accept(2);
    script.slice(1, 0, null, [3]);
    script.slice(0, 0, 2, [1, 2]);
    expect(script.granted).to.equal(2);
    script.slice(0, 2, null, []);
    script.end();
    const table = await asking;
    expect([...table].map(({ v }) => v)).to.deep.equal([1, 2, 3]);
    expect(table.summary).to.include({ rows: 3, slices: 3, shards: 2, shardsAnswered: 2 });
  });

  it("of an earlier attempt and of a shard that is left out are dropped", async () => {
    expect(await collect({}, (script) => {
      script.accept(1);
      script.slice(0, 0, 1, [9]);
      script.accept(1, 2);
      script.slice(0, 1, null, [9], 1);
      script.slice(0, 0, null, [1], 2);
      script.end();
    })).to.deep.equal([1]);
    expect(await collect({ partial: "allow" }, (script) => {
      script.accept(3);
      script.slice(1, 0, 5, [9]);
      script.slice(2, 0, null, [3]);
      script.leaveOut(1);
      script.slice(0, 0, null, [1]);
      script.end({ leftOut });
    })).to.deep.equal([1, 3]);
  });

  it("that are cut short, come twice or with a gap are an error", async () => {
    for (const say of [
      (script: Script) => { script.accept(2); script.slice(0, 0, null, [1]); script.end(); },
      (script: Script) => { script.end(); },
      (script: Script) => { script.accept(1); script.slice(0, 0, 1, [1]); script.slice(0, 0, 1, [1]); },
      (script: Script) => { script.accept(1); script.slice(0, 1, null, [1]); },
      (script: Script) => { script.accept(1); script.slice(0, 0, null, [1]); script.slice(0, 0, null, [1]); },
      (script: Script) => { script.accept(1); script.slice(1, 0, null, [1]); },
    ]) expect((await failureOf(() => collect({}, say))).code).to.equal("BAD_MESSAGE");
  });

  it("with a limit are whole when there are enough of them from the first on", async () => {
    const say = (rows: readonly number[]) => (script: Script) => {
      expect(script.call.asks?.rows).to.deep.include({ rowsMax: 3 });
      script.accept(2);
      script.slice(1, 0, null, [7, 8, 9]);
      script.slice(0, 0, 5, rows);
      script.end();
    };
    expect(await collect({ limit: 2, offset: 1 }, say([1, 2, 3]))).to.deep.equal([2, 3]);
    expect((await failureOf(() => collect({ limit: 2, offset: 1 }, say([1, 2])))).code).to.equal("BAD_MESSAGE");
  });
});

describe("rows in an order", () => {
  const threads: MergeThread[] = [];
  afterEach(async () => { await Promise.all(threads.splice(0).map((thread) => thread.close())); });

  function ask(program: URL | undefined, more: Partial<GroupbyQuery>, mergeBytes = limits.mergeBytes): { asking: Promise<Table>; script: Script } {
    const { session, script } = createSession();
    const mergeThread = createMergeThread(program);
    threads.push(mergeThread);
    return { asking: groupby(session, { ...query, order: ["v"], ...more }, { ...limits, mergeThread, mergeBytes, timeoutMs: 60_000 }), script };
  }
  const say = (script: Script): void => {
    script.accept(2);
    script.slice(1, 0, null, [1, 8]);
    script.slice(0, 0, 2, [9, 3]);
    script.slice(0, 2, null, [5]);
  };

  it("are ordered in a thread, with credit when it has taken them, also of a new attempt", async () => {
    for (const [more, expected] of [[{}, [1, 3, 5, 8, 9]], [{ limit: 2, offset: 1 }, [3, 5]]] as const) {
      const { asking, script } = ask(undefined, more);
      await untilAsked();
      script.accept(1);
      script.slice(0, 0, null, [7]);
      say(script);
      await until("the credit is given back", () => script.granted >= 3);
      script.end();
      const table = await asking;
      expect([...table].map(({ v }) => v)).to.deep.equal(expected);
      expect(table.summary).to.include({ slices: 3, shards: 2, shardsAnswered: 2 });
    }
  });

  it("leave the loop free meanwhile, and end with their time and their signal", async () => {
    const stub = new URL("../support/merge-stub.js", import.meta.url);
    const abort = new AbortController();
    const { asking, script } = ask(stub, { signal: abort.signal });
    await untilAsked();
    say(script);
    script.end();
    const failing = failureOf(() => asking);
    await untilAsked();
    abort.abort();
    expect(await failing).to.include({ code: "CANCELLED" });
    const { session, script: late } = createSession();
    const [mergeThread] = threads;
    const slow = failureOf(() => groupby(session, { ...query, order: ["v"] }, { ...limits, mergeThread: mergeThread!, timeoutMs: 50 }));
    await untilAsked();
    say(late);
    late.end();
    expect(await slow).to.include({ code: "DEADLINE" });
  });

  it("that are wrong, or too many, end the call at once", async () => {
    const { asking, script } = ask(undefined, {});
    await untilAsked();
    script.accept(1);
    script.slice(0, 5, null, [1]);
    expect(await failureOf(() => asking)).to.include({ code: "BAD_MESSAGE" });
    expect(script.isCancelled).to.equal(true);
    const { asking: many, script: all } = ask(undefined, {}, 200);
    await untilAsked();
    say(all);
    expect(await failureOf(() => many)).to.include({ code: "MEMORY_LIMIT" });
  });
});

describe("streamed rows", () => {
  it("come in order, with credit for what is taken, and end with their summary", async () => {
    const { session, script } = createSession();
    const rows = streamRows(session, { ...query, offset: 1, limit: 3 }, limits);
    const tables = rows[Symbol.asyncIterator]();
    const first = tables.next();
    await untilAsked();
    script.accept(2);
    script.slice(1, 0, null, [4, 5, 6]);
    expect(script.granted, "nothing is in order yet").to.equal(0);
    script.slice(0, 0, 2, [1, 2]);
    expect([...(await first).value!].map(({ v }: { v: unknown }) => v)).to.deep.equal([2]);
    expect([script.granted, rows.summary]).to.deep.equal([1, null]);
    script.slice(0, 2, null, []);
    script.end();
    expect([...(await tables.next()).value!].map(({ v }: { v: unknown }) => v)).to.deep.equal([4, 5]);
    expect((await tables.next()).done).to.equal(true);
    expect(rows.summary).to.include({ rows: 3, slices: 3 });
    expect((await failureOf(() => rows[Symbol.asyncIterator]().next())).code).to.equal("USAGE");
  });

  it("begin anew as long as none were given, and are STALE after that", async () => {
    const { session, script } = createSession();
    const tables = streamRows(session, query, limits)[Symbol.asyncIterator]();
    const first = tables.next();
    await untilAsked();
    script.accept(2);
    script.slice(1, 0, null, [9]);
    script.accept(1, 2);
    script.slice(0, 0, 1, [1], 2);
    expect([...(await first).value!].map(({ v }: { v: unknown }) => v)).to.deep.equal([1]);
    script.accept(1);
    expect((await failureOf(() => tables.next())).code).to.equal("STALE");
  });

  it("say at a prompt how they are taken", () => {
    expect(inspect(streamRows(createSession().session, query, limits))).to.match(/for await \(const table of rpc\.rows/);
  });

  it("tell how long they took when the loop is left, and when they fail", async () => {
    const { session, script } = createSession();
    const took: number[] = [];
    const tables = streamRows(session, query, limits, (ms) => took.push(ms))[Symbol.asyncIterator]();
    const first = tables.next();
    await untilAsked();
    script.accept(1);
    script.slice(0, 0, 1, [1]);
    await first;
    expect(took).to.have.length(0);
    await tables.return!();
    expect(took).to.have.length(1);
    const failing = streamRows(session, { tables: "t" }, limits, (ms) => took.push(ms))[Symbol.asyncIterator]();
    await failureOf(() => failing.next());
    expect(took).to.have.length(2);
    for (const ms of took) expect(ms).to.be.within(0, 60_000);
  });

  it("cancel their call when the loop is left, and fail with it", async () => {
    const { session, script } = createSession();
    const tables = streamRows(session, query, limits)[Symbol.asyncIterator]();
    const first = tables.next();
    await untilAsked();
    script.accept(1);
    script.slice(0, 0, 1, [1]);
    await first;
    await tables.return!();
    expect(script.isCancelled).to.equal(true);
  });
});

describe("arguments of groupby", () => {
  it("that are wrong are refused", async () => {
    const asking = async (input: object): Promise<string> => (await failureOf(() => groupby(createSession().session, { ...query, ...input }, limits))).code;
    expect(await asking({ partial: "maybe" })).to.equal("USAGE");
    expect(await asking({ missing: "maybe" })).to.equal("BAD_QUERY");
    expect(await asking({ generations: "newest" })).to.equal("USAGE");
    expect(await asking({ generations: new Map([["t.bcolz", 1]]) })).to.equal("USAGE");
    expect(await asking({ aggregate: "no" })).to.equal("BAD_QUERY");
  });
});
