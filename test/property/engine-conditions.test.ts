import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { seededRandom, type Random } from "../../lib/base/clock.js";
import { dtypes } from "../../lib/columns/dtypes.js";
import { createEngine, type Engine, type TaskCost } from "../../lib/engine/engine.js";
import { decodePartial } from "../../lib/engine/partial-bytes.js";
import { encodeQuery } from "../../lib/engine/query/bytes.js";
import { parseQuery } from "../../lib/engine/query/query.js";
import { isWholes } from "../../lib/engine/values.js";
import { truthOf, type Written } from "../support/conditions.js";
import { createReadHeap, readTable } from "../support/read-table.js";
import { drawCondition, plainOps, type TermColumn } from "../support/random/conditions.js";
import { chance, oneOf } from "../support/random/draw.js";
import { shapes } from "../support/random/shapes.js";
import { writeTable } from "../support/write-table.js";

describe("conditions", function () {
  this.timeout(120_000);
  let dataDir = "";
  let engine: Engine;
  const heap = createReadHeap();

  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), "bqueryd-conditions-"));
    engine = createEngine({ dataDir, cacheBytes: 64 * 2 ** 20, queryBytes: 128 * 2 ** 20 });
  });

  after(async () => {
    engine.close();
    await rm(dataDir, { recursive: true });
  });

  /** A table with columns of each dtype and a column `row`, and its values as they were stored. */
  async function fill(random: Random, rows: number, { isSorted, suffixes }: { readonly isSorted: boolean; readonly suffixes: readonly string[] }): Promise<{ generation: string; columns: TermColumn[] }> {
    const drawn = dtypes.flatMap((dtype) => suffixes.map((suffix) => {
      const draw = shapes[dtype][oneOf(random, Object.keys(shapes[dtype]))]!(random);
      const nullShare = oneOf(random, [0, 0, 0.1, 0.5, 1]);
      const values = Array.from({ length: rows }, (_, row) => (chance(random, nullShare) ? null : draw(random, row)));
      return { name: `${dtype}_${suffix}`, dtype, values: isSorted ? values.sort((a, b) => (a === null ? 1 : b === null ? -1 : a < b ? -1 : 1)) : values };
    }));
    const written = [{ name: "row", dtype: "int64" as const, values: Array.from({ length: rows }, (_, row) => BigInt(row)) }, ...drawn];
    const generation = await writeTable(join(dataDir, "t.bcolz"), written, { replace: true, ...(chance(random, 0.4) ? { dictionaryValuesMax: 4 } : {}) });
    const stored = readTable(join(dataDir, "t.bcolz"), heap);
    return { generation, columns: drawn.map(({ name, dtype }) => ({ name, dtype, values: stored.get(name)! })) };
  }

  function select(generation: string, where: unknown): { rows: number[]; cost: TaskCost } {
    let rows: number[] = [];
    const cost = engine.run({
      query: encodeQuery(parseQuery({ keys: ["row"], measures: [], where })), shards: [{ ordinal: 0, name: "t.bcolz", generation }], shouldStop: () => false,
      onBlock: (_, bytes) => {
        const { domain } = decodePartial(bytes).keys[0]!;
        if (isWholes(domain)) rows = Array.from(domain.array, Number);
      },
    });
    return { rows, cost };
  }

  function expected(columns: readonly TermColumn[], rows: number, term: Written): number[] {
    const byName = new Map(columns.map((column) => [column.name, column]));
    return Array.from({ length: rows }, (_, row) => row).filter((row) => truthOf(term, (name) => ({ dtype: byName.get(name)!.dtype, value: byName.get(name)!.values[row]! })) === true);
  }

  it("select what three-valued logic says, every op on every dtype, over all shapes of nulls", async () => {
    const drawn = new Map<string, number>();
    for (let seed = 1; seed <= 15; seed++) {
      const random = seededRandom(seed);
      const rows = oneOf(random, [1, 2, 17, 300, 300]);
      const { generation, columns } = await fill(random, rows, { isSorted: false, suffixes: ["a", "b"] });
      for (let turn = 0; turn < 70; turn++) {
        const term = drawCondition(random, columns, oneOf(random, [0, 0, 1, 3]), (op, dtype) => drawn.set(`${op} ${dtype}`, (drawn.get(`${op} ${dtype}`) ?? 0) + 1));
        expect(select(generation, [term]).rows, `seed ${seed}: ${show(term)}`).to.deep.equal(expected(columns, rows, term));
      }
    }
    const wanted = [...dtypes.flatMap((dtype) => plainOps.map((op) => `${op} ${dtype}`)), "like string", "not like string", "< column int64", "== column float64", "< column timestamp", "<= column string"];
    expect(wanted.filter((name) => (drawn.get(name) ?? 0) < 1)).to.deep.equal([]);
  });

  it("select the same where statistics rule chunks out, or whole ones in", async () => {
    let pruned = 0;
    const seed = 101;
    const random = seededRandom(seed);
    const rows = 2 * 65_536 + 3;
    const { generation, columns } = await fill(random, rows, { isSorted: true, suffixes: ["a"] });
    for (let turn = 0; turn < 8; turn++) {
      const term = drawCondition(random, columns, oneOf(random, [0, 1, 2]), () => undefined);
      const found = select(generation, [term]);
      pruned += found.cost.chunksPruned;
      expect(found.rows, `seed ${seed}: ${show(term)}`).to.deep.equal(expected(columns, rows, term));
    }
    expect(pruned).to.be.greaterThan(5);
  });
});

function show(term: Written): string {
  return JSON.stringify(term, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value instanceof Uint8Array ? `\\x${Buffer.from(value).toString("hex")}` : value)).slice(0, 500);
}
