import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { BquerydError } from "../../lib/base/errors.js";
import { scanInBlocks, type BlockScanner } from "../../lib/engine/blocks.js";
import { createEngine, type Engine, type EngineOptions, type TaskCost } from "../../lib/engine/engine.js";
import type { Partial } from "../../lib/engine/partial.js";
import { decodePartial } from "../../lib/engine/partial-bytes.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import type { BlockRefusal, ScannedBlock } from "../../lib/engine/scan-block.js";
import type { StoredShard } from "../support/random/store.js";
import { writeShards } from "../support/write-table.js";

const partial: Partial = { groups: 0, keys: [], rows: new Float64Array(0), states: [] };

interface Shard { readonly ordinal: number }

/** The blocks that shards are emitted in, and which lists were scanned at once, by a scanner that answers as told. */
function cut(ordinals: readonly number[], answer: (shards: readonly Shard[]) => number | BlockRefusal, known: readonly string[] = [], scansRun: (shards: readonly Shard[]) => number | undefined = () => undefined): { readonly emitted: string[]; readonly asked: string[] } {
  const [emitted, asked] = [[] as string[], [] as string[]];
  const nameOf = (shards: readonly Shard[]): string => `${shards[0]!.ordinal}+${shards.length}`;
  const scanner: BlockScanner<Shard> = {
    find: (shards) => (known.includes(nameOf(shards)) ? partial : undefined),
    scanShard: () => partial,
    scanRun(shards) {
      const given = scansRun(shards);
      return given === undefined ? undefined : { partial, shards: given };
    },
    scanBlock(shards): ScannedBlock | BlockRefusal {
      asked.push(nameOf(shards));
      const given = answer(shards);
      return typeof given === "number" ? { partial, shards: given } : given;
    },
  };
  scanInBlocks(ordinals.map((ordinal) => ({ ordinal })), scanner, ({ start, size }, _, isKnown) => void emitted.push(`${start}+${size}${isKnown ? " known" : ""}`));
  return { emitted, asked };
}

describe("the blocks of a task", () => {
  const ten = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

  it("are the largest aligned ones there are", () => {
    expect(cut(ten, (shards) => shards.length).emitted).to.deep.equal(["0+8", "8+2"]);
    expect(cut([1, 2, 3, 6, 7, 9], (shards) => shards.length).emitted).to.deep.equal(["1+1", "2+2", "6+2", "9+1"]);
  });

  it("are halved while they are too many, and single shards where it never pays", () => {
    expect(cut(ten, (shards) => (shards.length > 2 ? "too many" : shards.length)).emitted).to.deep.equal(["0+2", "2+2", "4+2", "6+2", "8+2"]);
    expect(cut(ten, () => "never")).to.deep.equal({ asked: ["0+8", "8+2"], emitted: ten.map((ordinal) => `${ordinal}+1`) });
  });

  it("go on behind a first shard that was scanned alone", () => {
    expect(cut(ten, () => 1)).to.deep.equal({ asked: ["0+8", "2+2", "4+4", "6+2", "8+2"], emitted: ten.map((ordinal) => `${ordinal}+1`) });
  });

  it("are taken from what is known, of a block or of a shard", () => {
    expect(cut(ten, (shards) => shards.length, ["0+4", "8+2", "7+1"]).emitted).to.deep.equal(["0+4 known", "4+2", "6+1", "7+1 known", "8+2 known"]);
  });
});

describe("the runs of a task", () => {
  const whole = (shards: readonly Shard[]): number => shards.length;

  it("are scanned at once as far as they follow each other, be they aligned or not", () => {
    expect(cut([1, 2, 3, 4, 5, 8, 9, 11], whole, [], whole)).to.deep.equal({ asked: ["8+2"], emitted: ["1+5", "8+2", "11+1"] });
  });

  it("go on by blocks behind a first shard that was scanned alone", () => {
    expect(cut([1, 2, 3, 4, 5], whole, [], () => 1).emitted).to.deep.equal(["1+1", "2+2", "4+2"]);
  });

  it("are taken from what is known, and scanned by blocks where a part of them is", () => {
    expect(cut([1, 2, 3, 4], whole, ["1+4"], whole).emitted).to.deep.equal(["1+4 known"]);
    expect(cut([1, 2, 3, 4], whole, ["4+1"], whole).emitted).to.deep.equal(["1+1", "2+2", "4+1 known"]);
    expect(cut([1, 2, 3, 4], whole, ["2+2"], whole).emitted).to.deep.equal(["1+1", "2+2 known", "4+1"]);
  });
});

