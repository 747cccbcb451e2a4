import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { parse as parseIni } from "ini";
import { describe, it } from "mocha";
import { configKeys } from "../../lib/base/config-keys.js";
import { flagOf } from "../../lib/base/config.js";
import { createProgram } from "../../lib/cli/main.js";
import { createCallCounts } from "../../lib/cluster/controller/answers/call-counts.js";
import { createSessions } from "../../lib/cluster/controller/peers/sessions.js";
import { observeController } from "../../lib/cluster/metrics/controller-metrics.js";
import { observeDownloader } from "../../lib/cluster/metrics/downloader-metrics.js";
import { createExposition } from "../../lib/cluster/metrics/exposition.js";
import { observeMover } from "../../lib/cluster/metrics/mover-metrics.js";
import { observeWorker } from "../../lib/cluster/metrics/worker-metrics.js";
import { Scheduling } from "../support/scheduling.js";

const misc = new URL("../../../misc/", import.meta.url);
const units = ["bqueryd-controller.service", "bqueryd-worker@.service", "bqueryd-downloader@.service", "bqueryd-mover.service"];
/** What systemd calls those that run: of templates an instance. */
const started = units.map((unit) => unit.replace("@.", "@0."));
const hasSystemd = spawnSync("systemd-analyze", ["--version"]).status === 0;
const hasCompose = spawnSync("docker", ["compose", "version"]).status === 0;

function read(name: string): string {
  return readFileSync(new URL(name, misc), "utf8");
}

