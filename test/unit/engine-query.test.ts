import { expect } from "chai";
import { describe, it } from "mocha";
import { decodeQuery, encodeQuery } from "../../lib/engine/query/bytes.js";
import { columnsOf, outputNames, parseQuery, type QueryInput } from "../../lib/engine/query/query.js";

function parse(keys: unknown, measures: unknown, where: unknown = [], options: Partial<QueryInput> = {}) {
  return parseQuery({ keys, measures, where, ...options });
}

function column(name: string) {
  return { kind: "column", name };
}

describe("a query", () => {
  it("takes a bare column as its sum, and names a measure after its column", () => {
    expect(parse([], ["fare", ["tip", "mean"], ["tip", "max", "most"]]).measures).to.deep.equal([
      { inputs: [column("fare")], op: "sum", name: "fare", params: {} }, { inputs: [column("tip")], op: "mean", name: "tip", params: {} }, { inputs: [column("tip")], op: "max", name: "most", params: {} },
    ]);
  });

  it("takes expressions as keys and inputs, several inputs, and arithmetic over measures", () => {
    const query = parse(["a", { expr: "b + 1", as: "c" }, { expr: "b * 2" }], [[{ expr: "x * y" }, "sum", "xy"], { expr: "xy / n", as: "ratio" }, ["*", "count", "n"], [["x", "y"], "corr"]]);
    expect(outputNames(query)).to.deep.equal(["a", "c", "b * 2", "xy", "ratio", "n", "x, y"]);
    expect(query.measures.map(({ inputs }) => inputs.length)).to.deep.equal([1, 0, 2]);
    expect(query.computed).to.have.length(1).and.have.nested.property("[0].place", 1);
    expect(columnsOf(query)).to.have.members(["a", "b", "x", "y"]);
  });

  it("fills the parameters of measures in", () => {
    const { measures } = parse([], [["x", "topk", "t", { k: 2 }], ["x", "quantile", "q", { p: 0.9 }], ["x", "approx_quantile", "a", { p: 0.5 }], ["x", "histogram", "h", { low: 0 }], [["x", "y"], "histogram2d", "g", { bins: [4, 5], high: [null, 9] }]]);
    expect(measures.map(({ params }) => params)).to.deep.equal([
      { k: 2, by: "value" }, { p: 0.9 }, { p: 0.5, error: 0.01 }, { bins: [10], low: [0], high: [null] }, { bins: [4, 5], low: [null, null], high: [null, 9] },
    ]);
  });

  it("accepts the spelled out comparisons of the original", () => {
    const where = [["a", "eq", 1], ["a", "neq", 1], ["a", "nin", [1]], ["a", "NOT IN", [1]]];
    const condition = parse(["a"], [], where).where;
    expect(condition).to.have.property("kind", "and");
    expect(condition).to.have.property("parts").that.deep.equals(["==", "!=", "not in", "not in"].map((op) => ({ kind: "compare", operand: column("a"), op, values: [1] })));
  });

  it("names each column it reads once, and not *", () => {
    expect(columnsOf(parse(["a", "b"], [["a", "sum", "s"], ["*", "count", "n"]], [["c", ">", 1], ["b", "<", 2]]))).to.have.members(["a", "b", "c"]);
  });

  it("survives its bytes with bigints, infinities, bytes and odd names", () => {
    const query = parse(["__proto__"], [["x", "sum", "toString"]], [["y", "==", 2n ** 62n + 1n], ["z", "<", Infinity], ["s", "in", ["", "é", '"', "\\x0a"]], ["b", "in", [Uint8Array.of(0, 255), Buffer.from("x"), new Uint8Array(0)]]]);
    expect(decodeQuery(encodeQuery(query))).to.deep.equal(query);
  });

  it("survives its bytes with integers of 400 digits, and is refused with longer ones", () => {
    for (const value of [10n ** 400n - 1n, 1n - 10n ** 400n]) {
      const query = parse(["k"], [], [["y", "<", value]]);
      expect(decodeQuery(encodeQuery(query))).to.deep.equal(query);
      const written = parse(["k"], [], `y < ${value}`);
      expect(decodeQuery(encodeQuery(written))).to.deep.equal(written);
    }
    for (const value of [10n ** 400n, -(10n ** 400n)]) {
      for (const where of [[["y", "<", value]], `y < ${value}`]) expect(() => parse(["k"], [], where)).to.throw("more than 400 digits").with.property("code", "BAD_QUERY");
    }
  });

  it("survives its bytes with expressions, parameters and all options", () => {
    const query = parse(["*", { expr: "date_trunc('day', \"odd \"\" name\", 'Europe/Paris')", as: "day" }], [[{ expr: "CASE WHEN b LIKE 'x''%' THEN 1.0 ELSE -2 END" }, "sum", "s"], { expr: "s / 2", as: "half" }, [{ expr: "\"*\"" }, "count", "n"], ["v", "quantile", "q", { p: 0.5 }]], "a + b > 3 OR c IS NULL", {
      having: [["half", ">", 1]], order: [["s", "DESC"], "day"], limit: 10, offset: 5, expand_filter_column: "basket", missing: "empty", cache: "columns",
    });
    expect(decodeQuery(encodeQuery(query))).to.deep.equal(query);
    const rows = parse(["k"], ["v", { expr: "v + w", as: "sum" }], [], { aggregate: false, order: ["sum"], limit: 1 });
    expect(decodeQuery(encodeQuery(rows))).to.deep.equal(rows);
    expect(columnsOf(rows)).to.have.members(["k", "v", "w"]);
  });

  const wrong: [string, () => unknown, RegExp][] = [
    ["neither keys nor measures", () => parse([], []), /key or a measure/],
    ["rows of no columns", () => parse([], [], [], { aggregate: false }), /; name the columns that rows are wanted of as keys/],
    ["an order by a name that is near to none", () => parse(["a*2"], [], [], { order: ["dd"] }), /order names 'dd'.*; it has a\*2$/],
    ["two result columns of one name", () => parse(["a"], [["a", "sum"]]), /two columns named 'a'/],
    ["an unknown op, with the nearest", () => parse([], [["a", "men"]]), /did you mean 'mean'/],
    ["an empty list", () => parse(["a"], [], [["a", "in", []]]), /'in' on column 'a' has an empty list/],
    ["a list where one value belongs", () => parse(["a"], [], [["a", "==", [1, 2]]]), /column 'a'/],
    ["no list where one belongs", () => parse(["a"], [], [["a", "in", 3]]), /takes a list/],
    ["NaN", () => parse(["a"], [], [["a", ">", NaN]]), /NaN/],
    ["null", () => parse(["a"], [], [["a", "==", null]]), /null is compared with column 'a'/],
    ["an unknown comparison", () => parse(["a"], [], [["a", "=~", 1]]), /where op "=~"/],
    ["* with another op than count", () => parse([], [["*", "sum", "n"]]), /only count takes/],
    ["a key that is no text", () => parse([1], []), /key 1/],
    ["a term too long, whatever is in it", () => parse(["a"], [], [["a", "==", 1n, Uint8Array.of(10)]]), /\["a","==","1n","\\\\x0a"\] does not read/],
    ["bytes in a wrong spelling from afar", () => decodeQuery(Buffer.from('{"keys":["a"],"measures":[],"where":[["a","==",[{"$bytes":"0a"}]]]}')), /cannot be compared with column 'a'/],
    ["keys that are no list", () => parse("a", []), /keys is "a"/],
    ["an expression that is none", () => parse([{ expr: "a +" }], []), /cannot be read at character 4: it ends where a value is expected/],
    ["an expression with an unknown member", () => parse([{ expr: "a", is: "b" }], []), /member 'is'/],
    ["arithmetic over what is no column of the result", () => parse(["a"], [{ expr: "a + hidden", as: "b" }]), /computed measure 'b' names 'hidden'/],
    ["having over what is no column of the result", () => parse(["a"], [["v", "sum", "total"]], [], { having: "totl > 1" }), /having names 'totl'.*did you mean 'total'/],
    ["having with a text in double quotes", () => parse(["a"], [["*", "count", "n"]], [], { having: 'n > 3 and (a = "it\'s" or n < 2)' }), /having names 'it's', which is no column of the result; if a text is meant, write it in single quotes: 'it''s'$/],
    ["order by a name in quotes", () => parse(["a"], [["*", "count", "n"]], [], { order: [['"n"', "desc"]] }), /order names '"n"', which is no column of the result; names stand without quotes here: n$/],
    ["order of rows by a name in quotes", () => parse(["a"], [], [], { aggregate: false, order: ["`a`"] }), /names stand without quotes here: a$/],
    ["order by what is no column of the result", () => parse(["a"], [], [], { order: ["b"] }), /order names 'b'/],
    ["order twice by one column", () => parse(["a"], [], [], { order: ["a", ["a", "desc"]] }), /'a' twice/],
    ["an order that is none", () => parse(["a"], [], [], { order: [["a", "up"]] }), /\["a","up"\] does not read/],
    ["a negative limit", () => parse(["a"], [], [], { limit: -1 }), /limit is -1/],
    ["one column where two belong", () => parse([], [["a", "corr"]]), /takes two/],
    ["a quantile without p", () => parse([], [["a", "quantile", "q"]]), /'p' of measure 'q' is missing; give a number from 0 to 1/],
    ["an unknown parameter", () => parse([], [["a", "topk", "t", { k: 1, n: 2 }]]), /'topk' takes k, by/],
    ["too many bins", () => parse([], [[["a", "b"], "histogram2d", "h", { bins: [1_000, 1_000] }]]), /1000000 bins/],
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
