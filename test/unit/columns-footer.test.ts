import { expect } from "chai";
import { describe, it } from "mocha";
import { canonicalJson } from "../../lib/base/json.js";
import { decodeCurrent, encodeCurrent } from "../../lib/columns/files/current.js";
import { decodeFooter, encodeFooter, sha256Hex, type Footer } from "../../lib/columns/files/footer.js";
import { failureOf } from "../support/failure.js";

const [dataId, indexId, dictionaryId] = ["a".repeat(64), "b".repeat(64), "c".repeat(64)];

const footer: Footer = {
  format: "bqueryd", version: 1, rows: 70_000, chunk_rows: 65_536, set: { id: "0".repeat(32), index: 1, count: 2 }, sort: "id",
  columns: [
    { name: "id", dtype: "int64", nullable: false, unit: null, segments: [{ data: `${dataId}.col`, index: `${indexId}.idx`, rows: 65_536 }, { data: `${dataId}.col`, index: `${indexId}.idx`, rows: 4_464 }], dictionary: null },
    { name: "__proto__", dtype: "string", nullable: true, unit: null, segments: [{ data: `${dataId}.col`, index: `${indexId}.idx`, rows: 70_000 }], dictionary: 0 },
  ],
  dictionaries: [{ file: `${dictionaryId}.dict`, count: 3, bytes: 9 }],
  files: [{ name: `${dataId}.col`, bytes: 10, sha256: dataId }, { name: `${indexId}.idx`, bytes: 10, sha256: indexId }, { name: `${dictionaryId}.dict`, bytes: 10, sha256: dictionaryId }],
};

/** Decodes a footer whose text was changed, under the id of the changed text. */
function decodeChanged(change: (text: string) => string): Footer {
  const bytes = Buffer.from(change(canonicalJson(footer)));
  return decodeFooter(bytes, sha256Hex(bytes), "taxi.bcolz");
}

describe("canonical JSON", () => {
  it("does not depend on the order of members", () => {
    expect(canonicalJson({ b: 1, a: [true, null, { d: "x", c: -0 }] })).to.equal('{"a":[true,null,{"c":0,"d":"x"}],"b":1}');
  });

  it("holds no number that a reader could take for another", () => {
    for (const value of [0.5, Infinity, NaN, 2 ** 53, 1n]) expect(() => canonicalJson({ value })).to.throw("canonical JSON");
  });
});

describe("footers", () => {
  it("come back as they were written", () => {
    const { bytes, generation } = encodeFooter(footer);
    expect(generation).to.match(/^[0-9a-f]{64}$/);
    expect(decodeFooter(bytes, generation, "taxi.bcolz")).to.deep.equal(footer);
  });

  it("are found damaged by their name", async () => {
    const { bytes, generation } = encodeFooter(footer);
    bytes[40]! ^= 1;
    const failure = await failureOf(() => decodeFooter(bytes, generation, "taxi.bcolz"));
    expect(failure.code).to.equal("CORRUPT_FOOTER");
    expect(failure.message).to.include("taxi.bcolz");
  });

  it("of another version or format are not guessed at", async () => {
    expect((await failureOf(() => decodeChanged((text) => text.replace('"version":1', '"version":2')))).code).to.equal("UNSUPPORTED_FORMAT");
    expect((await failureOf(() => decodeChanged((text) => text.replace('"bqueryd"', '"parquet"')))).code).to.equal("UNSUPPORTED_FORMAT");
    expect((await failureOf(() => decodeChanged(() => "7"))).code).to.equal("UNSUPPORTED_FORMAT");
    expect((await failureOf(() => decodeChanged(() => "{"))).code).to.equal("CORRUPT_FOOTER");
  });

  it("with a dtype of the future name the column", async () => {
    const failure = await failureOf(() => decodeChanged((text) => text.replace('"int64"', '"list<int64>"')));
    expect(failure.code).to.equal("UNSUPPORTED_DTYPE");
    expect(failure.message).to.include("'id'").and.to.include("list<int64>");
  });

  const contradictions: [string, (text: string) => string][] = [
    ["a chunk size of its own", (text) => text.replace('"chunk_rows":65536', '"chunk_rows":1024')],
    ["segments that do not add up", (text) => text.replace('"rows":4464', '"rows":4465')],
    ["a segment that ends inside a chunk", (text) => text.replace('"rows":65536', '"rows":65535').replace('"rows":4464', '"rows":4465')],
    ["a file it does not list", (text) => text.replace(`"data":"${dataId}`, `"data":"${"d".repeat(64)}`)],
    ["a file name that leaves the folder", (text) => text.replace(`"name":"${dataId}.col"`, '"name":"../../etc/passwd"')],
    ["a file not named by its content", (text) => text.replace(`"sha256":"${dataId}"`, `"sha256":"${indexId}"`)],
    ["two columns of one name", (text) => text.replace('"__proto__"', '"id"')],
    ["a dictionary that is not there", (text) => text.replace('"dictionary":0', '"dictionary":1')],
    ["a dictionary for integers", (text) => text.replace('"string"', '"int64"')],
    ["an empty dictionary", (text) => text.replace('"count":3,', '"count":0,')],
    ["a place past the end of its set", (text) => text.replace('"index":1}', '"index":2}')],
    ["rows but no columns", (text) => text.replace(/"columns":\[.*?\],"dictionaries"/, '"columns":[],"dictionaries"')],
    ["negative rows", (text) => text.replace('"rows":70000,', '"rows":-1,')],
  ];
  for (const [what, change] of contradictions) {
    it(`with ${what} are refused`, async () => {
      expect(change(canonicalJson(footer)), "the change changes something").to.not.equal(canonicalJson(footer));
      expect((await failureOf(() => decodeChanged(change))).code).to.equal("CORRUPT_FOOTER");
    });
  }
});

describe("CURRENT", () => {
  it("lists generations, one a line", () => {
    const bytes = encodeCurrent([dataId, indexId]);
    expect(Buffer.from(bytes).toString()).to.equal(`${dataId}\n${indexId}\n`);
    expect(decodeCurrent(bytes, "taxi.bcolz")).to.deep.equal([dataId, indexId]);
  });

  it("is refused when it is anything else", async () => {
    for (const text of ["", `${dataId}`, `${dataId}\n\n`, `${dataId}\r\n`, `${dataId.toUpperCase()}\n`, `${dataId}\n${indexId.slice(1)}\n`]) {
      expect((await failureOf(() => decodeCurrent(Buffer.from(text), "taxi.bcolz"))).code, JSON.stringify(text)).to.equal("CORRUPT_FOOTER");
    }
  });
});
