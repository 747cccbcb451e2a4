import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, afterEach, before, describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import type { Partial } from "../../lib/engine/partial.js";
import { encodePartial } from "../../lib/engine/partial-bytes.js";
import { bytesOfArrays } from "../../lib/engine/array-bytes.js";
import type { ScanCost } from "../../lib/engine/scan.js";
import { scanInParts, type PartedScan } from "../../lib/engine/scan-parts.js";
import { askEngine, type LocalAnswer } from "../support/ask-engine.js";
import { failureOf } from "../support/failure.js";
import type { StoredShard } from "../support/random/store.js";
import { writeShards, writeTable, type PlainColumn } from "../support/write-table.js";

const rows = 80_000;

describe("partials and what a message may have", function () {
  this.timeout(60_000);
  let dataDir = "";
  let shards: StoredShard[] = [];
  /** All rows in one. */
  let large: StoredShard;
  const engines: Engine[] = [];

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-message-limit-"));
    const names = [0, 1, 2, 3].map((shard) => `t-${shard}.bcolzs`);
    const columns: PlainColumn[] = [
      { name: "own", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt(row) * 10n ** 12n) },
      { name: "shared", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt(row % 4_000) * 10n ** 12n) },
      { name: "v", dtype: "float64", values: Array.from({ length: rows }, (_, row) => row / 3) },
    ];
    const generations = await writeShards(names.map((name) => join(dataDir, name)), columns);
    large = { ordinal: 0, name: "large.bcolz", generation: await writeTable(join(dataDir, "large.bcolz"), columns) };
    shards = names.map((name, ordinal) => ({ ordinal, name, generation: generations[ordinal]! }));
  });
  afterEach(() => {
    for (const engine of engines.splice(0)) engine.close();
  });
  after(async () => {
    await rm(dataDir, { recursive: true });
  });

  function ask(keys: readonly string[], options: { readonly messageBytes?: number; readonly queryBytes?: number } = {}, asked = shards): Promise<LocalAnswer> {
    const engine = createEngine({ dataDir, cacheBytes: 2 ** 24, queryBytes: 2 ** 26, ...options });
    engines.push(engine);
    return askEngine(engine, asked, { keys, measures: [["v", "sum", "s"]] });
  }
  const bytesOf = async (keys: readonly string[], asked: StoredShard[]): Promise<number> => bytesOfArrays((await ask(keys, {}, asked)).partial);

  it("send blocks apart that might not fit together, and the answer is the same", async () => {
    for (const keys of [["own"], ["own", "shared"]]) {
      const whole = await ask(keys);
      expect(whole.bytes).to.have.length(1);
      const one = await bytesOf(keys, [shards[0]!]);
      for (const [messageBytes, blocks] of [[1.1 * one, 4], [2.5 * one, 2]] as const) {
        const cut = await ask(keys, { messageBytes });
        expect(cut.bytes, keys.join()).to.have.length(blocks);
        for (const bytes of cut.bytes) expect(bytes.length).to.be.below(messageBytes);
        expect(Buffer.compare(encodePartial(cut.partial), encodePartial(whole.partial)), keys.join()).to.equal(0);
        expect(cut.cost.rowsScanned).to.equal(rows);
      }
    }
  });

  it("scan fewer shards at once where the groups of more might not fit", async () => {
    const keys = ["shared"];
    const whole = await ask(keys);
    const cut = await ask(keys, { messageBytes: 0.9 * bytesOfArrays(whole.partial) });
    expect(cut.bytes.length).to.be.at.least(2);
    expect(Buffer.compare(encodePartial(cut.partial), encodePartial(whole.partial))).to.equal(0);
    expect(cut.cost.rowsScanned).to.equal(rows);
  });

  it("of one shard that do not fit are MEMORY_LIMIT naming the keys, also where they are found part by part", async () => {
    for (const [queryBytes, bytesMax] of [[2 ** 26, 200_000], [6 * 2 ** 20, 400_000]] as const) {
      const failure = await failureOf(() => ask(["own", "shared"], { messageBytes: 200_000, queryBytes }, [large]));
      expect(failure).to.have.property("code", "MEMORY_LIMIT");
      expect(failure).to.have.property("message").that.matches(/'own', 'shared'.*message_bytes_max/);
      expect(failure).to.have.nested.property("details.bytesMax", bytesMax);
    }
    expect((await ask(["shared"], { messageBytes: 200_000 })).partial.groups).to.equal(4_000);
  });

  it("of parts are found no further than the bound", async () => {
    const part: Partial = { groups: 0, keys: [], rows: new Float64Array(1_000), states: [] };
    let scans = 0;
    const cost: ScanCost = { shardsPruned: 0, rowsScanned: 0, chunksDecoded: 0, chunksPruned: 0, chunksFromStatistics: 0, cacheHits: 0, bytesDecoded: 0 };
    const refused = (bytes: number): BquerydError => new BquerydError("MEMORY_LIMIT", `refused at ${bytes}`);
    const parted: PartedScan = {
      rows: 1_000, cost, bytesMax: 20_000, refuse: refused,
      scan(asked) {
        if (asked === null) throw new BquerydError("MEMORY_LIMIT", "too many at once");
        scans += 1;
        return { ...part, rows: part.rows.slice() };
      },
    };
    expect(await failureOf(() => scanInParts(parted))).to.have.property("message", "refused at 24000");
    expect(scans).to.equal(3);
  });
});
