import { existsSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { startCluster, type Cluster } from "../../misc/support/cluster.js";
import { startOnTerminal } from "../support/pseudo-terminal.js";
import { until } from "../support/until.js";
import { writeShards } from "../support/write-table.js";

const program = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));
const interrupt = "\u0003";
const arrowUp = "\u001b[A";

describe("the prompt on a terminal", function () {
  this.timeout(180_000);

  let folder = "";
  let cluster: Cluster;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-terminal-"));
    await writeShards([0, 1, 2].map((shard) => join(folder, `flights-${shard}.bcolzs`)), [
      { name: "origin", dtype: "string", values: Array.from({ length: 300 }, (_, row) => `A${row % 100}`) },
      { name: "delay", dtype: "int64", values: Array.from({ length: 300 }, (_, row) => BigInt(row)) },
    ]);
    cluster = await startCluster({ dataDir: folder, workers: 1, flags: ["--cache-memory=16MB", "--query-memory=16MB"] });
    await until("the set is whole", async () => (await cluster.rpc.files())[0]?.shards === 3);
  });

  after(async () => {
    await cluster.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it("is not what a script gets: no types, no times, no colours, no history", async () => {
    const asked = await startOnTerminal([process.execPath, program, `--registry-dir=${cluster.registryDir}`, "--eval", "rpc.groupby(`flights`, [], [`delay`])"], { XDG_STATE_HOME: folder });
    expect(await asked.ended()).to.equal(0);
    expect(asked.shown()).to.equal("delay\n-----\n44850\n");
    expect(existsSync(join(folder, "bqueryd"))).to.equal(false);
  });

  it("completes, shows types, times and progress, outlives Ctrl-C and errors, and has the lines of the prompt before", async () => {
    const { registryDir, workers } = cluster;
    const history = join(folder, "bqueryd", "history");
    const start = () => startOnTerminal([process.execPath, program, `--registry-dir=${registryDir}`], { XDG_STATE_HOME: folder, NO_COLOR: "1" });
    const first = await start();
    await first.sees("bqueryd> ");
    for (const [typed, completed] of [["t = await rpc.gr\t", "rpc.groupby"], ["('fl\t", "('flights"], ["', ['or\t", "['origin"], ["'], ['de\t", "['delay"], ["'], [], {lim\t", "{limit"]] as const) {
      first.type(typed);
      await first.sees(completed);
    }
    first.type(": 2})\r");
    await first.sees(/origin {2}delay\nstring {2}int64\n-{6} {2}-{5}\nA0 +300\nA1 +303\n2 rows in [\d.]+ ms\n/);
    first.type("rpc.groupby('flights', ['origin'], [])\r");
    await first.sees(/\n\.\.\.\n(A\d+\n)+\(100 rows\)\n100 rows in /);
    first.type("const n = await rpc.ping()\r");
    await first.sees(/1 call in [\d.]+ ms/);
    first.type("rpc.groupby('flihgts', ['origin'], [])\r");
    await first.sees(/UNKNOWN_TABLE: .*flihgts.*; did you mean 'flights'\?\nbqueryd> /);
    workers[0]!.signal("SIGSTOP");
    try {
      first.type("rpc.groupby('flights', ['origin'], [['delay', 'max']])\r");
      await first.sees("0 of 3 shards (0 %)");
      first.type(interrupt);
      await first.sees("CANCELLED: the line was interrupted");
    } finally {
      workers[0]!.signal("SIGCONT");
    }
    first.type("'still ' + 'here'\r");
    await first.sees("'still here'");
    first.type(".exit\r");
    expect(await first.ended()).to.equal(0);
    expect(statSync(history).mode & 0o777).to.equal(0o600);
    expect(readFileSync(history, "utf8").split("\n").slice(0, 2)).to.deep.equal(["t = await rpc.groupby('flights', ['origin'], ['delay'], [], {limit: 2})", "rpc.groupby('flights', ['origin'], [])"]);
    const second = await start();
    await second.sees("bqueryd> ");
    second.type(`${arrowUp}${arrowUp}\r`);
    await second.sees(/'still here'\n/);
    second.type("\u0004");
    expect(await second.ended()).to.equal(0);
  });
});
