import { expect } from "chai";
import { afterEach, describe, it } from "mocha";
import { monotonicMs } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { readArguments, type GroupbyQuery } from "../../lib/client/arguments.js";
import type { OnPartial, PartialProgress } from "../../lib/client/drafts.js";
import { groupby } from "../../lib/client/groupby.js";
import { createKeptAnswers } from "../../lib/client/kept-answers.js";
import { createMergeThread, type MergeThread } from "../../lib/client/merge-thread.js";
import { createMerger, draftGroups, renderGroups } from "../../lib/client/merger.js";
import type { Answer, Asker, Call } from "../../lib/client/session.js";
import type { Table } from "../../lib/client/table.js";
import type { Partial } from "../../lib/engine/partial.js";
import { encodePartial } from "../../lib/engine/partial-bytes.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { noCost } from "../../lib/wire/costs.js";
import { failureOf } from "../support/failure.js";
import { until } from "../support/until.js";

const id = "0".repeat(32);
const query = { tables: "t", keys: ["k"], measures: [["v", "sum", "v"]], order: [["v", "desc"]], limit: 5 } as const;

/** Groups from 0 on, each with a float sum of its own in this shard, whose sums over shards depend on the order they are added in. */
function sumsOf(shard: number, groups: number): Partial {
  const domain = { dtype: "int64" as const, array: BigInt64Array.from({ length: groups }, (_, k) => BigInt(k)) };
  return {
    groups, keys: [{ dtype: "int64", domain, codes: null, source: null }], rows: new Float64Array(groups).fill(1),
    states: [{ kind: "count", counts: null }, { kind: "sum", dtype: "float64", decimals: [], pairs: Float64Array.from({ length: 2 * groups }, (_, k) => (k % 2 === 0 ? Math.sin(k + shard) * 10 ** (shard % 13) : 0)) }],
  };
}

/** A controller that says what it is told to: partials of shards, in any order, and in the end that all has come. */
interface Stage {
  readonly session: Asker;
  readonly calls: Call[];
  /** Those that were cancelled. */
  readonly ended: ReadonlySet<Call>;
  /** Waits for the call at first. */
  accept(shards: number): Promise<void>;
  send(shard: number, partial: Partial | null): void;
  answer(more?: { unchanged: true }): void;
}

function openStage(): Stage {
  const calls: Call[] = [];
  const ended = new Set<Call>();
  let answer!: (outcome: Answer) => void;
  let attempt = 0;
  const say = (news: Parameters<NonNullable<Call["onReply"]>>[0], body: readonly Uint8Array[]): void => { calls.at(-1)!.onReply!(news, body, () => undefined); };
  return {
    calls, ended,
    session: {
      ask: (call) => new Promise((resolve, reject) => {
        calls.push(call);
        answer = resolve;
        const end = (): void => {
          ended.add(call);
          reject(new BquerydError("CANCELLED", "the call was cancelled"));
        };
        call.signal?.addEventListener("abort", end);
        call.onAsked?.(end);
      }),
    },
    async accept(shards) {
      await until("there is a call", () => calls.length > 0);
      attempt += 1;
      say({ type: "accepted", id, queryId: id, attempt, shards: Array.from({ length: shards }, (_, ordinal) => ({ name: `t-${ordinal}.bcolzs`, ordinal, generation: "0".repeat(64) })) }, []);
    },
    send(shard, partial) {
      if (partial === null) say({ type: "leftOut", id, attempt, ordinal: shard }, []);
      else say({ type: "partial", id, attempt, block: { start: shard, size: 1 } }, [encodePartial(partial)]);
    },
    answer(more = undefined) { answer({ type: "result", id, value: null, cost: noCost, queuedMs: 0, workers: 1, retries: 0, ...more }); },
  };
}

