import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { afterEach, beforeEach, describe, it } from "mocha";
import { openCsv } from "../../lib/formats/csv/read.js";
import type { CsvTuning } from "../../lib/formats/csv/read.js";
import type { Source, SourceBatch } from "../../lib/formats/source.js";
import { widenColumn } from "../../lib/formats/values/infer.js";
import { failureOf } from "../support/failure.js";
import { heldColumns } from "../support/source-values.js";
import { plainOptions, readCsvFile, readCsvText, textsOf } from "./csv-reading.js";

/** Blocks small enough that a text of a few lines has many, by threads. */
const threaded: Partial<CsvTuning> = { blockBytes: 64, readBytes: 64, inlineBytesMax: 0, threads: 2 };

async function collect(batches: AsyncIterable<SourceBatch>): Promise<SourceBatch[]> {
  const all: SourceBatch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}

/** Threads of this process, those of Node itself included. */
const countThreads = (): number => readdirSync("/proc/self/task").length;

describe("csv: a source", function () {
  this.timeout(60_000);
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-csv-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function write(content: string | Uint8Array, name = "text.csv"): string {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  }

  async function withSource<T>(content: string | Buffer, tuning: Partial<CsvTuning>, use: (source: Source) => Promise<T>): Promise<T> {
    const source = await openCsv(write(content), plainOptions, tuning);
    try {
      return await use(source);
    } finally {
      await source.close();
    }
  }

  it("widens a column at the first value that does not fit, finds all widenings in one pass, and holds back batches from there", async () => {
    const rows = Array.from({ length: 200 }, (_, row) => `${row},${row},${row % 2 === 0},2024-01-01`);
    const late = ["200,1.5,true,2024-01-01", "201,2,maybe,2024-01-02 12:00", "18446744073709551615,3,true,2024-01-01"];
    // Of compressed text, only the first rows are the sample.
    const content = gzipSync(["a,b,c,d", ...rows, ...late].join("\n"));
    for (const tuning of [{ readBytes: 64, blockBytes: 64, sampleBytes: 64 }, { ...threaded, sampleBytes: 64 }]) {
      await withSource(content, tuning, async (source) => {
        expect(heldColumns(source).map(({ dtype }) => dtype)).to.deep.equal(["int64", "int64", "bool", "date"]);
        const batches = await collect(source.read(heldColumns(source), undefined));
        const widened = batches.flatMap(({ kinds }) => [...kinds]).reduce((columns, [name, seen]) => columns.map((column) => (column.name === name ? widenColumn(column, seen) : column)), heldColumns(source));
        expect(widened.map(({ name, dtype }) => [name, dtype])).to.deep.equal([["a", "uint64"], ["b", "float64"], ["c", "string"], ["d", "timestamp"]]);
        expect(batches.reduce((sum, batch) => sum + batch.rows, 0)).to.equal(203);
        const firstWider = batches.findIndex(({ kinds }) => kinds.size > 0);
        expect(firstWider).to.be.greaterThan(0);
        batches.forEach((batch, index) => { expect(batch.batches === null).to.equal(index >= firstWider); });
      });
      const { columns, rows: read, restarts } = await readCsvFile(write(content), {}, tuning);
      expect(columns.map(({ dtype }) => dtype)).to.deep.equal(["uint64", "float64", "string", "timestamp"]);
      expect(read.at(-1)).to.deep.equal(["18446744073709551615", "3", "true", "2024-01-01T00:00:00Z"]);
      expect(read[0]).to.deep.equal(["0", "0", "true", "2024-01-01T00:00:00Z"]);
      expect(restarts).to.equal(1);
    }
  });

  it("keeps the spelling of numbers that turn out to be text", async () => {
    const rows = Array.from({ length: 100 }, (_, row) => `${row}.50`);
    const { columns, rows: read } = await readCsvText(gzipSync(["a", ...rows, "n/a"].join("\n")), {}, { sampleBytes: 64, blockBytes: 64, readBytes: 64 });
    expect(columns).to.deep.equal([{ name: "a", dtype: "string" }]);
    expect(read.slice(0, 2)).to.deep.equal([["0.50"], ["1.50"]]);
  });

  it("looks at the middle and the end of a large file before it names dtypes", async () => {
    const rows = Array.from({ length: 400_000 }, (_, row) => `${1_000_000 + row},${row === 200_500 ? "1.5" : "2"},${row === 399_999 ? "x" : "3"}`);
    await withSource(["a,b,c", ...rows].join("\n"), { sampleBytes: 4_096, readBytes: 4_096 }, async (source) => {
      expect(heldColumns(source).map(({ dtype }) => dtype)).to.deep.equal(["int64", "float64", "string"]);
    });
  });

  it("tells lines of rejects across blocks, whoever parses them", async () => {
    const lines = Array.from({ length: 300 }, (_, row) => (row % 50 === 49 ? `"x\ny",${row},extra` : `${row},"a\n\nb"`));
    const content = ["a,b", ...lines].join("\n");
    const expected = lines.flatMap((line, row) => (line.includes("extra") ? [1 + ["a,b", ...lines].slice(0, row + 1).join("\n").split("\n").length] : []));
    for (const tuning of [{}, threaded, { blockBytes: 1, readBytes: 1 }]) {
      const { rejects } = await readCsvText(content, {}, tuning);
      expect(rejects.map(({ line }) => line)).to.deep.equal(expected);
    }
  });

  it("cuts the text of a reject to 1,000 characters", async () => {
    const { rejects } = await readCsvText(`a,b\n${"é".repeat(5_000)}\n1,2\n`);
    expect(rejects).to.have.length(1);
    expect(rejects[0]!.text).to.equal("é".repeat(1_000));
  });

  it("takes texts back as codes where they repeat, and one after another where they do not", async () => {
    const rows = Array.from({ length: 10_000 }, (_, row) => `${row % 7 === 0 ? "" : `name ${row % 100}`},id${row}`);
    await withSource(["a,b", ...rows].join("\n"), {}, async (source) => {
      const [only] = await collect(source.read(heldColumns(source), undefined));
      const [a, b] = only!.batches!;
      if (a?.dtype !== "string" || b?.dtype !== "string") throw new Error("both columns are text");
      expect(a.values.codes).to.not.equal(null);
      expect(a.values.offsets.length - 1).to.equal(100);
      expect(b.values.codes).to.equal(null);
      const ids = textsOf(b);
      expect(textsOf(a).map((text, row) => `${text ?? ""},${ids[row]!}`)).to.deep.equal(rows);
    });
  });

  it("reads more rows than a run has, and rows of more fields than a run has", async () => {
    const many = await readCsvText(`a\n${"1\n".repeat(200_000)}2`);
    expect([many.rows.length, many.rows.at(-1)]).to.deep.equal([200_001, ["2"]]);
    const names = Array.from({ length: 10_000 }, (_, index) => `c${index}`);
    const row = names.map((_, index) => String(index)).join(",");
    const wide = await readCsvText(`${names.join(",")}\n${`${row}\n`.repeat(120)}`);
    expect(wide.rows).to.have.length(120);
    expect(wide.rows.at(-1)!.join(",")).to.equal(row);
    const error = await failureOf(() => readCsvText(`${names.join(",")},more\n1\n`));
    expect([error.code, error.message.includes("10001 columns")]).to.deep.equal(["BAD_INPUT", true]);
  });

  it("takes only a little time for a file that opens a quote on every line", async () => {
    const { rows, rejects } = await readCsvText(`a,b\n${'1,"x\n'.repeat(100_001)}`, {}, { blockBytes: 1_000, readBytes: 1_000 });
    expect(rows.length + rejects.length).to.be.greaterThan(50_000);
  });

  it("passes over a line without end in little memory", async () => {
    const path = join(folder, "long.csv");
    const file = openSync(path, "w");
    writeSync(file, "a,b\n1,x\n");
    for (let i = 0; i < 20; i++) writeSync(file, Buffer.alloc(4 * 1024 * 1024, 120));
    writeSync(file, '\n2,y\n3,"');
    for (let i = 0; i < 20; i++) writeSync(file, Buffer.alloc(4 * 1024 * 1024, 121));
    writeSync(file, "\n4,z\n");
    closeSync(file);
    const { rows, rejects } = await readCsvFile(path, {}, { threads: 2 });
    expect(rows).to.deep.equal([["1", "x"], ["2", "y"], ["4", "z"]]);
    expect(rejects.map(({ line, reason, text }) => [line, reason, text.length])).to.deep.equal([
      [3, "a row of more than 67108864 bytes", 1_000],
      [5, "a row of more than 67108864 bytes", 1_000],
    ]);
  });

  it("says how far it is, up to the bytes on disk, compressed or not", async () => {
    const content = `a,b\n${Array.from({ length: 5_000 }, (_, row) => `${row},x`).join("\n")}`;
    for (const path of [write(content), write(gzipSync(content), "text.csv.gz")]) {
      const source = await openCsv(path, plainOptions, { blockBytes: 1_024, readBytes: 1_024 });
      try {
        const done = (await collect(source.read(heldColumns(source), undefined))).map(({ bytesDone }) => bytesDone);
        expect(done).to.deep.equal([...done].sort((a, b) => a - b));
        expect(done.at(-1)).to.equal(source.bytes);
      } finally {
        await source.close();
      }
    }
  });

  it("can be read twice, and only some columns in another order", async () => {
    await withSource("a,b,c\n1,x,2\n3,y,4\n", {}, async (source) => {
      for (let time = 0; time < 2; time++) {
        const [only] = await collect(source.read([{ name: "c", dtype: "int64", fixed: false }, { name: "a", dtype: "float64", fixed: false }], undefined));
        expect(only!.batches!.map(textsOf)).to.deep.equal([["2", "4"], ["1", "3"]]);
      }
    });
  });

  it("leaves no thread behind when reading ends, is left, fails or is aborted", async () => {
    const path = write(`a,b\n${Array.from({ length: 3_000 }, (_, row) => `${row},x`).join("\n")}`);
    const broken = write(gzipSync(Buffer.alloc(400_000, "a,b\n1,2\n")).subarray(0, 400), "broken.csv.gz");
    const first = await openCsv(path, plainOptions, threaded);
    await collect(first.read(heldColumns(first), undefined));
    const threads = countThreads();

    const abort = new AbortController();
    const error = await failureOf(async () => {
      for await (const batch of first.read(heldColumns(first), abort.signal)) if (batch.rows > 0) abort.abort();
    });
    expect(error.code).to.equal("CANCELLED");
    for await (const batch of first.read(heldColumns(first), undefined)) if (batch.rows > 0) break;
    await first.close();
    expect((await failureOf(() => readCsvFile(broken, {}, { ...threaded, sampleBytes: 64 }))).code).to.equal("BAD_INPUT");
    expect(countThreads()).to.be.at.most(threads);
  });

  it("names a file that is not there, and a directory", async () => {
    const missing = await failureOf(() => openCsv(join(folder, "none.csv"), plainOptions));
    expect([missing.code, missing.message.includes("none.csv")]).to.deep.equal(["NOT_FOUND", true]);
    const directory = await failureOf(() => openCsv(folder, plainOptions));
    expect([directory.code, directory.message.includes("is a directory")]).to.deep.equal(["BAD_INPUT", true]);
  });
});
