import { expect } from "chai";
import { describe, it } from "mocha";
import { columnsOf, decodeQuery, encodeQuery, parseQuery } from "../../lib/engine/query.js";

function parse(keys: unknown, measures: unknown, where: unknown = []) {
  return parseQuery({ keys, measures, where });
}

describe("a query", () => {
  it("takes a bare column as its sum, and names a measure after its column", () => {
    expect(parse([], ["fare", ["tip", "mean"], ["tip", "max", "most"]]).measures).to.deep.equal([
      { column: "fare", op: "sum", name: "fare" }, { column: "tip", op: "mean", name: "tip" }, { column: "tip", op: "max", name: "most" },
    ]);
  });

  it("accepts the spelled out comparisons of the original", () => {
    const where = [["a", "eq", 1], ["a", "neq", 1], ["a", "nin", [1]], ["a", "NOT IN", [1]]];
    expect(parse(["a"], [], where).where.map((entry) => entry.op)).to.deep.equal(["==", "!=", "not in", "not in"]);
  });

  it("names each column it reads once, and not *", () => {
    expect(columnsOf(parse(["a", "b"], [["a", "sum", "s"], ["*", "count", "n"]], [["c", ">", 1], ["b", "<", 2]]))).to.have.members(["a", "b", "c"]);
  });

  it("survives its bytes with bigints, infinities, bytes and odd names", () => {
    const query = parse(["__proto__"], [["x", "sum", "toString"]], [["y", "==", 2n ** 62n + 1n], ["z", "<", Infinity], ["s", "in", ["", "é", '"', "\\x0a"]], ["b", "in", [Uint8Array.of(0, 255), Buffer.from("x"), new Uint8Array(0)]]]);
    expect(decodeQuery(encodeQuery(query))).to.deep.equal(query);
  });

  const wrong: [string, () => unknown, RegExp][] = [
    ["neither keys nor measures", () => parse([], []), /key or a measure/],
    ["two result columns of one name", () => parse(["a"], [["a", "sum"]]), /two columns named 'a'/],
    ["an unknown op, with the nearest", () => parse([], [["a", "men"]]), /did you mean 'mean'/],
    ["an empty list", () => parse(["a"], [], [["a", "in", []]]), /'in' on column 'a' has an empty list/],
    ["a list where one value belongs", () => parse(["a"], [], [["a", "==", [1, 2]]]), /column 'a'/],
    ["no list where one belongs", () => parse(["a"], [], [["a", "in", 3]]), /takes a list/],
    ["NaN", () => parse(["a"], [], [["a", ">", NaN]]), /NaN/],
    ["null", () => parse(["a"], [], [["a", "==", null]]), /null cannot be compared with column 'a'/],
    ["an unknown comparison", () => parse(["a"], [], [["a", "=~", 1]]), /where op "=~"/],
    ["* with another op than count", () => parse([], [["*", "sum", "n"]]), /only count takes/],
    ["a key that is no text", () => parse([1], []), /key 1/],
    ["a term too long, whatever is in it", () => parse(["a"], [], [["a", "==", 1n, Uint8Array.of(10)]]), /\["a","==","1n","\\\\x0a"\] does not read/],
    ["bytes in a wrong spelling from afar", () => decodeQuery(Buffer.from('{"keys":["a"],"measures":[],"where":[["a","==",[{"$bytes":"0a"}]]]}')), /cannot be compared with column 'a'/],
    ["keys that are no list", () => parse("a", []), /keys is "a"/],
  ];
  for (const [what, ask, message] of wrong) {
    it(`with ${what} is BAD_QUERY`, () => {
      expect(ask).to.throw(message).with.property("code", "BAD_QUERY");
    });
  }

  it("of bytes that are none is BAD_MESSAGE", () => {
    for (const bytes of [new Uint8Array([0xff, 0xfe]), new TextEncoder().encode("[1]"), new TextEncoder().encode("{")]) {
      expect(() => decodeQuery(bytes)).to.throw().with.property("code", "BAD_MESSAGE");
    }
  });
});
