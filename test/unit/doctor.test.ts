import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { loadConfig, type Config } from "../../lib/base/config.js";
import { formatCheck, look, warning } from "../../lib/cli/doctor/check.js";
import { checkClock, checkCluster, checkInfo } from "../../lib/cli/doctor/cluster.js";
import { checkKeyFile, checkMemory, checkNode, checkOpenFiles, checkTables } from "../../lib/cli/doctor/machine.js";
import { checkPorts, findListener } from "../../lib/cli/doctor/ports.js";
import { checkTransfer } from "../../lib/cli/doctor/transfer.js";
import { version } from "../../lib/base/version.js";
import { BquerydError } from "../../lib/base/errors.js";
import { clusterInfo } from "../support/cluster-info.js";
import { writeTable } from "../support/write-table.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const program = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));

describe("doctor", function () {
  this.timeout(60_000);
  let folder: string;
  beforeEach(() => { folder = mkdtempSync(join(tmpdir(), "bqueryd-doctor-")); });
  afterEach(() => { rmSync(folder, { recursive: true }); });

  function load(flags: Record<string, string> = {}): Config {
    return loadConfig({ flags: { data_dir: folder, registry_dir: join(folder, "registry"), cache_memory: "16MB", query_memory: "16MB", workers: "1", ...flags }, env: {}, machineFile: "/nonexistent" });
  }

  function bqueryd(...args: string[]) {
    const flags = [`--data-dir=${folder}`, `--registry-dir=${join(folder, "registry")}`, "--cache-memory=16MB", "--query-memory=16MB", "--workers=1"];
    return spawnSync(process.execPath, [program, "doctor", ...flags, ...args], { encoding: "utf8", timeout: 20_000 });
  }

  it("says of each thing in a line whether it is in order, and ends with 0 where nothing has failed", () => {
    const { status, stdout, stderr } = bqueryd();
    expect({ status, stderr }).to.deep.equal({ status: 0, stderr: "" });
    for (const line of stdout.trimEnd().split("\n")) expect(line).to.match(/^(ok {5}|warning) {2}[\w ]+: /);
    expect(stdout).to.match(/^ok {7}packages: zeromq, lmdb, zstd, kernels load$/m).and.match(/^warning {2}data_dir: there is no table in .*; import one/m);
    expect(stdout).to.match(/^warning {2}registry: .* does not exist yet; start a controller/m);
  });

  it("ends with 69 where something has failed, and names it; --json is one object", () => {
    mkdirSync(join(folder, "broken.bcolz"));
    writeFileSync(join(folder, "broken.bcolz", "CURRENT"), "nonsense\n");
    const { status, stdout } = bqueryd("--json");
    expect(status).to.equal(69);
    const { ok, checks }: { ok: boolean; checks: { name: string; verdict: string; finding: string }[] } = JSON.parse(stdout);
    expect(ok).to.equal(false);
    expect(checks.filter(({ verdict }) => verdict === "failed").map(({ name }) => name)).to.deep.equal(["data_dir"]);
    expect(checks.find(({ verdict }) => verdict === "failed")!.finding).to.match(/^broken\.bcolz cannot be opened: /);
  });

  it("the Node.js versions that it takes are those of package.json", () => {
    const { engines }: { engines: { node: string } } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(engines.node).to.equal("^20.19.0 || >=22.13.0");
    const verdicts = ["20.18.3", "20.19.0", "21.7.0", "22.12.0", "22.13.0", "25.0.0"].map((one) => checkNode(one).verdict);
    expect(verdicts).to.deep.equal(["failed", "ok", "failed", "failed", "ok", "ok"]);
  });

  it("memory that the workers of up do not find is a warning, and a limit below what one may take", () => {
    const config = load({ workers: "4", cache_memory: "1GB", query_memory: "1GB" });
    expect(checkMemory(config, 2 ** 40).map(({ verdict }) => verdict)).to.deep.equal(["ok"]);
    expect(checkMemory(config, 2 ** 32).map(({ verdict }) => verdict)).to.deep.equal(["warning"]);
    expect(checkMemory(load({ memory_limit: "64MB" }), 2 ** 40).map(({ name, verdict }) => `${name} ${verdict}`)).to.deep.equal(["memory ok", "memory_limit warning"]);
  });

  it("open files are counted by the soft limit", () => {
    const limits = (soft: string): string => `Limit    Soft Limit  Hard Limit  Units\nMax open files            ${soft}                524288               files\n`;
    expect(["1024", "65536", "unlimited"].map((soft) => checkOpenFiles(limits(soft)).verdict)).to.deep.equal(["warning", "ok", "ok"]);
  });

  it("tables that can be opened are counted", async () => {
    await writeTable(join(folder, "taxi.bcolz"), [{ name: "v", dtype: "int64", values: [1n] }]);
    expect((await checkTables(folder)).map(formatCheck)).to.deep.equal([`ok       data_dir: 1 table in ${folder} can be opened`]);
  });

  it("a data_dir that downloaders and movers cannot write has failed, and is fine where there are none", async () => {
    const verdicts = async (dataDir: string, downloaders: number, folders: string[] = []): Promise<string[]> => {
      return (await checkTransfer({ dataDir, downloaders, s3Endpoint: undefined }, new Set(folders))).map(({ name, verdict }) => `${name} ${verdict}`);
    };
    // What even root cannot write to.
    expect(await verdicts("/proc/self", 0)).to.deep.equal(["data_dir ok"]);
    expect(await verdicts("/proc/self", 1)).to.deep.equal(["data_dir failed"]);
    expect(await verdicts("/proc/self", 0, ["/proc/self"])).to.deep.equal(["data_dir failed"]);
    expect(await verdicts(folder, 0)).to.deep.equal([]);
    expect(await verdicts(folder, 1)).to.deep.equal(["data_dir ok"]);
    expect(await verdicts(join(folder, "nowhere"), 1)).to.deep.equal([]);
  });

  it("an s3_endpoint with a path, and one that others can listen to, are warnings", async () => {
    const check = async (s3Endpoint: string): Promise<string> => (await checkTransfer({ dataDir: folder, downloaders: 0, s3Endpoint }, new Set())).map(formatCheck).join();
    expect(await check("https://objects.example.org:9000")).to.equal("ok       s3_endpoint: https://objects.example.org:9000");
    expect(await check("http://127.0.0.1:9000")).to.match(/^ok/);
    expect(await check("http://objects.example.org:9000")).to.match(/^warning {2}s3_endpoint: http:.* is not encrypted/);
    expect(await check("https://objects.example.org/tables")).to.match(/^warning {2}s3_endpoint: .* has a path/);
  });

  it("a key file that others can read, and one that is not there, have failed, with the command that mends it", async () => {
    const path = join(folder, "key");
    writeFileSync(path, "", { mode: 0o600 });
    expect((await checkKeyFile(path)).map(({ verdict }) => verdict)).to.deep.equal(["ok"]);
    chmodSync(path, 0o640);
    expect((await checkKeyFile(path)).map(formatCheck)).to.deep.equal([`failed   key_file: ${path} has mode 640, with which others than its owner can use it; chmod 600 ${path}`]);
    expect(await checkKeyFile(undefined)).to.deep.equal([]);
    expect((await checkKeyFile(`${path}s`)).map(formatCheck)).to.deep.equal([`failed   key_file: there is no ${path}s; correct key_file, or make one: bqueryd keygen ${path}s`]);
  });

  it("a port that is taken is named with the process that has it, and is fine for a controller of the cluster", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    try {
      expect((await findListener(port))?.pid).to.equal(process.pid);
      const config = load({ port: String(port) });
      const [taken] = await checkPorts(config, new Set());
      expect(taken).to.include({ verdict: "warning" });
      expect(taken!.finding).to.match(new RegExp(`^${port} is in use by process ${process.pid}: .`));
      expect((await checkPorts(config, new Set([process.pid]))).map(({ verdict }) => verdict)).to.deep.equal(["ok"]);
    } finally {
      server.close();
    }
    expect((await checkPorts(load({ port: String(port) }), new Set())).map(({ verdict }) => verdict)).to.deep.equal(["ok"]);
    expect((await checkPorts(load(), new Set()))[0]!.finding).to.match(/^14\d\d\d is the first free one of 14300 to 14399$/);
  });

  it("a controller that does not answer has failed", async () => {
    const { checks } = await checkCluster(load({ controllers: "tcp://127.0.0.1:9" }));
    expect(checks.map(({ verdict, finding }) => `${verdict} ${finding}`)).to.deep.equal(["failed tcp://127.0.0.1:9 does not answer: NO_CONTROLLER"]);
  });

  it("another version, no worker, and what a controller warns of are warnings", () => {
    const info = clusterInfo({ version: "0.0.0", workers: [], warnings: ["taxi lacks a shard; import it again", "odd"] });
    expect(checkInfo("tcp://a:1", info).map(formatCheck)).to.deep.equal([
      `warning  versions: tcp://a:1 runs 0.0.0, and this is ${version}; run the same release everywhere`, "warning  workers: tcp://a:1 has no worker; start one: bqueryd worker",
      "warning  cluster: taxi lacks a shard; import it again", "warning  cluster: odd; see rpc.info()",
    ]);
  });

  it("a clock is compared by when a controller began and how long it has run", () => {
    const verdictAt = (nowMs: number): string => formatCheck(checkClock({ node: "n", startedMs: 1_000_000 }, { uptime: 60 }, nowMs)[0]!);
    expect(verdictAt(1_060_500)).to.equal("ok       clocks: that of n is right within a second");
    expect(verdictAt(1_070_000)).to.match(/^warning {2}clocks: that of n is 10\.0 s behind this one, or/);
    expect(verdictAt(1_050_000)).to.match(/10\.0 s ahead of this one/);
  });

  it("what keeps it from looking is a finding too, and nothing of it can disturb a terminal", async () => {
    const [found] = await look("registry", () => Promise.reject(new BquerydError("REGISTRY_UNAVAILABLE", "cannot use it; make it writable; now")));
    expect(formatCheck(found!)).to.equal("failed   registry: REGISTRY_UNAVAILABLE: cannot use it; make it writable; now");
    expect(formatCheck(warning("a", "b\x1b[2J", "c"))).to.equal("warning  a: b\\u{1b}[2J; c");
  });

  it("a package that cannot be loaded is told by every command", () => {
    const copy = join(folder, "dist");
    for (const part of ["bin", "lib"]) cpSync(join(root, "dist", part), join(copy, part), { recursive: true });
    cpSync(join(root, "package.json"), join(folder, "package.json"));
    mkdirSync(join(folder, "node_modules"));
    const named = readFileSync(join(root, "package.json"), "utf8").match(/"(?:@[\w.-]+\/)?[\w.-]+": "\d/g)!.map((text) => text.slice(1, text.indexOf('"', 1)));
    for (const name of named.filter((one) => !one.startsWith("@") && one !== "zeromq" && one !== "version")) symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
    symlinkSync(join(root, "node_modules", "@mongodb-js"), join(folder, "node_modules", "@mongodb-js"));
    const { status, stderr } = spawnSync(process.execPath, [join(copy, "bin", "bqueryd.js"), "doctor"], { encoding: "utf8", timeout: 20_000 });
    expect(status, stderr).to.equal(70);
    expect(stderr).to.match(/^bqueryd: INTERNAL: the program cannot be loaded \(.*zeromq.*\); install its packages again with npm ci\nfailed {3}packages: zeromq cannot be loaded: /);
  });
});
