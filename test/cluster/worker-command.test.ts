import { expect } from "chai";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { startControllerDouble } from "../support/controller-double.js";
import { oneOf } from "../support/random/draw.js";
import { until } from "../support/until.js";

const program = fileURLToPath(new URL("../../bin/bqueryd.js", import.meta.url));

describe("bqueryd worker and bqueryd controller", function () {
  this.timeout(180_000);
  // Where worker and controller, or two wrong folders, differ little, each run of the tests takes one.
  const random = seededRandom(freshSeed());
  let directory = "";
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    await mkdir(join(directory, "data"));
  });

  afterEach(async () => {
    launchers = [];
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await rm(directory, { recursive: true });
  });

  /** Commands before the program's own. */
  let launchers: readonly string[] = [];

  /** A process of the program, its stderr so far and its end. */
  function start(command: "worker" | "controller", ...flags: string[]) {
    const memory = ["--cache-memory=16MB", "--query-memory=16MB"];
    const args = [program, command, `--data-dir=${join(directory, "data")}`, `--registry-dir=${join(directory, "registry")}`, ...memory, ...flags];
    const [launcher, ...rest] = [...launchers, process.execPath, ...args];
    const child = spawn(launcher!, rest, { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    children.push(child);
    let stderr = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => { stderr += text; });
    // Not `close`: it never comes for a channel that was disconnected from this side.
    const ended = Promise.all([once(child, "exit"), once(child.stderr!, "close")]).then(([[exitCode]]) => exitCode as number | null);
    return {
      child, ended,
      stderr: () => stderr,
      started: () => until(`${command} has started`, () => stderr.includes('"process.started"')),
    };
  }

  for (const command of ["worker", "controller"] as const) {
    it(`${command} ends cleanly on SIGTERM, with one line that says why`, async () => {
      const process = start(command);
      await process.started();
      process.child.kill("SIGTERM");
      expect(await process.ended).to.equal(0);
      const last: unknown = JSON.parse(process.stderr().trim().split("\n").at(-1)!);
      expect(last).to.include({ event: "process.stopped", reason: "SIGTERM", role: command });
    });
  }

  it("either ends cleanly when the process that supervises it is gone", async () => {
    const command = oneOf(random, ["worker", "controller"] as const);
    const process = start(command);
    await process.started();
    process.child.disconnect();
    expect(await process.ended, command).to.equal(0);
  });

  it("worker ends when a controller shuts it down", async () => {
    const controller = await startControllerDouble();
    try {
      const process = start("worker", `--controllers=${controller.address}`);
      await controller.take("register");
      controller.send({ type: "shutdown", reason: "killall" });
      expect(await process.ended).to.equal(0);
      expect(process.stderr()).to.include('"killall"');
    } finally {
      await controller.close();
    }
  });

  it("a data_dir that is missing or a file is one line and exit code 78", async () => {
    const file = join(directory, "file");
    await writeFile(file, "");
    const [path, complaint] = oneOf(random, [[join(directory, "none"), "does not exist; create it"], [file, "is not a directory; set data_dir"]] as const);
    const process = start("worker", `--data-dir=${path}`);
    expect(await process.ended, path).to.equal(78);
    expect(process.stderr()).to.match(/^bqueryd: CONFIG: data_dir .*\n$/).and.include(`${path} ${complaint}`);
  });

  it("a data_dir without permission is one line and exit code 78", async () => {
    // Nothing is forbidden to root, but to a root without these capabilities.
    if (process.getuid?.() === 0) launchers = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
    await chmod(join(directory, "data"), 0o000);
    const worker = start("worker");
    expect(await worker.ended).to.equal(78);
    expect(worker.stderr()).to.match(/^bqueryd: CONFIG: data_dir .* cannot be read by this user; .*\n$/);
  });

  it("a registry_dir that is a file is one line and exit code 69", async () => {
    const file = join(directory, "file");
    await writeFile(file, "");
    const command = oneOf(random, ["worker", "controller"] as const);
    const process = start(command, `--registry-dir=${file}`);
    expect(await process.ended, command).to.equal(69);
    expect(process.stderr()).to.match(/^bqueryd: REGISTRY_UNAVAILABLE: .*\n$/).and.include(file);
  });

  it("a port in use is one line and exit code 69", async () => {
    const holder = await startControllerDouble();
    try {
      const process = start("controller", `--port=${new URL(holder.address).port}`);
      expect(await process.ended).to.equal(69);
      expect(process.stderr()).to.match(/^bqueryd: PORT_IN_USE: .*\n$/);
    } finally {
      await holder.close();
    }
  });
});
