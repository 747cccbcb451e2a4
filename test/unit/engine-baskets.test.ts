import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { freshSeed, seededRandom, type Random } from "../../lib/base/clock.js";
import { dtypes, type Dtype } from "../../lib/columns/dtypes.js";
import { createEngine, type Engine } from "../../lib/engine/engine.js";
import { isWholes } from "../../lib/engine/values.js";
import { askEngine } from "../support/ask-engine.js";
import { failureOf } from "../support/failure.js";
import { chance, oneOf, someOf, whole } from "../support/random/draw.js";
import type { StoredShard } from "../support/random/store.js";
import type { StoredValue } from "../support/read-table.js";
import { batchOf, unsyncedFiles } from "../support/write-table.js";
import { createTables } from "../../lib/columns/write/writer.js";

/** Three values of each dtype, of which two may be told apart only by what comes last. */
const values: Record<Dtype, readonly StoredValue[]> = {
  bool: [true, false, true], int8: [-128n, 0n, 127n], int16: [-1n, 0n, 1n], int32: [1n << 20n, 0n, -7n], int64: [1n << 60n, (1n << 60n) + 1n, 0n],
  uint8: [0n, 255n, 1n], uint16: [0n, 65_535n, 9n], uint32: [0n, 1n << 31n, 2n], uint64: [0n, 1n << 63n, 2n ** 64n - 1n],
  float32: [0, 1.5, -1.5], float64: [0, 0.1, Infinity], string: ["", "a", "ab"], timestamp: [0n, 1n, -1n], date: [0n, 16_801n, -1n],
  bytes: [new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(0xff)],
};

interface Rows {
  readonly dtype: Dtype;
  readonly basket: readonly StoredValue[];
  /** Whether the row matches the condition. */
  readonly isHit: readonly boolean[];
}

/** The rows of every basket with a hit. */
function expand({ basket, isHit }: Rows): number[] {
  const found: number[] = [];
  for (let start = 0, end = 0; start < basket.length; start = end) {
    while (end < basket.length && isSame(basket[start]!, basket[end]!)) end += 1;
    if (isHit.slice(start, end).includes(true)) for (let row = start; row < end; row++) found.push(row);
  }
  return found;
}

function isSame(a: StoredValue, b: StoredValue): boolean {
  return a instanceof Uint8Array && b instanceof Uint8Array ? Buffer.compare(a, b) === 0 : a === b;
}

function draw(random: Random, dtype: Dtype, rows: number, longest: number, hitShare: number): Rows {
  const basket: StoredValue[] = [];
  while (basket.length < rows) {
    const value = oneOf(random, [...values[dtype], null]);
    for (let left = whole(random, 1, longest); left > 0 && basket.length < rows; left--) basket.push(value);
  }
  return { dtype, basket, isHit: basket.map(() => chance(random, hitShare)) };
}

