/**
 * Runs around every test run: temp files go to a folder of this run alone, and after the last test neither a file in it,
 * nor a process started with it, nor an open socket may be left. A run that does not end by itself then is failed.
 */
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import { monotonicMs } from "../../lib/base/clock.js";
import { openSocketCount } from "../../lib/wire/sockets.js";

process.setSourceMapsEnabled(true);

const folder = mkdtempSync(join(tmpdir(), "bqueryd-test-run-"));
process.env["TMPDIR"] = folder;
// Whatever a test forgets to say, no process of it may touch the registry, the configuration or the history of a user.
process.env["HOME"] = folder;
process.env["XDG_STATE_HOME"] = join(folder, "state");

// Of a run that ends before its last test, too.
process.once("exit", () => { rmSync(folder, { recursive: true, force: true }); });

const goneWithinMs = 15_000;

/** What mocha calls for the whole run. */
export const mochaHooks = {
  async afterAll(): Promise<void> {
    failIfStillOpen();
    await settle(processesOfRun);
    expect(processesOfRun(), "processes left behind").to.deep.equal([]);
    await settle(openFilesOfRun);
    expect(openFilesOfRun(), "open files left behind").to.deep.equal([]);
    expect(openSocketCount(), "zeromq sockets left open").to.equal(0);
    expect(readdirSync(folder), "temp files left behind").to.deep.equal([]);
  },
};

async function settle(leftovers: () => readonly string[]): Promise<void> {
  const deadlineMs = monotonicMs() + goneWithinMs;
  while (leftovers().length > 0 && monotonicMs() < deadlineMs) await delay(20);
}

/** Processes with this run's folder in their environment, whoever their parent is by now: `pid command`. */
function processesOfRun(): string[] {
  const mine = String(process.pid);
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && name !== mine).flatMap((pid) => {
    const environment = readOfProcess(pid, "environ").split("\0");
    return environment.includes(`TMPDIR=${folder}`) ? [`${pid} ${readOfProcess(pid, "cmdline").replaceAll("\0", " ")}`] : [];
  });
}

/** Empty for a process that has ended or is not ours to read. */
function readOfProcess(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

/** Files of this run's folder that this process has open, deleted ones too. */
function openFilesOfRun(): string[] {
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    const target = targetOf(`/proc/self/fd/${descriptor}`);
    return target.startsWith(folder) ? [target] : [];
  });
}

/** Empty for a descriptor that was closed meanwhile: the one that listed the folder. */
function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return "";
  }
}

function failIfStillOpen(): void {
  setTimeout(() => {
    process.stderr.write(`the run does not end by itself; open: ${process.getActiveResourcesInfo().join(", ")}\n0 passed, 1 failed\n`);
    process.exit(1);
  }, 60_000).unref();
}
