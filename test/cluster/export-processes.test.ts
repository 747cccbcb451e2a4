import { spawn, spawnSync } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import type { Batch } from "../../lib/columns/dtypes.js";
import { packStrings } from "../../lib/columns/texts.js";
import { createTables } from "../../lib/columns/write/writer.js";
import { queryDuckDb } from "../support/parquet.js";
import { unsyncedFiles, writeShards, writeTable } from "../support/write-table.js";

const executable = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));
const megabyte = 1024 * 1024;
const rows = 3_000_000;
const batchRows = 100_000;
const wideRows = 600;
const wideBytes = 267_000;

/** A running export with what it has written. */
interface Export {
  readonly child: ChildProcess;
  readonly ended: Promise<number | NodeJS.Signals>;
  hasEnded(): boolean;
  errors(): string;
}

function batchFrom(start: number): Batch[] {
  const facts = { rows: batchRows, nulls: null };
  const each = <T>(valueAt: (row: number) => T): T[] => Array.from({ length: batchRows }, (_, row) => valueAt(start + row));
  return [
    { dtype: "int64", ...facts, values: BigInt64Array.from(each(BigInt)) }, { dtype: "float64", ...facts, values: Float64Array.from(each((row) => row / 7)) },
    { dtype: "string", ...facts, values: packStrings(each((row) => `category ${row % 500}`)) }, { dtype: "string", ...facts, values: packStrings(each((row) => `text of row ${row}`)) },
    { dtype: "timestamp", ...facts, values: BigInt64Array.from(each((row) => BigInt(row) * 1_000_000_007n)) },
  ];
}

