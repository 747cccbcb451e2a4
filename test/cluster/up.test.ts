import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { loadConfig } from "../../lib/base/config.js";
import { evaluate, formatValue } from "../../lib/cli/repl.js";
import { startUp } from "../../lib/cli/up.js";
import { connect, type Rpc } from "../../lib/index.js";
import { someOf } from "../support/random/draw.js";
import { until } from "../support/until.js";
import { writeShards } from "../support/write-table.js";

const program = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));

interface UpProcess {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

describe("up", function () {
  this.timeout(180_000);
  let folder: string;
  let dataDir: string;
  const started: UpProcess[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-up-"));
    dataDir = join(folder, "data");
    mkdirSync(dataDir);
    const paths = [0, 1, 2].map((shard) => join(dataDir, `taxi-${shard}.bcolzs`));
    await writeShards(paths, [{ name: "v", dtype: "int64", values: [1n, 2n, 3n, 4n] }, { name: "k", dtype: "string", values: ["a", "b", "a", null] }]);
  });

  afterEach(async () => {
    for (const { child } of started.splice(0)) {
      child.kill("SIGTERM");
      await until("up has ended", () => hasEnded(child));
    }
    rmSync(folder, { recursive: true });
  });

  function flags(overrides: Record<string, string> = {}): Record<string, string> {
    return { registry_dir: join(folder, "registry"), data_dir: dataDir, workers: "2", cache_memory: "16MB", query_memory: "16MB", heartbeat: "0.2", expiry: "2", ...overrides };
  }

  function up(overrides: Record<string, string> = {}): UpProcess {
    const args = Object.entries(flags(overrides)).map(([name, text]) => `--${name}=${text}`);
    const child = spawn(process.execPath, [program, "up", ...args], { stdio: ["ignore", "pipe", "pipe"] });
    const [stdout, stderr] = [child.stdout, child.stderr].map(collect);
    const process_ = { child, stdout: stdout!, stderr: stderr! };
    started.push(process_);
    return process_;
  }

  async function ready(overrides: Record<string, string> = {}): Promise<UpProcess & { rpc: Rpc }> {
    const started = up(overrides);
    await until("up is ready", () => /^ready: /m.test(started.stdout()) || hasEnded(started.child));
    expect(started.stdout(), started.stderr()).to.match(/^ready: tcp:\/\/127\.0\.0\.1:\d+, 2 workers, 1 table \(3 shards, 4 rows\); ask with: bqueryd tcp:\/\/127\.0\.0\.1:\d+\n$/);
    return { ...started, rpc: await connect({ registry_dir: join(folder, "registry") }) };
  }

  async function sum(rpc: Rpc): Promise<unknown> {
    return (await rpc.groupby("taxi", [], ["v"])).rows()[0]?.["v"];
  }

  async function exitCode(child: ChildProcess): Promise<number | null> {
    await until("up has ended", () => hasEnded(child));
    return child.exitCode;
  }

  it("serves when it says so, starts a killed worker again, and a killed controller at its old address, tells of a second one that joins it, whose processes end when it is killed, and Ctrl-C ends every process", async () => {
    const { child, rpc, stdout, stderr } = await ready();
    expect(await sum(rpc)).to.equal(10);
    expect(childrenOf(child.pid!)).to.have.length(3);
    const address = /^ready: ([^,]+)/.exec(stdout())![1];
    for (const role of ["worker", "controller"]) {
      const victim = childrenOf(child.pid!).find((pid) => commandOf(pid).includes(role))!;
      process.kill(victim, "SIGKILL");
      await until(`the ${role} is replaced`, () => childrenOf(child.pid!).length === 3 && !isAlive(victim));
      await until("the cluster is whole again", async () => {
        const info = await rpc.info().catch(() => undefined);
        return info?.workers.length === 2 && info.address === address;
      });
      expect(await sum(rpc)).to.equal(10);
    }
    expect(stderr().match(/killed by SIGKILL: by kill -9, or by the kernel because memory ran out/g)).to.have.length(2);
    await rpc.close();
    expect(stderr()).to.not.include("joins");
    await joinsAndIsKilled();
    const children = childrenOf(child.pid!);
    child.kill("SIGINT");
    expect(await exitCode(child)).to.equal(0);
    expect(stdout()).to.match(/\nstopped: SIGINT\n$/);
    expect(children.filter(isAlive)).to.deep.equal([]);
  });

  /** One tells when it joins a cluster that is up already; the processes of one that is killed end. */
  async function joinsAndIsKilled(): Promise<void> {
    const { child, stderr } = up({ workers: "1" });
    await until("the second one says so", () => /^bqueryd: joins a cluster of 1 controller and 2 workers at tcp:\/\/127\.0\.0\.1:\d+; give --cluster NAME/m.test(stderr()) || hasEnded(child));
    expect(stderr()).to.include("bqueryd: joins a cluster");
    await until("it has started its processes", () => childrenOf(child.pid!).length === 2);
    const children = childrenOf(child.pid!);
    child.kill("SIGKILL");
    await until("no child is left", () => !children.some(isAlive));
  }

  it("what keeps a process from starting is told on one line, and nothing is left", async () => {
    const file = join(folder, "file");
    writeFileSync(file, "");
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const port = String((server.address() as { port: number }).port);
    const failures = [
      [{ data_dir: file }, 78, /^bqueryd: CONFIG: data_dir .*file is not a directory; .*$/m],
      [{ data_dir: join(folder, "none") }, 78, /^bqueryd: CONFIG: data_dir .*none does not exist; .*$/m],
      [{ registry_dir: file }, 69, /^bqueryd: REGISTRY_UNAVAILABLE: .*file.*; .*$/m],
      [{ port }, 69, /^bqueryd: PORT_IN_USE: .*; .*$/m],
      [{ bind: "0.0.0.0" }, 78, /^bqueryd: CONFIG: .*0\.0\.0\.0.*; .*$/m],
    ] as const;
    const seed = freshSeed();
    for (const [overrides, code, line] of someOf(seededRandom(seed), failures, 1)) {
      const { child, stdout, stderr } = up({ ...overrides, log_level: "error" });
      expect(await exitCode(child), `seed ${seed}: ${stderr()}`).to.equal(code);
      expect(stdout()).to.equal("");
      expect(stderr()).to.match(line);
      expect(stderr().match(/^bqueryd: /gm), stderr()).to.have.length(1);
    }
    server.close();
  });

  it("passes on a configuration that is read again by SIGHUP, to those that run and those that are started later, and ends after killall", async () => {
    const file = join(folder, "bqueryd.cfg");
    writeFileSync(file, "");
    const { child, rpc, stdout, stderr } = await ready({ config: file, metrics_port: "0" });
    const said = (event: string): Record<string, unknown>[] => stderr().split("\n").filter((line) => line.includes(`"${event}"`)).map((line) => JSON.parse(line) as Record<string, unknown>);
    writeFileSync(file, "memory_limit = 4GB\n");
    child.kill("SIGHUP");
    await until("all have read it", () => said("config.reloaded").length === 3);
    expect(said("config.reloaded").map(({ role, changed, needsRestart }) => [role, changed, needsRestart])).to.have.deep.members([
      ["controller", [], ["memory_limit"]], ["worker", ["memory_limit"], []], ["worker", ["memory_limit"], []],
    ]);
    const victim = childrenOf(child.pid!).find((pid) => commandOf(pid).includes("worker"))!;
    process.kill(victim, "SIGKILL");
    await until("the worker is replaced", async () => (await rpc.info()).workers.filter(({ pid }) => pid !== victim).length === 2);
    expect(childrenOf(child.pid!).filter((pid) => readProc(pid, "cmdline").includes("--memory-limit=4GB"))).to.have.length(1);
    writeFileSync(file, "memory_limit = much\n");
    child.kill("SIGHUP");
    await until("up refuses it", () => /^bqueryd: CONFIG: memory_limit = 'much' .*; until then the configuration in force stays$/m.test(stderr()));
    expect(hasEnded(child)).to.equal(false);
    const addresses = said("process.started").slice(0, 3).map(({ metrics }) => String(metrics));
    expect(new Set(addresses).size).to.equal(3);
    await rpc.killall();
    await rpc.close();
    expect(await exitCode(child)).to.equal(0);
    expect(stdout()).to.match(/\nstopped: killall\n$/);
  });

  it("a program starts and stops one, and code finds rpc in it", async () => {
    const config = loadConfig({ flags: flags({ log_level: "error" }) });
    const cluster = await startUp(config);
    try {
      expect(cluster).to.deep.include({ workers: 2, tables: [{ table: "taxi", shards: 3, rows: 4 }] });
      const rpc = await connect({ controllers: [cluster.address] });
      try {
        const cases = [
          ["rpc.ping()", "pong\n"],
          ["const n = await rpc.groupby('taxi', [], ['v']);\nn.numRows + 1", "2\n"],
          ["rpc.groupby('taxi', ['k'], ['v'], [['k', '==', 'a']])", "k  v\n-  -\na  4\n"],
          ["(await rpc.groupby('taxi', [], ['v'])).rows()", "[ { v: 10 } ]\n"],
          ["let unused = 1", ""],
          ["", ""],
        ] as const;
        for (const [code, printed] of cases) expect(trimLines(formatValue(await evaluate(code, rpc))), code).to.equal(printed);
        const failures = [
          ["rpc.groupby('taxy', [], ['v'])", "UNKNOWN_TABLE"], ["rpc.groupby('taxi', [], ['w'])", "UNKNOWN_COLUMN"], ["rpc.groupby('taxi', [], [['k', 'sum']])", "DTYPE_MISMATCH"],
          ["rpc.groupby('taxi', [], ['v'], [['v', 'in', []]])", "BAD_QUERY"], ["rpc.groupby('taxi', ['v'], ['v'])", "BAD_QUERY"],
          ["nothing.x", "USAGE"], ["await rpc.nothing()", "USAGE"], ["1 +", "USAGE"], ["throw 3", "USAGE"], ["await Promise.reject(new Error('x'))", "USAGE"],
        ] as const;
        for (const [code, expected] of failures) {
          const failure: unknown = await evaluate(code, rpc).catch((error: unknown) => error);
          expect(failure, code).to.be.an("error").with.property("code", expected);
        }
        // Node says so when nothing is left that could settle it, which in this process is never.
        const stuck = evaluate("await new Promise(() => undefined)", rpc).catch((error: unknown) => error);
        process.emit("beforeExit", 0);
        expect(await stuck).to.include({ code: "USAGE" }).and.property("message").match(/^the code waits for a promise that nothing settles/);
      } finally {
        await rpc.close();
      }
    } finally {
      await cluster.stop("the test is over");
    }
    expect(await cluster.stopped).to.equal("the test is over");
    expect(existsSync(dataDir)).to.equal(true);
  });
});

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = "";
  stream.setEncoding("utf8").on("data", (part: string) => { text += part; });
  return () => text;
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    const [state, parentPid] = statOf(pid);
    return Number(parentPid) === parent && state !== "Z";
  });
}

function isAlive(pid: number): boolean {
  const [state] = statOf(pid);
  return state !== undefined && state !== "Z";
}

/** State and parent of a process, from behind its name; none of one that is gone. */
function statOf(pid: number): string[] {
  return readProc(pid, "stat").replace(/^.*\) /s, "").split(" ").filter((word) => word !== "");
}

function commandOf(pid: number): string {
  return readProc(pid, "cmdline").split("\0")[2] ?? "";
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function trimLines(text: string): string {
  return text.replace(/ +$/gm, "");
}