describe("the tables of onPartial", function () {
  this.timeout(60_000);
  const threads: MergeThread[] = [];

  afterEach(async () => {
    await Promise.all(threads.splice(0).map((thread) => thread.close()));
  });

  function ask(session: Asker, onPartial: OnPartial | undefined, more: { readonly [K in keyof GroupbyQuery]?: GroupbyQuery[K] } = {}, answers = createKeptAnswers(0)): Promise<Table> {
    const mergeThread = createMergeThread();
    threads.push(mergeThread);
    return groupby(session, { ...query, ...more, ...(onPartial === undefined ? {} : { onPartial }) }, { timeoutMs: 20_000, mergeBytes: 2 ** 27, mergeThread, answers, differing: { keys: new Set() } });
  }

  /** What the answer is when the other shards are left out. */
  async function answerOf(shards: number, done: ReadonlySet<number>, groups: number): Promise<Table> {
    const stage = openStage();
    const asked = ask(stage.session, undefined);
    await stage.accept(shards);
    for (let shard = 0; shard < shards; shard++) stage.send(shard, done.has(shard) ? sumsOf(shard, groups) : null);
    stage.answer();
    return asked;
  }

  for (const [what, groups] of [["merged here", 50], ["merged in the thread", 12_000]] as const) {
    it(`are bit for bit the answers without what is not in yet, where they are ${what}, and the last is the answer`, async () => {
      const stage = openStage();
      const seen: { csv: string; progress: PartialProgress; answered: number; rowsMissing: number | null }[] = [];
      let last: Table | undefined;
      const asked = ask(stage.session, (table, progress) => {
        last = table;
        seen.push({ csv: table.toCSV(), progress, answered: table.summary.shardsAnswered, rowsMissing: table.summary.coverage.rowsMissing });
        // It is the caller's to write into, and changes no other.
        (table.column("v").values as Float64Array).fill(0);
      });
      await stage.accept(13);
      const done = new Set<number>();
      const inTurn = [[7, 2], [3], [12, 0, 1, 9, 4]];
      for (const shards of inTurn) {
        for (const shard of shards) {
          stage.send(shard, sumsOf(shard, groups));
          done.add(shard);
        }
        await until("it is shown", () => seen.at(-1)?.progress.shards === done.size);
        expect(seen.at(-1)).to.deep.equal({ csv: (await answerOf(13, done, groups)).toCSV(), progress: { fraction: done.size / 13, shards: done.size, of: 13 }, answered: done.size, rowsMissing: null });
      }
      for (const shard of [5, 6, 8, 10, 11]) stage.send(shard, sumsOf(shard, groups));
      stage.answer();
      const answer = await asked;
      expect(last).to.equal(answer);
      expect(seen).to.have.length(inTurn.length + 1);
      expect(seen.at(-1)).to.deep.include({ progress: { fraction: 1, shards: 13, of: 13 }, answered: 13, rowsMissing: 0, csv: (await answerOf(13, new Set(Array.from({ length: 13 }, (_, k) => k)), groups)).toCSV() });
    });
  }

  it("are not shown of quick calls, but for the answer, and once of an answer that was kept", async () => {
    const answers = createKeptAnswers(2 ** 20);
    const seen: PartialProgress[] = [];
    for (const [again, isKept] of [false, true].entries()) {
      const stage = openStage();
      const asked = ask(stage.session, (_table, progress) => { seen.push(progress); }, {}, answers);
      await stage.accept(2);
      if (!isKept) for (const shard of [0, 1]) stage.send(shard, sumsOf(shard, 3));
      stage.answer(isKept ? { unchanged: true } : undefined);
      expect((await asked).summary.unchanged).to.equal(isKept);
      expect(seen).to.have.length(again + 1);
    }
    expect(seen).to.deep.equal([{ fraction: 1, shards: 2, of: 2 }, { fraction: 1, shards: 2, of: 2 }]);
  });

  it("wait for the one before, leave out what is old, and come at most ten times a second", async () => {
    const stage = openStage();
    const seen: number[] = [];
    const times: number[] = [];
    let [running, release] = [0, (): void => undefined];
    const asked = ask(stage.session, async (_table, { shards }) => {
      expect(running).to.equal(0);
      running += 1;
      seen.push(shards);
      times.push(monotonicMs());
      if (seen.length === 1) await new Promise<void>((resolve) => { release = resolve; });
      running -= 1;
    });
    await stage.accept(25);
    stage.send(0, sumsOf(0, 3));
    await until("the first is shown", () => seen.length === 1);
    for (let shard = 1; shard < 20; shard++) stage.send(shard, sumsOf(shard, 3));
    release();
    await until("the newest is shown", () => seen.length === 2);
    expect(seen).to.deep.equal([1, 20]);
    for (let shard = 20; shard < 24; shard++) {
      stage.send(shard, sumsOf(shard, 3));
      await until("it is shown", () => seen.at(-1) === shard + 1);
    }
    stage.send(24, sumsOf(24, 3));
    stage.answer();
    await asked;
    expect(seen).to.deep.equal([1, 20, 21, 22, 23, 24, 25]);
    for (let at = 1; at < times.length - 1; at++) expect(times[at]! - times[at - 1]!).to.be.at.least(95);
  });

  it("begin at nothing again with a new attempt, and show nothing of the one before", async () => {
    const stage = openStage();
    const seen: PartialProgress[] = [];
    const asked = ask(stage.session, (_table, progress) => { seen.push(progress); });
    await stage.accept(4);
    for (const shard of [0, 1, 2]) stage.send(shard, sumsOf(shard, 3));
    await until("it is shown", () => seen.length === 1);
    await stage.accept(2);
    stage.send(1, sumsOf(1, 3));
    await until("the new one is shown", () => seen.length === 2);
    stage.send(0, sumsOf(0, 3));
    stage.answer();
    await asked;
    expect(seen.map(({ shards, of }) => [shards, of])).to.deep.equal([[3, 4], [1, 2], [2, 2]]);
  });

  it("fail the call with what the function throws, early or late, and cancel it at the controller", async () => {
    for (const isLate of [false, true]) {
      for (const fail of [() => { throw new TypeError("mine"); }, () => Promise.reject(new TypeError("mine"))]) {
        const stage = openStage();
        let shown = 0;
        const asked = ask(stage.session, (_table, { fraction }) => {
          shown += 1;
          return (fraction === 1) === isLate ? fail() : undefined;
        }).catch((cause: unknown) => cause);
        await stage.accept(2);
        stage.send(0, sumsOf(0, 3));
        if (isLate) {
          stage.send(1, sumsOf(1, 3));
          stage.answer();
        }
        expect(await asked).to.be.instanceOf(TypeError).and.include({ message: "mine" });
        expect(stage.ended.has(stage.calls[0]!)).to.equal(!isLate);
        expect(shown).to.equal(1);
      }
    }
  });

  it("end the call in time where the function does not, and with its signal", async () => {
    for (const [code, end] of [["CANCELLED", true], ["DEADLINE", false]] as const) {
      const stage = openStage();
      const abort = new AbortController();
      const mergeThread = createMergeThread();
      threads.push(mergeThread);
      const asked = failureOf(() => groupby(stage.session, { ...query, signal: abort.signal, onPartial: () => new Promise<void>(() => { if (end) abort.abort(); }) }, { timeoutMs: 300, mergeBytes: 2 ** 24, mergeThread, differing: { keys: new Set() } }));
      await stage.accept(1);
      stage.send(0, sumsOf(0, 3));
      stage.answer();
      expect(await asked).to.include({ code });
    }
  });

  it("pass over what cannot be shown: a number that leaves its dtype and comes back, and what there is no room for", () => {
    const asked = parseQuery({ keys: ["k"], measures: [["v", "sum", "v"], { expr: "v * 4096", as: "more" }] });
    const whole = (value: number): Partial => ({ ...sumsOf(0, 1), states: [{ kind: "count", counts: null }, { kind: "sum", dtype: "int64", sums: Float64Array.of(value) }] });
    const merger = createMerger(asked, 4, { bytesMax: 2 ** 20 });
    const shown = [0, 1, 2 ** 52, -(2 ** 52), 2].map((value, place) => {
      if (place > 0) merger.add({ start: place - 1, size: 1 }, encodePartial(whole(value)));
      return draftGroups(asked, merger)?.done;
    });
    expect(shown).to.deep.equal([undefined, 1, undefined, 3, 4]);
    expect(renderGroups(asked, merger).result.columns[2]!.values).to.deep.include({ array: BigInt64Array.of(3n * 4096n) });
    const [large, roomy, tight] = [encodePartial(sumsOf(0, 1_000)), createMerger(asked, 2, { bytesMax: 2 ** 20 }), createMerger(asked, 2, { bytesMax: 60_000 })];
    for (const held of [roomy, tight]) held.add({ start: 0, size: 1 }, large);
    expect([roomy, tight].map((held) => draftGroups(asked, held)?.done)).to.deep.equal([1, undefined]);
  });

  it("are of groups alone, and of functions", async () => {
    const refused: [verb: "groupby" | "rows", options: object, words: RegExp][] = [
      ["groupby", { onPartial: 5 }, /^onPartial is no function/], ["groupby", { onPartial: () => undefined, aggregate: false }, /rpc\.rows/], ["rows", { onPartial: () => undefined }, /rpc\.rows/],
    ];
    for (const [verb, options, words] of refused) {
      for (const args of [["t", ["k"], [], [], options], [{ tables: "t", keys: ["k"], ...options }]]) {
        const failure = await failureOf(() => Promise.resolve().then(() => readArguments(verb, args)));
        expect(failure).to.include({ code: "USAGE" });
        expect(failure.message).to.match(words);
      }
    }
  });
});
