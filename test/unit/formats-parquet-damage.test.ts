import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { parquetMetadataAsync, parquetSchema } from "hyparquet";
import { ByteWriter, parquetWriteBuffer } from "hyparquet-writer";
import { writeMetadata } from "hyparquet-writer/src/metadata.js";
import { after, before, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { countParts, groupBytesMax, openGroup } from "../../lib/formats/parquet/group.js";
import { describeSchema, planGroups } from "../../lib/formats/parquet/plan.js";
import { openParquet } from "../../lib/formats/parquet/read.js";
import { failureOf } from "../support/failure.js";
import { writeParquet } from "../support/parquet.js";
import { heldColumns, plainOptions, readSource } from "../support/source-values.js";

const megabyte = 1024 * 1024;

/** Reads a file in memory as the threads do; gives its values as text. */
async function readHere(bytes: Uint8Array): Promise<string> {
  const slice = (start: number, end = bytes.length): ArrayBuffer => Uint8Array.from(bytes.subarray(start, end)).buffer;
  const metadata = await parquetMetadataAsync({ byteLength: bytes.length, slice }, { geoparquet: false, parsers: { stringFromBytes: () => "" } });
  const schema = describeSchema("damaged", metadata, parquetSchema(metadata), { bytes: bytes.length, named: new Map() });
  const wanted = schema.columns.flatMap((column) => ("dtype" in column ? [{ name: column.name, dtype: column.dtype, fixed: false }] : []));
  const parts: unknown[] = [];
  for (const plan of planGroups(schema, wanted)) {
    const group = openGroup(plan, (start, length) => Uint8Array.from(bytes.subarray(start, start + length)));
    for (let part = 0; part < countParts(plan); part++) parts.push(group.read().batches);
  }
  return JSON.stringify(parts, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
}

/** A Parquet file whose metadata say that every column chunk has so many bytes before compression. */
async function withClaims(file: ArrayBuffer, rawBytes: bigint): Promise<Buffer> {
  const metadata = await parquetMetadataAsync(file);
  for (const { meta_data: facts } of metadata.row_groups.flatMap(({ columns }) => columns)) facts!.total_uncompressed_size = rawBytes;
  const writer = new ByteWriter();
  writeMetadata(writer, metadata);
  return Buffer.concat([Buffer.from(file, 0, file.byteLength - 8 - metadata.metadata_length), writer.getBytes(), Buffer.from("PAR1")]);
}

/** One byte in so many is changed, and one length in so many cut at, from one on that is drawn: each is in one run or another. */
const every = 4;

describe("damaged Parquet", function () {
  this.timeout(120_000);
  let folder = "";
  const files = new Map<string, Buffer>();
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-parquet-damage-"));
    const select = "SELECT i, nullif(i % 7, 3)::UTINYINT AS j, 'v' || (i % 5) AS s, i / 3 AS x, i % 2 = 0 AS b, DATE '2000-01-01' + i::INTEGER AS d FROM range(40) r(i)";
    for (const [name, options] of [["V1", "PARQUET_VERSION V1, COMPRESSION uncompressed"], ["V2", "PARQUET_VERSION V2, COMPRESSION snappy"], ["zstd", "COMPRESSION zstd"], ["lz4", "COMPRESSION lz4_raw"], ["brotli", "COMPRESSION brotli"]] as const) {
      await writeParquet(join(folder, name), select, options);
      files.set(name, readFileSync(join(folder, name)));
    }
    const texts = Array.from({ length: 60 }, (_, row) => `prefix ${row}`);
    const columnData = [{ name: "front", data: texts, encoding: "DELTA_BYTE_ARRAY" as const }, { name: "lengths", data: texts, encoding: "DELTA_LENGTH_BYTE_ARRAY" as const }, { name: "deltas", data: texts.map((_, row) => row * row), encoding: "DELTA_BINARY_PACKED" as const }];
    files.set("deltas", Buffer.from(parquetWriteBuffer({ columnData, codec: "UNCOMPRESSED" })));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  for (const name of ["V1", "V2", "zstd", "lz4", "brotli", "deltas"]) {
    it(`with any byte changed gives values or an error, and little memory is taken: ${name}`, async () => {
      const whole = files.get(name)!;
      const seed = freshSeed();
      const random = seededRandom(seed);
      const before = process.memoryUsage.rss();
      let failures = 0;
      for (let at = seed % every; at < whole.length; at += every) {
        const damaged = Buffer.from(whole);
        damaged[at]! ^= 1 << Math.floor(random() * 8);
        try {
          await readHere(damaged);
        } catch (cause) {
          expect(cause, `byte ${at}, seed ${seed}`).to.be.instanceOf(Error);
          failures += 1;
        }
      }
      expect(failures, `seed ${seed}`).to.be.greaterThan(whole.length / every / 20);
      expect((process.memoryUsage.rss() - before) / megabyte).to.be.below(groupBytesMax / megabyte);
    });

    it(`cut at any length is an error: ${name}`, async () => {
      const whole = files.get(name)!;
      for (let length = freshSeed() % every; length < whole.length; length += every) {
        writeFileSync(join(folder, "cut"), whole.subarray(0, length));
        const error = await failureOf(async () => (await openParquet(join(folder, "cut"), plainOptions)).close());
        expect(error.code, `${length} bytes`).to.equal("BAD_INPUT");
      }
    });
  }

  it("is told from a sound one by errors of ours alone, naming the file, through the threads too", async () => {
    const random = seededRandom(7);
    const damagedPath = join(folder, "damaged");
    let failures = 0;
    for (let round = 0; round < 20; round++) {
      const whole = files.get([...files.keys()][round % files.size]!)!;
      const damaged = Buffer.from(whole);
      for (let flips = 0; flips < 3; flips++) damaged[Math.floor(random() * damaged.length)]! ^= 1 << Math.floor(random() * 8);
      writeFileSync(damagedPath, damaged);
      try {
        const source = await openParquet(damagedPath, plainOptions);
        try {
          await readSource(source, heldColumns(source));
        } finally {
          await source.close();
        }
      } catch (cause) {
        if (!(cause instanceof BquerydError)) throw cause;
        expect(["BAD_INPUT", "OVERFLOW", "MEMORY_LIMIT", "UNSUPPORTED_DTYPE"], cause.message).to.include(cause.code);
        expect(cause.message).to.include(damagedPath);
        failures += 1;
      }
    }
    expect(failures).to.be.greaterThan(5);
  });

  it("that says its row group is larger than memory is refused before anything is read", async () => {
    const path = join(folder, "large");
    const columnData = Array.from({ length: 70 }, (_, column) => ({ name: `c${column}`, data: ["a", "b", "c", "d"] }));
    writeFileSync(path, await withClaims(parquetWriteBuffer({ columnData }), 16_000_000n));
    const source = await openParquet(path, plainOptions);
    const error = await failureOf(() => readSource(source, heldColumns(source)));
    await source.close();
    expect(error.code).to.equal("MEMORY_LIMIT");
    expect(error.message).to.include("row group 0").and.include(path);
    const few = await openParquet(path, plainOptions);
    const { rows } = await readSource(few, heldColumns(few).slice(0, 2));
    await few.close();
    expect(rows).to.equal(4);
  });

  it("leaves no file open", async () => {
    const probe = (): number => {
      const descriptor = openSync("/dev/null", "r");
      closeSync(descriptor);
      return descriptor;
    };
    const free = probe();
    writeFileSync(join(folder, "cut"), files.get("V1")!.subarray(0, 100));
    for (let round = 0; round < 3; round++) await failureOf(() => openParquet(join(folder, "cut"), plainOptions));
    expect(probe()).to.equal(free);
  });
});
