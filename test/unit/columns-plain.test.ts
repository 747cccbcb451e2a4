import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { openTable } from "../../lib/columns/read/open.js";
import { readTable, type StoredValue } from "../support/read-table.js";
import { writeShards, type PlainColumn } from "../support/write-table.js";

describe("texts of which every shard would have a large dictionary", () => {
  let folder = "";
  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), "bqueryd-plain-")); });
  afterEach(() => rm(folder, { recursive: true }));

  async function bytesBelow(path: string): Promise<number> {
    const sizes = await Promise.all((await readdir(path)).map(async (name) => (await stat(join(path, name))).size));
    return sizes.reduce((sum, size) => sum + size, 0);
  }

  async function write(values: readonly StoredValue[], shardCount: number): Promise<{ bytes: number; isPlain: boolean; read: StoredValue[] }> {
    const column: PlainColumn = { name: "v", dtype: "string", values };
    const paths = Array.from({ length: shardCount }, (_, shard) => join(folder, `t-${shard}.bcolzs`));
    await writeShards(paths, [column]);
    const sizes = await Promise.all(paths.map(bytesBelow));
    const table = openTable(paths[0]!);
    const isPlain = table.footer.dictionaries.length === 0;
    table.close();
    return { bytes: sizes.reduce((sum, size) => sum + size, 0), isPlain, read: paths.flatMap((path) => readTable(path).get("v")!) };
  }

  const nearlyDistinct = Array.from({ length: 20_000 }, (_, row) => (row % 97 === 0 ? null : `text number ${row * 7_919} of many`));

  it("are stored plain, and read as they were", async () => {
    const { bytes, isPlain, read } = await write(nearlyDistinct, 8);
    expect(isPlain).to.equal(true);
    expect(read).to.deep.equal(nearlyDistinct);
    expect(bytes).to.be.below(nearlyDistinct.join().length);
  });

  it("keep a dictionary where there are few of them", async () => {
    const few = nearlyDistinct.map((_, row) => `text number ${row % 100}`);
    const { isPlain, read } = await write(few, 8);
    expect(isPlain).to.equal(false);
    expect(read).to.deep.equal(few);
  });

  it("keep a dictionary where it costs little, however many shards there are", async () => {
    expect((await write(nearlyDistinct.slice(0, 200), 4)).isPlain).to.equal(false);
  });
});
