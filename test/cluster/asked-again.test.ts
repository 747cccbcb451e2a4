import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { describe, it } from "mocha";
import type { Table } from "../../lib/index.js";
import { withCluster } from "../../misc/support/cluster.js";
import { until } from "../support/until.js";
import { writeTable } from "../support/write-table.js";

describe("a question that is asked again", function askedAgain() {
  this.timeout(60_000);

  it("is answered by what was kept until a table is replaced, and never after that", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "bqueryd-again-"));
    const write = (value: number): Promise<string> => writeTable(join(dataDir, "t.bcolz"), [{ name: "v", dtype: "float64", values: [value, value] }], { replace: true });
    try {
      const generations = [await write(1)];
      await withCluster({ dataDir, workers: 2, keepsAnswers: true }, async ({ rpc }) => {
        const ask = (): Promise<Table> => rpc.groupby("t", [], [["v", "sum", "s"]]);
        /** The sum is that of the generation that was read. */
        const check = (table: Table): Table => {
          const value = generations.indexOf(table.summary.generations.get("t.bcolz")!) + 1;
          expect(table.rows()).to.deep.equal([{ s: 2 * value }]);
          return table;
        };
        await until("the table is there", async () => (await rpc.files()).length === 1);
        check(await ask());
        expect(check(await ask()).summary).to.include({ unchanged: true, workers: 0, rowsScanned: 0 });
        for (const value of [2, 3]) {
          generations.push(await write(value));
          await until(`value ${value} is read`, async () => check(await ask()).summary.generations.get("t.bcolz") === generations.at(-1));
          expect(check(await ask()).summary.unchanged).to.equal(true);
        }
        expect((await rpc.groupby("t", [], [["v", "sum", "s"]], [], { generations: { "t.bcolz": generations[1]! } })).rows()).to.deep.equal([{ s: 4 }]);
      });
    } finally {
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
