import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { openParquet } from "../../lib/formats/parquet/read.js";
import { failureOf } from "../support/failure.js";
import { writeHandmadeParquet, writeParquet } from "../support/parquet.js";
import { heldColumns, plainOptions, readSource } from "../support/source-values.js";

/** One column as plain values, null where it is null. */
async function readColumn(path: string, name: string): Promise<unknown[]> {
  const source = await openParquet(path, plainOptions);
  try {
    const { values } = await readSource(source, heldColumns(source).filter((column) => column.name === name));
    return values.get(name)!;
  } finally {
    await source.close();
  }
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

  for (const codec of ["UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "LZ4_RAW", "BROTLI"]) {
    it(`pages compressed with ${codec} are read`, async () => {
      await writeParquet(file("c.parquet"), "SELECT i, 'text ' || i AS t FROM range(5000) r(i)", `COMPRESSION ${codec}`);
      expect(await readColumn(file("c.parquet"), "t")).to.deep.equal(Array.from({ length: 5000 }, (_, i) => `text ${i}`));
    });
  }

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
    expect((await failureOf(() => openParquet(file("claim.parquet"), plainOptions))).code).to.equal("BAD_INPUT");
  });

  it("two columns of one name are refused", async () => {
    const values = Buffer.alloc(8);
    writeHandmadeParquet(file("twins.parquet"), 1, [{ name: "v", type: 2, values }, { name: "v", type: 2, values }]);
    expect((await failureOf(() => openParquet(file("twins.parquet"), plainOptions))).message).to.include("two columns of one name");
  });

  it("a page is checked against its checksum where it has one", async () => {
    const values = Buffer.from([7, 0, 0, 0, 0, 0, 0, 0]);
    writeHandmadeParquet(file("right.parquet"), 1, [{ name: "v", type: 2, values, checksum: "right" }]);
    expect(await readColumn(file("right.parquet"), "v")).to.deep.equal([7n]);
    writeHandmadeParquet(file("wrong.parquet"), 1, [{ name: "v", type: 2, values, checksum: "wrong" }]);
    const error = await failureOf(() => readColumn(file("wrong.parquet"), "v"));
    expect(error.code).to.equal("BAD_INPUT");
    expect(error.message).to.include("'v'").and.include("wrong.parquet").and.include("checksum");
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
      const error = await failureOf(() => openParquet(file(name), plainOptions));
      expect(error.code, name).to.equal(code);
      expect(error.message, name).to.include(words);
    }
  });

  it("an aborted read ends with CANCELLED", async () => {
    await writeParquet(file("a.parquet"), "SELECT i FROM range(10) r(i)");
    const source = await openParquet(file("a.parquet"), plainOptions);
    const error = await failureOf(() => source.read(heldColumns(source), AbortSignal.abort()).next());
    await source.close();
    expect(error.code).to.equal("CANCELLED");
  });
});
