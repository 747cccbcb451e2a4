import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { openRegistry } from "../../lib/registry/open.js";
import { controllerRecord, describeRegistry } from "../support/registry-suite.js";

describeRegistry("embedded registry", async () => {
  const folder = mkdtempSync(join(tmpdir(), "bqueryd-registry-"));
  return {
    open: (cluster) => openRegistry({ registryDir: folder, cluster }),
    async empty() { rmSync(folder, { recursive: true }); },
    async remove() { rmSync(folder, { recursive: true, force: true }); },
  };
});

describe("folder of the embedded registry", () => {
  let parent: string;
  beforeEach(() => { parent = mkdtempSync(join(tmpdir(), "bqueryd-registry-")); });
  afterEach(() => { rmSync(parent, { recursive: true }); });

  async function failureOf(registryDir: string, cluster = "c1"): Promise<BquerydError> {
    try {
      const registry = await openRegistry({ registryDir, cluster });
      await registry.close();
    } catch (failure) {
      if (failure instanceof BquerydError) return failure;
      throw failure;
    }
    throw new Error("the registry could be opened");
  }

  async function fill(registryDir: string): Promise<void> {
    const registry = await openRegistry({ registryDir, cluster: "c1" });
    await registry.announce(controllerRecord(), 60_000);
    await registry.close();
  }

  it("is created with its parents, for its owner alone", async () => {
    const folder = join(parent, "state", "bqueryd");
    await fill(folder);
    expect(statSync(folder).mode & 0o777).to.equal(0o700);
  });

  it("takes no renewal along that is on its way when it is replaced", async () => {
    const folder = join(parent, "replaced");
    const registry = await openRegistry({ registryDir: folder, cluster: "c1" });
    const record = controllerRecord();
    for (let round = 0; round < 60; round++) {
      const renewing = Array.from({ length: 4 }, () => registry.announce(record, 60_000));
      // Each round at another moment of them.
      for (let turn = 0; turn < round % 12; turn++) await new Promise((resolve) => { setImmediate(resolve); });
      rmSync(folder, { recursive: true });
      await Promise.all([...renewing, registry.controllers()]);
    }
    await registry.announce(record, 60_000);
    expect(await registry.controllers()).to.deep.equal([record]);
    await registry.close();
  });

  it("may not be a file", async () => {
    const path = join(parent, "file");
    writeFileSync(path, "x");
    const failure = await failureOf(path);
    expect(failure.code).to.equal("REGISTRY_UNAVAILABLE");
    expect(failure.message).to.contain(path).and.contain("registry_dir");
  });

  it("may not be where no folder can be made, and that is said at once", async () => {
    expect(await failureOf("/proc/bqueryd/registry")).to.have.property("code", "REGISTRY_UNAVAILABLE");
  });

  it("may not be below a file", async () => {
    writeFileSync(join(parent, "file"), "x");
    expect((await failureOf(join(parent, "file", "below"))).code).to.equal("REGISTRY_UNAVAILABLE");
  });

  it("must be open to this user", async () => {
    const folder = join(parent, "closed");
    mkdirSync(folder);
    chmodSync(folder, 0o500);
    chmodSync(parent, 0o755);
    const isRoot = process.geteuid?.() === 0;
    // No permission keeps root out, so root becomes nobody for a while.
    if (isRoot) process.seteuid?.(65_534);
    try {
      const failure = await failureOf(folder);
      expect(failure.code).to.equal("REGISTRY_UNAVAILABLE");
      expect(failure.message).to.contain(folder).and.match(/permission denied/i);
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(folder, 0o700);
    }
  });

  for (const [damage, spoil] of [
    ["something else", (file: string) => { writeFileSync(file, Buffer.alloc(9_000, 7)); }],
    ["a few bytes", (file: string) => { writeFileSync(file, "x"); }],
    ["cut to its head", (file: string) => { truncateSync(file, 8_192); }],
  ] as const) {
    it(`is refused by name when its file is ${damage}, and the process lives`, async () => {
      await fill(parent);
      spoil(join(parent, "data.mdb"));
      const failure = await failureOf(parent);
      expect(failure.code).to.equal("REGISTRY_UNAVAILABLE");
      expect(failure.message).to.contain(parent).and.contain("damaged");
    });
  }

  it("opens again as it was left", async () => {
    await fill(parent);
    const registry = await openRegistry({ registryDir: parent, cluster: "c1" });
    expect(await registry.controllers()).to.have.length(1);
    await registry.close();
  });

  it("holds no cluster whose name could be taken for part of a key", async () => {
    for (const cluster of ["", "a:b", "a\n", "x".repeat(65)]) expect((await failureOf(join(parent, "r"), cluster)).code).to.equal("CONFIG");
    expect(existsSync(join(parent, "r"))).to.equal(false);
  });
});
