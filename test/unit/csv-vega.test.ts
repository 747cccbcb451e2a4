import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DuckDBDateValue, DuckDBTimestampValue } from "@duckdb/node-api";
import type { DuckDBValue } from "@duckdb/node-api";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { formatTimestamp } from "../../lib/columns/moments.js";
import { openDuckDb } from "../../misc/support/duckdb.js";
import type { DuckDb } from "../../misc/support/duckdb.js";
import { readCsvFile } from "./csv-reading.js";

const folder = fileURLToPath(new URL("../../../node_modules/vega-datasets/data/", import.meta.url));
const files = readdirSync(folder).filter((file) => file.endsWith(".csv"));

const dtypeOfSql: Readonly<Record<string, string>> = { BIGINT: "int64", DOUBLE: "float64", VARCHAR: "string", DATE: "date", TIMESTAMP: "timestamp", BOOLEAN: "bool" };

/** Columns that DuckDB gives another type, with the reason why we do not. */
const others: Readonly<Record<string, { readonly sql: string; readonly ours: string }>> = {
  // Written 2015/01/01 01:00:00, which is not ISO 8601; a text is exactly what the file says.
  "github.csv time": { sql: "TIMESTAMP", ours: "string" },
};

/** A value of DuckDB as text, the way ours are shown. */
function textOf(value: DuckDBValue): string | null {
  if (value === null) return null;
  if (value instanceof DuckDBDateValue) return value.toString();
  if (value instanceof DuckDBTimestampValue) return formatTimestamp(value.micros * 1_000n);
  return String(value);
}

describe("csv: the files of vega-datasets", function () {
  this.timeout(60_000);
  let duckDb: DuckDb | undefined;
  before(async () => {
    duckDb = await openDuckDb({ threads: 1 });
  });
  after(() => duckDb?.close());

  it("are many", () => {
    expect(files.length).to.be.greaterThan(20);
  });

  for (const file of files) {
    it(`${file} has the values and dtypes that DuckDB finds`, async () => {
      const path = join(folder, file);
      const described = await duckDb!.read(`DESCRIBE SELECT * FROM read_csv('${path}', sample_size = -1)`);
      const ours = await readCsvFile(path);
      const [names = [], types = []] = described.columns;
      expect(ours.columns.map(({ name }) => name)).to.deep.equal(names);
      expect(ours.rejects).to.deep.equal([]);

      const theirs = await duckDb!.read(`SELECT * FROM read_csv('${path}', sample_size = -1)`);
      const theirTexts = await duckDb!.read(`SELECT * FROM read_csv('${path}', sample_size = -1, all_varchar = true)`);
      ours.columns.forEach(({ name, dtype }, column) => {
        const other = others[`${file} ${name}`];
        if (other === undefined) expect(dtype, name).to.equal(dtypeOfSql[String(types[column])]);
        else expect([types[column], dtype]).to.deep.equal([other.sql, other.ours]);
        const expected = (other === undefined ? theirs : theirTexts).columns[column]!.map(textOf);
        expect(ours.rows.map((row) => row[column]), name).to.deep.equal(expected);
      });
    });
  }
});
