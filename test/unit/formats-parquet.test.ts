import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBTimestampNanosecondsValue, DuckDBTimestampValue } from "@duckdb/node-api";
import type { DuckDBValue } from "@duckdb/node-api";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { seededRandom } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { isBitSet } from "../../lib/columns/dtypes.js";
import type { Batch } from "../../lib/columns/dtypes.js";
import { openParquet } from "../../lib/formats/parquet.js";
import { failureOf } from "../support/failure.js";
import { queryDuckDb, writeHandmadeParquet, writeParquet } from "../support/parquet.js";

/** One column as plain values: what every batch of the file holds of it, null where it is null. */
async function readColumn(path: string, name: string): Promise<unknown[]> {
  const source = await openParquet(path);
  try {
    const values: unknown[] = [];
    for await (const [batch] of source.read([name], undefined)) values.push(...plainValues(batch!));
    return values;
  } finally {
    await source.close();
  }
}

function plainValues(batch: Batch): unknown[] {
  const values: readonly unknown[] = Array.from<unknown>(batch.values);
  return values.map((value, row) => (isBitSet(batch.nulls, row) ? null : batch.dtype === "bool" ? value === 1 : value));
}

/** A DuckDB value as our batches hold it. */
function expected(value: DuckDBValue): unknown {
  if (value instanceof DuckDBTimestampValue) return value.micros * 1000n;
  if (value instanceof DuckDBTimestampNanosecondsValue) return value.nanos;
  return value;
}

