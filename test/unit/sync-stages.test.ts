import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { openIncoming } from "../../lib/cluster/sync/incoming.js";
import { createSolePlace, type SoleTimes } from "../../lib/cluster/sync/mover/sole.js";
import { disownStage, findWriter, incomingFolder, inheritStage, listStages, listTicketFolders, ownStage, removeEmptyFolders, removeStage, stagePath } from "../../lib/cluster/sync/stages.js";
import { failureOf } from "../support/failure.js";
import { unsyncedFiles as files } from "../support/write-table.js";

const ticket = "0123456789abcdef";
const stage = (fence: number, table = "taxi.bcolz") => ({ ticket, table, fence });

/** The mark of a process that has ended: its id is not used again so soon, and if so with another start. */
async function markOfDead(text: string): Promise<string> {
  const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await once(child, "exit");
  return text.replace(/^\d+ \d+ /, `${child.pid} 1 `);
}

describe("stages of a node", () => {
  let dataDir = "";
  beforeEach(async () => { dataDir = await mkdtemp(join(tmpdir(), "bqueryd-test-")); });
  afterEach(() => rm(dataDir, { recursive: true }));

  const ownerPath = (fence: number): string => `${stagePath(dataDir, stage(fence))}.owner`;

  async function fill(fence: number, content: string): Promise<void> {
    await ownStage(files, dataDir, stage(fence), "me");
    await mkdir(stagePath(dataDir, stage(fence)));
    await writeFile(join(stagePath(dataDir, stage(fence)), "file"), content);
  }

  it("are in the folder that was there at the start, for which no other stands", async () => {
    const incoming = await openIncoming(files, dataDir);
    await incoming.require();
    const away = `${incomingFolder(dataDir)}-away`;
    await rename(incomingFolder(dataDir), away);
    expect((await failureOf(() => incoming.require())).message).to.contain(`data_dir ${dataDir} is not what it was`);
    // As a process does that begins on the disk below.
    await (await openIncoming(files, dataDir)).require();
    expect(await incoming.isThere()).to.equal(false);
    await rm(incomingFolder(dataDir), { recursive: true });
    await rename(away, incomingFolder(dataDir));
    await incoming.require();
  });

  it("are listed with what is left of them, and nothing else is", async () => {
    expect(await listTicketFolders(files, dataDir)).to.deep.equal([]);
    await fill(1, "x");
    const left = stage(2, "a-1.bcolzs");
    await mkdir(dirname(stagePath(dataDir, left)));
    await writeFile(`${stagePath(dataDir, left)}.manifest.json`, "");
    await writeFile(join(incomingFolder(dataDir), "notes"), "");
    await mkdir(join(incomingFolder(dataDir), ticket, "other"));
    await writeFile(join(incomingFolder(dataDir), ticket, "2", "notes"), "");
    expect(await listTicketFolders(files, dataDir)).to.deep.equal([ticket]);
    expect(await listStages(files, dataDir, [ticket])).to.have.deep.members([stage(1), left]);
    await removeStage(files, dataDir, stage(1));
    expect(await readdir(join(incomingFolder(dataDir), ticket, "1"))).to.deep.equal([]);
    await removeEmptyFolders(files, dataDir, ticket);
    expect(await readdir(join(incomingFolder(dataDir), ticket)), "what is in use stays").to.deep.equal(["2"]);
  });

  it("are begun side by side where no folder is there yet", async () => {
    for (let round = 0; round < 20; round++) {
      const id = round.toString(16).padStart(16, "0");
      await Promise.all(["a", "b", "c", "d"].map((name, at) => ownStage(files, dataDir, { ticket: id, table: `${name}.bcolz`, fence: 1 + at % 2 }, "me")));
    }
    expect(await listStages(files, dataDir, await listTicketFolders(files, dataDir))).to.have.length(80);
  });

  it("go over to a later claim when nobody writes them: given back, or of a process that has ended", async () => {
    await fill(1, "released");
    await ownStage(files, dataDir, stage(2), "me");
    expect(await inheritStage(files, dataDir, stage(2)), "its writer runs").to.equal(false);
    expect(await findWriter(files, dataDir, stage(1))).to.equal("alive");
    await disownStage(files, dataDir, stage(1));
    expect(await inheritStage(files, dataDir, stage(2))).to.equal(true);
    expect(await readFile(join(stagePath(dataDir, stage(2)), "file"), "utf8")).to.equal("released");
    await writeFile(ownerPath(2), await markOfDead(await readFile(ownerPath(2), "utf8")));
    await ownStage(files, dataDir, stage(3), "me");
    expect(await inheritStage(files, dataDir, stage(3))).to.equal(true);
    expect(await listStages(files, dataDir, [ticket])).to.deep.equal([stage(3)]);
  });

  it("of another container are left alone, and are not told from its ended processes", async () => {
    await fill(1, "foreign");
    await writeFile(ownerPath(1), (await readFile(ownerPath(1), "utf8")).replace(/pid:\[\d+\]/, "pid:[1]"));
    await ownStage(files, dataDir, stage(2), "me");
    expect(await findWriter(files, dataDir, stage(1))).to.equal("foreign");
    expect(await inheritStage(files, dataDir, stage(2))).to.equal(false);
  });

  it("lose what says that they are whole when they go over: all is looked at again", async () => {
    await fill(1, "x");
    await writeFile(`${stagePath(dataDir, stage(1))}.manifest.json`, "{}");
    await disownStage(files, dataDir, stage(1));
    await ownStage(files, dataDir, stage(2), "me");
    expect(await inheritStage(files, dataDir, stage(2))).to.equal(true);
    expect(await readdir(dirname(stagePath(dataDir, stage(1))))).to.deep.equal([]);
    expect(await readdir(dirname(stagePath(dataDir, stage(2))))).to.have.members(["taxi.bcolz", "taxi.bcolz.owner"]);
  });
});

