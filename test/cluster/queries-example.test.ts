import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { withCluster } from "../../misc/support/cluster.js";
import { writeShards } from "../support/write-table.js";

const example = fileURLToPath(new URL("../../examples/queries.js", import.meta.url));
const rows = Array.from({ length: 3_000 }, (_, row) => row);
const dayNs = 86_400_000_000_000n;

/** Flight `row` left on the day `row / 50` of 2001, `row % 91` minutes late, from AAA, BBB or SSS. */
const delays = rows.map((row) => row % 91);

describe("the example of queries", function () {
  this.timeout(180_000);
  let dataDir = "";

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-queries-"));
    const first = BigInt(Date.UTC(2001, 0, 1)) * 1_000_000n;
    await writeShards([0, 1, 2].map((shard) => join(dataDir, `flights-${shard}.bcolzs`)), [
      { name: "date", dtype: "timestamp", values: rows.map((row) => first + dayNs * BigInt(Math.floor(row / 50))) },
      { name: "delay", dtype: "int64", values: delays.map(BigInt) },
      { name: "distance", dtype: "int64", values: rows.map((row) => BigInt(100 + row)) },
      { name: "origin", dtype: "string", values: rows.map((row) => ["AAA", "BBB", "SSS"][row % 3]!) },
      { name: "destination", dtype: "string", values: rows.map(() => "ZZZ") },
    ]);
  });

  after(() => rm(dataDir, { recursive: true, force: true }));

  it("prints the answers to what it asks", async () => {
    await withCluster({ dataDir, workers: 1 }, async ({ registryDir }) => {
      const env = { ...process.env, BQUERYD_REGISTRY_DIR: registryDir };
      const { stdout, stderr } = await promisify(execFile)(process.execPath, ["--enable-source-maps", example], { env });
      expect(stderr).to.equal("");
      const late = delays.slice(0, 31 * 50).filter((delay) => delay > 15).length;
      expect(stdout).to.match(new RegExp(`\n2001-01-01T00:00:00Z +1550 +${late} +${(late / 1_550).toFixed(6)}\n`));
      const worst = stdout.split("\n\n")[1]!.split("\n").slice(3).map((line) => line.split(/ +/));
      expect(worst.map(([origin]) => origin)).to.have.members(["AAA", "BBB"]);
      expect(Number(worst[0]![2])).to.be.at.least(Number(worst[1]![2]));
      const [a, b, c, d] = [0, 15, 30, 45].map((low) => delays.filter((delay) => delay >= low && (delay < low + 15 || (low === 45 && delay === 60))).length);
      expect(stdout).to.include(`[ ${a}, ${b}, ${c}, ${d} ] between 0,15,30,45,60 and over them ${delays.filter((delay) => delay > 60).length}\n`);
      expect(stdout).to.match(new RegExp(`\n${Math.min(1_000, delays.filter((delay) => delay > 60).length)} rows in \\d+ tables? the longest of 1\\.50 hours\n`));
      expect(stdout).to.include("3000 flights, and shards that are missing: []");
      expect(stdout.trimEnd().split("\n").at(-1)).to.match(/^UNKNOWN_COLUMN flights-\d\.bcolzs has no column 'orign'; did you mean 'origin'\?$/);
    });
  });
});
