import { expect } from "chai";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { seededRandom, wallMs } from "../../lib/base/clock.js";
import type { Files } from "../../lib/base/files.js";
import { fetchTable } from "../../lib/transfer/fetch/fetch.js";
import { landTable, promoteTable, retainTable, takeBackTable, type LandingPlan } from "../../lib/cluster/sync/land.js";
import { manifestKey } from "../../lib/transfer/manifest.js";
import { uploadTables } from "../../lib/transfer/send/upload.js";
import { readBcolzDirectory } from "../../lib/columns/bcolz/directory.js";
import { readCurrent } from "../../lib/columns/directory/current.js";
import { readPrepared } from "../../lib/columns/files/prepared.js";
import { describeGenerations } from "../../lib/columns/read/describe-generations.js";
import { openTable } from "../../lib/columns/read/open.js";
import { verifyTable } from "../../lib/columns/verify/verify.js";
import { writeRawBcolz } from "../support/bcolz-directory.js";
import { failureOf } from "../support/failure.js";
import { createMemoryObjects, type MemoryObjects } from "../support/memory-objects.js";
import { createPowerCut } from "../support/power-cut.js";
import { transferTools } from "../support/transfers.js";
import { unsyncedFiles, writeTable } from "../support/write-table.js";

const table = "taxi.bcolz";
const ticket = "0123456789abcdef";
const times = () => ({ nowMs: wallMs(), spareMs: 120_000, keepGenerations: 2 });

