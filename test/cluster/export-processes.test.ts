import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { runFileCases } from "../support/files/cases.js";
import { exportEndedCases, exportLongTextsCases, exportManyRowsCases, requireLongTable, startExport } from "../support/files/exports.js";
import { runCommand } from "../support/run-command.js";
import { writeShards } from "../support/write-table.js";

const executable = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));

describe("exports as processes", function () {
  this.timeout(240_000);
  let [folder, long] = ["", ""];
  const at = (...names: string[]): string => join(folder, ...names);
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-export-processes-"));
    long = await requireLongTable(folder);
    await writeShards([0, 1].map((shard) => at(`set-${shard}.bcolzs`)), [
      { name: "Cost Total $", dtype: "int64", values: Array.from({ length: 10 }, (_, row) => BigInt(row)) }, { name: "s", dtype: "string", values: Array.from({ length: 10 }, (_, row) => (row === 4 ? null : `t${row % 3}`)) },
    ]);
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  const run = async (...args: readonly string[]): Promise<{ status: number; stdout: string; stderr: string }> => {
    const { code, ...written } = await runCommand(["export", ...args]);
    return { status: code, ...written };
  };

  it("stay below 400 MB of memory with three million rows, and below 750 MB with texts of hundreds of kilobytes", async () => {
    expect(await runFileCases([...exportManyRowsCases, ...exportLongTextsCases], { folder, count: 1, seed: freshSeed() })).to.equal(1);
  });

  it("told to end while they write, leave nothing", async () => {
    expect(await runFileCases(exportEndedCases, { folder, count: 1, seed: freshSeed() })).to.equal(1);
  });

  it("killed while it writes, one leaves a hidden file that the next export to the same name removes", async () => {
    const hidden = (): string[] => readdirSync(folder).filter((name) => name.startsWith("."));
    const running = startExport(long, at("killed.csv"));
    while (!running.hasEnded() && !hidden().some((name) => statSync(at(name)).size > 0)) await delay(1);
    running.child.kill("SIGKILL");
    expect(await running.ended).to.equal("SIGKILL");
    expect(hidden()).to.have.length(1);
    expect(await run(at("set"), at("killed.csv"))).to.include({ status: 0, stderr: "" });
    expect(hidden()).to.deep.equal([]);
    rmSync(at("killed.csv"));
  });

  it("told to end while the program is being loaded, one says so", () => {
    // The first to listen listens as long as the program is being loaded.
    const preload = 'process.on("newListener", (name) => { if (name === "SIGINT") setImmediate(() => process.kill(process.pid, "SIGINT")); });';
    const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", `data:text/javascript,${encodeURIComponent(preload)}`, executable, "export", at("set"), at("early.csv")], { encoding: "utf8", timeout: 60_000 });
    expect({ status, stdout, stderr }).to.deep.equal({ status: 130, stdout: "", stderr: "bqueryd: CANCELLED: it was interrupted before it began; nothing was done\n" });
    expect(readdirSync(folder).filter((name) => name.includes("early"))).to.deep.equal([]);
  });

  it("a set goes to standard output, with nothing else in it", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [executable, "export", at("set"), "-", "--format", "csv"], { encoding: "utf8", timeout: 60_000 });
    expect({ status, stdout }).to.deep.equal({ status: 0, stdout: "Cost Total $,s\n0,t0\n1,t1\n2,t2\n3,t0\n4,\n5,t2\n6,t0\n7,t1\n8,t2\n9,t0\n" });
    expect(stderr).to.match(/10 rows from .*set into standard output/);
  });

  it("conditions name columns as they are called, and all of them hold", async () => {
    const where = async (...terms: string[]): Promise<string> => (await run(at("set"), "-", "--format", "tsv", "--columns", "Cost Total $", ...terms.flatMap((term) => ["--where", term]))).stdout;
    expect(await where("Cost Total $ > 5", "s in ('t0', t1)")).to.equal("Cost Total $\n6\n7\n9\n");
    expect(await where('"Cost Total $" <= 3', "s != t0")).to.equal("Cost Total $\n1\n2\n");
    expect(await where('[["Cost Total $", "in", [4, 5, 99]]]')).to.equal("Cost Total $\n4\n5\n");
    expect(await where("Cost Total $ > 99")).to.equal("Cost Total $\n");
    const { status, stderr } = await run(at("set"), "-", "--format", "csv", "--where", "Cost Totl $ > 5");
    expect([status, stderr]).to.deep.equal([65, "bqueryd: UNKNOWN_COLUMN: --where 'Cost Totl $ > 5' begins with no column's name; did you mean 'Cost Total $'?\n"]);
  });

  it("--json gives one object, --replace takes the place of what is there", async () => {
    const { status, stdout, stderr } = await run(at("set"), at("j.parquet"), "--json");
    expect([status, stderr]).to.deep.equal([0, ""]);
    expect(JSON.parse(stdout)).to.include({ rows: 10, bytes: statSync(at("j.parquet")).size });
    expect(await run(at("set"), at("j.parquet"))).to.include({ status: 65 }).and.property("stderr").match(/^bqueryd: EXISTS: .*--replace/);
    expect(await run(at("set"), at("j.parquet"), "--replace")).to.include({ status: 0 });
    rmSync(at("j.parquet"));
  });

  it("a reader that goes away ends the export without a word", () => {
    const { status, stdout, stderr } = spawnSync("sh", ["-c", '"$1" "$2" export "$3" - --format csv --json | head -1', "sh", process.execPath, executable, long], { encoding: "utf8", timeout: 60_000 });
    expect({ status, stdout, stderr }).to.deep.equal({ status: 0, stdout: "n,x y $,few,many,t\n", stderr: "" });
  });
});
