import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { writeTable } from "../support/write-table.js";

const executable = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));

describe("a process that may have few files open", () => {
  let folder = "";
  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), "bqueryd-open-files-")); });
  afterEach(() => rm(folder, { recursive: true }));

  it("reads tables of more columns than that", async function () {
    this.timeout(180_000);
    const columns = Array.from({ length: 400 }, (_, column) => `c${column}`);
    await writeTable(join(folder, "t.bcolz"), columns.map((name, column) => ({ name, dtype: "int64", values: [1, 2, 3].map((row) => BigInt(row * row * (column + 2))) })));
    const { status, stdout, stderr } = spawnSync("sh", ["-c", "ulimit -n 256; exec \"$@\"", "sh", process.execPath, executable, "export", "t.bcolz", "-", "--format", "csv", "--json"], { cwd: folder, encoding: "utf8" });
    expect(status, stderr).to.equal(0);
    expect(stdout).to.equal([columns, ...[1, 2, 3].map((row) => columns.map((_, column) => row * row * (column + 2)))].map((cells) => `${cells.join(",")}\n`).join(""));
  });
});