describe("baskets", function () {
  this.timeout(60_000);
  let dataDir = "";
  let engine: Engine;
  let sets = 0;

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-baskets-"));
    engine = createEngine({ dataDir, cacheBytes: 32 * 2 ** 20, queryBytes: 64 * 2 ** 20, partialCacheBytes: 2 ** 20 });
  });

  after(async () => {
    engine.close();
    await rm(dataDir, { recursive: true });
  });

  /** Writes the shards of a new set, unless it is named: what is left of those replaced takes each writer longer to look at than to write. */
  async function store({ dtype, basket, isHit }: Rows, cuts: readonly number[], { set = `set${sets++}`, ...options }: { set?: string; dictionaryValuesMax?: number } = {}): Promise<StoredShard[]> {
    const borders = [0, ...cuts, basket.length];
    const paths = borders.slice(1).map((_, shard) => join(dataDir, `${set}-${shard}.bcolzs`));
    const writer = await createTables({ paths, columns: [{ name: "c", dtype }, { name: "hit", dtype: "bool" }, { name: "row", dtype: "int64" }], set: true, replace: true, sort: null, files: unsyncedFiles, ...options });
    for (let shard = 0; shard < paths.length; shard++) {
      const [start, end] = [borders[shard]!, borders[shard + 1]!];
      const rows = Array.from({ length: end - start }, (_, at) => BigInt(start + at));
      await writer.append(shard, [batchOf(dtype, basket.slice(start, end)), batchOf("bool", isHit.slice(start, end)), batchOf("int64", rows)]);
    }
    return (await writer.commit()).map(({ name, generation }, ordinal) => ({ ordinal, name, generation }));
  }

  async function selected(shards: readonly StoredShard[], query: object = {}): Promise<number[]> {
    const { partial } = await askEngine(engine, shards, { keys: ["row"], where: [["hit", "==", true]], expand_filter_column: "c", ...query });
    const { domain } = partial.keys[0]!;
    return isWholes(domain) ? Array.from(domain.array, Number) : [];
  }

  it("are selected whole by one row, over the borders of 1 to 9 shards, empty ones among them, for every dtype", async () => {
    const seed = freshSeed();
    const random = seededRandom(seed);
    for (const dtype of dtypes) {
      for (let turn = 0; turn < 3; turn++) {
        const rows = draw(random, dtype, whole(random, 0, 40), oneOf(random, [1, 4, 30]), oneOf(random, [0.03, 0.3]));
        const cuts = Array.from({ length: whole(random, 0, 8) }, () => whole(random, 0, rows.basket.length)).sort((a, b) => a - b);
        const shards = await store(rows, cuts, chance(random, 0.5) ? { dictionaryValuesMax: 1 } : {});
        expect(await selected(shards), `seed ${seed}, ${dtype} ${turn}: ${rows.basket.map(String).join()} cut at ${cuts.join()}`).to.deep.equal(expand(rows));
      }
    }
  });

  it("go on over the borders of chunks, also through chunks that statistics rule out", async () => {
    const seed = freshSeed();
    const random = seededRandom(seed);
    for (const [longest, hitShare] of [[200, 0.000_1], [100_000, 0.000_02], [300_000, 0.000_005]] as const) {
      for (const dtype of someOf(random, ["int64", "string", "float64"] as const, 1)) {
        const rows = draw(random, dtype, 4 * 65_536 + 5, longest, hitShare);
        for (const cuts of [[], [65_536, 150_000]]) {
          const shards = await store(rows, cuts);
          expect(await selected(shards), `seed ${seed}, ${dtype} ${longest}`).to.deep.equal(expand(rows));
        }
      }
    }
  });

  it("that are one over all shards are selected by a row of any of them", async () => {
    const basket = Array.from({ length: 30 }, (_, row) => (row < 5 ? "a" : row < 28 ? null : "b"));
    for (const hit of [0, 4, 5, 16, 27, 28]) {
      const rows: Rows = { dtype: "string", basket, isHit: basket.map((_, row) => row === hit) };
      const shards = await store(rows, [5, 10, 10, 20, 25, 29]);
      expect(await selected(shards), String(hit)).to.deep.equal(expand(rows));
    }
  });

  it("without a condition are all rows, and count in every measure", async () => {
    const rows = draw(seededRandom(8), "int8", 30, 5, 0.2);
    const shards = await store(rows, [10, 20]);
    expect(await selected(shards, { where: [] })).to.have.length(30);
    const { partial } = await askEngine(engine, shards, { measures: [["*", "count", "n"]], where: [["hit", "==", true]], expand_filter_column: "c" });
    expect(partial.rows[0]).to.equal(expand(rows).length);
  });

  it("asked for again scan nothing, and after a replacement are those of the new generation", async () => {
    const first = draw(seededRandom(9), "int32", 40, 6, 0.1);
    const query = { keys: ["row"], where: [["hit", "==", true]], expand_filter_column: "c" };
    const shards = await store(first, [15, 30], { set: "replaced" });
    await askEngine(engine, shards, query);
    const again = await askEngine(engine, shards, query);
    expect(again.cost).to.include({ rowsScanned: 0, partialCacheHits: 6 });
    const second = { ...first, isHit: first.isHit.map((isHit) => !isHit) };
    expect(await selected(await store(second, [15, 30], { set: "replaced" }))).to.deep.equal(expand(second));
  });

  it("of a column that is not there are UNKNOWN_COLUMN", async () => {
    const shards = await store(draw(seededRandom(1), "int8", 3, 1, 0.5), []);
    expect(await failureOf(() => selected(shards, { expand_filter_column: "hits" }))).to.include({ code: "UNKNOWN_COLUMN" });
  });
});
