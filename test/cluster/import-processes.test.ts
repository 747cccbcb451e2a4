import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, afterEach, before, beforeEach, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { describeTable } from "../../lib/columns/read/describe.js";
import { runFileCases } from "../support/files/cases.js";
import { executable, hasFile, hasSpool, importEndedCases, importKilledCases, listed, requireInput, rows, sees, sortKilledCases, start, startImport } from "../support/files/imports.js";
import { oneOf } from "../support/random/draw.js";
import { readTable } from "../support/read-table.js";

describe("imports as processes", function () {
  this.timeout(240_000);
  let inputs = "";
  let folder = "";
  const at = (...names: string[]): string => join(folder, ...names);
  const input = (): string => requireInput(inputs);
  before(() => {
    inputs = mkdtempSync(join(tmpdir(), "bqueryd-import-inputs-"));
  });
  after(() => {
    rmSync(inputs, { recursive: true });
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-import-processes-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("killed at any moment, leave no table or the whole one, and nothing that the next import does not take away", async () => {
    expect(await runFileCases([...importKilledCases, ...sortKilledCases], { folder: inputs, count: 1, seed: freshSeed() })).to.equal(1);
  });

  it("told to end at any moment, leave nothing", async () => {
    expect(await runFileCases(importEndedCases, { folder: inputs, count: 1, seed: freshSeed() })).to.equal(1);
  });

  it("interrupted while it copies standard input, one ends at once and leaves nothing", async () => {
    const endless = spawn("sh", ["-c", "echo a; exec yes 1"], { stdio: ["ignore", "pipe", "ignore"] });
    const running = start(process.execPath, [executable, "import", "-", at("t.bcolz")], endless.stdout);
    expect(await sees(running, () => hasSpool(running))).to.equal(true);
    running.child.kill("SIGINT");
    const outcome = await running.ended;
    endless.kill("SIGKILL");
    expect([outcome, listed(folder)], running.output()).to.deep.equal([130, []]);
  });

  for (const [what, writer] of [["nobody opens for writing", ""], ["somebody opens, and writes little to", "exec 3> in.pipe; echo a >&3; exec sleep 600"]] as const) {
    it(`interrupted while it reads a named pipe that ${what}, one ends at once and leaves nothing`, async () => {
      execFileSync("mkfifo", [at("in.pipe")]);
      const other = spawn("sh", ["-c", writer], { cwd: folder, stdio: "ignore" });
      const gone = once(other, "exit");
      const running = startImport(at("in.pipe"), at("t.bcolz"));
      expect(await sees(running, () => hasSpool(running))).to.equal(true);
      running.child.kill("SIGINT");
      const outcome = await running.ended;
      other.kill("SIGKILL");
      await gone;
      expect([outcome, listed(folder)], running.output()).to.deep.equal([130, ["in.pipe"]]);
    });
  }

  it("on a disk that takes no more, one fails and leaves nothing", async () => {
    const flags = oneOf(seededRandom(freshSeed()), [[], ["--sort", "k"], ["--shards", "2"]]);
    const output = at("new", flags[0] === "--shards" ? "t" : "t.bcolz");
    // No file may be larger than so many blocks of 512 or 1024 bytes; without the trap the first write past it would kill.
    const running = start("sh", ["-c", "trap '' XFSZ; ulimit -f 40; exec \"$@\"", "sh", process.execPath, executable, "import", input(), output, ...flags]);
    const what = `${flags.join(" ")}: `;
    expect([await running.ended, listed(folder)], what + running.output()).to.deep.equal([74, []]);
    expect(running.output(), what).to.match(/bqueryd: IO: /);
  });

  it("of two into one table, one is told that the other writes it", async () => {
    const first = startImport(input(), at("t.bcolz"));
    await sees(first, () => hasFile(at("t.bcolz"), ".tmp"));
    const second = startImport(input(), at("t.bcolz"));
    const outcomes = [await first.ended, await second.ended];
    expect(outcomes[0]).to.equal(0);
    expect([75, 65], second.output()).to.include(outcomes[1]);
    expect(describeTable(at("t.bcolz")).rows).to.equal(rows);
  });

  it("keeps the rows as they are whatever it went through", async () => {
    expect(await startImport(input(), at("t.bcolz"), "--sort", "k", "--codec", "zstd").ended).to.equal(0);
    const table = readTable(at("t.bcolz"));
    const keys = table.get("k")!.map(Number);
    expect(keys.every((key, row) => row === 0 || keys[row - 1]! <= key)).to.equal(true);
    expect(new Set(table.get("n")).size).to.equal(rows);
    for (const row of [0, 1, 77_777, rows - 1]) {
      const n = Number(table.get("n")![row]);
      expect([keys[row], table.get("t")![row]]).to.deep.equal([Math.imul(n, 0x9e3779b1) >>> 12, `some text ${n % 5000}`]);
    }
  });
});
