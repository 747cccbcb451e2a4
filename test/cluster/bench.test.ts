import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { after, describe, it } from "mocha";

const program = fileURLToPath(new URL("../../misc/bench/main.js", import.meta.url));

/** Runs a bench to its end. */
async function runBench(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => { stdout += text; });
  child.stderr.setEncoding("utf8").on("data", (text: string) => { stderr += text; });
  const [code] = await once(child, "close") as [number | null];
  return { code, stdout, stderr };
}

describe("bench", function () {
  this.timeout(60_000);
  after(() => runBench("clean"));

  it("measures every case beside DuckDB, keeps its data until it is told to remove them, and leaves nothing else", async () => {
    const before = readdirSync(tmpdir());
    const first = await runBench("groupby", "--rows", "3000", "--json");
    expect(first.code, first.stderr).to.equal(0);
    const lines = first.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    const questions = ["q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9"];
    const inModes = (names: readonly string[], modes: readonly string[]): [string, string, number][] => names.flatMap((name) => modes.map((mode): [string, string, number] => [name, mode, 3_000]));
    const besideDuckDb = inModes(["count1", "count3", "histogram"], ["warm", "bypass"]);
    const besideOthers = [...inModes(["sorted-1-percent"], ["bypass"]), ...inModes(["bcolz-q1", "bcolz-q2", "bcolz-q5", "workers-q4", "workers-q9"], ["warm"])];
    const asked = [...inModes(questions, ["warm", "bypass", "again"]), ...besideDuckDb, ...besideOthers, ...inModes(["mean"], ["warm", "bypass"])];
    expect(lines.map(({ bench, mode, rows }) => [bench, mode, rows])).to.deep.equal([["ping", "warm", 0], ["empty", "warm", 1], ...asked]);
    for (const { median_ms: medianMs, min_ms: minMs } of lines.slice(0, -2)) expect(medianMs).to.be.at.least(minMs).and.above(0);
    for (const { bench, mode, peer, peer_median_ms: peerMs, ratio } of lines.slice(2, -8)) {
      if (mode === "again") continue;
      expect(peer, bench).to.match(/^duckdb \d/);
      expect(peerMs).to.be.above(0);
      expect(ratio).to.be.above(0);
    }
    for (const { cases, ratio } of lines.slice(-2)) expect([cases, ratio > 0]).to.deep.equal([questions.length, true]);
    const again = await runBench("groupby", "--rows", "3e3", "--runs", "1", "--only", "q6,q10", "--profile");
    expect(again.code, again.stderr).to.equal(0);
    expect(again.stderr).to.contain("made by an earlier run");
    expect(again.stdout).to.match(/^geometric mean, bypass, of 2 questions: [\d.]+ x$/m);
    expect(again.stdout).to.match(/^profile +route ms +kernel ms +merge ms +render ms +total ms +and decode ms$/m);
    expect(again.stdout).to.match(/^q10(?: +[\d.]+){6}$/m);
    expect((await runBench("clean")).stdout).to.match(/^removed .*bqueryd-bench-/);
    expect(readdirSync(tmpdir())).to.deep.equal(before);
  });

  it("imports, opens, verifies and appends beside its peers, after it saw that the rows are DuckDB's", async () => {
    const { code, stdout, stderr } = await runBench("import", "--rows", "300", "--runs", "1", "--json");
    expect(code, stderr).to.equal(0);
    const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
    expect(lines.map(({ bench, mode }) => [bench, mode])).to.deep.equal(["csv", "lz4", "parquet", "zstd", "open", "verify", "append"].map((name) => [name, "files"]));
    for (const { bench, ratio } of lines) if (bench !== "open") expect(ratio, bench).to.be.above(0);
    expect(stderr).to.contain("the tables hold what DuckDB");
  });

  it("refuses what it cannot read, on one line", async () => {
    for (const args of [[], ["groupbye"], ["groupby", "--rows", "0"], ["groupby", "--rows", "many"], ["groupby", "--seed", "1e7"], ["groupby", "--row", "3"], ["groupby", "--only", "q11"]]) {
      const { code, stdout, stderr } = await runBench(...args);
      expect(code).to.equal(64);
      expect(stdout).to.equal("");
      expect(stderr).to.match(/^bqueryd: USAGE: [^\n]*use (?:npm run bench -- groupby\|import|some of ping, empty, q1,) [^\n]*\n$/);
    }
  });
});