describe("the files for operation in misc/", function () {
  this.timeout(60_000);

  it("name commands, flags and variables that exist", async () => {
    const flags = Object.values(configKeys).map(({ name }) => flagOf(name));
    const variables = Object.values(configKeys).map(({ name }) => `BQUERYD_${name.toUpperCase()}`);
    // Those that fetch and move tables come with their daemons.
    const commands = (await createProgram()).commands.map((command) => command.name());
    for (const name of ["supervisor.conf", "compose.yaml", ...units]) {
      const text = read(name);
      const ran = [...text.matchAll(/bqueryd(?:\.js)?"?,? "?(controller|worker|downloader|movebcolz|up)\b/g)].map(([, command]) => command);
      expect(ran, name).to.include.oneOf(["controller", "worker", "downloader", "movebcolz"]);
      expect(commands).to.include.members(ran);
      const lines = text.split("\n").filter((line) => /^\s*(?:command|Exec\w+|Environment)\b/.test(line));
      for (const flag of lines.flatMap((line) => line.match(/(?<=[ "])--[a-z-]+/g) ?? [])) expect(flags, name).to.include(flag);
      for (const variable of lines.flatMap((line) => line.match(/BQUERYD_[A-Z0-9_]+/g) ?? [])) expect(variables, name).to.include(variable);
    }
  });

  it("supervisor.conf is one controller, workers, downloaders and one mover, whose ports differ", () => {
    const sections: Record<string, Record<string, string>> = parseIni(read("supervisor.conf"));
    const names = ["controller", "worker", "downloader", "mover"].map((role) => `bqueryd-${role}`);
    expect(Object.keys(sections)).to.deep.equal([...names.map((name) => `program:${name}`), "group:bqueryd"]);
    const [controller, worker, downloader, mover, group] = Object.values(sections);
    for (const program of [controller, worker, downloader, mover]) expect([program!["autorestart"], program!["stopsignal"]].map(String)).to.deep.equal(["true", "TERM"]);
    expect(group!["programs"]).to.equal(names.join());
    expect([controller!["numprocs"], mover!["numprocs"], downloader!["numprocs"]]).to.deep.equal([undefined, undefined, "3"]);
    expect(Number(worker!["numprocs"])).to.be.above(1);
    for (const several of [worker, downloader]) {
      expect(several!["command"]).to.include("%(process_num)d");
      expect(several!["process_name"]).to.include("%(process_num)d");
    }
    const ports = [controller, mover].map((one) => Number(/--metrics-port=(\d+)/.exec(one!["command"]!)?.[1]));
    const firsts = [downloader, worker].map((several) => Number(several!["numprocs_start"]));
    expect([...ports, ...firsts]).to.deep.equal([9300, 9301, 9302, 9310]);
  });

  it("the systemd units of a downloader and the mover let them write tables", () => {
    for (const unit of units.slice(2)) expect(read(unit)).to.match(/^ReadWritePaths=-\/srv\/bcolz$/m);
  });

  it("the systemd units restart what ends, reload by SIGHUP, and forbid nothing that Node.js needs", () => {
    for (const unit of units) {
      const { Service: service }: Record<string, Record<string, string>> = parseIni(read(unit));
      expect(service).to.include({ Restart: "always", ExecReload: "/bin/kill -HUP $MAINPID" });
      expect(Object.keys(service!)).to.not.include.members(["MemoryDenyWriteExecute"]).and.not.include.members(["ProcSubset"]);
      // Longer than a daemon takes to let its work finish.
      expect(Number(service!["TimeoutStopSec"])).to.be.above(10);
    }
  });

  it("systemd takes the units, where it is", () => {
    if (!hasSystemd) return;
    const folder = mkdtempSync(join(tmpdir(), "bqueryd-units-"));
    try {
      // It looks whether the program is there, as everything else it is told.
      for (const unit of units) writeFileSync(join(folder, unit), read(unit).replace("/usr/local/bin/bqueryd", process.execPath));
      for (const [index, unit] of units.entries()) writeFileSync(join(folder, started[index]!), read(unit).replace("/usr/local/bin/bqueryd", process.execPath));
      const { status, stdout, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", ...started.map((one) => join(folder, one))], { encoding: "utf8", env: { ...process.env, SYSTEMD_UNIT_PATH: `${folder}:` } });
      expect(`${stdout}${stderr}`.split("\n").filter((line) => line.includes("bqueryd"))).to.deep.equal([]);
      expect(status, stderr).to.equal(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("compose.yaml shares network and processes with the controller, and gives workers their tables", () => {
    const [, controller, worker, downloader, mover] = read("compose.yaml").split(/^ {2}(?=(?:controller|worker|downloader|mover):$)/m);
    expect(controller).to.match(/^ {4}restart: always$/m).and.match(/\/healthz/);
    for (const line of ["network_mode: service:controller", "pid: service:controller", "restart: always"]) expect(worker).to.include(`\n    ${line}\n`);
    expect(worker).to.match(/^ {6}- .*:\/srv\/bcolz:ro$/m).and.include('"--data-dir=/srv/bcolz"');
    for (const carrier of [downloader, mover]) {
      for (const line of ["network_mode: service:controller", "pid: service:controller", "restart: always", 'profiles: ["downloads"]']) expect(carrier).to.include(`\n    ${line}\n`);
      expect(carrier, "it can write").to.match(/^ {6}- .*:\/srv\/bcolz$/m);
    }
    expect(read("compose.yaml")).to.not.match(/\t/);
  });

  it("docker compose takes compose.yaml, where it is", () => {
    if (!hasCompose) return;
    const { status, stderr } = spawnSync("docker", ["compose", "-f", new URL("compose.yaml", misc).pathname, "config", "--quiet"], { encoding: "utf8" });
    expect(status, stderr).to.equal(0);
  });

  it("every metric on the dashboard exists, and every panel shows one", async () => {
    const dashboard: { panels: { type: string; title: string; targets?: { expr: string }[] }[] } = JSON.parse(read("grafana-dashboard.json"));
    const served = new Set(await servedNames());
    const panels = dashboard.panels.filter(({ type }) => type !== "row");
    expect(panels.length).to.be.above(10);
    for (const { title, targets = [] } of panels) {
      expect(targets.length, title).to.be.above(0);
      for (const { expr } of targets) {
        const named = expr.match(/\b(?:bqueryd|process|nodejs)_[a-z_]+/g) ?? [];
        expect(named.length, `${title}: ${expr}`).to.be.above(0);
        for (const name of named) expect(served.has(name), `${title}: ${name}`).to.equal(true);
      }
    }
  });

  it("no file for operation is forgotten here", () => {
    const known = [...units, "supervisor.conf", "compose.yaml", "grafana-dashboard.json", "bqueryd.cfg"];
    expect(readdirSync(misc).filter((name) => /\.(service|conf|yaml|json|cfg)$/.test(name))).to.have.members(known);
  });
});

/** The names of the series that daemons serve. */
async function servedNames(): Promise<string[]> {
  const { state } = new Scheduling();
  const controller = observeController(() => ({ state, sessions: createSessions(), calls: createCallCounts(), messagesIn: 0, messagesOut: 0, malformed: 0, isListed: true }));
  const worker = observeWorker(() => { throw new Error("only names are asked"); });
  const carriers = [observeDownloader, observeMover].map((observe) => observe(() => { throw new Error("only names are asked"); }));
  const ours = [controller, worker, ...carriers].flatMap(({ families }) => families).flatMap(({ name, kind }) => (kind === "times" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]));
  const text = await createExposition([]).text();
  return [...ours, ...text.split("\n").flatMap((line) => /^([a-z_]+)/.exec(line)?.[1] ?? [])];
}
