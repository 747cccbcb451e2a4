import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { decodeDownloads } from "../../lib/wire/download-documents.js";
import { runCommand, type CommandOutcome } from "../support/run-command.js";
import { openTicketCluster, type TicketCluster } from "../support/ticket-cluster.js";
import { until } from "../support/until.js";
import { writeShards, writeTable } from "../support/write-table.js";

const columns = [{ name: "v", dtype: "int64", values: [1n, 2n, 3n, 4n] }] as const;
const readme = new URL("../../../README.md", import.meta.url);

describe("bqueryd distribute and downloads", function () {
  this.timeout(60_000);
  let cluster: TicketCluster;
  let bucket: string;
  before(async () => {
    cluster = await openTicketCluster();
    const { folder } = cluster;
    bucket = join(folder, "bucket");
    mkdirSync(join(folder, "tonight"));
    mkdirSync(bucket);
    await writeTable(join(folder, "taxi.bcolz"), columns);
    await writeTable(join(folder, "tonight", "birdstrikes.bcolz"), columns);
    await writeShards(["trips-0.bcolzs", "trips-1.bcolzs"].map((name) => join(folder, name)), columns);
    const { address } = await cluster.startController();
    for (const role of ["worker", "downloader", "mover"] as const) await cluster.register(address, "n1", role);
    await cluster.register(address, "n2", "downloader");
  });
  after(() => cluster.close());

  function run(...args: readonly string[]): Promise<CommandOutcome> {
    return runCommand([...args, "--registry-dir", cluster.registryDir, "--data-dir", cluster.folder], cluster.folder);
  }
  async function newest(): Promise<string> {
    return (await cluster.registry.tickets.list()).heads.at(-1)!.id;
  }

  it("say that there is nothing yet, and what is wrong, in a line with the exit code of that", async () => {
    expect(await run("downloads")).to.deep.equal({ code: 0, stdout: "no downloads\n", stderr: "" });
    expect(await run("downloads", "--json")).to.deep.equal({ code: 0, stdout: "[]\n", stderr: "" });
    for (const [args, code, words] of [
      [["distribute", "taxi"], 64, "USAGE: distribute needs tables and a bucket"], [["distribute", "taxi", bucket, "--replicas", "0"], 64, "USAGE: --replicas takes a whole number above 0"],
      [["distribute", "taxy", bucket], 65, "NOT_FOUND: no table 'taxy'; did you mean 'taxi'?"], [["distribute", "taxi", "No_Bucket"], 78, "CONFIG: 'No_Bucket' names no bucket"],
      [["distribute", "taxi", join(bucket, "none")], 78, "CONFIG: "],
    ] as const) {
      const { code: ended, stdout, stderr } = await run(...args);
      expect({ args, ended, stdout }).to.deep.equal({ args, ended: code, stdout: "" });
      expect(stderr).to.include(`bqueryd: ${words}`).and.match(/^[^\n]+\n$/);
    }
  });

  it("--no-wait sends and prints the ticket, which downloads shows as it goes, and warns of nodes where nothing comes", async () => {
    const sent = await run("distribute", "taxi", "trips", bucket, "--no-wait");
    expect(sent.code).to.equal(0);
    expect(sent.stdout).to.match(/^bqueryd_download_ticket_[0-9a-f]{16}: under way, see bqueryd downloads; [\d.]+ k?B sent \(/);
    expect(sent.stderr).to.match(/n2 has no mover; the ticket waits for it, and fails in the end: start bqueryd movebcolz there/);
    const id = await newest();
    expect(sent.stdout).to.include(id);
    await cluster.double.bring(id, "downloading");
    const listed = await run("downloads");
    expect(listed.stdout).to.match(new RegExp(`^bqueryd_download_ticket_${id} +active +0/6 +3\\.00 kB of 6\\.00 kB`, "m"));
    const full = await run("downloads", "--verbose");
    expect(full.stdout).to.match(/^n2 +trips-1\.bcolzs +downloading +500 B of 1\.00 kB/m).and.match(/^n1 +0\/3 +1\.50 kB of 3\.00 kB/m);
    const [document] = decodeDownloads(JSON.parse((await run("downloads", "--json", "--verbose")).stdout));
    expect(document).to.include({ ticket: id, slots: 6, bytes_done: 3_000 });
    expect(document!.places).to.have.length(6);
    await cluster.double.fail(id, "the disk is full").catch(() => undefined);
    const again = JSON.parse((await run("distribute", "trips", bucket, "--no-wait", "--json")).stdout) as Record<string, unknown>;
    expect(again).to.deep.include({ in_use: false, bytes_sent: 0 });
    expect(again["bytes"]).to.be.above(0);
  });

  it("fails with the reason of the ticket, and exit code 70", async () => {
    const known = await newest();
    const running = run("distribute", "taxi", bucket);
    await until("there is a ticket", async () => await newest() !== known);
    await cluster.double.fail(await newest(), "DISK_FULL: 12 bytes are left");
    const { code, stdout, stderr } = await running;
    expect([code, stdout]).to.deep.equal([70, ""]);
    expect(stderr).to.match(/^bqueryd: TICKET_FAILED: the ticket bqueryd_download_ticket_[0-9a-f]{16} failed, and nothing has changed anywhere: taxi\.bcolz on n1: DISK_FULL: 12 bytes are left; /m);
    expect((await run("downloads")).stdout).to.match(/^bqueryd_download_ticket_[0-9a-f]{16}: taxi\.bcolz on n1: DISK_FULL: 12 bytes are left$/m);
  });

  it("ends when all is in use on every node, and what README shows of it runs as it is written", async () => {
    cluster.carryAll();
    const done = JSON.parse((await run("distribute", "taxi", bucket, "--json")).stdout) as Record<string, unknown>;
    expect(done).to.deep.include({ in_use: true, nodes: ["n1", "n2"], bytes_sent: 0 });
    const lines = [...readFileSync(readme, "utf8").matchAll(/^```sh(?: daemons)?\n([\s\S]*?)^```$/gm)].flatMap(([, text]) => text!.trim().split("\n"));
    const commands = lines.filter((line) => /^bqueryd (distribute|downloads)\b/.test(line));
    expect(commands).to.have.length(3);
    for (const command of commands) {
      // As a shell takes it apart.
      const { stdout: words } = spawnSync("sh", ["-c", `set -- ${command}; printf '%s\\0' "$@"`], { cwd: cluster.folder, env: { ...process.env, PWD: cluster.folder }, encoding: "utf8" });
      const { code, stdout, stderr } = await run(...words.split("\0").slice(1, -1));
      expect({ command, code }, stderr).to.deep.equal({ command, code: 0 });
      expect(stdout).to.match(/bqueryd_download_ticket_/);
    }
  });
});
