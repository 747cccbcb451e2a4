import { setImmediate as nextTurn } from "node:timers/promises";
import { expect } from "chai";
import { describe, it } from "mocha";
import { median, measureInTurn } from "../../misc/bench/measure.js";
import { formatJson, formatResults, meansOf, type SizedResult, type TimedResult } from "../../misc/bench/report.js";

const result: TimedResult = {
  bench: "q1", mode: "warm", rows: 1_000_000, times: { medianMs: 4, minMs: 3.5 },
  peer: { name: "duckdb 1.0.0", times: { medianMs: 10, minMs: 9 } },
};
const alone: TimedResult = { ...result, bench: "ping", rows: 0, peer: null };

describe("bench", () => {
  it("takes the middle of an odd count, and the mean of the two in the middle of an even one", () => {
    expect(median([9, 1, 5])).to.equal(5);
    expect(median([9, 1, 5, 4])).to.equal(4.5);
  });

  it("runs the contenders in turn, one after the other, and times only what follows the warm-ups", async () => {
    const order: string[] = [];
    const contender = (name: string) => async (): Promise<void> => {
      order.push(`${name} begins`);
      await nextTurn();
      order.push(`${name} ends`);
    };
    const times = await measureInTurn([contender("a"), contender("b")], { warmUps: 1, timed: 2 }, new AbortController().signal);
    const round = ["a begins", "a ends", "b begins", "b ends"];
    expect(order).to.deep.equal([...round, ...round, ...round]);
    expect(times).to.have.length(2);
    for (const { medianMs, minMs } of times) expect(medianMs).to.be.at.least(minMs).and.above(0);
  });

  it("stops between two runs when it is interrupted", async () => {
    const interruption = new AbortController();
    let runs = 0;
    const contender = async (): Promise<void> => {
      runs += 1;
      if (runs === 3) interruption.abort(new Error("interrupted"));
    };
    const failure: unknown = await measureInTurn([contender], { warmUps: 3, timed: 7 }, interruption.signal).catch((cause: unknown) => cause);
    expect(failure).to.be.an("error").with.property("message", "interrupted");
    expect(runs).to.equal(3);
  });

  it("prints a result as a line of JSON, with nulls where nothing is compared", () => {
    expect(JSON.parse(formatJson(result))).to.deep.equal({
      bench: "q1", mode: "warm", rows: 1_000_000, median_ms: 4, min_ms: 3.5, peer: "duckdb 1.0.0", peer_median_ms: 10, ratio: 2.5,
    });
    expect(JSON.parse(formatJson(alone))).to.include({ bench: "ping", peer: null, peer_median_ms: null, ratio: null });
  });

  it("prints results as a table, and the geometric mean of each mode that has a peer", () => {
    const slower: TimedResult = { ...result, bench: "q2", times: { medianMs: 25, minMs: 20 } };
    const lines = formatResults([alone, result, slower, ...meansOf([alone, result, slower])]).split("\n");
    expect(lines).to.have.length(6);
    expect(lines[3]).to.match(/^q1 +warm +1,000,000 +4\.00 +3\.50 +duckdb 1\.0\.0 +10\.00 +2\.50 x$/);
    expect(lines[5]).to.equal("geometric mean, warm, of 2 questions: 1.00 x");
  });

  it("prints how fast bytes went, and sizes beside those of the peer in a table of their own", () => {
    const read: TimedResult = { ...result, bench: "csv", mode: "files", bytes: 4_000_000 };
    const size: SizedResult = { bench: "zstd", mode: "files", rows: 10, storedBytes: 1_000, peer: { name: "parquet", storedBytes: 1_500 } };
    expect(JSON.parse(formatJson(read))).to.include({ bytes: 4_000_000, bytes_per_s: 1e9 });
    expect(JSON.parse(formatJson(size))).to.deep.equal({
      bench: "zstd", mode: "files", rows: 10, stored_bytes: 1_000, peer: "parquet", peer_stored_bytes: 1_500, ratio: 1.5,
    });
    const text = formatResults([read, size]);
    expect(text).to.match(/^csv +files +1,000,000 +4\.00 +3\.50 +[\d.]+ [GM]B\/s +duckdb 1\.0\.0 +10\.00 +2\.50 x$/m);
    expect(text).to.match(/^zstd +10 .* parquet .* 1\.50 x$/m);
    expect(text).not.to.contain("geometric");
  });
});