describe("the place of the mover", () => {
  let dataDir = "";
  let nowMs = 0;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    nowMs = 0;
  });
  afterEach(() => rm(dataDir, { recursive: true }));

  const times: SoleTimes = { touchMs: 3_600_000, silentMs: 60_000, nowMs: () => nowMs };
  const lock = (): string => join(incomingFolder(dataDir), "LOCK");

  it("is that of one, until it leaves", async () => {
    const [first, second] = [createSolePlace(files, dataDir, times), createSolePlace(files, dataDir, times)];
    expect([await first.hold(), await second.hold(), await first.hold()]).to.deep.equal([true, false, true]);
    expect([first.isHeld(), second.isHeld()]).to.deep.equal([true, false]);
    await first.release();
    expect(await second.hold()).to.equal(true);
    await second.release();
    expect(await readdir(incomingFolder(dataDir))).to.deep.equal([]);
  });

  it("of a process that was killed is free at once", async () => {
    const [first, second] = [createSolePlace(files, dataDir, times), createSolePlace(files, dataDir, times)];
    await first.hold();
    await writeFile(lock(), await markOfDead(await readFile(lock(), "utf8")));
    expect([await second.hold(), await first.hold()]).to.deep.equal([true, false]);
    await Promise.all([first.release(), second.release()]);
  });

  it("goes over when its holder has been silent for a minute, as one of another container that is gone, and not while it says that it is there", async () => {
    const [first, second] = [createSolePlace(files, dataDir, times), createSolePlace(files, dataDir, times)];
    await first.hold();
    await writeFile(lock(), (await readFile(lock(), "utf8")).replace(/pid:\[\d+\]/, "pid:[1]"));
    await utimes(lock(), 1_000, 1_000);
    expect(await second.hold()).to.equal(false);
    nowMs = 59_000;
    await utimes(lock(), 2_000, 2_000);
    expect(await second.hold(), "it was touched").to.equal(false);
    nowMs += 59_999;
    expect(await second.hold()).to.equal(false);
    nowMs += 1;
    expect([await second.hold(), await second.hold()], "made free, then taken").to.deep.equal([false, true]);
    expect(await first.hold()).to.equal(false);
    await Promise.all([first.release(), second.release()]);
  });
});
