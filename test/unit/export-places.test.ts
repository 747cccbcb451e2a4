import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { openTable } from "../../lib/columns/read/open.js";
import { createTables } from "../../lib/columns/write/writer.js";
import { asidePath, oldPath, removeLeftovers } from "../../lib/formats/export/aside.js";
import { exportTables } from "../../lib/formats/export/export.js";
import type { ExportOptions, ExportSummary } from "../../lib/formats/export/export.js";
import { importFiles } from "../../lib/formats/import/import.js";
import { failureOf } from "../support/failure.js";
import { batchOf, unsyncedFiles, writeTable } from "../support/write-table.js";
import type { PlainColumn } from "../support/write-table.js";

const columns: readonly PlainColumn[] = [{ name: "n", dtype: "int64", values: [1n, 2n, 3n] }];
/** The mark of no process: ids of processes are smaller. */
const dead = "4999999.1";
const id = "0".repeat(32);

/** An aside path as a process had it that is gone. */
function deadAside(path: string): string {
  return asidePath(path).replace(/\.[0-9]+\.[0-9]+(\.[0-9a-f]{32}\.)/, `.${dead}$1`);
}

describe("where an export writes", () => {
  let folder = "";
  const at = (...names: string[]): string => join(folder, ...names);
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-export-places-"));
    await writeTable(at("t.bcolz"), columns);
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const exportTo = (name: string, options: Partial<ExportOptions> = {}): Promise<ExportSummary> => exportTables({ tables: [at("t.bcolz")], output: at(name), replace: true, ...options });
  const content = (table: string): Record<string, string> => Object.fromEntries(readdirSync(at(table)).map((name) => [name, readFileSync(at(table, name), "latin1")]));

  it("is never the directory of a table, also through links", async () => {
    await exportTo("b.bcolz");
    symlinkSync(at("t.bcolz"), at("link"));
    symlinkSync(at("t.bcolz", "CURRENT"), at("link.csv"));
    mkdirSync(at("t.bcolz", "sub"));
    const before = content("b.bcolz/n/meta");
    const current = readFileSync(at("t.bcolz", "CURRENT"), "utf8");
    const names = readdirSync(at("t.bcolz"));
    for (const [output, table] of [["t.bcolz/CURRENT", "t"], ["t.bcolz/new.csv", "t"], ["t.bcolz/sub/x.csv", "t"], ["link/x.csv", "t"], ["link.csv", "t"], ["b.bcolz/x.csv", "b"], ["b.bcolz/n/meta/sizes", "b"], ["t.bcolz/b.bcolz", "t"]] as const) {
      const error = await failureOf(() => exportTo(output, { format: output.endsWith(".bcolz") ? "bcolz" : "csv" }));
      expect([error.code, error.message]).to.deep.equal(["USAGE", `${at(output)} lies in the directory of the table ${at(`${table}.bcolz`)}; name a place outside of it`]);
    }
    expect([readFileSync(at("t.bcolz", "CURRENT"), "utf8"), readdirSync(at("t.bcolz")), content("b.bcolz/n/meta")]).to.deep.equal([current, names, before]);
  });

  it("is never what it reads, nor a directory that holds it, also through links", async () => {
    await exportTo("b.bcolz");
    await exportTo("outer.bcolz");
    await writeTable(at("outer.bcolz", "t.bcolz"), columns);
    symlinkSync("b.bcolz", at("link.bcolz"));
    const cases = [["t.bcolz", "t.bcolz"], ["b.bcolz", "b.bcolz"], ["link.bcolz", "b.bcolz"], ["b.bcolz", "link.bcolz"], ["outer.bcolz", "outer.bcolz/t.bcolz"]] as const;
    for (const [output, table] of cases) {
      const error = await failureOf(() => exportTo(output, { tables: [at(table)], format: "bcolz" }));
      expect([error.code, error.message], output).to.deep.equal(["USAGE", `${at(output)} would take the place of ${at(table)}, which is being read; use another name`]);
    }
    expect((await failureOf(() => exportTo("t.bcolz", { tables: [at("b.bcolz")] }))).message).to.equal(`${at("t.bcolz")} is a table of bqueryd; use another name`);
    for (const table of ["t.bcolz", "b.bcolz", "outer.bcolz/t.bcolz"]) expect(openTable(at(table)).rows, table).to.equal(3);
  });

  it("is not where an import puts tables and rejects either", async () => {
    writeFileSync(at("in.csv"), "n\n1\n");
    for (const options of [{ output: at("t.bcolz", "u.bcolz") }, { output: at("t.bcolz", "u"), shards: 2 }, { output: at("u.bcolz"), rejects: at("t.bcolz", "r.csv") }]) {
      const error = await failureOf(() => importFiles({ inputs: [at("in.csv")], ...options }));
      expect([error.code, error.message.includes(`the table ${at("t.bcolz")}`)], error.message).to.deep.equal(["USAGE", true]);
    }
    expect(readdirSync(folder).sort()).to.deep.equal(["in.csv", "t.bcolz"]);
  });

  it("is cleared of what a killed export to the same name left, and of nothing else", async () => {
    const others = [basename(asidePath(at("t.csv"))), `.t.csv.${dead}.${id}.pid:[1].tmp`, `.u.csv.${dead}.${id}.tmp`, `.t.csv.${dead}.${id}.tmp.txt`, `.t.csv.${dead}.tmp`, `t.csv.${dead}.${id}.tmp`];
    for (const name of [...others, `.t.csv.${dead}.${id}.tmp`, basename(deadAside(at("t.csv")))]) writeFileSync(at(name), "left");
    mkdirSync(at(`.t.csv.${dead}.${"1".repeat(32)}.tmp`, "n", "meta"), { recursive: true });
    await exportTo("t.csv");
    expect(readdirSync(folder).sort()).to.deep.equal([...others, "t.bcolz", "t.csv"].sort());
  });

  it("has names of any length and characters beside it", async () => {
    const name = `${"表".repeat(83)}.csv`;
    await exportTo(name);
    writeFileSync(deadAside(at(name)), "left");
    await exportTo(name);
    expect(readdirSync(folder)).to.have.members(["t.bcolz", name]);
  });

  it("gets back a directory that a killed export had moved away, and loses one that it had replaced", async () => {
    await exportTo("b.bcolz");
    const old = oldPath(deadAside(at("b.bcolz")));
    mkdirSync(old);
    writeFileSync(join(old, "mark"), "");
    await removeLeftovers(at("b.bcolz"));
    expect([existsSync(old), existsSync(at("b.bcolz", "mark"))]).to.deep.equal([false, false]);
    rmSync(at("b.bcolz"), { recursive: true });
    mkdirSync(old);
    writeFileSync(join(old, "__rootdirs__"), '{"names": []}');
    expect((await failureOf(() => exportTo("b.bcolz", { replace: false }))).code).to.equal("EXISTS");
    expect(readdirSync(at("b.bcolz"))).to.deep.equal(["__rootdirs__"]);
  });

  it("says what was interrupted", async () => {
    const error = await failureOf(() => exportTo("t.csv", { signal: AbortSignal.abort() }));
    expect([error.code, error.message]).to.deep.equal(["CANCELLED", "the export was interrupted; no file was written"]);
  });
});