describe("exports as processes", function () {
  this.timeout(180_000);
  let folder = "";
  const at = (...names: string[]): string => join(folder, ...names);
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-export-processes-"));
    const columns = [{ name: "n", dtype: "int64" }, { name: "x y $", dtype: "float64" }, { name: "few", dtype: "string" }, { name: "many", dtype: "string" }, { name: "t", dtype: "timestamp" }] as const;
    const writer = await createTables({ paths: [at("large.bcolz")], columns, set: false, replace: false, sort: null, files: unsyncedFiles });
    for (let start = 0; start < rows; start += batchRows) await writer.append(0, batchFrom(start));
    await writer.commit();
    await writeTable(at("wide.bcolz"), [{ name: "text", dtype: "string", values: Array.from({ length: wideRows }, (_, row) => `${row} `.repeat(wideBytes).slice(0, wideBytes)) }]);
    await writeShards([0, 1].map((shard) => at(`set-${shard}.bcolzs`)), [
      { name: "Cost Total $", dtype: "int64", values: Array.from({ length: 10 }, (_, row) => BigInt(row)) }, { name: "s", dtype: "string", values: Array.from({ length: 10 }, (_, row) => (row === 4 ? null : `t${row % 3}`)) },
    ]);
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  function start(...args: readonly string[]): Export {
    const child = spawn(process.execPath, [executable, "export", ...args], { stdio: ["ignore", "ignore", "pipe"] });
    let errors = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => { errors += text; });
    const ended = new Promise<number | NodeJS.Signals>((resolve) => {
      child.once("close", (code, signal) => { resolve(signal ?? code ?? 0); });
    });
    return { child, ended, hasEnded: () => child.exitCode !== null || child.signalCode !== null, errors: () => errors };
  }

  const run = (...args: readonly string[]): { status: number | null; stdout: string; stderr: string } => spawnSync(process.execPath, [executable, "export", ...args], { encoding: "utf8", timeout: 60_000 });

  /** The most memory that a process had resident, bytes. */
  async function peakBytes(running: Export): Promise<number> {
    let peak = 0;
    while (!running.hasEnded()) {
      const found = /^VmHWM:\s+(\d+) kB/m.exec(statusOf(running.child.pid!));
      peak = Math.max(peak, Number(found?.[1] ?? 0) * 1024);
      await delay(20);
    }
    return peak;
  }

  function statusOf(pid: number): string {
    try {
      return readFileSync(`/proc/${pid}/status`, "utf8");
    } catch {
      return "";
    }
  }

  for (const format of ["csv", "ndjson", "parquet", "arrow"]) {
    it(`three million rows to ${format} stay below 400 MB of memory`, async () => {
      const running = start(at("large.bcolz"), at(`large.${format}`));
      const peak = await peakBytes(running);
      expect(await running.ended, running.errors()).to.equal(0);
      expect(peak / megabyte).to.be.greaterThan(30).and.below(400);
      if (format !== "arrow") {
        const [sums] = await queryDuckDb(`SELECT count(*), sum(n)::DOUBLE, count(DISTINCT few), count(DISTINCT many), sum("x y $") FROM '${at(`large.${format}`)}'`);
        expect(sums!.slice(0, 4).map(Number)).to.deep.equal([rows, rows * (rows - 1) / 2, 500, rows]);
        expect(Number(sums![4])).to.be.closeTo(rows * (rows - 1) / 14, 1);
      }
      rmSync(at(`large.${format}`));
    });

    it(`texts of hundreds of kilobytes to ${format} stay below 750 MB of memory`, async () => {
      const running = start(at("wide.bcolz"), at(`wide.${format}`));
      const peak = await peakBytes(running);
      expect(await running.ended, running.errors()).to.equal(0);
      expect(statSync(at(`wide.${format}`)).size).to.be.greaterThan(format === "parquet" ? 1_000 : wideRows * wideBytes);
      expect(peak / megabyte).to.be.greaterThan(30).and.below(750);
      rmSync(at(`wide.${format}`));
    });

    it(`told to end while it writes ${format}, one leaves nothing`, async () => {
      const running = start(at("large.bcolz"), at(`cut.${format}`));
      while (!running.hasEnded() && !readdirSync(folder).some((name) => name.endsWith(".tmp") && statSync(at(name)).size > 0)) await delay(1);
      running.child.kill("SIGINT");
      expect(await running.ended, running.errors()).to.equal(130);
      expect(running.errors()).to.match(/bqueryd: CANCELLED: the export was interrupted; no file was written\n$/);
      expect(readdirSync(folder).sort()).to.deep.equal(["large.bcolz", "set-0.bcolzs", "set-1.bcolzs", "wide.bcolz"]);
    });
  }

  it("killed while it writes, one leaves a hidden file that the next export to the same name removes", async () => {
    const hidden = (): string[] => readdirSync(folder).filter((name) => name.startsWith("."));
    const running = start(at("large.bcolz"), at("killed.csv"));
    while (!running.hasEnded() && !hidden().some((name) => statSync(at(name)).size > 0)) await delay(1);
    running.child.kill("SIGKILL");
    expect(await running.ended).to.equal("SIGKILL");
    expect(hidden()).to.have.length(1);
    expect(run(at("set"), at("killed.csv"))).to.include({ status: 0, stderr: "" });
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
    const { status, stdout, stderr } = run(at("set"), "-", "--format", "csv");
    expect({ status, stdout }).to.deep.equal({ status: 0, stdout: "Cost Total $,s\n0,t0\n1,t1\n2,t2\n3,t0\n4,\n5,t2\n6,t0\n7,t1\n8,t2\n9,t0\n" });
    expect(stderr).to.match(/10 rows from .*set into standard output/);
  });

  it("conditions name columns as they are called, and all of them hold", () => {
    const where = (...terms: string[]): string => run(at("set"), "-", "--format", "tsv", "--columns", "Cost Total $", ...terms.flatMap((term) => ["--where", term])).stdout;
    expect(where("Cost Total $ > 5", "s in ('t0', t1)")).to.equal("Cost Total $\n6\n7\n9\n");
    expect(where('"Cost Total $" <= 3', "s != t0")).to.equal("Cost Total $\n1\n2\n");
    expect(where('[["Cost Total $", "in", [4, 5, 99]]]')).to.equal("Cost Total $\n4\n5\n");
    expect(where("Cost Total $ > 99")).to.equal("Cost Total $\n");
    const { status, stderr } = run(at("set"), "-", "--format", "csv", "--where", "Cost Totl $ > 5");
    expect([status, stderr]).to.deep.equal([65, "bqueryd: UNKNOWN_COLUMN: --where 'Cost Totl $ > 5' begins with no column's name; did you mean 'Cost Total $'?\n"]);
  });

  it("--json gives one object, --replace takes the place of what is there", () => {
    const { status, stdout, stderr } = run(at("set"), at("j.parquet"), "--json");
    expect([status, stderr]).to.deep.equal([0, ""]);
    expect(JSON.parse(stdout)).to.include({ rows: 10, bytes: statSync(at("j.parquet")).size });
    expect(run(at("set"), at("j.parquet"))).to.include({ status: 65 }).and.property("stderr").match(/^bqueryd: EXISTS: .*--replace/);
    expect(run(at("set"), at("j.parquet"), "--replace")).to.include({ status: 0 });
    rmSync(at("j.parquet"));
  });

  it("a reader that goes away ends the export without a word", () => {
    const { status, stdout, stderr } = spawnSync("sh", ["-c", '"$1" "$2" export "$3" - --format csv --json | head -1', "sh", process.execPath, executable, at("large.bcolz")], { encoding: "utf8", timeout: 60_000 });
    expect({ status, stdout, stderr }).to.deep.equal({ status: 0, stdout: "n,x y $,few,many,t\n", stderr: "" });
  });
});
