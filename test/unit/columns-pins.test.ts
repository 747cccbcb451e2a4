import { expect } from "chai";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, it } from "mocha";
import { wallMs } from "../../lib/base/clock.js";
import { openTable } from "../../lib/columns/read/open.js";
import { appendToTable } from "../../lib/columns/write/append.js";
import { readTable } from "../support/read-table.js";
import { unsyncedFiles, writeTable } from "../support/write-table.js";

describe("a reader's pin", () => {
  let folder = "";
  let path = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    path = join(folder, "taxi.bcolz");
  });
  afterEach(() => rm(folder, { recursive: true }));

  const write = (value: bigint): Promise<string> => writeTable(path, [{ name: "v", dtype: "int64", values: [value, 1_000n] }], { replace: true });

  async function pins(): Promise<string[]> {
    return (await readdir(path)).filter((name) => name.startsWith("PIN."));
  }

  /** Makes every file of the table as old as two hours. */
  async function age(): Promise<void> {
    const seconds = wallMs() / 1000 - 7_200;
    for (const name of await readdir(path)) await utimes(join(path, name), seconds, seconds);
  }

  /** Replaces the table until the first generation is long off CURRENT. */
  async function outdate(): Promise<void> {
    for (const value of [2n, 3n, 4n, 5n]) {
      await age();
      await write(value);
    }
  }

  it("spares the files of its generation for as long as the table is open", async () => {
    const first = await write(1n);
    const table = openTable(path, { pin: true });
    expect(await pins()).to.have.length(1);
    await outdate();
    expect(await readdir(path)).to.include(`${first}.json`);
    expect(table.column("v").statistics(0).minimum).to.equal(1n);
    table.close();
    expect(await pins()).to.deep.equal([]);
    await age();
    await write(6n);
    expect(await readdir(path)).to.not.include(`${first}.json`);
    expect(readTable(path).get("v")).to.deep.equal([6n, 1_000n]);
  });

  it("is not taken by a reader that does not ask for it", async () => {
    const first = await write(1n);
    const table = openTable(path);
    expect(await pins()).to.deep.equal([]);
    await outdate();
    expect(await readdir(path)).to.not.include(`${first}.json`);
    table.close();
  });

  it("counts for another process while that runs, and is cleared away once it is gone", async function () {
    this.timeout(60_000);
    const first = await write(1n);
    const module = fileURLToPath(new URL("../../lib/columns/read/open.js", import.meta.url));
    const child = spawn(process.execPath, ["--input-type=module", "-e", `
      const { openTable } = await import(${JSON.stringify(module)});
      openTable(${JSON.stringify(path)}, { pin: true });
      process.stdout.write("open");
      process.stdin.resume();
    `], { stdio: ["pipe", "pipe", "inherit"] });
    await once(child.stdout, "data");
    await outdate();
    expect(await readdir(path), "while it runs").to.include(`${first}.json`);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await pins()).to.have.length(1);
    await age();
    await write(7n);
    expect(await pins()).to.deep.equal([]);
    expect(await readdir(path)).to.not.include(`${first}.json`);
  });

  it("that is no pin counts for nothing", async () => {
    const first = await write(1n);
    for (const [at, content] of ["", "rubbish", `${process.pid} 1 ${first}\n`].entries()) await writeFile(join(path, `PIN.${String(at).padStart(32, "0")}`), content);
    await outdate();
    expect(await pins()).to.deep.equal([]);
    expect(await readdir(path)).to.not.include(`${first}.json`);
  });

  it("of another PID namespace counts for a day, as nobody can tell whether its process runs", async () => {
    const first = await write(1n);
    const pin = join(path, `PIN.${"0".repeat(32)}`);
    await writeFile(pin, `4999999 1 ${first} pid:[1]\n`);
    await outdate();
    expect(await readdir(path)).to.include(`${first}.json`);
    const seconds = wallMs() / 1000 - 25 * 3_600;
    await age();
    await utimes(pin, seconds, seconds);
    await write(6n);
    expect(await pins()).to.deep.equal([]);
    expect(await readdir(path)).to.not.include(`${first}.json`);
  });

  it("outlives a write that is aborted", async () => {
    await write(1n);
    const writer = await appendToTable({ path, columns: [{ name: "v", dtype: "int64" }], sort: null, files: unsyncedFiles });
    const table = openTable(path, { pin: true });
    await writer.abort();
    expect(await pins()).to.have.length(1);
    table.close();
  });

  it("does not keep a table from being opened where nothing can be written", async () => {
    await write(1n);
    const current = await readFile(join(path, "CURRENT"), "latin1");
    const table = openTable(path, { pin: true });
    await rm(path, { recursive: true });
    table.close();
    expect(current).to.have.length(65);
  });
});
