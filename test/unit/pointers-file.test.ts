import { expect } from "chai";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import type { Files } from "../../lib/base/files.js";
import { openPointersFile, pointersEveryMs, pointersName, type PointersFile } from "../../lib/cluster/sync/pointers-file.js";
import type { Pointers } from "../../lib/registry/pointers.js";
import { failureOf } from "../support/failure.js";
import { createPowerCut } from "../support/power-cut.js";
import { createSilentLog } from "../support/silent-log.js";
import { unsyncedFiles } from "../support/write-table.js";

const source = { bucket: "s3://shop/d\"a\\ily", replicas: 2, hasManifest: false };
const generation = (number: number): string => String(number).padStart(64, "0");

function pointersAt(epoch: number, facts: Readonly<Record<string, number>>): Pointers {
  return { epoch, tables: new Map(Object.entries(facts).map(([table, setAt]) => [table, { generation: setAt % 5 === 0 ? null : generation(setAt), epoch: setAt, source: setAt % 2 === 0 ? source : null }])) };
}

describe("pointers on a node's disk", () => {
  let folder = "";
  let dataDir = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    dataDir = join(folder, "data");
    await mkdir(dataDir);
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function open(facts: { files?: Files; dataDir?: string; cluster?: string } = {}): Promise<{ file: PointersFile; warnings: string[] }> {
    const { log, events } = createSilentLog();
    const file = await openPointersFile({ files: unsyncedFiles, dataDir, cluster: "default", log, ...facts });
    return { file, warnings: events.map(({ reason }) => String(reason)) };
  }

  it("are what was kept, over restarts, each table as it was set last", async () => {
    const { file } = await open();
    expect(file.known()).to.deep.equal({ epoch: 0, tables: new Map() });
    expect(await file.keep(pointersAt(4, { "a.bcolz": 3, "b-1.bcolzs": 4 }), 0)).to.equal(true);
    expect(await file.keep(pointersAt(6, { "a.bcolz": 2, "c.bcolz": 5 }), pointersEveryMs)).to.equal(true);
    const { file: again, warnings } = await open();
    expect(again.known()).to.deep.equal(pointersAt(6, { "a.bcolz": 3, "b-1.bcolzs": 4, "c.bcolz": 5 }));
    expect(warnings).to.deep.equal([]);
    expect(await readdir(dataDir)).to.deep.equal([pointersName]);
  });

  it("are written at most once a second, and not at all while nothing is new", async () => {
    let writes = 0;
    const { file } = await open({ files: { ...unsyncedFiles, createSynced: (path, bytes) => { writes += 1; return unsyncedFiles.createSynced(path, bytes); } } });
    for (let ms = 0; ms < 3 * pointersEveryMs; ms += 100) await file.keep(pointersAt(ms + 1, { "a.bcolz": ms + 1 }), ms);
    expect(writes).to.equal(3);
    expect(await file.keep(pointersAt(9_999, { "a.bcolz": 9_999 }), 3 * pointersEveryMs - 100)).to.equal(false);
    expect(await file.keep(pointersAt(9_999, { "a.bcolz": 9_999 }), Infinity), "at the end").to.equal(true);
    expect(await file.keep(pointersAt(9_998, { "a.bcolz": 7 }), Infinity)).to.equal(true);
    expect(writes).to.equal(4);
    expect((await open()).file.known()).to.deep.equal(pointersAt(9_999, { "a.bcolz": 9_999 }));
  });

  it("are ignored with a warning when a byte of them is another or they are cut, and written anew", async () => {
    const { file } = await open();
    await file.keep(pointersAt(4, { "a.bcolz": 3, "b.bcolz": 4 }), 0);
    const whole = await readFile(join(dataDir, pointersName));
    const random = seededRandom(3);
    for (let run = 0; run < 60; run++) {
      const damaged = run % 3 === 0 ? whole.subarray(0, Math.floor(random() * whole.length)) : Buffer.from(whole);
      if (run % 3 !== 0) damaged[Math.floor(random() * whole.length)]! ^= 1 << Math.floor(random() * 8);
      await writeFile(join(dataDir, pointersName), damaged);
      const { file: read, warnings } = await open();
      expect(read.known().epoch, damaged.toString()).to.equal(0);
      expect(warnings).to.have.length(1);
    }
    const { file: anew } = await open();
    await anew.keep(pointersAt(2, { "a.bcolz": 2 }), 0);
    expect((await open()).file.known()).to.deep.equal(pointersAt(2, { "a.bcolz": 2 }));
  });

  it("of another cluster are none of ours", async () => {
    const { file } = await open();
    await file.keep(pointersAt(4, { "a.bcolz": 4 }), 0);
    const { file: other, warnings } = await open({ cluster: "c2" });
    expect(other.known().epoch).to.equal(0);
    expect(warnings[0]).to.contain("'default'").and.contain("'c2'");
  });

  it("tell what could not be written, and leave the ones before", async () => {
    const { file } = await open();
    await file.keep(pointersAt(4, { "a.bcolz": 4 }), 0);
    const full = await open({ files: { ...unsyncedFiles, createSynced: async (path) => { await unsyncedFiles.create(path, Buffer.from("{")); throw Object.assign(new Error("no room"), { code: "ENOSPC", syscall: "write" }); } } });
    expect(await failureOf(() => full.file.keep(pointersAt(6, { "a.bcolz": 6 }), 0))).to.include({ code: "DISK_FULL" });
    expect(await readdir(dataDir)).to.deep.equal([pointersName]);
    expect((await open()).file.known()).to.deep.equal(pointersAt(4, { "a.bcolz": 4 }));
  });

  it("survive a power cut at every operation: those before or the new ones, and nothing else is left", async () => {
    const { file } = await open();
    await file.keep(pointersAt(3, { "a.bcolz": 3 }), 0);
    for (let operations = 0; ; operations++) {
      const root = join(folder, `run-${operations}`);
      await cp(dataDir, root, { recursive: true });
      const cut = await createPowerCut(root, operations);
      const isDone = await open({ files: cut.files, dataDir: root }).then(({ file: dying }) => dying.keep(pointersAt(4, { "a.bcolz": 4 }), 0)).catch(() => false);
      const recovered = join(folder, `recovered-${operations}`);
      await cut.recover(recovered, seededRandom(operations));
      const { file: after, warnings } = await open({ dataDir: recovered });
      expect(after.known().epoch, `after ${operations}`).to.be.oneOf(isDone ? [4] : [3, 4]);
      expect(warnings).to.deep.equal([]);
      expect(await readdir(recovered)).to.deep.equal([pointersName]);
      if (!cut.isDead()) break;
    }
  });
});
