import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { openTable } from "../../lib/columns/read/open.js";
import { appendRows } from "../support/append-rows.js";
import { writeRawBcolz } from "../support/bcolz-directory.js";
import { runCommand } from "../support/run-command.js";
import { writeShards, writeTable, type PlainColumn } from "../support/write-table.js";

const program = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));
const columns: PlainColumn[] = [{ name: "dist\u001bance", dtype: "float64", values: [1, 2.5, null, 4] }];

describe("looking after tables from the command line", () => {
  let folder = "";
  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), "bqueryd-test-")); });
  afterEach(() => rm(folder, { recursive: true }));

  async function bqueryd(...args: string[]) {
    const { code, stdout, stderr } = await runCommand(args, folder);
    return { status: code, stdout, stderr };
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
    const { status, stdout, stderr } = await bqueryd("verify", "taxi", "bus");
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: "" });
    expect(stdout.trim().split("\n").map((line) => line.replace(/, \d+ B$/, ""))).to.deep.equal(["taxi.bcolz: whole, 2 files of 1 generation", "bus-0.bcolzs: whole, 2 files of 1 generation", "bus-1.bcolzs: whole, 2 files of 1 generation"]);
  });

  it("verify gives a line for each damage and exit code 65, and looks at all tables", async () => {
    await writeTable(join(folder, "a.bcolz"), columns);
    await writeTable(join(folder, "b.bcolz"), columns);
    const data = await damage("a.bcolz");
    await unlink(join(folder, "b.bcolz", `${openTable(join(folder, "b.bcolz")).generation}.json`));
    const { status, stdout, stderr } = await bqueryd("verify", "a.bcolz", "b.bcolz");
    expect({ status, stderr }).to.deep.equal({ status: 65, stderr: "" });
    const [first, second] = stdout.trim().split("\n");
    expect(first).to.equal(`a.bcolz: ${data}, column 'dist\\u{1b}ance', chunk 0, byte 0: its checksum differs`);
    expect(second).to.match(/^b\.bcolz: [0-9a-f]{64}\.json: is missing, though CURRENT names it$/);
  });

  it("verify of a table of bcolz says what was looked at, and gives damage as a line and exit code 65", async () => {
    const bytes = Buffer.alloc(8 * 150);
    writeRawBcolz(join(folder, "old.bcolz"), [{ name: "a", dtype: "int64", bytes, itemBytes: 8 }, { name: "o", dtype: "object", bytes, itemBytes: 8 }]);
    const whole = await bqueryd("verify", "old");
    expect({ status: whole.status, stderr: whole.stderr }).to.deep.equal({ status: 0, stderr: "" });
    expect(whole.stdout).to.match(/^old\.bcolz: every chunk can be decoded, 2 files, 1\.26 kB; bcolz keeps no checksums, [^\n]+\nold\.bcolz: column 'o' is of Python objects, and was not looked at\n$/);
    await writeFile(join(folder, "old.bcolz", "a", "data", "__1.blp"), "");
    const { status, stdout } = await bqueryd("verify", "old.bcolz");
    expect([status, stdout.split("\n")[0]]).to.deep.equal([65, "old.bcolz: a/data/__1.blp, column 'a', chunk 1: it is shorter than a Blosc header"]);
  });

  it("counts one of a thing as one", async () => {
    await writeTable(join(folder, "one.bcolz"), [{ name: "v", dtype: "int64", values: Array.from({ length: 1 }, () => 1n) }]);
    expect((await bqueryd("export", "one", "one.csv")).stdout).to.match(/^1 row from one into one\.csv: /);
    expect((await bqueryd("inspect", "one")).stdout).to.match(/^one\.bcolz: 1 row, 1 column, /);
    await writeTable(join(folder, "none.bcolz"), []);
    expect((await bqueryd("compact", "none")).stdout).to.equal("none.bcolz: nothing to join, 0 files\n");
    await writeTable(join(folder, "few.bcolz"), [{ name: "v", dtype: "int64", values: [] }]);
    await appendRows(join(folder, "few.bcolz"), [{ name: "v", dtype: "int64", values: [1n] }]);
    expect((await bqueryd("verify", "one")).stdout).to.match(/^one\.bcolz: whole, 2 files of 1 generation, /);
  });

  it("a data file that is not there is damage, and not a generation that is gone", async () => {
    await writeTable(join(folder, "taxi.bcolz"), columns);
    const { data } = openTable(join(folder, "taxi.bcolz")).footer.columns[0]!.segments[0]!;
    await unlink(join(folder, "taxi.bcolz", data));
    expect(await bqueryd("export", "taxi", "taxi.csv")).to.deep.include({ status: 74, stderr: `bqueryd: CORRUPT_FOOTER: the footer of taxi.bcolz names file ${data}, which is not there; restore the file, copy the table again from a good holder, or import it again\n` });
    expect(await bqueryd("verify", "taxi")).to.deep.include({ status: 65, stderr: "" }).and.property("stdout").match(/is missing/);
  });

  it("verify --json is one object, for a set with a damaged footer too", async () => {
    await writeShards([0, 1].map((shard) => join(folder, `bus-${shard}.bcolzs`)), columns);
    await writeFile(join(folder, "bus-1.bcolzs", "CURRENT"), "?");
    const { status, stdout } = await bqueryd("verify", "bus", "--json");
    expect(status).to.equal(65);
    const { whole, tables } = JSON.parse(stdout) as { whole: boolean; tables: { name: string; findings: unknown[] }[] };
    expect(whole).to.equal(false);
    expect(tables.map(({ name, findings }) => [name, findings.length])).to.deep.equal([["bus-0.bcolzs", 0], ["bus-1.bcolzs", 1]]);
  });

  it("compact joins files and says how many", async () => {
    const path = join(folder, "taxi.bcolz");
    await writeTable(path, [{ name: "v", dtype: "int64", values: Array.from({ length: 65_537 }, (_, row) => BigInt(row)) }]);
    await appendRows(path, [{ name: "v", dtype: "int64", values: [1n] }]);
    const { status, stdout, stderr } = await bqueryd("compact", "taxi");
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: "" });
    expect(stdout).to.match(/^taxi\.bcolz: 4 files became 2, 65,538 rows, \d+(\.\d+)? kB\n$/);
    expect((await bqueryd("compact", "taxi.bcolz")).stdout).to.equal("taxi.bcolz: nothing to join, 2 files\n");
    expect(JSON.parse((await bqueryd("compact", "taxi", "--json")).stdout)).to.deep.equal({
      tables: [{ name: "taxi.bcolz", generation: openTable(path).generation, compacted: false, rows: 65_538, files_before: 2, files: 2, bytes: openTable(path).footer.files.reduce((sum, file) => sum + file.bytes, 0) }],
    });
  });

  it("import and compact keep as many generations as they are told to", async () => {
    const path = join(folder, "taxi.bcolz");
    const kept = async (): Promise<number> => (await readFile(join(path, "CURRENT"), "latin1")).trim().split("\n").length;
    await writeFile(join(folder, "in.csv"), "v\n1\n2\n");
    for (let rows = 0; rows < 4; rows++) expect((await bqueryd("import", "in.csv", "taxi.bcolz", "--append", "--keep-generations=3")).stderr).to.equal("");
    expect(await kept()).to.equal(3);
    await writeFile(join(folder, "named.cfg"), "keep_generations = 1\n");
    expect((await bqueryd("import", "in.csv", "taxi.bcolz", "--append", "--config", "named.cfg")).stderr).to.equal("");
    expect(await kept()).to.equal(1);
    await writeTable(path, [{ name: "v", dtype: "int64", values: Array.from({ length: 65_537 }, (_, row) => BigInt(row)) }], { replace: true, keepGenerations: 1 });
    await appendRows(path, [{ name: "v", dtype: "int64", values: [1n] }], { keepGenerations: 5 });
    expect((await bqueryd("compact", "taxi", "--keep-generations", "1")).status).to.equal(0);
    expect(await kept()).to.equal(1);
    expect((await bqueryd("compact", "taxi", "--keep-generations", "0")).stderr).to.match(/^bqueryd: CONFIG: .*keep.generations/);
  });

  it("verify tells by its exit code what is damaged, though nobody reads what it prints", async () => {
    for (const table of ["bad.bcolz", "good.bcolz"]) await writeTable(join(folder, table), columns);
    await damage("bad.bcolz");
    const script = '{ "$@"; echo $? > code; } | true';
    const { stderr } = spawnSync("sh", ["-c", script, "sh", process.execPath, program, "verify", "bad.bcolz", "good.bcolz"], { encoding: "utf8", timeout: 20_000, cwd: folder });
    expect([stderr, await readFile(join(folder, "code"), "utf8")]).to.deep.equal(["", "65\n"]);
  });

  it("says in one line what is not there", async () => {
    for (const command of ["verify", "compact"]) {
      const { status, stdout, stderr } = await bqueryd(command, "none.bcolz");
      expect({ status, stdout }).to.deep.equal({ status: 65, stdout: "" });
      expect(stderr).to.match(/^bqueryd: NOT_FOUND: .*none\.bcolz is not a table; check the path, or import the table first\n$/);
    }
  });
});
