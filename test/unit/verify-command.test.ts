import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { openTable } from "../../lib/columns/read/open.js";
import { appendRows } from "../support/append-rows.js";
import { writeShards, writeTable, type PlainColumn } from "../support/write-table.js";

const program = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));
const columns: PlainColumn[] = [{ name: "dist\u001bance", dtype: "float64", values: [1, 2.5, null, 4] }];

describe("looking after tables from the command line", () => {
  let folder = "";
  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), "bqueryd-test-")); });
  afterEach(() => rm(folder, { recursive: true }));

  function bqueryd(...args: string[]) {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: "utf8", timeout: 20_000, cwd: folder });
    return { status, stdout, stderr };
  }

  /** Flips a byte of the data of a table's one column; gives the name of the file. */
  async function damage(table: string): Promise<string> {
    const { data } = openTable(join(folder, table)).footer.columns[0]!.segments[0]!;
    const path = join(folder, table, data);
    const bytes = await readFile(path);
    bytes[2]! ^= 4;
    await writeFile(path, bytes);
    return data;
  }

  it("verify says in a line that a table or set is whole", async () => {
    await writeTable(join(folder, "taxi.bcolz"), columns);
    await writeShards([0, 1].map((shard) => join(folder, `bus-${shard}.bcolzs`)), columns);
    const { status, stdout, stderr } = bqueryd("verify", "taxi", "bus");
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: "" });
    expect(stdout.trim().split("\n").map((line) => line.replace(/, \d+ B$/, ""))).to.deep.equal(["taxi.bcolz: whole, 2 files of 1 generation", "bus-0.bcolzs: whole, 2 files of 1 generation", "bus-1.bcolzs: whole, 2 files of 1 generation"]);
  });

  it("verify gives a line for each damage and exit code 65, and looks at all tables", async () => {
    await writeTable(join(folder, "a.bcolz"), columns);
    await writeTable(join(folder, "b.bcolz"), columns);
    const data = await damage("a.bcolz");
    await unlink(join(folder, "b.bcolz", `${openTable(join(folder, "b.bcolz")).generation}.json`));
    const { status, stdout, stderr } = bqueryd("verify", "a.bcolz", "b.bcolz");
    expect({ status, stderr }).to.deep.equal({ status: 65, stderr: "" });
    const [first, second] = stdout.trim().split("\n");
    expect(first).to.equal(`a.bcolz: ${data}, column 'dist\\u{1b}ance', chunk 0, byte 0: its checksum differs`);
    expect(second).to.match(/^b\.bcolz: [0-9a-f]{64}\.json: is missing, though CURRENT names it$/);
  });

  it("verify --json is one object, for a set with a damaged footer too", async () => {
    await writeShards([0, 1].map((shard) => join(folder, `bus-${shard}.bcolzs`)), columns);
    await writeFile(join(folder, "bus-1.bcolzs", "CURRENT"), "?");
    const { status, stdout } = bqueryd("verify", "bus", "--json");
    expect(status).to.equal(65);
    const { whole, tables } = JSON.parse(stdout) as { whole: boolean; tables: { name: string; findings: unknown[] }[] };
    expect(whole).to.equal(false);
    expect(tables.map(({ name, findings }) => [name, findings.length])).to.deep.equal([["bus-0.bcolzs", 0], ["bus-1.bcolzs", 1]]);
  });

  it("compact joins files and says how many", async () => {
    const path = join(folder, "taxi.bcolz");
    await writeTable(path, [{ name: "v", dtype: "int64", values: Array.from({ length: 65_537 }, (_, row) => BigInt(row)) }]);
    await appendRows(path, [{ name: "v", dtype: "int64", values: [1n] }]);
    const { status, stdout, stderr } = bqueryd("compact", "taxi");
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: "" });
    expect(stdout).to.match(/^taxi\.bcolz: 4 files became 2, 65,538 rows, \d+(\.\d+)? kB\n$/);
    expect(bqueryd("compact", "taxi.bcolz").stdout).to.equal("taxi.bcolz: nothing to join, 2 files\n");
    expect(JSON.parse(bqueryd("compact", "taxi", "--json").stdout)).to.deep.equal({
      tables: [{ name: "taxi.bcolz", generation: openTable(path).generation, compacted: false, rows: 65_538, files_before: 2, files: 2, bytes: openTable(path).footer.files.reduce((sum, file) => sum + file.bytes, 0) }],
    });
  });

  it("import and compact keep as many generations as they are told to", async () => {
    const path = join(folder, "taxi.bcolz");
    const kept = async (): Promise<number> => (await readFile(join(path, "CURRENT"), "latin1")).trim().split("\n").length;
    await writeFile(join(folder, "in.csv"), "v\n1\n2\n");
    for (let rows = 0; rows < 4; rows++) expect(bqueryd("import", "in.csv", "taxi.bcolz", "--append", "--keep-generations=3").stderr).to.equal("");
    expect(await kept()).to.equal(3);
    await writeFile(join(folder, "named.cfg"), "keep_generations = 1\n");
    expect(bqueryd("import", "in.csv", "taxi.bcolz", "--append", "--config", "named.cfg").stderr).to.equal("");
    expect(await kept()).to.equal(1);
    await writeTable(path, [{ name: "v", dtype: "int64", values: Array.from({ length: 65_537 }, (_, row) => BigInt(row)) }], { replace: true, keepGenerations: 1 });
    await appendRows(path, [{ name: "v", dtype: "int64", values: [1n] }], { keepGenerations: 5 });
    expect(bqueryd("compact", "taxi", "--keep-generations", "1").status).to.equal(0);
    expect(await kept()).to.equal(1);
    expect(bqueryd("compact", "taxi", "--keep-generations", "0").stderr).to.match(/^bqueryd: CONFIG: .*keep.generations/);
  });

  it("says in one line what is not there", () => {
    for (const command of ["verify", "compact"]) {
      const { status, stdout, stderr } = bqueryd(command, "none.bcolz");
      expect({ status, stdout }).to.deep.equal({ status: 65, stdout: "" });
      expect(stderr).to.match(/^bqueryd: NOT_FOUND: .*none\.bcolz is not a table; check the path, or import the table first\n$/);
    }
  });
});
