import { expect } from "chai";
import { mkdtemp, readdir, readFile, rm, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { wallMs } from "../../lib/base/clock.js";
import { limits } from "../../lib/base/limits.js";
import { openTable } from "../../lib/columns/read/open.js";
import { addPrepared, readPrepared, removePrepared } from "../../lib/columns/files/prepared.js";
import { failureOf } from "../support/failure.js";
import { unsyncedFiles, writeTable } from "../support/write-table.js";

const ticket = "0123456789abcdef";

describe("PREPARED", () => {
  let folder = "";
  let path = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    path = join(folder, "taxi.bcolz");
  });
  afterEach(() => rm(folder, { recursive: true }));

  const write = (value: bigint): Promise<string> => writeTable(path, [{ name: "v", dtype: "int64", values: [value] }], { replace: true });

  async function age(): Promise<void> {
    const seconds = wallMs() / 1000 - 7_200;
    for (const name of await readdir(path)) await utimes(join(path, name), seconds, seconds);
  }

  it("is a line for each generation and ticket, and no file when the last is taken away", async () => {
    const generation = await write(1n);
    const other = { generation, ticket: "fedcba9876543210" };
    expect(readPrepared(path)).to.deep.equal([]);
    await addPrepared(unsyncedFiles, path, { generation, ticket });
    await addPrepared(unsyncedFiles, path, other);
    await addPrepared(unsyncedFiles, path, { generation, ticket });
    expect(await readFile(join(path, "PREPARED"), "latin1")).to.equal(`${generation} ${ticket}\n${generation} fedcba9876543210\n`);
    expect(readPrepared(path)).to.deep.equal([{ generation, ticket }, other]);
    await removePrepared(unsyncedFiles, path, { generation, ticket });
    await removePrepared(unsyncedFiles, path, { generation, ticket });
    expect(readPrepared(path)).to.deep.equal([other]);
    await removePrepared(unsyncedFiles, path, other);
    expect(await readdir(path)).to.not.include("PREPARED");
    expect(readPrepared(join(folder, "nothing.bcolz"))).to.deep.equal([]);
  });

  it("keeps the files of a generation from being collected until its mark is gone, through any number of writes", async () => {
    const generation = await write(1n);
    const { files } = openTable(path).footer;
    await addPrepared(unsyncedFiles, path, { generation, ticket });
    for (const value of [2n, 3n, 4n, 5n]) {
      await age();
      await write(value);
    }
    expect(await readdir(path)).to.include.members([`${generation}.json`, "PREPARED", ...files.map(({ name }) => name)]);
    await removePrepared(unsyncedFiles, path, { generation, ticket });
    await age();
    await write(6n);
    expect(await readdir(path)).to.not.include.members([`${generation}.json`]);
  });

  it("is CORRUPT_FOOTER when it is damaged, and then nothing is collected", async () => {
    const generation = await write(1n);
    for (const text of [`${generation} ${ticket}`, `${generation} ${ticket.slice(1)}\n`, `${generation}  ${ticket}\n`, `../x ${ticket}\n`, `${generation} ${ticket}\n\n`]) {
      await writeFile(join(path, "PREPARED"), text);
      expect((await failureOf(() => readPrepared(path))).code, JSON.stringify(text)).to.equal("CORRUPT_FOOTER");
    }
    for (const value of [2n, 3n, 4n]) {
      await age();
      await write(value);
    }
    expect(await readdir(path)).to.include(`${generation}.json`);
    await unlink(join(path, "PREPARED"));
  });

  it("has a bound, which is BUSY", async () => {
    const generation = await write(1n);
    const lines = Array.from({ length: limits.generationsMax }, (_, at) => `${generation} ${at.toString(16).padStart(16, "0")}\n`);
    await writeFile(join(path, "PREPARED"), lines.join(""));
    expect((await failureOf(() => addPrepared(unsyncedFiles, path, { generation, ticket }))).code).to.equal("BUSY");
  });
});
