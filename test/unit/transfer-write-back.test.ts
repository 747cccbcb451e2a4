import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { BquerydError } from "../../lib/base/errors.js";
import { withResolvers, type Resolvers } from "../../lib/base/resolvers.js";
import { fetchFile } from "../../lib/transfer/fetch/fetch-file.js";
import { createWriteBack } from "../../lib/transfer/fetch/write-back.js";
import { failureOf } from "../support/failure.js";
import { until } from "../support/until.js";
import { unsyncedFiles } from "../support/write-table.js";

const megabytes = 2 ** 20;

describe("writing files back while they come", () => {
  /** Files of which each is durable when its test says so. */
  function open(): { files: typeof unsyncedFiles; syncs: { path: string; end: Resolvers<void> }[] } {
    const syncs: { path: string; end: Resolvers<void> }[] = [];
    const sync = (path: string): Promise<void> => {
      const end = withResolvers<void>();
      syncs.push({ path, end });
      return end.promise;
    };
    return { files: { ...unsyncedFiles, sync }, syncs };
  }

  it("begins once there is much of a file, one file at a time", async () => {
    const { files, syncs } = open();
    const writeBack = createWriteBack();
    const [a, b] = [writeBack.open(files, "a"), writeBack.open(files, "b")];
    a.add(15 * megabytes);
    expect(syncs).to.have.length(0);
    a.add(megabytes);
    b.add(20 * megabytes);
    a.add(20 * megabytes);
    expect(syncs.map(({ path }) => path)).to.deep.equal(["a"]);
    syncs[0]!.end.resolve();
    await a.close();
    b.add(1);
    expect(syncs.map(({ path }) => path)).to.deep.equal(["a", "b"]);
    syncs[1]!.end.resolve();
    await b.close();
  });

  it("fails with what the system says once, whenever it does", async () => {
    const { files, syncs } = open();
    const writeBack = createWriteBack();
    const file = writeBack.open(files, "a");
    file.add(16 * megabytes);
    const other = writeBack.open(files, "b");
    syncs[0]!.end.reject(new BquerydError("IO", "EIO"));
    expect((await file.close())?.cause).to.have.property("message", "EIO");
    expect((await failureOf(async () => { file.add(1); })).message).to.equal("EIO");
    expect((await failureOf(() => file.finish())).message).to.equal("EIO");
    other.add(16 * megabytes);
    expect(syncs.map(({ path }) => path)).to.deep.equal(["a", "b"]);
    syncs[1]!.end.resolve();
    await other.close();
  });

  describe("of a file that is fetched", () => {
    const content = Buffer.alloc(50, "abcde");
    const wanted = { name: "file", bytes: content.length, sha256: createHash("sha256").update(content).digest("hex") };
    let stage = "";
    beforeEach(async () => { stage = await mkdtemp(join(tmpdir(), "bqueryd-write-back-")); });
    afterEach(() => rm(stage, { recursive: true }));

    /** Fetches it in pieces of ten bytes, each after the step; tells of the bytes as they are counted. */
    function fetchSlowly(files: typeof unsyncedFiles, step: (at: number) => Promise<void>): { done: Promise<string>; counted: () => number } {
      let counted = 0;
      const source = {
        place: "here", sizes: new Map([["file", content.length]]),
        async *open(_name: string, from: number) {
          for (let at = from; at < content.length; at += 10) {
            await step(at);
            yield content.subarray(at, at + 10);
          }
        },
      };
      const done = fetchFile(source, wanted, { files, stage, writeBack: createWriteBack(20), onBytes: (bytes) => { counted += bytes; } });
      return { done, counted: () => counted };
    }

    it("has ended before that file ends, and before what came is gone on with", async () => {
      const { files, syncs } = open();
      let hasEnded = false;
      const { done } = fetchSlowly(files, async (at) => { if (at === 40) throw new BquerydError("OBJECT_STORE", "broken off"); });
      const failure = failureOf(() => done).finally(() => { hasEnded = true; });
      await until("it is written back", () => syncs.length === 1);
      await new Promise((resolve) => { setImmediate(resolve); });
      expect(hasEnded).to.equal(false);
      syncs[0]!.end.resolve();
      expect((await failure).message).to.equal("broken off");
      expect((await stat(join(stage, "file.part"))).size).to.equal(40);
    });

    it("fails that file, of which nothing is taken for written then", async () => {
      const { files, syncs } = open();
      const { done, counted } = fetchSlowly(files, async (at) => { if (at === 30) syncs[0]!.end.reject(new BquerydError("IO", "EIO")); });
      expect((await failureOf(() => done)).message).to.equal("EIO");
      expect(await readdir(stage)).to.deep.equal([]);
      expect(counted()).to.equal(0);
      const again = fetchSlowly(unsyncedFiles, async () => undefined);
      expect(await again.done).to.equal(wanted.sha256);
      expect(again.counted()).to.equal(50);
    });

    it("fails that file when it is whole and the disk refuses it", async () => {
      const { files, syncs } = open();
      const { done } = fetchSlowly(files, async (at) => { if (at === 20) syncs[0]!.end.resolve(); });
      const failure = failureOf(() => done);
      for (let count = 2; count <= 3; count++) {
        await until("it is written back again", () => syncs.length === count);
        if (count === 2) syncs[1]!.end.resolve();
        else syncs[2]!.end.reject(new BquerydError("IO", "EIO"));
      }
      expect((await failure).message).to.equal("EIO");
      expect(await readdir(stage)).to.deep.equal([]);
    });
  });
});
