import { mkdtemp, readdir, readFile, readlink, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { decodePartial } from "../../lib/engine/partial-bytes.js";
import { failureOf } from "../support/failure.js";
import { writeTable } from "../support/write-table.js";

const query = encodeQuery(parseQuery({ keys: [], measures: [["v", "sum"]], where: [], cache: false }));

describe("the engine's open tables", () => {
  let dataDir: string;
  let engine: Engine;
  let generation: string;

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-engine-"));
    generation = await writeTable(join(dataDir, "t.bcolz"), [{ name: "v", dtype: "int64", values: Array.from({ length: 1_000 }, (_, row) => BigInt(row * row)) }]);
    engine = createEngine({ dataDir, cacheBytes: 2 ** 20, queryBytes: 16 * 2 ** 20 });
  });

  afterEach(async () => {
    engine.close();
    await rm(dataDir, { recursive: true });
  });

  function sumRows(): number {
    let rows = 0;
    engine.run({
      query, shards: [{ ordinal: 0, name: "t.bcolz", generation }], shouldStop: () => false,
      onBlock: (_block, partial) => { rows += decodePartial(partial).rows[0]!; },
    });
    return rows;
  }

  async function openFiles(): Promise<string[]> {
    const descriptors = await readdir("/proc/self/fd");
    const targets = await Promise.all(descriptors.map((descriptor) => readlink(`/proc/self/fd/${descriptor}`).catch(() => "")));
    return targets.filter((target) => target.startsWith(dataDir));
  }

  it("are read anew once their files have been put right", async () => {
    const column = (await readdir(join(dataDir, "t.bcolz"))).find((name) => name.endsWith(".col"))!;
    const path = join(dataDir, "t.bcolz", column);
    const whole = await readFile(path);
    const damaged = Buffer.from(whole);
    damaged[damaged.length - 1]! ^= 1;
    await writeFile(path, damaged);
    expect(await failureOf(() => sumRows())).to.include({ code: "CORRUPT_CHUNK" });
    await writeFile(`${path}.good`, whole);
    await rename(`${path}.good`, path);
    expect(sumRows()).to.equal(1_000);
  });

  it("are let go when they are forgotten, and opened again when asked for", async () => {
    expect(sumRows()).to.equal(1_000);
    expect(await openFiles()).to.not.be.empty;
    engine.forget(["other.bcolz"]);
    expect(await openFiles()).to.not.be.empty;
    engine.forget(["t.bcolz"]);
    expect(await openFiles()).to.be.empty;
    expect(sumRows()).to.equal(1_000);
  });
});
