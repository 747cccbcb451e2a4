import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { beforeEach, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { oneOf } from "../support/random/draw.js";
import { until } from "../support/until.js";

const demo = fileURLToPath(new URL("../../examples/demo.js", import.meta.url));

/** A running demo: what it has written so far, and its exit code. */
function startDemo(...flags: string[]) {
  const child = spawn(process.execPath, ["--enable-source-maps", demo, ...flags], { stdio: "pipe" });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => { stdout += text; });
  child.stderr.setEncoding("utf8").on("data", (text: string) => { stderr += text; });
  const ended = once(child, "close").then(([code]) => code as number | null);
  return { child, ended, stdout: () => stdout, stderr: () => stderr };
}

/** A line of JSON each. */
async function answersInJson(): Promise<void> {
  const run = startDemo("--json");
  expect(await run.ended, run.stderr()).to.equal(0);
  const lines = run.stdout().trimEnd().split("\n").map((line) => JSON.parse(line));
  expect(lines.slice(0, -1).map(({ rows, ok }) => [rows, ok])).to.deep.equal([229, 3, 1, 3_399, 49, 1].map((rows) => [rows, true]));
  for (const line of lines.slice(0, -1)) {
    expect(line.call).to.match(/^rpc\.groupby\("flights", .*\)$/);
    expect(line.seconds).to.be.within(0.000_1, 60);
  }
  expect(lines.at(-1)).to.include({ ok: true, questions: 6 });
  expect(run.stderr()).to.equal("");
}

/** In 80 columns, and then the answers to what it is given on the cluster before it ends. */
async function staysForPeople(): Promise<void> {
  const run = startDemo("--stay");
  run.child.stdin.end("const table = await rpc.groupby('flights', [], [['*', 'count', 'n']]);\n`${table.rows()[0].n} flights, ${await rpc.ping()}`\n");
  expect(await run.ended, run.stderr()).to.equal(0);
  const lines = run.stdout().trimEnd().split("\n");
  for (const line of lines) expect(line.length, line).to.be.at.most(80);
  expect(lines.filter((line) => line.startsWith("equal, "))).to.have.length(6);
  expect(lines.some((line) => line.startsWith("(first ten of 229, "))).to.equal(true);
  expect(lines.some((line) => line.startsWith("All 6 answers are right; "))).to.equal(true);
  expect(lines.at(-1)).to.equal("3000000 flights, pong");
  expect(run.stderr()).to.equal("");
}

async function endsByCtrlC(moment: string): Promise<void> {
  const run = startDemo();
  await until(`the demo prints ${moment}`, () => run.stdout().includes(moment), 60_000);
  run.child.kill("SIGINT");
  expect(await run.ended, moment).to.equal(130);
  expect(run.stderr(), moment).to.equal("bqueryd: CANCELLED: it was interrupted: SIGINT\n");
}

describe("demo", function () {
  this.timeout(120_000);
  // Each run of the tests takes one of them; .ci/run runs the demo besides.
  const random = seededRandom(freshSeed());
  let before: string[] = [];
  beforeEach(() => { before = readdirSync(tmpdir()); });

  it("answers six questions about three million flights as DuckDB does, for programs or for people, or ends by Ctrl-C, and leaves nothing behind", async () => {
    await oneOf(random, [answersInJson, staysForPeople, () => endsByCtrlC(oneOf(random, ["$ bqueryd import", "$ bqueryd up", "> rpc.groupby"]))])();
    expect(readdirSync(tmpdir())).to.deep.equal(before);
  });

  it("refuses flags that it does not know, and two that exclude each other", async () => {
    const flags = oneOf(random, [["--jsn"], ["--json", "--stay"], ["now"]]);
    const run = startDemo(...flags);
    expect(await run.ended, flags.join(" ")).to.equal(64);
    expect(run.stderr()).to.match(/^bqueryd: USAGE: .*; use npm run demo, or npm run demo -- with --json or --stay\n$/);
    expect(run.stdout()).to.equal("");
  });
});
