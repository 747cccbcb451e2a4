import { PassThrough } from "node:stream";
import { expect } from "chai";
import { describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { runRepl } from "../../lib/cli/repl.js";
import type { ClusterInfo } from "../../lib/wire/documents.js";
import type { Rpc } from "../../lib/index.js";
import { until } from "../support/until.js";

/** The one thing of a cluster that the prompt knows: promises. */
function fakeRpc(): Rpc {
  const fail = () => Promise.reject(new BquerydError("UNKNOWN_TABLE", "no table 'taxy'; did you mean 'taxi'?"));
  return {
    ping: () => Promise.resolve("pong"),
    info: () => new Promise((resolve) => { setImmediate(() => { resolve({ node: "dqe1" } as ClusterInfo); }); }),
    files: () => new Promise(() => undefined),
    groupby: fail, rows: () => { throw new BquerydError("USAGE", "no rows here"); }, killall: fail, last_call_duration: 0.5, close: () => Promise.resolve(),
  };
}

/** What a prompt prints after its greeting, with each line typed when it asks for one. */
async function type(lines: readonly string[]): Promise<string> {
  const input = new PassThrough();
  const output = new PassThrough({ encoding: "utf8" });
  let printed = "";
  output.on("data", (text: string) => { printed += text; });
  const done = runRepl(fakeRpc(), { input, output });
  let read = 0;
  for (const line of [...lines, ".exit"]) {
    await until(`the prompt asks for '${line}'`, () => printed.length > read && /(bqueryd> |\.\.\. |\| )$/.test(printed));
    read = printed.length;
    input.write(`${line}\n`);
  }
  await done;
  input.end();
  return printed.replace(/(bqueryd> |\.\.\. |\| )/g, "").replace(/^.*\n/, "");
}

describe("prompt", () => {
  it("awaits and prints what a line yields, in order, and nothing for undefined", async () => {
    expect(await type(["rpc.info()", "rpc.ping()", "undefined", "rpc.last_call_duration", "1 + 1", "'end'"])).to.equal("{ node: 'dqe1' }\n'pong'\n0.5\n2\n'end'\n");
  });

  it("prints a failure on one line and goes on", async () => {
    expect(await type(["rpc.groupby('taxy', [], [])", "nothing", "'end'"])).to.match(/^UNKNOWN_TABLE: no table 'taxy'; did you mean 'taxi'\?\nUncaught ReferenceError: nothing is not defined\n'end'\n$/);
  });

  it("understands await at the top and statements over several lines", async () => {
    expect(await type(["const { node } = await rpc.info()", "node", "function twice(x) {", "return 2 * x }", "twice(4)", "'end'"])).to.match(/^'dqe1'\n8\n'end'\n$/);
  });

  it("outlives errors that nobody awaits", async () => {
    const printed = await type(["setImmediate(() => { throw new Error('late') }); 0", "void Promise.reject(new Error('dropped'))", "new Promise((resolve) => setTimeout(resolve, 50, 'end'))"]);
    expect(printed).to.include("Error: late").and.include("Error: dropped");
  });
});
