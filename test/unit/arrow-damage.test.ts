import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Bool, Dictionary, Field, Int32, Int8, List, Table, TimestampSecond, Utf8, Utf8View, makeData, makeVector, vectorFromArray } from "apache-arrow";
import { expect } from "chai";
import { after, before, describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import { BquerydError } from "../../lib/base/errors.js";
import { openArrow } from "../../lib/formats/arrow/read.js";
import { encodeArrow } from "../support/arrow.js";
import { failureOf } from "../support/failure.js";
import { oneOf } from "../support/random/draw.js";
import { heldColumns, plainOptions, readSource } from "../support/source-values.js";

const megabyte = 1024 * 1024;
/** Few, as bytes all over a file are damaged. */
const rows = 16;
/** One byte in so many is damaged in a run, from one on that is drawn: each is in one run or another. */
const every = 4;
const grownBytesMax = 600 * megabyte;

describe("damaged Arrow", function () {
  this.timeout(120_000);
  let folder = "";
  const files = new Map<string, Uint8Array>();
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "bqueryd-arrow-damage-"));
    const words = Array.from({ length: rows }, (_, row) => (row % 7 === 3 ? null : `word ${row % 6}${row % 5 === 0 ? " and a longer tail of text" : ""}`));
    const table = new Table({
      list: vectorFromArray([[1], null], new List(new Field("item", new Int32(), true))).slice(0, 0).concat(vectorFromArray(words.map((_, row) => [row]), new List(new Field("item", new Int32(), true)))),
      i: vectorFromArray(words.map((word, row) => (word === null ? null : row)), new Int32()), s: vectorFromArray(words, new Utf8()), d: vectorFromArray(words, new Dictionary(new Utf8(), new Int8())),
      w: vectorFromArray(words, new Utf8View()), b: vectorFromArray(words.map((word) => word === null), new Bool()), t: makeVector(makeData({ type: new TimestampSecond(), length: rows, data: BigInt64Array.from(words, (_, row) => BigInt(row)) })),
    });
    for (const kind of ["file", "stream"] as const) {
      for (const codec of [undefined, "lz4", "zstd"] as const) files.set(`${kind} ${codec ?? "raw"}`, await encodeArrow(table, kind, codec));
    }
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  /** Reads what there is; gives whether that failed, and lets no failure pass that is not one of ours. */
  async function fails(bytes: Uint8Array, what = ""): Promise<boolean> {
    const path = join(folder, "damaged");
    writeFileSync(path, bytes);
    try {
      const source = await openArrow(path, plainOptions);
      try {
        await readSource(source, heldColumns(source));
      } finally {
        await source.close();
      }
      return false;
    } catch (cause) {
      if (!(cause instanceof BquerydError)) throw new Error(`${what} fails with ${String(cause)}`, { cause });
      expect(["BAD_INPUT", "OVERFLOW", "MEMORY_LIMIT"], `${what} ${cause.message}`).to.include(cause.code);
      expect(cause.message).to.include(path);
      return true;
    }
  }

  for (const name of ["file raw", "file lz4", "file zstd", "stream raw", "stream lz4", "stream zstd"]) {
    it(`with any byte changed gives values or an error of ours, and little memory is taken: ${name}`, async () => {
      const whole = files.get(name)!;
      const seed = freshSeed();
      const random = seededRandom(seed);
      const before = process.memoryUsage.rss();
      let [tried, failures] = [0, 0];
      for (let at = seed % every; at < whole.length; at += every, tried++) {
        const damaged = whole.slice();
        damaged[at]! ^= 1 << Math.floor(random() * 8);
        if (await fails(damaged, `byte ${at}, seed ${seed}`)) failures += 1;
      }
      expect(failures).to.be.greaterThan(tried / 50);
      expect(process.memoryUsage.rss() - before).to.be.below(grownBytesMax);
    });
  }

  for (const name of ["file raw", "stream raw"]) {
    it(`cut at any length is an error, save at the end of a message of a stream: ${name}`, async () => {
      const whole = files.get(name)!;
      let sound = 0;
      for (let length = 0; length < whole.length; length++) if (!await fails(whole.subarray(0, length))) sound += 1;
      // A stream may end without saying so: after its schema, each dictionary, its batch, and within its end.
      expect(sound).to.be.at.most(name.startsWith("file") ? 0 : 12);
    });
  }

  it("claims of sizes are not believed", async () => {
    const random = seededRandom(freshSeed());
    const whole = files.get("file raw")!;
    const view = new DataView(whole.buffer, whole.byteOffset, whole.length);
    let failures = 0;
    for (let at = 0; at + 8 <= whole.length; at += 8) {
      const before = view.getBigInt64(at, true);
      const claim = oneOf(random, [2n ** 62n, -1n, 2n ** 33n, 2n ** 31n - 1n]);
      view.setBigInt64(at, claim, true);
      if (await fails(whole, `${claim} at ${at}`)) failures += 1;
      view.setBigInt64(at, before, true);
    }
    expect(failures).to.be.greaterThan(50);
    expect(await fails(whole)).to.equal(false);
  });

  it("leaves no file open", async () => {
    writeFileSync(join(folder, "cut"), files.get("file raw")!.subarray(0, 100));
    const error = await failureOf(() => openArrow(join(folder, "cut"), plainOptions));
    expect(error.code).to.equal("BAD_INPUT");
  });
});
