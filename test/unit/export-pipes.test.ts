import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { exportTables } from "../../lib/formats/export/export.js";
import { failureOf } from "../support/failure.js";
import { writeTable } from "../support/write-table.js";

const rows = 200_000;

describe("an export to a named pipe", () => {
  let folder = "";
  let pipe = "";
  let table = "";
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-export-pipes-"));
    [pipe, table] = [join(folder, "pipe.csv"), join(folder, "t.bcolz")];
    execFileSync("mkfifo", [pipe]);
    await writeTable(table, [{ name: "n", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt(row)) }]);
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("gives all bytes to whoever reads it, even later", async () => {
    const exported = exportTables({ tables: [table], output: pipe });
    const reader = spawn("cat", [pipe], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = (await text(reader.stdout)).split("\n");
    expect((await exported).rows).to.equal(rows);
    expect([lines.length, lines[0], lines[1], lines.at(-2)]).to.deep.equal([rows + 2, "n", "0", String(rows - 1)]);
  });

  it("is interrupted while nobody reads", async () => {
    expect((await failureOf(() => exportTables({ tables: [table], output: pipe, signal: AbortSignal.timeout(100) }))).code).to.equal("CANCELLED");
  });

  it("is interrupted while its reader takes nothing", async () => {
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      expect((await failureOf(() => exportTables({ tables: [table], output: pipe, signal: AbortSignal.timeout(1_000) }))).code).to.equal("CANCELLED");
    } finally {
      closeSync(reader);
    }
  });

  it("fails when its reader goes away", async () => {
    const reader = spawn("head", ["-c", "100", pipe], { stdio: "ignore" });
    expect((await failureOf(() => exportTables({ tables: [table], output: pipe }))).code).to.equal("IO");
    if (reader.exitCode === null) await once(reader, "exit");
  });
});
