import { expect } from "chai";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { compareScans, scanHoldings } from "../../lib/cluster/worker/holdings/holdings.js";
import { writeRawBcolz, writeRawColumn, type RawColumnSpec } from "../support/bcolz-directory.js";

const ints = (name: string, ...values: bigint[]): RawColumnSpec => ({ name, dtype: "int64", bytes: new Uint8Array(BigInt64Array.from(values).buffer), itemBytes: 8 });

let folder: string;

describe("holdings of a worker", () => {
  beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), "bqueryd-test-")); });
  afterEach(() => rm(folder, { recursive: true }));

  it("include tables of bcolz, shards as well", async () => {
    writeRawBcolz(join(folder, "a.bcolz"), [ints("n", 1n, 2n)]);
    writeRawBcolz(join(folder, "b-3.bcolzs"), [ints("n", 1n)]);
    const scan = await scanHoldings(folder, new Map());
    expect([...scan.keys()]).to.deep.equal(["a.bcolz", "b-3.bcolzs"]);
    expect(scan.get("a.bcolz")!.holding).to.deep.include({ name: "a.bcolz", rows: 2, set: null, columns: [{ name: "n", dtype: "int64" }] });
  });

  it("are another generation when a table of bcolz was appended to, and gone with it", async () => {
    const path = join(folder, "a.bcolz");
    writeRawBcolz(path, [ints("n", 1n, 2n)]);
    const first = await scanHoldings(folder, new Map());
    const same = await scanHoldings(folder, first);
    expect(compareScans(first, same)).to.deep.equal({ added: [], changed: [], removed: [], broken: [] });
    writeRawColumn(join(path, "n"), ints("n", 1n, 2n, 3n));
    const changed = compareScans(same, await scanHoldings(folder, same));
    expect(changed.changed.map(({ rows }) => rows)).to.deep.equal([3]);
    rmSync(path, { recursive: true });
    expect(compareScans(same, await scanHoldings(folder, same)).removed).to.deep.equal(["a.bcolz"]);
  });

  it("are without a table of bcolz that is damaged or a bare array, and say why", async () => {
    writeRawBcolz(join(folder, "a.bcolz"), [ints("n", 1n), ints("m", 1n, 2n)]);
    writeRawColumn(join(folder, "b.bcolz"), ints("", 1n));
    cpSync(join(folder, "b.bcolz"), join(folder, "c.bcolz"), { recursive: true });
    writeFileSync(join(folder, "c.bcolz", "__rootdirs__"), "{");
    const { broken } = compareScans(new Map(), await scanHoldings(folder, new Map()));
    expect(broken.map(({ name, problem }) => [name, problem.code])).to.deep.equal([["a.bcolz", "CORRUPT_FOOTER"], ["b.bcolz", "UNSUPPORTED_FORMAT"], ["c.bcolz", "CORRUPT_FOOTER"]]);
  });
});
