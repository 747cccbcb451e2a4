import { expect } from "chai";
import { describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { withAdvice } from "../../lib/client/advice.js";
import { readArguments, readQuestion } from "../../lib/client/arguments.js";
import { connect, type ConnectOptions } from "../../lib/client/connect.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { failureOf } from "../support/failure.js";

/** What asking with these arguments fails with, before anything is sent. */
function refusalOf(...args: readonly unknown[]): BquerydError {
  try {
    readQuestion(readArguments("groupby", args));
  } catch (failure) {
    if (failure instanceof BquerydError) return failure;
    throw failure;
  }
  throw new Error("nothing failed");
}

describe("arguments of groupby and rows", () => {
  it("name tables, columns and affinities that are too long, before anything is sent", () => {
    const table = refusalOf("t".repeat(256), ["k"], []);
    expect([table.code, table.message]).to.deep.equal(["BAD_QUERY", `the name of a table has 256 characters ('${"t".repeat(40)}...'); the limit is 255`]);
    const column = refusalOf("t", ["k".repeat(1_025)], []);
    expect([column.code, column.message]).to.deep.equal(["BAD_QUERY", `the name of a column has 1025 characters ('${"k".repeat(40)}...'); the limit is 1024`]);
    expect(refusalOf("t", ["k"], [], [], { affinity: "a".repeat(256) }).message).to.match(/^affinity has 256 characters/);
    expect(readQuestion(readArguments("groupby", ["t".repeat(255), ["k".repeat(1_024)], [], [], { affinity: "a".repeat(255) }])).tables).to.have.length(1);
  });

  it("name a count of tables or columns past its limit", () => {
    expect(refusalOf(Array.from({ length: 100_001 }, (_, index) => `t${index}`), ["k"], []).message).to.equal("the query names 100001 tables; the limit is 100000");
    const expr = (from: number): string => Array.from({ length: 900 }, (_, index) => `c${from + index}`).join(" + ");
    const measures = Array.from({ length: 12 }, (_, index) => [{ expr: expr(900 * index) }, "sum", `s${index}`]);
    expect(refusalOf("t", [], measures).message).to.equal("the query names 10800 columns; the limit is 10000");
  });

  it("say where options belong that stand too early", () => {
    for (const args of [["t", { limit: 3 }], ["t", ["k"], { limit: 3 }], ["t", ["k"], [], { limit: 3, offset: 1 }]]) {
      const refusal = refusalOf(...args);
      expect(refusal.code).to.equal("USAGE");
      expect(refusal.message).to.match(/^options stand in the place of (keys|measures|where); they come fifth, as in groupby\(/);
    }
  });

  it("speak of the verb that was asked", () => {
    expect(() => readArguments("rows", ["t", ["k"], [], [], { limits: 3 }])).to.throw("rows has no option 'limits'; did you mean 'limit'?");
  });

  it("say how a text is written when one in double quotes was taken for a column", () => {
    const unknown = new BquerydError("UNKNOWN_COLUMN", "t.bcolz has no column 'ATL'; did you mean 'date'?", { details: { table: "t.bcolz", column: "ATL" }, origin: "worker 1" });
    const adviceFor = (where: unknown): unknown => withAdvice(unknown, parseQuery({ keys: ["k"], measures: [], where }));
    for (const where of ['k = "ATL"', "k == ATL", 'n > 3 and (k in ("ATL", \'ORD\') or n < 2)']) {
      expect(adviceFor(where)).to.include({ code: "UNKNOWN_COLUMN", origin: "worker 1", message: "t.bcolz has no column 'ATL'; if a text is meant, write it in single quotes: 'ATL'" });
    }
    for (const where of ["ATL > 3", [["ATL", "==", "x"]], []]) expect(adviceFor(where)).to.equal(unknown);
  });

  it("say how a measure is written when its op was taken for a column", () => {
    const unknown = new BquerydError("UNKNOWN_COLUMN", "t.bcolz has no column 'mean'", { details: { table: "t.bcolz", column: "mean" } });
    const adviceFor = (measures: unknown): unknown => withAdvice(unknown, parseQuery({ keys: ["k"], measures }));
    expect(adviceFor(["delay", "mean"])).to.include({ message: "t.bcolz has no column 'mean'; if the measure 'mean' is meant, write it as a list in the list: [['delay', 'mean']]" });
    for (const measures of [["mean"], [["mean", "max"]], []]) expect(adviceFor(measures)).to.equal(unknown);
  });

  it("show what is no JSON as it is", () => {
    const holder: unknown[] = [];
    holder.push(holder);
    for (const [args, words] of [
      [[5n, ["k"], []], "5n is not the name of a table"], [[[holder], ["k"], []], "is not the name of a table"], [["t", ["k"], [], [], { partial: 5n }], "partial 5n is unknown"],
      [["t", ["k"], [], [], { limit: NaN }], "limit is NaN"], [["t", ["k"], [], [], { offset: -Infinity }], "offset is -Infinity"], [["t", ["k"], [], [], { order: [[NaN, 1]] }], 'order ["NaN",1]'],
    ] as const) expect(refusalOf(...args).message).to.include(words);
  });
});

describe("arguments of connect", () => {
  it("are refused in the words of who gave them, before anything is connected", async () => {
    for (const [options, code, words] of [
      [5, "USAGE", "connect takes an object of options"], [null, "USAGE", "connect takes an object of options"], [{ clutser: "a" }, "USAGE", "connect has no option 'clutser'; did you mean 'cluster'?"],
      [{ registry_dir: 5 }, "USAGE", "registry_dir of connect is no text"], [{ timeout: 0 }, "CONFIG", "timeout = '0' in connect() cannot be used"],
      [{ controllers: ["127.0.0.1:14300"] }, "CONFIG", "controllers = '127.0.0.1:14300' in connect() cannot be used"],
    ] as const) {
      const failure = await failureOf(() => connect(options as unknown as ConnectOptions));
      expect(failure, words).to.include({ code });
      expect(failure.message).to.include(words);
    }
  });
});
