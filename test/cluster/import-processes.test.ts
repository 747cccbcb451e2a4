import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { after, afterEach, before, beforeEach, describe, it } from "mocha";
import { describeTable } from "../../lib/columns/read/describe.js";
import { openTable } from "../../lib/columns/read/open.js";
import { readTable } from "../support/read-table.js";

const executable = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));

/** A running import with what it has written. */
interface Import {
  readonly child: ChildProcess;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  output(): string;
  hasEnded(): boolean;
}

function start(command: string, args: readonly string[], input?: NodeJS.ReadableStream): Import {
  const child = spawn(command, args, { stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"] });
  let output = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => { output += text; });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => { output += text; });
  // The child may well end before it has read all of its input.
  child.stdin?.on("error", () => undefined);
  if (input !== undefined && child.stdin !== null) input.pipe(child.stdin);
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("close", (code, signal) => { resolve(signal ?? code ?? 0); });
  });
  return { child, ended, output: () => output, hasEnded: () => child.exitCode !== null || child.signalCode !== null };
}

const startImport = (...args: readonly string[]): Import => start(process.execPath, [executable, "import", ...args]);

function writeGzip(path: string, rows: Iterable<string>): void {
  writeFileSync(path, gzipSync([...rows].join(""), { level: 1 }));
}

function* numberedRows(count: number, padding = ""): Generator<string> {
  yield "k,n,t\n";
  for (let row = 0; row < count; row++) yield `${Math.imul(row, 0x9e3779b1) >>> 12},${row},some text ${row % 5000}${padding === "" ? "" : `${padding}${row}`}\n`;
}

describe("imports as processes", function () {
  this.timeout(240_000);
  const rows = 600_000;
  let inputs = "";
  let folder = "";
  const at = (...names: string[]): string => join(folder, ...names);
  const input = (): string => join(inputs, "in.csv.gz");
  /** More than is sorted in memory. */
  const largeRows = 250_000;
  const largeInput = (): string => join(inputs, "large.csv.gz");
  before(() => {
    inputs = mkdtempSync(join(tmpdir(), "bqueryd-import-inputs-"));
    writeGzip(input(), numberedRows(rows));
    writeGzip(largeInput(), numberedRows(largeRows, "x".repeat(600)));
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

  const listed = (path: string): string[] => {
    try {
      return readdirSync(path);
    } catch {
      return [];
    }
  };
  const hasFile = (table: string, ending: string): boolean => listed(table).some((name) => name.endsWith(ending));
  const hasSpool = ({ child }: Import): boolean => listed(`/proc/${child.pid}/fd`).some((descriptor) => {
    try {
      return readlinkSync(`/proc/${child.pid}/fd/${descriptor}`).endsWith(".tmp (deleted)");
    } catch {
      return false;
    }
  });

  /** Waits until something is seen; false when the process ended before. */
  async function sees(running: Import, condition: () => boolean): Promise<boolean> {
    while (!condition()) {
      if (running.hasEnded()) return false;
      await delay(1);
    }
    return true;
  }

  const moments: readonly (readonly [string, readonly string[], (running: Import, table: string) => boolean])[] = [
    ["before it writes", [], (_, table) => listed(table).length > 0],
    ["when the first chunks are written", [], (_, table) => hasFile(table, ".tmp")],
    ["when it names its files", [], (_, table) => hasFile(table, ".col")],
    ["when its footer is written", [], (_, table) => hasFile(table, ".json")],
    ["while it sorts on disk", ["--sort", "k"], hasSpool],
    ["while it writes what is sorted", ["--sort", "k"], (running, table) => hasSpool(running) && hasFile(table, ".tmp")],
  ];

  for (const [moment, flags, condition] of moments) {
    const isLarge = flags.length > 0;
    const expectedRows = isLarge ? largeRows : rows;
    const inputOf = (): string => (isLarge ? largeInput() : input());

    it(`killed ${moment}, one leaves no table or the whole one, and nothing that the next import does not take away`, async () => {
      const running = startImport(inputOf(), at("t.bcolz"), ...flags);
      const isSeen = await sees(running, () => condition(running, at("t.bcolz")));
      if (isLarge) expect(isSeen, running.output()).to.equal(true);
      running.child.kill("SIGKILL");
      await running.ended;
      if (listed(at("t.bcolz")).includes("CURRENT")) expect(describeTable(at("t.bcolz")).rows).to.equal(expectedRows);
      expect(listed(folder).filter((name) => name !== "t.bcolz")).to.deep.equal([]);
      expect(await startImport(inputOf(), at("t.bcolz"), "--replace", ...flags).ended).to.equal(0);
      const table = openTable(at("t.bcolz"));
      const names = table.footer.files.map(({ name }) => name);
      table.close();
      expect(describeTable(at("t.bcolz")).rows).to.equal(expectedRows);
      const strays = listed(at("t.bcolz")).filter((name) => !names.includes(name) && name !== "CURRENT" && !name.endsWith(".json"));
      // A lock that was killed half written has no owner to be looked for: it goes with its age.
      const isHalfWritten = (name: string): boolean => name.startsWith("LOCK.") && !readFileSync(join(at("t.bcolz"), name), "latin1").endsWith("\n");
      expect(strays.filter((name) => !isHalfWritten(name))).to.deep.equal([]);
    });

    it(`told to end ${moment}, one leaves nothing`, async () => {
      const running = startImport(inputOf(), at("new/t.bcolz"), ...flags);
      await sees(running, () => condition(running, at("new/t.bcolz")));
      running.child.kill("SIGTERM");
      const outcome = await running.ended;
      if (outcome !== 0) expect([outcome, listed(folder)], running.output()).to.deep.equal([130, []]);
      else expect(describeTable(at("new/t.bcolz")).rows).to.equal(expectedRows);
    });
  }

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
    for (const flags of [[], ["--sort", "k"], ["--shards", "2"]]) {
      const output = at("new", flags[0] === "--shards" ? "t" : "t.bcolz");
      // No file may be larger than so many blocks of 512 or 1024 bytes; without the trap the first write past it would kill.
      const running = start("sh", ["-c", "trap '' XFSZ; ulimit -f 40; exec \"$@\"", "sh", process.execPath, executable, "import", input(), output, ...flags]);
      expect([await running.ended, listed(folder)], running.output()).to.deep.equal([74, []]);
      expect(running.output()).to.match(/bqueryd: IO: /);
    }
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
