import { expect } from "chai";
import { describe, it } from "mocha";
import { decodeFiles, decodeInfo } from "../../lib/wire/documents.js";
import { failureOf } from "../support/failure.js";

describe("documents of a cluster", () => {
  const table = { table: "taxi", kind: "set", shards: 2, rows: 10, holders: 1, generations: ["0123abcd", "4567cdef"], columns: [{ name: "fare", dtype: "float64" }] };

  it("are taken as they are when they are whole", () => {
    expect(decodeFiles([table])).to.deep.equal([table]);
    expect(decodeFiles([])).to.deep.equal([]);
  });

  const damaged: readonly (readonly [string, unknown, string])[] = [
    ["no list", null, "document"],
    ["a table without its rows", [{ ...table, rows: undefined }], "/0/rows"],
    ["a kind that there is not", [{ ...table, kind: "view" }], "/0/kind"],
    ["a column that is a text", [table, { ...table, columns: ["fare"] }], "/1/columns/0"],
  ];
  for (const [what, value, member] of damaged) {
    it(`are refused with ${what}, naming the place`, async () => {
      const failure = await failureOf(() => decodeFiles(value));
      expect(failure.code).to.equal("BAD_MESSAGE");
      expect(failure.message).to.include(member);
    });
  }

  it("are refused where a cluster's lacks its members", async () => {
    const failure = await failureOf(() => decodeInfo({ id: "a" }));
    expect(failure.code).to.equal("BAD_MESSAGE");
    expect(failure.message).to.include("info()");
  });
});
