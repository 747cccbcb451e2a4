import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { describe, it } from "mocha";
import { freshSeed, seededRandom } from "../../lib/base/clock.js";
import type { Dtype } from "../../lib/columns/dtypes.js";
import type { CsvTuning } from "../../lib/formats/csv/read.js";
import type { Reject, SourceOptions } from "../../lib/formats/source.js";
import { failureOf } from "../support/failure.js";
import { someOf } from "../support/random/draw.js";
import { readCsvFile, tinyBlocks } from "./csv-reading.js";

/** What a JSON file of the folder says about the text beside it. */
interface Expected {
  readonly options?: { readonly types?: Readonly<Record<string, Dtype>>; readonly columns?: readonly string[]; readonly delimiter?: string; readonly nulls?: readonly string[] };
  readonly error?: { readonly code: string; readonly message: string };
  readonly columns: Readonly<Record<string, Dtype>>;
  readonly rows: readonly (readonly (string | null)[])[];
  readonly rejects?: readonly Reject[];
}

const folder = fileURLToPath(new URL("../../../test/fixtures/csv/", import.meta.url));
const files = readdirSync(folder);
const cases = files.filter((file) => file.endsWith(".json")).map((file) => file.slice(0, -5));

const tunings: Readonly<Record<string, Partial<CsvTuning>>> = {
  "in one piece": {},
  "in blocks of one byte": tinyBlocks,
  "by threads, in blocks of five bytes": { blockBytes: 5, readBytes: 3, inlineBytesMax: 0, threads: 2 },
};

function readExpected(name: string): Expected {
  // The file has `__proto__` as a name, which only JSON.parse makes a member.
  return JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as Expected;
}

function optionsOf({ options = {} }: Expected): Partial<SourceOptions> {
  return { ...options, types: new Map(Object.entries(options.types ?? {})), nulls: options.nulls ?? [] };
}

describe("csv: nasty files", function () {
  this.timeout(60_000);

  it("are many, each with its expected values", () => {
    expect(cases.length).to.be.greaterThan(70);
    expect(files.length).to.equal(cases.length * 2);
  });

  for (const [how, tuning] of Object.entries(tunings)) {
    // Threads have to start for each: every run of the tests takes some of the files.
    for (const name of tuning.threads === undefined ? cases : someOf(seededRandom(freshSeed()), cases, 25)) {
      it(`${name} is read as expected ${how}`, async () => {
        const expected = readExpected(name);
        const path = join(folder, files.find((file) => file.startsWith(`${name}.`) && !file.endsWith(".json"))!);
        const read = () => readCsvFile(path, optionsOf(expected), tuning);
        if (expected.error !== undefined) {
          const error = await failureOf(read);
          expect(error.code).to.equal(expected.error.code);
          expect(error.message).to.include(expected.error.message);
          return;
        }
        const { columns, rows, rejects } = await read();
        expect(columns).to.deep.equal(Object.entries(expected.columns).map(([column, dtype]) => ({ name: column, dtype })));
        expect(rows).to.deep.equal(expected.rows);
        expect(rejects).to.deep.equal(expected.rejects ?? []);
      });
    }
  }
});
