import { expect } from "chai";
import { describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { watchCalls, type CallWatch } from "../../lib/client/call-watch.js";
import type { Asker, Call, News } from "../../lib/client/session.js";
import { failureOf } from "../support/failure.js";

type Told = Parameters<ReturnType<CallWatch["begin"]>["update"]>[0];

const id = "0".repeat(32);
const shard = { name: "t.bcolz", generation: "0".repeat(64) };
const accepted = (shards: number): News => ({ type: "accepted", id, queryId: id, attempt: 1, shards: Array.from({ length: shards }, (_, ordinal) => ({ ...shard, ordinal })) });
const slice = (ordinal: number, next: number | null): News => ({ type: "slice", id, attempt: 1, ordinal, from: 0, next, rows: 5 });

describe("who watches calls", () => {
  /** Asks a cluster that says these things and then fails; gives what the caller and the watch were told. */
  async function ask(news: readonly News[], more: Partial<Call> = {}): Promise<{ heard: number; told: (Told | "begin" | "end")[] }> {
    const told: (Told | "begin" | "end")[] = [];
    let heard = 0;
    const cluster: Asker = {
      ask(call) {
        for (const reply of news) call.onReply?.(reply, [], () => undefined);
        return Promise.reject(new BquerydError("BUSY", "later"));
      },
    };
    const watched = watchCalls(cluster, {
      begin() {
        told.push("begin");
        return { update: (progress) => { told.push(progress); }, end: () => { told.push("end"); } };
      },
    });
    const call: Call = { verb: "groupby", tables: [], columns: [], body: [], isSafe: true, timeoutMs: 1_000, onReply: () => { heard += 1; }, ...more };
    expect(await failureOf(() => watched.ask(call))).to.include({ code: "BUSY" });
    return { heard, told };
  }

  it("hears of the shards that are done, from nothing again with a new attempt, and of the end", async () => {
    const partial: News = { type: "partial", id, attempt: 1, block: { start: 0, size: 2 } };
    const { heard, told } = await ask([accepted(5), partial, { type: "leftOut", id, attempt: 1, ordinal: 2 }, accepted(3), slice(0, 5), slice(0, null), slice(1, null)]);
    expect(heard).to.equal(7);
    expect(told).to.deep.equal(["begin", ...[[0, 5], [2, 5], [3, 5], [0, 3], [0, 3], [1, 3], [2, 3]].map(([shards, of]) => ({ shards, of })), "end"]);
  });

  it("hears nothing of calls whose callers show how far they are", async () => {
    expect(await ask([accepted(1)], { isShown: true })).to.deep.equal({ heard: 1, told: [] });
  });
});
