import { PassThrough } from "node:stream";
import { expect } from "chai";
import { describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { createLineCalls } from "../../lib/cli/line-calls.js";
import { formatValue, runRepl } from "../../lib/cli/repl.js";
import type { ClusterInfo } from "../../lib/wire/documents.js";
import { createWaitingLine } from "../../lib/cli/prompt/waiting-line.js";
import type { Rpc } from "../../lib/index.js";
import { until } from "../support/until.js";

/** The one thing of a cluster that the prompt knows: promises. */
function fakeRpc(): Rpc {
  const fail = () => Promise.reject(new BquerydError("UNKNOWN_TABLE", "no table 'taxy'; did you mean 'taxi'?"));
  return {
    ping: () => Promise.resolve("pong"),
    info: () => new Promise((resolve) => { setImmediate(() => { resolve({ node: "dqe1" } as ClusterInfo); }); }),
    files: () => new Promise(() => undefined),
    groupby: fail, rows: () => { throw new BquerydError("USAGE", "no rows here"); }, queries: fail, cancel: fail, sleep: fail, loglevel: fail, readfile: fail, execute_code: fail, generations: fail, rollback: fail, distribute: fail, download: fail, downloads: fail, delete_download: fail, killworkers: fail, kill: fail, killall: fail, last_call_duration: 0.5, close: () => Promise.resolve(),
  };
}

/** What a prompt prints after its greeting, with each line typed when it asks for one. */
async function type(lines: readonly string[]): Promise<string> {
  const input = new PassThrough();
  const output = new PassThrough({ encoding: "utf8" });
  let printed = "";
  output.on("data", (text: string) => { printed += text; });
  const done = runRepl(fakeRpc(), createLineCalls(), { input, output });
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

  it("says which verb was meant by one that there is not", async () => {
    expect(await type(["rpc.gruopby('taxi')", "rpc.frobnicate()", "'end'"])).to.match(/^Uncaught TypeError: rpc\.gruopby is not a function; did you mean 'groupby'\?\nUncaught TypeError: rpc\.frobnicate is not a function; Object\.keys\(rpc\) lists the verbs\n'end'\n$/);
  });

  it("understands await at the top and statements over several lines", async () => {
    expect(await type(["const { node } = await rpc.info()", "node", "function twice(x) {", "return 2 * x }", "twice(4)", "'end'"])).to.match(/^'dqe1'\n8\n'end'\n$/);
  });

  it("prints for --eval a text as it is, and ends the line where it does not", () => {
    expect(["", "a", "a,b\n1,2\n", undefined, "\n", 5].map(formatValue)).to.deep.equal(["\n", "a\n", "a,b\n1,2\n", "", "\n", "5\n"]);
  });

  it("outlives errors that nobody awaits", async () => {
    const printed = await type(["setImmediate(() => { throw new Error('late') }); 0", "void Promise.reject(new Error('dropped'))", "new Promise((resolve) => setTimeout(resolve, 50, 'end'))"]);
    expect(printed).to.include("Error: late").and.include("Error: dropped");
  });

  it("ends the calls of a line with it, on Ctrl-C, and those of no other line", async () => {
    const input = new PassThrough();
    const output = new PassThrough({ encoding: "utf8" });
    let printed = "";
    output.on("data", (text: string) => { printed += text; });
    const calls = createLineCalls();
    const signals: AbortSignal[] = [];
    const groupby = (): Promise<never> => new Promise((_, reject) => {
      const signal = calls.signal();
      signals.push(signal);
      signal.addEventListener("abort", () => { reject(new BquerydError("CANCELLED", "the call was cancelled")); });
    });
    const done = runRepl({ ...fakeRpc(), groupby }, calls, { input, output, terminal: true });
    await until("the prompt asks", () => printed.includes("bqueryd> "));
    for (const [place, line] of ["void rpc.groupby().catch(() => 0)", "rpc.groupby()", "await rpc.groupby()"].entries()) {
      input.write(`${line}\n`);
      await until(`line ${place} has asked`, () => signals.length === place + 1);
      if (place === 0) continue;
      input.write("\u0003");
      await until("its call is cancelled", () => signals[place]!.aborted);
    }
    await until("it says so twice", () => printed.split("CANCELLED: the line was interrupted; what it asked is cancelled").length === 3);
    input.write(".exit\n");
    await done;
    input.end();
    expect(signals.map(({ aborted }) => aborted)).to.deep.equal([false, true, true]);
  });

  it("says on Ctrl-C that a ticket goes on, whose line is no longer waited for", async () => {
    const input = new PassThrough();
    const output = new PassThrough({ encoding: "utf8" });
    let printed = "";
    output.on("data", (text: string) => { printed += text; });
    const calls = createLineCalls();
    const waiting = createWaitingLine({ columns: 80, write: () => true });
    const distribute = (): Promise<never> => new Promise((_, reject) => {
      const watching = waiting.begin();
      watching.update({ phase: "download", ticket: "bqueryd_download_ticket_1", bytesDone: 0, bytesTotal: null, fraction: 0, nodes: [], warnings: [] });
      calls.signal().addEventListener("abort", () => {
        watching.end();
        reject(new BquerydError("CANCELLED", "waiting was stopped"));
      });
    });
    const done = runRepl({ ...fakeRpc(), distribute }, calls, { input, output, terminal: true }, { waiting });
    await until("the prompt asks", () => printed.includes("bqueryd> "));
    input.write("rpc.distribute()\n");
    await until("it has asked", () => calls.count === 1);
    input.write("\u0003");
    await until("it says so", () => printed.includes("CANCELLED: the line was interrupted; the ticket bqueryd_download_ticket_1 goes on; see rpc.downloads()"));
    input.write(".exit\n");
    await done;
    input.end();
  });

  it("says that an answer is awaited where a promise was taken for it", async () => {
    const printed = await type(["globalThis.t = rpc.info()", "t.rows()", "for (const row of t) row", "delete globalThis.t"]);
    for (const words of ["t.rows is not a function", "t is not iterable"]) expect(printed).to.include(`TypeError: ${words}; if it is the answer of a call, await it: t = await rpc.groupby(...)`);
  });
});