describe("shards scanned at once", () => {
  let dataDir = "";
  let shards: StoredShard[] = [];
  const engines: Engine[] = [];
  const rows = 40_000;
  /** Numbers of which each shard has codes of a byte, that stand for others than those of the shard before. */
  const laterOf = (row: number): number => 3 * (row % 50) + 1_000 * Math.floor(row / 10_000);

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-at-once-"));
    const names = [0, 1, 2, 3].map((shard) => `t-${shard}.bcolzs`);
    const generations = await writeShards(names.map((name) => join(dataDir, name)), [
      { name: "k", dtype: "int32", values: Array.from({ length: rows }, (_, row) => BigInt((row * 7) % 2_000)) },
      { name: "sparse", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt((row * 7) % 2_000) * 10n ** 12n) },
      { name: "unique", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt(row) * 10n ** 12n) },
      { name: "grows", dtype: "int64", values: Array.from({ length: rows }, (_, row) => BigInt(row >> 2) * 10n ** 12n) },
      { name: "later", dtype: "int32", values: Array.from({ length: rows }, (_, row) => BigInt(laterOf(row))) },
      { name: "few", dtype: "int32", values: Array.from({ length: rows }, (_, row) => BigInt(row % 5)) },
      { name: "v", dtype: "float64", values: Array.from({ length: rows }, (_, row) => row / 3) },
      { name: "gaps", dtype: "int32", values: Array.from({ length: rows }, (_, row) => (row === 15_000 ? null : 1n)) },
    ]);
    shards = names.map((name, ordinal) => ({ ordinal, name, generation: generations[ordinal]! }));
  });

  afterEach(async () => {
    for (const engine of engines.splice(0)) engine.close();
    await rm(dataDir, { recursive: true });
  });

  function open(options: { readonly [K in keyof EngineOptions]?: EngineOptions[K] } = {}): Engine {
    const engine = createEngine({ dataDir, cacheBytes: 16 * 2 ** 20, queryBytes: 32 * 2 ** 20, partialCacheBytes: 2 ** 20, ...options });
    engines.push(engine);
    return engine;
  }

  function run(engine: Engine, query: object, shouldStop = (): boolean => false, asked = shards): { readonly cost: TaskCost; readonly bytes: string[] } {
    const bytes: string[] = [];
    const cost = engine.run({ query: encodeQuery(parseQuery({ keys: [], measures: [], ...query })), shards: asked, shouldStop, onBlock: (_, encoded) => void bytes.push(Buffer.from(encoded).toString("latin1")) });
    return { cost, bytes };
  }

  function failureOf(work: () => unknown): BquerydError {
    try {
      work();
    } catch (cause) {
      if (cause instanceof BquerydError) return cause;
      throw cause;
    }
    throw new Error("nothing failed");
  }

  /** Whether nothing was left to be merged. */
  const isAtOnce = ({ cost }: { readonly cost: TaskCost }): boolean => cost.mergeMs === 0;

  it("cost what they cost apart, but for merging", () => {
    for (const [keys, atOnce] of [[["k"], true], [["sparse"], true], [["unique"], false], [["few"], false], [["k", "few"], true]] as const) {
      const query = { keys, measures: [["few", "sum", "s"], ["v", "max", "m"]], where: [["k", "<", 1_900]], cache: "columns" };
      const [found, apart] = [run(open(), query), run(open({ blockGroupsMin: Infinity }), query)];
      expect(isAtOnce(found), keys.join()).to.equal(atOnce);
      expect(isAtOnce(apart)).to.equal(false);
      expect(found.bytes).to.deep.equal(apart.bytes);
      expect({ ...apart.cost, scanMs: 0, mergeMs: 0 }).to.deep.equal({ ...found.cost, scanMs: 0, mergeMs: 0 });
    }
  });

  it("are added up right where their codes stand for other values", () => {
    const query = { keys: ["k"], measures: [["later", "sum", "s"]], cache: "columns" };
    const expected = new Map<number, { rows: number; sum: number }>();
    for (let row = 0; row < rows; row++) {
      const key = (row * 7) % 2_000;
      const { rows: before, sum } = expected.get(key) ?? { rows: 0, sum: 0 };
      expected.set(key, { rows: before + 1, sum: sum + laterOf(row) });
    }
    const inOrder = [...expected].sort(([a], [b]) => a - b).map(([, group]) => group);
    for (const engine of [open(), open({ blockGroupsMin: Infinity })]) {
      const { rows: counts, states } = decodePartial(Buffer.from(run(engine, query).bytes[0]!, "latin1"));
      expect([...counts]).to.deep.equal(inOrder.map((group) => group.rows));
      const sums = states.find((state) => state.kind === "sum");
      expect(sums !== undefined && "sums" in sums ? [...sums.sums] : []).to.deep.equal(inOrder.map(({ sum }) => sum));
    }
  });

  it("are known when they are asked for again", () => {
    const engine = open();
    const query = { keys: ["k"], measures: [["v", "sum", "s"]] };
    const first = run(engine, query);
    expect(first.cost).to.include({ rowsScanned: rows, partialCacheHits: 0, shards: 4 });
    const again = run(engine, query);
    expect(again.cost).to.include({ rowsScanned: 0, partialCacheHits: 4, shards: 4 });
    expect(again.bytes).to.deep.equal(first.bytes);
  });

  it("leave nothing to the next query that a shard by itself would not have given", () => {
    const query = { keys: ["unique"], measures: [["gaps", "count", "n"]] };
    const [engine, only] = [open({ partialCacheBytes: 2 ** 24 }), shards.slice(0, 1)];
    run(engine, query);
    expect(run(engine, query, undefined, only).bytes).to.deep.equal(run(open(), query, undefined, only).bytes);
  });

  it("are scanned apart where they need too much memory at once", () => {
    const query = { keys: ["grows"], measures: [["*", "count", "n"]], cache: false };
    const apart = { blockGroupsMin: Infinity };
    const enough = Array.from({ length: 40 }, (_, step) => 2 ** 19 + step * 2 ** 16).find((queryBytes) => {
      try {
        return run(open({ ...apart, queryBytes }), query).bytes.length === 1;
      } catch {
        return false;
      }
    })!;
    const [found, expected] = [run(open({ queryBytes: enough }), query), run(open({ ...apart, queryBytes: enough }), query)];
    expect(isAtOnce(found), `with ${enough} bytes`).to.equal(false);
    expect(isAtOnce(run(open(), query))).to.equal(true);
    expect(found.bytes).to.deep.equal(expected.bytes);
    expect(expected.cost).to.include({ rowsScanned: found.cost.rowsScanned, chunksDecoded: found.cost.chunksDecoded });
  });

  it("fail by the name of a shard", async () => {
    const query = { keys: ["k"], measures: [["v", "sum", "s"]] };
    const small = failureOf(() => run(open({ queryBytes: 2 ** 17 }), query));
    expect(small.code).to.equal("MEMORY_LIMIT");
    expect(small.details).to.include({ shard: "t-0.bcolzs" });
    const broken = join(dataDir, "t-2.bcolzs");
    for (const name of await readdir(broken)) if (name.endsWith(".col")) await writeFile(join(broken, name), "broken");
    const failure = failureOf(() => run(open(), query));
    expect(failure.code).to.match(/^CORRUPT_/);
    expect(failure.details).to.include({ shard: "t-2.bcolzs" });
  });

  it("stop between chunks when the query is cancelled", () => {
    let asked = 0;
    const failure = failureOf(() => run(open(), { keys: ["k"], measures: [["v", "sum", "s"]] }, () => (asked += 1) > 2));
    expect(failure.code).to.equal("CANCELLED");
    expect(asked).to.equal(3);
  });
});