describe("reading Parquet", () => {
  let folder = "";
  const file = (name: string): string => join(folder, name);
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-parquet-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const integers = ["TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"];
  const bounds: Readonly<Record<string, readonly [string, string]>> = {
    TINYINT: ["-128", "127"], SMALLINT: ["-32768", "32767"], INTEGER: ["-2147483648", "2147483647"],
    BIGINT: ["-9223372036854775808", "9223372036854775807"], UTINYINT: ["0", "255"], USMALLINT: ["0", "65535"],
    UINTEGER: ["0", "4294967295"],
  };

  for (const version of ["V1", "V2"]) {
    for (const type of integers) {
      it(`${type} becomes int64 with its extremes and nulls, written as ${version}`, async () => {
        const [low, high] = bounds[type]!;
        const select = `SELECT CASE i % 4 WHEN 0 THEN ${low} WHEN 1 THEN ${high} WHEN 2 THEN NULL ELSE i END::${type} AS v FROM range(100) t(i)`;
        await writeParquet(file("i.parquet"), select, `PARQUET_VERSION ${version}`);
        const rows = await queryDuckDb(`SELECT v::BIGINT FROM '${file("i.parquet")}'`);
        expect(await readColumn(file("i.parquet"), "v")).to.deep.equal(rows.map(([v]) => v));
      });
    }

    it(`every other dtype equals what DuckDB reads, over several row groups, written as ${version}`, async () => {
      const select = `SELECT nullif(i % 3, 1) = 0 AS flag, (i / 7)::DOUBLE AS x, (i / 8)::FLOAT AS f,
        CASE WHEN i % 5 = 0 THEN NULL ELSE 'wört-' || (i % 1000) || '-😀' END AS low, md5(i::VARCHAR) AS high,
        CASE WHEN i % 11 = 0 THEN NULL ELSE TIMESTAMP '1969-12-31 23:59:59.999999' + INTERVAL (i) MICROSECOND END AS us,
        make_timestamp_ns(i * 1000003) AS ns FROM range(10000) t(i)`;
      await writeParquet(file("all.parquet"), select, `PARQUET_VERSION ${version}, ROW_GROUP_SIZE 2048`);
      const columns = ["flag", "x", "f", "low", "high", "us", "ns"];
      const rows = await queryDuckDb(`SELECT ${columns.join(", ")} FROM '${file("all.parquet")}'`);
      for (const [index, name] of columns.entries()) {
        const found = await readColumn(file("all.parquet"), name);
        expect(found, name).to.deep.equal(rows.map((row) => expected(row[index]!)));
      }
    });
  }

  for (const codec of ["UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "LZ4_RAW", "BROTLI"]) {
    it(`pages compressed with ${codec} are read`, async () => {
      await writeParquet(file("c.parquet"), "SELECT i, 'text ' || i AS t FROM range(5000) r(i)", `COMPRESSION ${codec}`);
      expect(await readColumn(file("c.parquet"), "t")).to.deep.equal(Array.from({ length: 5000 }, (_, i) => `text ${i}`));
    });
  }

  it("timestamps of seconds, milliseconds, microseconds and with a zone become the same nanoseconds", async () => {
    const text = "TIMESTAMP '2001-02-03 04:05:06'";
    await writeParquet(file("t.parquet"), `SELECT ${text}::TIMESTAMP_S AS s, ${text}::TIMESTAMP_MS AS ms, ${text} AS us, ${text}::TIMESTAMP_NS AS ns, '2001-02-03 04:05:06+00'::TIMESTAMPTZ AS z`);
    for (const name of ["s", "ms", "us", "ns", "z"]) {
      expect(await readColumn(file("t.parquet"), name), name).to.deep.equal([981_173_106_000_000_000n]);
    }
  });

  it("INT96 timestamps keep their nanoseconds", async () => {
    const values = Buffer.alloc(24);
    values.writeBigInt64LE(1n, 0);
    values.writeInt32LE(2_440_588, 8);
    values.writeBigInt64LE(86_399_999_999_999n, 12);
    values.writeInt32LE(2_440_587, 20);
    writeHandmadeParquet(file("old.parquet"), 2, [{ name: "t", type: 3, values }]);
    expect(await readColumn(file("old.parquet"), "t")).to.deep.equal([1n, -1n]);
  });

  it("columns of one row, of no rows and of nulls alone are read", async () => {
    await writeParquet(file("one.parquet"), "SELECT 7::BIGINT AS v");
    await writeParquet(file("none.parquet"), "SELECT 7::BIGINT AS v WHERE false");
    await writeParquet(file("nulls.parquet"), "SELECT NULL::VARCHAR AS v, NULL::DOUBLE AS w, NULL::TIMESTAMP AS x FROM range(3)");
    expect(await readColumn(file("one.parquet"), "v")).to.deep.equal([7n]);
    expect(await readColumn(file("none.parquet"), "v")).to.deep.equal([]);
    for (const name of ["v", "w", "x"]) expect(await readColumn(file("nulls.parquet"), name)).to.deep.equal([null, null, null]);
  });

  it("column names may be anything that Parquet holds", async () => {
    const names = ["__proto__", "constructor", "a.b", "a,b", "../x", " ", "😀", "Ünï", "'"];
    await writeParquet(file("odd.parquet"), `SELECT ${names.map((name, i) => `${i}::BIGINT AS "${name}"`).join(", ")}`);
    for (const [index, name] of names.entries()) expect(await readColumn(file("odd.parquet"), name), name).to.deep.equal([BigInt(index)]);
  });

  it("a byte order mark within a text stays", async () => {
    await writeParquet(file("bom.parquet"), "SELECT chr(65279) || 'x' AS v");
    expect(await readColumn(file("bom.parquet"), "v")).to.deep.equal(["\ufeffx"]);
  });

  it("types that no dtype holds exactly are described in words", async () => {
    await writeParquet(file("no.parquet"), "SELECT DATE '2001-01-01' AS d, 1.5::DECIMAL(9, 2) AS n, [1] AS l, {'a': 1} AS s, 'x'::BLOB AS b, TIME '01:02:03' AS t, uuid() AS u, 1 AS ok");
    const source = await openParquet(file("no.parquet"));
    await source.close();
    const refused = source.columns.map((column) => ("refused" in column ? `${column.name} ${column.refused}` : column.name));
    expect(refused).to.deep.equal(["d DATE", "n DECIMAL", "l nested", "s nested", "b binary", "t TIME", "u UUID", "ok"]);
  });

  it("an unsigned integer past int64 is refused by column and file", async () => {
    await writeParquet(file("u.parquet"), "SELECT i::UBIGINT AS small, (18446744073709551615::HUGEINT - i)::UBIGINT AS large FROM range(3) r(i)");
    expect(await readColumn(file("u.parquet"), "small")).to.deep.equal([0n, 1n, 2n]);
    const error = await failureOf(() => readColumn(file("u.parquet"), "large"));
    expect(error.code).to.equal("UNSUPPORTED_DTYPE");
    expect(error.message).to.include("'large'").and.include("u.parquet").and.include("--columns");
  });

  it("a time beyond the nanoseconds of an int64 overflows by name", async () => {
    await writeParquet(file("far.parquet"), "SELECT TIMESTAMP '2262-04-11 23:47:16.854775' AS last, TIMESTAMP '2262-04-11 23:47:16.854776' AS past");
    expect(await readColumn(file("far.parquet"), "last")).to.deep.equal([9_223_372_036_854_775_000n]);
    const error = await failureOf(() => readColumn(file("far.parquet"), "past"));
    expect(error.code).to.equal("OVERFLOW");
    expect(error.message).to.include("'past'");
  });

  it("text that is not UTF-8 is an error, not another text", async () => {
    writeHandmadeParquet(file("latin.parquet"), 1, [{ name: "v", type: 6, convertedType: 0, values: Buffer.from([2, 0, 0, 0, 0xe9, 0x78]) }]);
    const error = await failureOf(() => readColumn(file("latin.parquet"), "v"));
    expect(error.code).to.equal("BAD_INPUT");
    expect(error.message).to.include("'v'").and.include("latin.parquet");
  });

  it("a file that claims other rows than its row groups hold is refused", async () => {
    const values = Buffer.alloc(16);
    writeHandmadeParquet(file("claim.parquet"), 2, [{ name: "v", type: 2, values }], 3);
    expect((await failureOf(() => openParquet(file("claim.parquet")))).code).to.equal("BAD_INPUT");
  });

  it("two columns of one name are refused", async () => {
    const values = Buffer.alloc(8);
    writeHandmadeParquet(file("twins.parquet"), 1, [{ name: "v", type: 2, values }, { name: "v", type: 2, values }]);
    expect((await failureOf(() => openParquet(file("twins.parquet")))).message).to.include("two columns of one name");
  });

  it("what is no Parquet file says what it is", async () => {
    writeFileSync(file("x.csv"), "a,b\n1,2\n");
    writeFileSync(file("empty"), "");
    writeFileSync(file("secret"), "PARE........PARE");
    await writeParquet(file("ok.parquet"), "SELECT 1 AS a");
    const whole = readFileSync(file("ok.parquet"));
    writeFileSync(file("cut.parquet"), whole.subarray(0, whole.length - 9));
    const cases: readonly (readonly [string, string, string])[] = [
      ["missing.parquet", "NOT_FOUND", "missing.parquet"], [".", "BAD_INPUT", "is a directory"], ["x.csv", "BAD_INPUT", "not a Parquet file"],
      ["empty", "BAD_INPUT", "not a Parquet file"], ["secret", "BAD_INPUT", "encrypted"], ["cut.parquet", "BAD_INPUT", "without its end"],
    ];
    for (const [name, code, words] of cases) {
      const error = await failureOf(() => openParquet(file(name)));
      expect(error.code, name).to.equal(code);
      expect(error.message, name).to.include(words);
    }
  });

  it("a file damaged anywhere gives values or one of our errors, never a crash", async function () {
    this.timeout(60_000);
    const random = seededRandom(20_261_123);
    await writeParquet(file("whole.parquet"), "SELECT i, nullif(i % 7, 3) AS j, 'v' || (i % 50) AS s, md5(i::VARCHAR) AS m FROM range(600) r(i)", "COMPRESSION uncompressed");
    const whole = readFileSync(file("whole.parquet"));
    let failures = 0;
    for (let round = 0; round < 300; round++) {
      const damaged = Buffer.from(whole);
      damaged[Math.floor(random() * damaged.length)]! ^= 1 << Math.floor(random() * 8);
      writeFileSync(file("damaged.parquet"), damaged);
      try {
        const source = await openParquet(file("damaged.parquet"));
        await source.close();
        for (const column of source.columns) if ("dtype" in column) await readColumn(source.path, column.name);
      } catch (error) {
        if (!(error instanceof BquerydError) || error.code === "INTERNAL") throw error;
        failures++;
      }
    }
    expect(failures).to.be.greaterThan(10);
  });

  it("an aborted read ends with CANCELLED", async () => {
    await writeParquet(file("a.parquet"), "SELECT i FROM range(10) r(i)");
    const source = await openParquet(file("a.parquet"));
    const error = await failureOf(() => source.read(["i"], AbortSignal.abort()).next());
    await source.close();
    expect(error.code).to.equal("CANCELLED");
  });
});
