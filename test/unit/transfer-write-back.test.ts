import { expect } from "chai";
import { BquerydError } from "../../lib/base/errors.js";
import { withResolvers, type Resolvers } from "../../lib/base/resolvers.js";
import { createWriteBack } from "../../lib/transfer/fetch/write-back.js";
import { failureOf } from "../support/failure.js";
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
    expect((await failureOf(() => file.close())).message).to.equal("EIO");
    expect((await failureOf(async () => { file.add(1); })).message).to.equal("EIO");
    other.add(16 * megabytes);
    expect(syncs.map(({ path }) => path)).to.deep.equal(["a", "b"]);
    syncs[1]!.end.resolve();
    await other.close();
  });
});
