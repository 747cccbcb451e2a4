import { expect } from "chai";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { freshSeed } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { runFlips } from "../support/flip-runs.js";
import { createReadHeap, readTable } from "../support/read-table.js";
import { writeTable, type PlainColumn } from "../support/write-table.js";

/** Every dtype and encoding in four rows; the mark makes the dictionary one that no other test has. */
function columnsOf(mark: string): PlainColumn[] {
  return [
    { name: "int", dtype: "int64", values: [5n, null, 300n, -7n] },
    { name: "float", dtype: "float64", values: [0.5, -1, null, Infinity] },
    { name: "code", dtype: "string", values: [mark, null, "test", mark] },
    { name: "bool", dtype: "bool", values: [true, false, true, true] },
    { name: "time", dtype: "timestamp", values: [1n, 1n, 1n, 1n] },
  ];
}

/** One byte in so many of a random table is flipped in a run; which, the seed says. */
const flippedEvery = 4;

/** The code by which each sort of file tells that it is damaged. */
const codes: Record<string, string> = { CURRENT: "CORRUPT_FOOTER", json: "CORRUPT_FOOTER", idx: "CORRUPT_FOOTER", col: "CORRUPT_CHUNK", dict: "CORRUPT_DICTIONARY" };

function codeOf(name: string): string {
  return codes[name.split(".").at(-1)!]!;
}

describe("a damaged table", () => {
  let folder = "";
  let table = "";
  const heap = createReadHeap();
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "bqueryd-test-"));
    table = join(folder, "t.bcolz");
  });
  afterEach(() => rm(folder, { recursive: true }));

  /** Names of the files of a table. A dictionary, once read well, serves all tables that name it: damaged ones come first. */
  async function listFiles(): Promise<string[]> {
    return (await readdir(table)).sort((a, b) => Number(b.endsWith(".dict")) - Number(a.endsWith(".dict")));
  }

  /** What reading everything fails with; undefined when the values are right. */
  function readAll(columns: readonly PlainColumn[]): BquerydError | undefined {
    try {
      const read = readTable(table, heap);
      for (const { name, values } of columns) expect(read.get(name)).to.deep.equal(values);
      return undefined;
    } catch (cause) {
      if (cause instanceof BquerydError) return cause;
      throw cause;
    }
  }

  it("tells the place for any byte flipped in any file, and gives no wrong value", async function () {
    this.timeout(60_000);
    const columns = columnsOf("flipped");
    await writeTable(table, columns);
    let flips = 0;
    for (const name of await listFiles()) {
      const bytes = readFileSync(join(table, name));
      for (let at = 0; at < bytes.length; at++, flips++) {
        const flipped = Uint8Array.from(bytes);
        flipped[at]! ^= 1 << (at % 8);
        writeFileSync(join(table, name), flipped);
        const failure = readAll(columns);
        expect(failure?.code, `byte ${at} of ${name}`).to.equal(codeOf(name));
        expect(failure!.message, `byte ${at} of ${name}`).to.include("t.bcolz");
      }
      writeFileSync(join(table, name), bytes);
    }
    expect(flips).to.be.greaterThan(2_000);
    expect(readAll(columns)).to.equal(undefined);
  });

  it("is told by verify with the place, and read without a wrong value, whatever byte is flipped or cut away", async function () {
    this.timeout(240_000);
    const seed = freshSeed();
    const { problem, flips } = await runFlips(seed, flippedEvery);
    expect(problem, `npm run check -- flip --count 1 --seed ${seed}`).to.equal(undefined);
    expect(flips).to.be.greaterThan(1_000 / flippedEvery);
  });

  it("is found out for any file cut short, grown or missing", async () => {
    const columns = columnsOf("cut");
    await writeTable(table, columns);
    for (const name of await listFiles()) {
      const path = join(table, name);
      const bytes = readFileSync(path);
      for (const length of [0, 1, bytes.length - 1]) {
        writeFileSync(path, bytes.subarray(0, length));
        expect(readAll(columns)?.code, `${name} cut to ${length} bytes`).to.equal(codeOf(name));
      }
      rmSync(path);
      expect(readAll(columns)?.code, `${name} missing`).to.be.oneOf(["CORRUPT_FOOTER", "GENERATION_GONE", "NOT_FOUND"]);
      writeFileSync(path, Buffer.concat([bytes, Buffer.of(0)]));
      // What follows the last chunk of a data file is read by nobody.
      if (!name.endsWith(".col")) expect(readAll(columns)?.code, `${name} grown`).to.equal(codeOf(name));
      writeFileSync(path, bytes);
    }
    expect(readAll(columns)).to.equal(undefined);
  });
});