describe("landing a table", () => {
  let folder = "";
  let data = "";
  let plan: LandingPlan;
  let memory: MemoryObjects;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    data = join(folder, "data");
    await mkdir(data);
    memory = createMemoryObjects();
    plan = { stage: join(data, ".incoming", "ticket", table), path: join(data, table), ticket };
  });
  afterEach(() => rm(folder, { recursive: true }));

  const write = (path: string, value: bigint): Promise<string> => writeTable(path, [{ name: "a", dtype: "int64", values: [1n, 2n] }, { name: "v", dtype: "int64", values: [value, 1_000n] }], { replace: true });

  /** Sends a generation with that value and fetches it into the stage. */
  async function stage(value: bigint): Promise<string> {
    const generation = await write(join(folder, "source", table), value);
    await uploadTables(memory.store, [join(folder, "source", table)]);
    await fetchTable(transferTools(memory.store), { table, manifestKey: manifestKey(table), stage: plan.stage, directory: plan.path });
    return generation;
  }

  async function age(): Promise<void> {
    const seconds = wallMs() / 1000 - 7_200;
    for (const name of await readdir(plan.path)) await utimes(join(plan.path, name), seconds, seconds);
  }

  /** All that a table's directory holds is needed by some generation, but for locks of the dead, which the next writer takes over. */
  async function requireNoOrphans(path = plan.path): Promise<void> {
    const needed = new Set(["CURRENT", "PREPARED"]);
    for (const name of await readdir(path)) {
      if (!name.endsWith(".json")) continue;
      needed.add(name);
      for (const file of (JSON.parse(await readFile(join(path, name), "utf8")) as { files: { name: string }[] }).files) needed.add(file.name);
    }
    expect((await readdir(path)).filter((name) => !needed.has(name) && !name.startsWith("LOCK"))).to.deep.equal([]);
  }

  it("puts a generation beside the current one, which stays in use, and then before it", async () => {
    const old = await write(plan.path, 1n);
    const generation = await stage(2n);
    expect(await landTable(unsyncedFiles, plan)).to.equal(generation);
    expect(readCurrent(plan.path, table)).to.deep.equal([old]);
    expect(readPrepared(plan.path)).to.deep.equal([{ generation, ticket }]);
    expect(await readdir(join(data, ".incoming", "ticket"))).to.deep.equal([]);
    expect(await landTable(unsyncedFiles, plan)).to.equal(generation);
    const known = describeGenerations(plan.path, []).kept!;
    expect(known.map(({ writtenMs }) => writtenMs), "while it waits").to.deep.equal([0]);
    const nowMs = wallMs() - 60_000;
    await promoteTable(unsyncedFiles, plan, generation, { ...times(), pointedMs: nowMs });
    expect(describeGenerations(plan.path, known).writtenMs, "the time at which it came into use").to.be.closeTo(nowMs, 1);
    expect(readCurrent(plan.path, table)).to.deep.equal([generation, old]);
    expect(readPrepared(plan.path)).to.deep.equal([]);
    expect((await verifyTable(plan.path)).findings).to.deep.equal([]);
    const later = await write(plan.path, 3n);
    await promoteTable(unsyncedFiles, plan, generation, times());
    expect(readCurrent(plan.path, table), "a step that comes late").to.deep.equal([later, generation]);
    await requireNoOrphans();
  });

  it("makes the directory of a table that is new, and removes it where it is taken back", async () => {
    const generation = await stage(2n);
    await landTable(unsyncedFiles, plan);
    expect((await failureOf(() => openTable(plan.path))).code).to.equal("NOT_FOUND");
    await takeBackTable(unsyncedFiles, plan, times());
    await takeBackTable(unsyncedFiles, plan, times());
    expect(await readdir(data)).to.deep.equal([".incoming"]);
    expect(await stage(2n)).to.equal(generation);
    await landTable(unsyncedFiles, plan);
    await promoteTable(unsyncedFiles, plan, generation, times());
    expect(openTable(plan.path).generation).to.equal(generation);
  });

  it("gives the space of what is taken back at once, and keeps what another ticket or CURRENT names", async () => {
    const old = await write(plan.path, 1n);
    const before = (await readdir(plan.path)).sort();
    const generation = await stage(2n);
    await landTable(unsyncedFiles, plan);
    const other = { ...plan, ticket: "fedcba9876543210" };
    await stage(2n);
    await landTable(unsyncedFiles, other);
    await takeBackTable(unsyncedFiles, plan, times());
    expect(readPrepared(plan.path)).to.deep.equal([{ generation, ticket: other.ticket }]);
    expect(await readdir(plan.path)).to.include(`${generation}.json`);
    await takeBackTable(unsyncedFiles, other, times());
    expect((await readdir(plan.path)).sort()).to.deep.equal(before);
    await stage(1n);
    expect(await landTable(unsyncedFiles, plan)).to.equal(old);
    await takeBackTable(unsyncedFiles, plan, times());
    expect((await readdir(plan.path)).sort()).to.deep.equal(before);
  });

  it("spares a generation that has just left CURRENT, though a ticket that wanted it again is taken back", async () => {
    const old = await write(plan.path, 1n);
    await age();
    await stage(1n);
    await landTable(unsyncedFiles, plan);
    await write(plan.path, 2n);
    await write(plan.path, 3n);
    await takeBackTable(unsyncedFiles, plan, times());
    expect(await readdir(plan.path)).to.include(`${old}.json`);
    expect((await verifyTable(plan.path)).findings).to.deep.equal([]);
  });

  it("keeps as many generations as it is told, and writers in between spare what is prepared", async () => {
    await write(plan.path, 1n);
    const generation = await stage(9n);
    await landTable(unsyncedFiles, plan);
    for (const value of [2n, 3n, 4n]) {
      await age();
      await write(plan.path, value);
    }
    const [newest] = readCurrent(plan.path, table);
    await promoteTable(unsyncedFiles, plan, generation, { ...times(), keepGenerations: 1 });
    expect(readCurrent(plan.path, table)).to.deep.equal([generation]);
    expect(await readdir(plan.path), "for queries that run").to.include(`${newest!}.json`);
    expect((await verifyTable(plan.path)).findings).to.deep.equal([]);
  });

  it("keeps what a pointer went back to before the table was locked, though it is one too many", async () => {
    const first = await write(plan.path, 1n);
    const second = await write(plan.path, 2n);
    const generation = await stage(3n);
    await landTable(unsyncedFiles, plan);
    const named = async (): Promise<string[]> => {
      expect(await readdir(plan.path), "asked under the lock").to.include("LOCK");
      return [first];
    };
    const failing = () => Promise.reject(new Error("the registry is away"));
    await failureOf(() => promoteTable(unsyncedFiles, plan, generation, { ...times(), named: failing }));
    expect(readCurrent(plan.path, table)).to.deep.equal([second, first]);
    await promoteTable(unsyncedFiles, plan, generation, { ...times(), named });
    expect(readCurrent(plan.path, table)).to.deep.equal([generation, second, first]);
    await stage(4n);
    await landTable(unsyncedFiles, plan);
    await promoteTable(unsyncedFiles, plan, readPrepared(plan.path)[0]!.generation, { ...times(), named: async () => [] });
    expect(readCurrent(plan.path, table)).to.have.length(2).and.not.include(first);
  });

  it("takes back nothing that a pointer names by the time the table is locked", async () => {
    await write(plan.path, 1n);
    const generation = await stage(2n);
    await landTable(unsyncedFiles, plan);
    await takeBackTable(unsyncedFiles, plan, { ...times(), named: async () => [generation] });
    expect(readPrepared(plan.path)).to.deep.equal([{ generation, ticket }]);
    await promoteTable(unsyncedFiles, plan, generation, times());
    expect(readCurrent(plan.path, table)[0]).to.equal(generation);
  });

  it("lists a generation again that fell off CURRENT and is still there, and none that is not whole", async () => {
    const first = await write(plan.path, 1n);
    const second = await write(plan.path, 2n);
    const third = await write(plan.path, 3n);
    expect(readCurrent(plan.path, table)).to.deep.equal([third, second]);
    expect(await retainTable(unsyncedFiles, plan.path, first)).to.equal(true);
    expect(await retainTable(unsyncedFiles, plan.path, first)).to.equal(true);
    expect(readCurrent(plan.path, table)).to.deep.equal([third, second, first]);
    await age();
    const fourth = await write(plan.path, 4n);
    expect(readCurrent(plan.path, table)).to.deep.equal([fourth, third]);
    const { files: named } = JSON.parse(await readFile(join(plan.path, `${second}.json`), "utf8")) as { files: { name: string }[] };
    const { files: others } = JSON.parse(await readFile(join(plan.path, `${third}.json`), "utf8")) as { files: { name: string }[] };
    await rm(join(plan.path, named.find(({ name }) => !others.some((other) => other.name === name))!.name));
    expect(await retainTable(unsyncedFiles, plan.path, second)).to.equal(false);
    expect(await retainTable(unsyncedFiles, plan.path, "f".repeat(64))).to.equal(false);
    expect(await retainTable(unsyncedFiles, join(data, "none.bcolz"), first)).to.equal(false);
    await rm(join(plan.path, "CURRENT"));
    expect(await retainTable(unsyncedFiles, plan.path, first), "a table that was taken away").to.equal(false);
  });

  it("survives a power cut while a generation is listed again", async () => {
    const [first, second, third] = [await write(plan.path, 1n), await write(plan.path, 2n), await write(plan.path, 3n)];
    for (let operations = 0; ; operations++) {
      const root = join(folder, `run-${operations}`);
      await cp(data, root, { recursive: true, preserveTimestamps: true });
      const cut = await createPowerCut(root, operations);
      const isDone = await retainTable(cut.files, join(root, table), first).catch(() => false);
      const recovered = join(folder, `recovered-${operations}`);
      await cut.recover(recovered, seededRandom(operations));
      const current = readCurrent(join(recovered, table), table);
      expect(current, `after ${operations}`).to.be.deep.oneOf(isDone ? [[third, second, first]] : [[third, second], [third, second, first]]);
      expect(await retainTable(unsyncedFiles, join(recovered, table), first)).to.equal(true);
      expect((await verifyTable(join(recovered, table))).findings).to.deep.equal([]);
      if (!cut.isDead()) break;
    }
  });

  it("replaces a file that is damaged where it lies, and a CURRENT that is", async () => {
    await write(plan.path, 1n);
    const { data: shared } = openTable(plan.path).footer.columns[0]!.segments[0]!;
    await writeFile(join(plan.path, shared), "damaged");
    await writeFile(join(plan.path, "CURRENT"), "damaged");
    const generation = await stage(2n);
    await landTable(unsyncedFiles, plan);
    await promoteTable(unsyncedFiles, plan, generation, times());
    expect(readCurrent(plan.path, table)).to.deep.equal([generation]);
    expect((await verifyTable(plan.path)).findings).to.deep.equal([]);
  });

  it("is TABLE_NOT_MANAGED where something else is, which stays as it is through every step", async () => {
    const generation = await stage(2n);
    const notManaged = async (): Promise<void> => {
      const before = await readdir(data, { recursive: true });
      expect((await failureOf(() => landTable(unsyncedFiles, plan))).code).to.equal("TABLE_NOT_MANAGED");
      await promoteTable(unsyncedFiles, { ...plan, stage: join(folder, "none", table) }, generation, times());
      await takeBackTable(unsyncedFiles, { ...plan, stage: join(folder, "none", table) }, times());
      expect(await readdir(data, { recursive: true })).to.deep.equal(before);
      await rm(plan.path, { recursive: true });
    };
    await mkdir(plan.path);
    await writeFile(join(plan.path, "notes.txt"), "mine");
    await notManaged();
    writeRawBcolz(plan.path, [{ name: "v", dtype: "int64", bytes: Buffer.alloc(16), itemBytes: 8 }]);
    await notManaged();
    await writeFile(plan.path, "a file");
    await notManaged();
    await symlink(join(folder, "nothing"), plan.path);
    await notManaged();
    await write(plan.path, 1n);
    await writeFile(join(plan.path, "notes.txt"), "mine");
    await landTable(unsyncedFiles, plan);
    await takeBackTable(unsyncedFiles, plan, times());
    expect(await readFile(join(plan.path, "notes.txt"), "utf8")).to.equal("mine");
  });

  it("follows a link to a table that lies elsewhere", async () => {
    const elsewhere = join(folder, "elsewhere", table);
    await write(elsewhere, 1n);
    await symlink(elsewhere, plan.path);
    const generation = await stage(2n);
    await landTable(unsyncedFiles, plan);
    await promoteTable(unsyncedFiles, plan, generation, times());
    expect(openTable(elsewhere).generation).to.equal(generation);
  });

  it("copies where files cannot have two names", async () => {
    await write(plan.path, 1n);
    const files: Files = { ...unsyncedFiles, link: async (from, to) => {
      if (!from.includes("LOCK")) throw Object.assign(new Error("another disk"), { code: "EXDEV", syscall: "link" });
      await unsyncedFiles.link(from, to);
    } };
    const generation = await stage(2n);
    await landTable(files, plan);
    await promoteTable(files, plan, generation, times());
    expect((await verifyTable(plan.path)).findings).to.deep.equal([]);
    await requireNoOrphans();
  });

  it("is NOT_FOUND for a stage that is not whole, and then leaves nothing", async () => {
    expect((await failureOf(() => landTable(unsyncedFiles, plan))).code).to.equal("NOT_FOUND");
    const generation = await stage(2n);
    await rm(join(plan.stage, `${generation}.json`));
    expect((await failureOf(() => landTable(unsyncedFiles, plan))).code).to.equal("NOT_FOUND");
    await takeBackTable(unsyncedFiles, plan, times());
    expect(await readdir(data, { recursive: true })).to.deep.equal([".incoming", ".incoming/ticket"]);
  });

  it("moves a table of bcolz into its place when it is switched to, and not where one is", async () => {
    const source = join(folder, "source", table);
    writeRawBcolz(source, [{ name: "v", dtype: "int64", bytes: Buffer.alloc(16, 3), itemBytes: 8 }]);
    await uploadTables(memory.store, [source]);
    const fetch = () => fetchTable(transferTools(memory.store), { table, manifestKey: manifestKey(table), stage: plan.stage, directory: plan.path });
    const { generation } = await fetch();
    expect(await landTable(unsyncedFiles, plan)).to.equal(generation);
    expect(await readdir(data)).to.deep.equal([".incoming"]);
    await promoteTable(unsyncedFiles, plan, generation, times());
    await promoteTable(unsyncedFiles, plan, generation, times());
    expect(readBcolzDirectory(plan.path).generation).to.equal(generation);
    expect(generation).to.equal(readBcolzDirectory(source).generation);
    await fetch();
    expect(await landTable(unsyncedFiles, plan), "the same once more").to.equal(generation);
    await promoteTable(unsyncedFiles, plan, generation, times());
    await utimes(join(plan.path, "v", "data", "__0.blp"), 5, 5);
    await fetch();
    expect((await failureOf(() => landTable(unsyncedFiles, plan))).code).to.equal("TABLE_NOT_MANAGED");
    await takeBackTable(unsyncedFiles, plan, times());
    expect(openTable(plan.path).rows).to.equal(2);
  });

  it("survives a power cut at every operation: it goes on from there, and the table is one of the two or, taken back, as it was", async function () {
    this.timeout(60_000);
    const old = await write(plan.path, 1n);
    const generation = await stage(2n);
    const begin = join(folder, "begin");
    await cp(data, begin, { recursive: true, preserveTimestamps: true });
    const at = (root: string): LandingPlan => ({ ...plan, stage: join(root, ".incoming", "ticket", table), path: join(root, table) });
    const all = async (files: Files, root: string): Promise<void> => {
      await landTable(files, at(root));
      await promoteTable(files, at(root), generation, times());
    };
    for (let operations = 0; ; operations++) {
      const root = join(folder, `run-${operations}`);
      await cp(begin, root, { recursive: true, preserveTimestamps: true });
      const cut = await createPowerCut(root, operations);
      const isDone = await all(cut.files, root).then(() => true, () => false);
      const recovered = join(folder, `recovered-${operations}`);
      await cut.recover(recovered, seededRandom(operations));
      const { path } = at(recovered);
      const current = readCurrent(path, table);
      expect(current[0], `after ${operations}`).to.be.oneOf(isDone ? [generation] : [old, generation]);
      expect((await verifyTable(path)).findings, `after ${operations}`).to.deep.equal([]);
      const other = `${recovered}-back`;
      await cp(recovered, other, { recursive: true, preserveTimestamps: true });
      if (current[0] === old) {
        // What a mover does then: it goes on where all is there, and fetches again where it is not.
        await all(unsyncedFiles, recovered).catch(async (cause: unknown) => {
          expect(cause).to.have.property("code", "NOT_FOUND");
          await fetchTable(transferTools(memory.store), { table, manifestKey: manifestKey(table), stage: at(recovered).stage, directory: path });
          await all(unsyncedFiles, recovered);
        });
      } else {
        await promoteTable(unsyncedFiles, at(recovered), generation, times());
      }
      expect(readCurrent(path, table)).to.deep.equal([generation, old]);
      expect(readPrepared(path)).to.deep.equal([]);
      expect((await verifyTable(path)).findings).to.deep.equal([]);
      await requireNoOrphans(path);
      await takeBackTable(unsyncedFiles, at(other), times());
      expect(readCurrent(at(other).path, table)).to.deep.equal(current);
      expect((await verifyTable(at(other).path)).findings).to.deep.equal([]);
      await requireNoOrphans(at(other).path);
      expect(readPrepared(at(other).path)).to.deep.equal([]);
      for (const made of [root, recovered, other]) await rm(made, { recursive: true });
      if (isDone) break;
    }
  });
});
