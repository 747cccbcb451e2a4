import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { after, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { oneOf, someOf } from "../support/random/draw.js";

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

/** Measures cases of every sort beside DuckDB, keeps its data until it is told to remove them, and leaves nothing else. */
async function benchGroupby(): Promise<void> {
  const before = readdirSync(tmpdir());
  const seed = freshSeed();
  const random = seededRandom(seed);
  const question = oneOf(random, ["q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9"]);
  const asIs = oneOf(random, ["count1", "count3", "histogram"]);
  const [besideOthers, mode] = oneOf(random, [["sorted-1-percent", "bypass"], ["bcolz-q1", "warm"], ["bcolz-q2", "warm"], ["bcolz-q5", "warm"], ["workers-q4", "warm"], ["workers-q9", "warm"]] as const);
  const only = ["ping", "empty", question, asIs, besideOthers];
  const first = await runBench("groupby", "--rows", "3000", "--runs", "1", "--json", "--only", only.join(","));
  expect(first.code, first.stderr).to.equal(0);
  const lines = first.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const inModes = (name: string, ...modes: readonly string[]): unknown[][] => modes.map((each) => [name, each, 3_000]);
  const asked = [...inModes(question, "warm", "bypass", "again"), ...inModes(asIs, "warm", "bypass"), ...inModes(besideOthers, mode), ...inModes("mean", "warm", "bypass")];
  expect(lines.map(({ bench, mode, rows }) => [bench, mode, rows]), `seed ${seed}`).to.deep.equal([["ping", "warm", 0], ["empty", "warm", 1], ...asked]);
  for (const { median_ms: medianMs, min_ms: minMs } of lines.slice(0, -2)) expect(medianMs).to.be.at.least(minMs).and.above(0);
  for (const { bench, mode, peer, peer_median_ms: peerMs, ratio } of lines.slice(2, -3)) {
    if (mode === "again") continue;
    expect(peer, bench).to.match(/^duckdb \d/);
    expect(peerMs).to.be.above(0);
    expect(ratio).to.be.above(0);
  }
  for (const { cases, ratio } of lines.slice(-2)) expect([cases, ratio > 0]).to.deep.equal([1, true]);
  const again = await runBench("groupby", "--rows", "3e3", "--runs", "1", "--only", "q6,q10", "--profile");
  expect(again.code, again.stderr).to.equal(0);
  expect(again.stderr).to.contain("made by an earlier run");
  expect(again.stdout).to.match(/^geometric mean, bypass, of 2 questions: [\d.]+ x$/m);
  expect(again.stdout).to.match(/^profile +route ms +kernel ms +merge ms +render ms +total ms +and decode ms$/m);
  expect(again.stdout).to.match(/^q10(?: +[\d.]+){6}$/m);
  expect((await runBench("clean")).stdout).to.match(/^removed .*bqueryd-bench-/);
  expect(readdirSync(tmpdir())).to.deep.equal(before);
}

/** Holds the figures of a cluster against their limits, after it saw that every answer is right. */
async function benchCluster(): Promise<void> {
  const before = readdirSync(tmpdir());
  const seed = freshSeed();
  const [drawn, figures] = oneOf(seededRandom(seed), [
    ["small", ["clients (this bench), processor a call", "controller, processor a call", "workers, processor a call", "share of the bench itself", "rate", "p99", "errors"]],
    ["beside", ["p99 alone", "growth of p99", "queries over 3 shards", "errors"]], ["overload", ["asked", "answered", "busy", "other errors"]], ["cancel", ["idle after"]],
  ] as const);
  const { code, stdout, stderr } = await runBench("cluster", "--rows", "300", "--seconds", "1", "--only", drawn, "--json");
  expect(code, stderr).to.equal(0);
  const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  expect(lines.map(({ bench, mode, figure }) => [bench, mode, figure]), `seed ${seed}`).to.deep.equal(figures.map((figure) => [drawn, "cluster", figure]));
  for (const { figure, value, limit } of lines) {
    if (/errors$/.test(figure)) expect([value, limit], stdout).to.deep.equal([0, 0]);
    else if (figure !== "busy" && figure !== "growth of p99") expect(value, figure).to.be.above(0);
  }
  expect(readdirSync(tmpdir())).to.deep.equal(before);
}

/** Sends and fetches tables beside curl, and moves no byte of a column that is there, after it saw that all comes as it is. */
async function benchTransfer(): Promise<void> {
  const before = readdirSync(tmpdir());
  const [timed, counted] = oneOf(seededRandom(freshSeed()), [["download", "unchanged"], ["upload", "resume"], ["many", "unchanged"], ["unchanged", "downloader"], ["unchanged", "switch"]] as const);
  const { code, stdout, stderr } = await runBench("transfer", "--rows", "20000", "--runs", "1", "--only", `${timed},${counted}`, "--json");
  expect(code, stderr).to.equal(0);
  const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  const figuresOf = {
    download: [undefined, "speed of the peer's", "memory", "our processor", "the store's processor"], upload: [undefined, "speed of the peer's", "memory", "our processor", "the store's processor"],
    many: [undefined, "shards", "shards sent", "shards fetched"], unchanged: ["of the table sent", "of the table fetched"], resume: ["fetched before the cut", "fetched twice"],
    downloader: ["asked to in use", "memory of the downloader"],
    switch: ["shards", "shards distributed", "last prepared to commit", "last prepared to first new answer", "last prepared to all current", "p99 before", "p99 during", "errors"],
  };
  expect(lines.map(({ bench, figure }) => [bench, figure])).to.deep.equal([timed, counted].flatMap((name) => figuresOf[name].map((figure) => [name, figure])));
  for (const { bench, figure, value, peer } of lines) {
    if (figure === undefined) expect(peer, bench).to.match(/^curl/);
    // A ninth of the table, its index and its footer.
    if (bench === "unchanged") expect(value, figure).to.be.within(11, 15);
    if (figure === "errors") expect(value).to.equal(0);
  }
  expect(readdirSync(tmpdir())).to.deep.equal(before);
}

/** Imports, opens, verifies and appends beside its peers, after it saw that the rows are DuckDB's. */
async function benchImport(): Promise<void> {
  const { code, stdout, stderr } = await runBench("import", "--rows", "20", "--runs", "1", "--json");
  expect(code, stderr).to.equal(0);
  const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  expect(lines.map(({ bench, mode }) => [bench, mode])).to.deep.equal(["csv", "lz4", "parquet", "zstd", "open", "verify", "append"].map((name) => [name, "files"]));
  for (const { bench, ratio } of lines) if (bench !== "open") expect(ratio, bench).to.be.above(0);
  expect(stderr).to.contain("the tables hold what DuckDB");
}

describe("bench", function () {
  this.timeout(120_000);
  after(() => runBench("clean"));

  // Each run of the tests takes one; .ci/run runs those of groupby and import besides, with more rows.
  const benches = [benchGroupby, benchCluster, benchTransfer, benchImport];
  it("of queries, a cluster, transfers or imports measures what it says, beside its peers, and leaves nothing but its data", () => oneOf(seededRandom(freshSeed()), benches)());

  it("refuses what it cannot read, on one line", async () => {
    const wrong: readonly string[][] = [
      [], ["groupbye"], ["groupby", "--rows", "0"], ["groupby", "--rows", "many"], ["groupby", "--seed", "1e7"], ["groupby", "--row", "3"], ["groupby", "--only", "q11"], ["cluster", "--only", "q1"], ["transfer", "--only", "q1"],
    ];
    for (const args of someOf(seededRandom(freshSeed()), wrong, 2)) {
      const { code, stdout, stderr } = await runBench(...args);
      expect(code, args.join(" ")).to.equal(64);
      expect(stdout).to.equal("");
      expect(stderr).to.match(/^bqueryd: USAGE: [^\n]*use (?:npm run bench -- groupby\|import\|cluster\|transfer|some of (?:ping, empty, q1|empty, small|download, upload),) [^\n]*\n$/);
    }
  });
});