describe("an export of shards that differ", () => {
  let folder = "";
  const at = (name: string): string => join(folder, name);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-export-shards-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  async function writeShard(shard: number, dtype: PlainColumn["dtype"], value: bigint | number, { unit, name = "v" }: { unit?: string; name?: string } = {}): Promise<void> {
    const writer = await createTables({ paths: [at(`t-${shard}.bcolzs`)], columns: [{ name, dtype, unit }], set: false, replace: true, sort: null, files: unsyncedFiles });
    await writer.append(0, [batchOf(dtype, [value])]);
    await writer.commit();
  }

  const cases: readonly (readonly [string, () => Promise<unknown>, string])[] = [
    ["float32 and float64", () => Promise.all([writeShard(0, "float32", 0.5), writeShard(1, "float64", 0.1)]), "column 'v' of t-1.bcolzs is float64, and float32 in t-0.bcolzs; export them apart"],
    ["float64 and float32", () => Promise.all([writeShard(0, "float64", 0.1), writeShard(1, "float32", 0.5)]), "column 'v' of t-1.bcolzs is float32, and float64 in t-0.bcolzs; export them apart"],
    ["int32 and int64", () => Promise.all([writeShard(0, "int32", 1n), writeShard(1, "int64", 2n ** 40n)]), "column 'v' of t-1.bcolzs is int64, and int32 in t-0.bcolzs; export them apart"],
    ["units", () => Promise.all([writeShard(0, "int64", 1n, { unit: "ns" }), writeShard(1, "int64", 1n, { unit: "s" })]), "column 'v' of t-1.bcolzs counts s, and ns in t-0.bcolzs; export them apart"],
    ["columns", () => Promise.all([writeShard(0, "int64", 1n), writeShard(1, "int64", 1n, { name: "w" })]), "column 'w' of t-1.bcolzs is not in t-0.bcolzs; export them apart, or choose with --columns"],
  ];
  for (const [what, write, message] of cases) {
    it(`in ${what} is refused by name, to every format`, async () => {
      await write();
      for (const format of ["csv", "ndjson", "parquet", "arrow", "bcolz"] as const) {
        const error = await failureOf(() => exportTables({ tables: [at("t-0.bcolzs"), at("t-1.bcolzs")], output: at("out"), format }));
        expect([error.code, error.message], format).to.deep.equal(["SCHEMA_MISMATCH", message]);
      }
      expect(readdirSync(folder).sort()).to.deep.equal(["t-0.bcolzs", "t-1.bcolzs"]);
    });
  }
});
