import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { monotonicMs, randomId } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { openEmbeddedRegistry } from "../../lib/registry/embedded.js";
import type { Registry } from "../../lib/registry/registry.js";
import { controllerRecord } from "../support/registry-suite.js";
import { until } from "../support/until.js";

const program = fileURLToPath(new URL("../support/registry-child.js", import.meta.url));

describe("embedded registry shared by processes", () => {
  let folder: string;
  let registry: Registry;
  let children: ChildProcess[];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-registry-"));
    registry = await openEmbeddedRegistry({ registryDir: folder, cluster: "c1", writerWaitMs: 300 });
    children = [];
  });
  afterEach(async () => {
    await Promise.all(children.map(kill));
    await registry.close();
    rmSync(folder, { recursive: true });
  });

  /** Starts a child and waits until it says that it is ready. */
  async function start(...args: string[]): Promise<ChildProcess> {
    const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    children.push(child);
    await Promise.race([
      once(child.stdout, "data"),
      once(child, "exit").then(([code]) => { throw new Error(`the child ended with ${code} before it was ready`); }),
    ]);
    return child;
  }

  async function kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  it("shows what another process announced, and tells watchers", async () => {
    let changes = 0;
    const stop = registry.watch(() => { changes += 1; });
    const id = randomId();
    const child = await start("announce", folder, id);
    expect(await registry.controllers()).to.deep.equal([controllerRecord({ id, pid: child.pid ?? 0 })]);
    await until("the change is noticed", () => changes > 0);
    stop();
  });

  it("drops a killed process long before its hour is over, and tells watchers", async () => {
    const child = await start("announce", folder, randomId());
    let changes = 0;
    const stop = registry.watch(() => { changes += 1; });
    const killedMs = monotonicMs();
    await kill(child);
    await until("the loss is noticed", () => changes > 0);
    expect(monotonicMs() - killedMs).to.be.below(60_000);
    expect(await registry.controllers()).to.deep.equal([]);
    stop();
  });

  it("loses no announcement of processes that write at once", async () => {
    const renewing = await Promise.all([1, 2, 3].map(() => start("renew", folder)));
    await until("all have ended", () => renewing.every(({ exitCode }) => exitCode === 0), 50_000);
    expect(await registry.controllers()).to.have.length(60);
  });

  it("answers REGISTRY_UNAVAILABLE in time while a stopped process holds the write lock, and goes on when it is killed", async () => {
    const child = await start("stop-writing", folder);
    const startMs = monotonicMs();
    const failure: unknown = await registry.announce(controllerRecord(), 1_000).catch((cause: unknown) => cause);
    expect(failure).to.be.instanceOf(BquerydError).with.property("code", "REGISTRY_UNAVAILABLE");
    expect(failure).to.have.property("message").that.contains(folder);
    expect(monotonicMs() - startMs).to.be.within(290, 20_000);
    expect(await registry.controllers()).to.deep.equal([]);
    await kill(child);
    await registry.announce(controllerRecord(), 60_000);
    expect(await registry.controllers()).to.have.length(1);
  });

  it("is opened by many at once when there is nothing yet", async () => {
    const fresh = join(folder, "fresh");
    const registries = await Promise.all(Array.from({ length: 10 }, () => openEmbeddedRegistry({ registryDir: fresh, cluster: "c1" })));
    await registries[0]!.announce(controllerRecord(), 60_000);
    for (const each of registries) {
      expect(await each.controllers()).to.have.length(1);
      await each.close();
    }
  });

  it("cannot be opened while a stopped process holds the write lock, and says so in time", async () => {
    await start("stop-writing", folder);
    const startMs = monotonicMs();
    const failure: unknown = await openEmbeddedRegistry({ registryDir: folder, cluster: "c1", writerWaitMs: 300 }).catch((cause: unknown) => cause);
    expect(failure).to.have.property("code", "REGISTRY_UNAVAILABLE");
    expect(monotonicMs() - startMs).to.be.within(290, 20_000);
  });

  it("does not make its closing wait for a write that waits", async () => {
    const other = await openEmbeddedRegistry({ registryDir: folder, cluster: "c1", writerWaitMs: 60_000 });
    await start("stop-writing", folder);
    const announcing: Promise<unknown> = other.announce(controllerRecord(), 1_000).catch((cause: unknown) => cause);
    await other.close();
    expect(await announcing).to.have.property("code", "REGISTRY_UNAVAILABLE");
  });
});
